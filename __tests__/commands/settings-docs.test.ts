import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { settingsTables } from "../../commands/support/settings-table";

const PAGE = join("docs", "settings.md");

describe("settings docs", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "settings-docs-"));
    mkdirSync(join(folder, "docs"));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the command as npm does, on the page below a folder. */
  function settingsDocs(cwd: string, ...args: string[]) {
    const tsx = resolve("node_modules", "tsx", "dist", "loader.mjs");
    const command = ["--import", tsx, resolve("commands", "settings-docs.ts"), ...args];
    return spawnSync(process.execPath, command, { cwd, encoding: "utf8", timeout: 30_000 });
  }

  test("docs/settings.md is what the schema says: npm run docs:settings", () => {
    const { status, stderr } = settingsDocs(".", "--check");
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  test("--check ends with 1 and the remedy for a page that was changed by hand, and leaves it alone", () => {
    cpSync(PAGE, join(folder, PAGE));
    appendFileSync(join(folder, PAGE), "by hand\n");
    const before = settingsDocs(folder, "--check");
    expect(before.stderr).toContain("npm run docs:settings");
    expect(before.status).toBe(1);
    expect(settingsDocs(folder, "--check").status).toBe(1);
  });

  test("--check ends with 1 for a page that is missing, and the command writes one that passes", () => {
    expect(settingsDocs(folder, "--check").status).toBe(1);
    expect(settingsDocs(folder).status).toBe(0);
    expect(settingsDocs(folder, "--check").status).toBe(0);
  });

  test("a table says of each setting its key, what is allowed, its default and its meaning", () => {
    const schema = z.strictObject({
      owner: z.string().describe("Who answers | for it."),
      size: z.int().min(1).max(9).default(3).describe("How many."),
      color: z.enum(["red", "blue"]).default("red").describe("Which."),
      nanogrid: z
        .strictObject({
          pool: z
            .strictObject({
              depth: z
                .strictObject({ feet: z.number().positive().default(6).describe("How deep.") })
                .prefault({})
                .describe("Depths."),
              names: z.array(z.string().regex(/^a/, "a name with an a")).min(1).default(["anna"]).describe("Whose."),
              size: z.string().regex(/^x$/, "an x").optional().describe("How large."),
            })
            .prefault({})
            .describe("The pool."),
        })
        .prefault({}),
    });
    expect(settingsTables(schema).split("\n")).toEqual([
      "## Every stack",
      "",
      "| key | type | default | meaning |",
      "| --- | --- | --- | --- |",
      "| `owner` | string | **required** | Who answers \\| for it. |",
      "| `size` | integer, 1 to 9 | `3` | How many. |",
      '| `color` | `"red"` or `"blue"` | `"red"` | Which. |',
      "",
      "## `nanogrid.pool`",
      "",
      "The pool.",
      "",
      "| key | type | default | meaning |",
      "| --- | --- | --- | --- |",
      "| `depth` | object |  | Depths. |",
      "| `depth.feet` | number, above 0 | `6` | How deep. |",
      '| `names` | list, at least 1; each: string, a name with an a | `["anna"]` | Whose. |',
      "| `size` | string, an x | none | How large. |",
    ]);
  });
});
