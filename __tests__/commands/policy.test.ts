/** `npm run policy`, as a person runs it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { judgeEnvironment } from "../../commands/support/policy/verdicts";
import { Problems } from "../../commands/support/problem";
import { RULES } from "../../modules/platform/policy/rules";

const SYNTH_MS = 60_000;

function policy(...args: string[]) {
  return spawnSync(process.execPath, ["--import", "tsx", "commands/policy.ts", ...args], {
    env: { ...process.env, ENVIRONMENT: "prod" },
    encoding: "utf8",
    timeout: SYNTH_MS,
  });
}

describe("npm run policy", () => {
  test(
    "tells every rule and every exception with its reason, and that nothing is left",
    () => {
      const { status, stdout } = policy("--no-checkov");
      expect(status).toBe(0);
      for (const { id, title } of RULES) {
        expect(stdout).toMatch(new RegExp(`^  ${id} +${title.slice(0, 20)}`, "m"));
      }
      expect(stdout).toMatch(/^ {2}tls-only +1 × +No certificate is set/m);
      expect(stdout).toMatch(/^\d+ rules: \d+ stacks of "prod", \d+ exceptions, nothing left without a reason\.$/m);
    },
    SYNTH_MS,
  );

  test(
    "gives programs the same as JSON",
    () => {
      const { stdout } = policy("--no-checkov", "--json");
      const { rules, exceptions, left } = JSON.parse(stdout) as {
        rules: object[];
        exceptions: object[];
        left: object[];
      };
      expect(rules).toHaveLength(RULES.length);
      expect(exceptions).toContainEqual({
        stack: "nanogrid-controllers",
        address: "aws_lb_listener.load-balancer_http",
        rule: "tls-only",
        reason: expect.stringMatching(/\w/),
      });
      expect(left).toEqual([]);
    },
    SYNTH_MS,
  );

  test(
    "says where plans come from when a folder has none",
    () => {
      const { status, stderr } = policy("--plans", "nowhere");
      expect(status).toBe(1);
      expect(stderr).toBe("✖ nowhere has no plan of a stack.\n  Make the plans first: npm run diff -- --out nowhere\n");
    },
    SYNTH_MS,
  );
});

test(
  "a stack that breaks rules is told finding by finding, each with what to do",
  async () => {
    const project = mkdtempSync(join(tmpdir(), "broken-project-"));
    try {
      const app = `sh -c 'cd ${process.cwd()} && exec node --import tsx __tests__/modules/policy/broken-app.ts'`;
      writeFileSync(join(project, "cdktf.json"), JSON.stringify({ app, context: {} }));
      const judging = judgeEnvironment({ project, environment: "dev", env: process.env });
      const error = await judging.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Problems);
      expect((error as Problems).problems.map(({ what, remedy }) => [what, remedy])).toContainEqual([
        expect.stringMatching(
          /^dev, first: aws_cloudwatch_log_group\.logs: log-groups-expire: retention_in_days is not set\./,
        ),
        "Set retention_in_days from a setting.",
      ]);
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  },
  SYNTH_MS,
);
