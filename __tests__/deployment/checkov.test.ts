/**
 * Layer 6: checkov, offline, on what every environment synthesizes: nothing is found without a reason in the code. It looks at the plans of
 * every stack where these are made: stand-ins.test.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkSynthesis, withoutExceptions } from "../../commands/support/policy/checkov";
import { type JudgedEnvironment, judgeEnvironment, readVerdicts } from "../../commands/support/policy/verdicts";
import { run } from "../support/run";
import { VARIANTS } from "../support/synth";
import { describeUnless } from "../support/tools";

const CHECKOV_MS = 300_000;

const python = process.env.NANOGRID_CHECKOV_PYTHON ?? "";
const missing = python === "" ? "no checkov: the test machine's setup makes its environment" : undefined;

const options = { python, env: process.env };

/** What `main.ts` makes of an environment that only tests have. */
function synthesizedVariant(name: keyof typeof VARIANTS): JudgedEnvironment {
  const folder = mkdtempSync(join(tmpdir(), "checkov-variant-"));
  try {
    const context = JSON.stringify({ environments: { [name]: VARIANTS[name] } });
    run(process.execPath, ["--import", "tsx", "main.ts"], {
      env: { ...process.env, ENVIRONMENT: name, CDKTF_OUTDIR: folder, CDKTF_CONTEXT_JSON: context },
    });
    return readVerdicts(folder, name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describeUnless(missing)("checkov on what is synthesized", () => {
  test.each(["dev", "prod"])(
    "finds nothing in %s without a written reason",
    async (environment) => {
      const judged = await judgeEnvironment({ project: process.cwd(), environment, env: process.env });
      const found = await checkSynthesis(judged.stacks, options);
      expect(found.length).toBeGreaterThan(20);
      expect(withoutExceptions(found, judged.exceptions)).toEqual([]);
    },
    CHECKOV_MS,
  );

  test(
    "finds nothing with every option the other way: with TLS, CI's roles, replicas",
    async () => {
      const judged = synthesizedVariant("options");
      expect(withoutExceptions(await checkSynthesis(judged.stacks, options), judged.exceptions)).toEqual([]);
    },
    CHECKOV_MS,
  );

  test(
    "finds what nobody has a reason for, at its address",
    async () => {
      const open = {
        aws_vpc_security_group_ingress_rule: {
          ssh: { cidr_ipv4: "0.0.0.0/0", from_port: 22, to_port: 22, description: "SSH" },
        },
      };
      const quiet = { aws_cloudwatch_log_group: { ssh: { name: "logs", retention_in_days: 400, kms_key_id: "k" } } };
      const stacks = new Map([["fixture", { resource: { ...quiet, ...open } }]]);
      expect(await checkSynthesis(stacks, options)).toEqual([
        expect.objectContaining({
          stack: "fixture",
          address: "aws_vpc_security_group_ingress_rule.ssh",
          check: "CKV_AWS_24",
        }),
      ]);
    },
    CHECKOV_MS,
  );
});
