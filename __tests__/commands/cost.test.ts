import { execFile } from "node:child_process";
import { withoutAccounts } from "../../local/clouds";
import { PROJECT } from "../local/scratch";
import { COMMAND_MS, type Ended } from "./operations";

// What is emitted costs what __tests__/cost.test.ts says; here is the command around it, which these tests end before it synthesizes.
jest.setTimeout(COMMAND_MS);

function cost(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--import", "tsx", "commands/cost.ts", ...args],
      { cwd: PROJECT, env: { ...withoutAccounts(process.env), ENVIRONMENT: "dev" }, timeout: COMMAND_MS },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

test("cost: --assumptions prints what is assumed of use, and asks no cloud", async () => {
  const { code, stdout } = await cost("--assumptions");

  expect(code).toBe(0);
  expect(stdout).toMatch(/^ {2}natGb +through each NAT gateway +GB +1 +5 +50 +500$/m);
});

test.each([
  ["natGb", "Expected <name>=<number>, such as natGb=300"],
  ["natGb=many", "Expected <name>=<number>, such as natGb=300"],
  ["natGB=300", 'There is no assumption "natGB" about use.'],
])("cost: --usage %s is refused with what was expected", async (usage, message) => {
  const { code, stderr } = await cost("--usage", usage);

  expect(code).toBe(1);
  expect(stderr).toContain(message);
});
