import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/servers";
import { removeScratch, scratchCheckout } from "./scratch";

const RUN_MS = 60_000;

afterEach(removeScratch);

/** Writes new files into its own folder as fast as it can, for so long. */
function writer(folder: string, ms: number) {
  mkdirSync(folder, { recursive: true });
  const code = `
    const end = Date.now() + ${ms};
    for (let i = 0; Date.now() < end; i++) {
      try {
        require("fs").mkdirSync(${JSON.stringify(folder)}, { recursive: true });
        require("fs").writeFileSync(${JSON.stringify(join(folder, "file-"))} + i, "");
      } catch {}
    }`;
  return spawn(process.execPath, ["-e", code], { cwd: folder, stdio: "ignore" });
}

function down(checkout: string) {
  const options = { cwd: checkout, encoding: "utf8" as const, timeout: RUN_MS };
  return spawnSync(process.execPath, ["--import", "tsx", join("local", "down.ts")], options);
}

test(
  "local:down names a program that keeps writing where it removes, and removes everything once that has ended",
  async () => {
    const checkout = scratchCheckout();
    const home = join(checkout, ".local");
    const child = writer(join(home, "busy"), RUN_MS);
    const exited = once(child, "exit");
    await until("it writes", () => existsSync(join(home, "busy", "file-1")));

    const refused = down(checkout);
    child.kill("SIGKILL");
    await exited;

    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toContain(`${home} cannot be removed: node (pid ${child.pid}) still writes into it.`);
    expect(down(checkout)).toMatchObject({ status: 0, stdout: expect.stringContaining("Removed: .local") });
    expect(existsSync(home)).toBe(false);
  },
  RUN_MS,
);
