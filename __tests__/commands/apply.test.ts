/** What is checked before any plan is applied, on folders as `npm run diff -- --out` leaves them. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ApplicationOptions, applicable, checkOrigin } from "../../commands/support/plans/application";
import { addCosts, emptyFolder, planFile, readSummary, writeSummary } from "../../commands/support/plans/folder";
import { empty } from "../../commands/support/plans/planner";
import { fingerprintOf } from "../../commands/support/plans/repository";
import { NONE, type Summary } from "../../commands/support/plans/summary";
import { Terraforms } from "../../commands/support/plans/terraforms";
import type { Problems } from "../../commands/support/problem";
import { loadSettings } from "../../modules/platform/settings";
import { removeScratch, scratchFolder } from "../local/scratch";
import { has, testUnless } from "../support/tools";

afterEach(removeScratch);

const settings = loadSettings("local");
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const PLAN = "a plan";

/** A checkout with one synthesized stack, and a folder with its plan. */
function planned(changes: Partial<Summary> = {}): { project: string; folder: string; summary: Summary } {
  const project = scratchFolder();
  const folder = join(project, "plans");
  const stack = join(project, "cdktf.out", "stacks", "data");
  mkdirSync(stack, { recursive: true });
  mkdirSync(folder);
  writeFileSync(join(stack, "cdk.tf.json"), "{}");
  writeFileSync(planFile(folder, "data", "tfplan"), PLAN);
  const data = {
    ...empty("data", "changes"),
    plan: createHash("sha256").update(PLAN).digest("hex"),
    synthesis: fingerprintOf(project, "data"),
  };
  const summary: Summary = {
    ...{ version: 1, environment: "local", accountId: settings.accountId, commit: COMMIT, modified: false },
    ...{ plannedAt: "2026-01-02T03:04:05Z", terraform: "1.11.4", totals: NONE, refused: [] },
    stacks: [data, { ...empty("workers", "later"), after: ["data"] }, empty("network", "unchanged")],
    ...changes,
  };
  writeSummary(folder, summary);
  return { project, folder, summary };
}

function origin(at: ReturnType<typeof planned>, changes: Partial<ApplicationOptions> = {}): string[] {
  try {
    checkOrigin({
      ...at,
      settings,
      revision: { commit: COMMIT, modified: false },
      stacks: [{ name: "data", dependencies: [] }],
      chosen: ["data"],
      allowed: [],
      parallel: 1,
      terraforms: new Terraforms({ project: at.project, env: process.env, purpose: "test" }),
      ...changes,
    });
    return [];
  } catch (error) {
    return (error as Problems).problems.map(({ message }) => message);
  }
}

const withTerraform = testUnless(has("terraform") ? undefined : "terraform is not on PATH");

withTerraform("apply: plans of this checkout, environment and account are taken", () => {
  expect(origin(planned())).toEqual([]);
});

withTerraform("apply: plans of another environment, account and commit are refused, all told at once", () => {
  const at = planned({ environment: "prod", accountId: "999999999999", commit: "f".repeat(40) });

  expect(origin(at)).toEqual([
    expect.stringMatching(
      /^These plans are for environment prod, and this is local\. Set ENVIRONMENT=prod, or plan again\.$/,
    ),
    expect.stringMatching(/^These plans are for account 999999999999, and this is 123456789012\. Plan again/),
    expect.stringMatching(/^These plans are for commit f{40}, and this is 0123\w+\. Check out f{40}, or plan again\.$/),
  ]);
});

withTerraform(
  "apply: a plan file that was exchanged, and a stack that synthesizes to something else, are refused",
  () => {
    const exchanged = planned();
    writeFileSync(planFile(exchanged.folder, "data", "tfplan"), "another plan");
    const changed = planned();
    writeFileSync(join(changed.project, "cdktf.out", "stacks", "data", "cdk.tf.json"), '{"resource":{}}');

    expect(origin(exchanged)).toEqual([
      expect.stringContaining("data.tfplan is not the plan that summary.json names."),
    ]);
    expect(origin(changed)).toEqual([
      expect.stringContaining("data was planned from other code or settings than this checkout synthesizes."),
    ]);
  },
);

test("apply: a stack without a plan is refused by name, one without changes is passed over", () => {
  const { summary } = planned();

  expect(applicable(summary, ["data", "network"])).toEqual(["data"]);
  expect(() => applicable(summary, ["workers", "ai"])).toThrow(
    /workers has no plan: it can be planned after data\. .*\nai has no plan in this folder\./,
  );
});

test("apply: a folder is emptied of plans only, and one with other files is left alone", () => {
  const { folder, project } = planned();

  emptyFolder(folder);
  expect(() => readSummary(folder)).toThrow(`Make the plans first: npm run diff -- --out ${folder}`);
  writeFileSync(join(project, "notes.txt"), "mine");
  expect(() => emptyFolder(project)).toThrow("holds files that are no plans");
});

test("apply: costs that are put into a folder are in its summary and in its comment", () => {
  const { folder } = planned();

  addCosts(folder, { data: { before: 10, after: 12 } });

  expect(readSummary(folder).costs).toEqual({ data: { before: 10, after: 12 } });
});
