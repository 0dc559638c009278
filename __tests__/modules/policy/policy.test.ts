/** The policy as a whole: exceptions, what counts, and what a person sees. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { S3Bucket } from "@cdktf/provider-aws/lib/s3-bucket";
import type { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block";
import { type App, LocalBackend, TerraformStack, Testing } from "cdktf";
import { COMMAND, PAGE, policyPage } from "../../../commands/support/policy/page";
import { readVerdicts } from "../../../commands/support/policy/verdicts";
import { exception } from "../../../constructs/exception";
import { PrivateBucket } from "../../../constructs/private-bucket";
import { PlatformStack } from "../../../modules/platform/platform-stack";
import { judge } from "../../../modules/platform/policy/judge";
import { POLICY_FILE } from "../../../modules/platform/policy/policy";
import { RULES } from "../../../modules/platform/policy/rules";
import { loadSettings } from "../../../modules/platform/settings";
import { ALL_ENVIRONMENTS, ENVIRONMENTS, expr, runFolder, synthesized } from "../../support/synth";
import { verdictOn } from "./fixture";

const CONTEXT = { environment: "test", protectData: true };
const FOR_EVER = { "aws_cloudwatch_log_group.logs": {} };

function app(): App {
  return Testing.app({ outdir: join(runFolder(), "constructs") });
}

describe("an exception", () => {
  const excepting = (rule: string, more = {}) =>
    verdictOn(FOR_EVER, { exceptions: [{ address: "aws_cloudwatch_log_group.logs", rule, ...more }] });

  test("lets its resource pass, and is told with its reason", () => {
    const { findings, exceptions } = excepting("log-groups-expire", { reason: "The law wants it for ever." });
    expect(findings).toEqual([]);
    expect(exceptions).toEqual([
      {
        stack: "fixture",
        address: "aws_cloudwatch_log_group.logs",
        rule: "log-groups-expire",
        reason: "The law wants it for ever.",
      },
    ]);
  });

  test("for another resource lets nothing pass", () => {
    const fixture = { ...FOR_EVER, "aws_cloudwatch_log_group.others": {} };
    const exceptions = [{ address: "aws_cloudwatch_log_group.logs", rule: "log-groups-expire" }];
    const { findings } = verdictOn(fixture, { exceptions });
    expect(findings.map(({ address }) => address)).toEqual(["aws_cloudwatch_log_group.others"]);
  });

  test("for one statement leaves the others to the rule", () => {
    const statement = (Sid: string) => ({ Sid, Effect: "Allow", Action: "ec2:DescribeVpcs", Resource: "*" });
    const policy = JSON.stringify({ Statement: [statement("First"), statement("Second")] });
    const address = "aws_iam_role_policy.p";
    const rule = "iam-no-wildcard-resource";
    const { findings } = verdictOn({ [address]: { policy } }, { exceptions: [{ address, rule, part: "First" }] });
    expect(findings.map(({ found }) => found)).toEqual(["statement Second is about *"]);
  });

  test("that nothing needs is a finding", () => {
    const { findings } = verdictOn(
      { "aws_cloudwatch_log_group.logs": { retention_in_days: 30 } },
      { exceptions: [{ address: "aws_cloudwatch_log_group.logs", rule: "log-groups-expire" }] },
    );
    expect(findings).toEqual([
      expect.objectContaining({
        rule: "log-groups-expire",
        found: "an exception is written from it, and nothing here breaks it",
      }),
    ]);
  });

  test("from a rule that is not there is a finding", () => {
    const { findings } = excepting("log-groups-expires");
    expect(findings.map(({ rule, found }) => [rule, found])).toEqual([
      ["log-groups-expire", "retention_in_days is not set"],
      ["log-groups-expires", "an exception is written from it, and there is no such rule"],
    ]);
  });

  test("from a check of checkov is left to checkov", () => {
    const { findings } = excepting("CKV_AWS_158");
    expect(findings.map(({ rule }) => rule)).toEqual(["log-groups-expire"]);
  });

  test("from a rule that does not hold in this environment may stay", () => {
    const fixture = { "aws_ebs_volume.disk": { encrypted: true } };
    const exceptions = [{ address: "aws_ebs_volume.disk", rule: "data-is-protected" }];
    expect(verdictOn(fixture, { exceptions, protectData: false }).findings).toEqual([]);
    expect(verdictOn(fixture, { protectData: true }).findings).toHaveLength(1);
    expect(verdictOn(fixture, { protectData: false }).findings).toEqual([]);
  });

  test("without a reason cannot be written", () => {
    const bucket = new S3Bucket(new TerraformStack(app(), "stack"), "bucket", {});
    expect(() => exception(bucket, "tls-only", "because")).toThrow(/has no reason, only "because"\. Write why/);
  });
});

describe("what is judged", () => {
  test("is what is rendered: an override that opens a bucket is found", () => {
    const stack = new TerraformStack(app(), "stack");
    const bucket = new PrivateBucket(stack, "bucket", { name: "files", versioned: true });
    const access = bucket.node.findChild("public-access-block") as S3BucketPublicAccessBlock;
    const found = () => judge(stack, RULES, CONTEXT).findings.filter(({ rule }) => rule === "s3-buckets-are-private");
    expect(found()).toEqual([]);
    access.addOverride("block_public_policy", false);
    expect(found()).toEqual([expect.objectContaining({ found: expect.stringMatching(/block_public_policy off$/) })]);
  });

  test("is the value behind a reference, where the stack has it", () => {
    const fixture = {
      "aws_s3_bucket.first": { bucket: "files" },
      "aws_s3_bucket_public_access_block.first": {
        bucket: expr("aws_s3_bucket.first.bucket"),
        block_public_acls: false,
        block_public_policy: true,
        ignore_public_acls: expr("aws_s3_bucket_public_access_block.first.block_public_acls"),
        restrict_public_buckets: true,
      },
    };
    const found = verdictOn(fixture).findings.filter(({ rule }) => rule === "s3-buckets-are-private");
    expect(found.map((each) => each.found)).toEqual([
      "aws_s3_bucket_public_access_block.first leaves block_public_acls, ignore_public_acls off",
    ]);
  });

  test("is the state too: a stack that keeps it on a laptop is found, one of the platform is not", () => {
    const own = new TerraformStack(app(), "own");
    new LocalBackend(own, { path: "own.tfstate" });
    const ours = new (class extends PlatformStack {})(app(), "ours", loadSettings("dev"));
    expect(judge(own, RULES, CONTEXT).findings.map(({ address, found }) => [address, found])).toEqual([
      ["terraform.backend", "the backend is local instead of s3"],
    ]);
    expect(judge(ours, RULES, CONTEXT).findings).toEqual([]);
  });
});

describe("synth", () => {
  const broken = (folder: string) =>
    spawnSync(process.execPath, ["--import", "tsx", "__tests__/modules/policy/broken-app.ts"], {
      env: { ...process.env, CDKTF_OUTDIR: folder },
      encoding: "utf8",
      timeout: 60_000,
    });

  test("fails with the findings of all stacks at once, without a stack trace", () => {
    const folder = mkdtempSync(join(tmpdir(), "broken-"));
    try {
      const { status, stderr } = broken(folder);
      expect(status).toBe(1);
      expect(stderr).toContain("The policy stops synth: 4 findings.");
      expect(stderr).toContain(`✖ first: aws_cloudwatch_log_group.logs
  log-groups-expire: retention_in_days is not set.
  Why: Logs that are kept forever cost more every month, and keep what people asked to be forgotten.
  Do:  Set retention_in_days from a setting.`);
      for (const rule of ["data-stores-are-encrypted", "queues-have-dead-letters", "tls-only"]) {
        expect(stderr).toMatch(new RegExp(`✖ second: aws_sqs_queue\\.queue\\n  ${rule}: `));
      }
      expect(stderr).not.toMatch(/^\s+at /m);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);

  test.each(ALL_ENVIRONMENTS)("holds every stack of %s to the policy, and finds nothing", (environment) => {
    const { folder, stacks } = synthesized(environment);
    const written = JSON.parse(readFileSync(join(folder, POLICY_FILE), "utf8")) as {
      stacks: string[];
      findings: unknown[];
    };
    expect(written.stacks.sort()).toEqual(Object.keys(stacks).sort());
    expect(written.findings).toEqual([]);
  });
});

test(`${PAGE} lists every rule and every exception; ${COMMAND} writes it`, () => {
  const judged = ENVIRONMENTS.map((environment) => readVerdicts(synthesized(environment).folder, environment));
  const inOrderOfFile = ["dev", "prod", "local"].map((name) => judged.find(({ environment }) => environment === name));
  expect(readFileSync(PAGE, "utf8")).toBe(
    policyPage(
      RULES,
      inOrderOfFile.flatMap((each) => each ?? []),
    ),
  );
});
