/** `npm run check:cdktn`: the real CDK Terrain from npm, on a copy of the real project. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { differences } from "../../commands/support/cdktn/compare";
import { renamed } from "../../commands/support/cdktn/copies";
import { testUnless } from "../support/tools";

/** Half a minute; the first time npm installs 700 MB. */
const CHECK_MS = 900_000;

test("the rename changes imports of CDKTF and of bindings that exist, and nothing else", () => {
  const before = [
    'import { App } from "cdktf";',
    'import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";',
    'import { StorageBucket } from "@cdktf/provider-google/lib/storage-bucket";',
    'const output = "cdktf.out";',
  ];
  expect(renamed(before.join("\n"), ["aws"]).split("\n")).toEqual([
    'import { App } from "cdktn";',
    'import { SqsQueue } from "@cdktn/provider-aws/lib/sqs-queue";',
    ...before.slice(2),
  ]);
});

describe("the comparison", () => {
  const stack = {
    "//": { metadata: { version: "0.21.0", stackName: "one" } },
    terraform: { required_providers: { aws: { source: "aws", version: "6.25.0" } } },
    resource: { aws_sqs_queue: { queue: { name: "queue", tags: ["a"] } } },
  };

  test("leaves out what has to differ: versions of library and bindings, and the short form of a provider's address", () => {
    const after = structuredClone(stack);
    after["//"].metadata.version = "0.24.0";
    after.terraform.required_providers.aws = { source: "hashicorp/aws", version: "6.66.0" };
    expect(differences(stack, after)).toEqual([]);
  });

  test("names every other place: another value, one that is missing, another provider", () => {
    const after = structuredClone(stack) as Record<string, Record<string, Record<string, unknown>>>;
    Object.assign(after.resource?.aws_sqs_queue ?? {}, { queue: { name: "another" } });
    Object.assign(after.terraform?.required_providers ?? {}, { aws: { source: "someone/aws", version: "6.25.0" } });
    expect(differences(stack, after)).toEqual([
      { path: "terraform.required_providers.aws.source", before: "aws", after: "someone/aws" },
      { path: "resource.aws_sqs_queue.queue.name", before: "queue", after: "another" },
      { path: "resource.aws_sqs_queue.queue.tags", before: ["a"], after: undefined },
    ]);
  });
});

const registry = spawnSync("npm", ["view", "cdktn", "version"], { timeout: 30_000 }).status === 0;

testUnless(registry ? undefined : "CDK Terrain: needs the npm registry")(
  "CDK Terrain synthesizes the same Terraform for every stack of every environment",
  () => {
    const command = ["--import", "tsx", "commands/check-cdktn.ts", "--json"];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8", timeout: CHECK_MS });
    expect(status === 0 ? "same" : stdout + stderr).toBe("same");
    const compared = JSON.parse(stdout) as { environment: string; stack: string; missing: string[] }[];
    const { context } = JSON.parse(readFileSync("cdktf.json", "utf8")) as { context: { environments: object } };
    expect(new Set(compared.map(({ environment }) => environment))).toEqual(new Set(Object.keys(context.environments)));
    expect(compared.flatMap(({ missing }) => missing)).toContain("google");
  },
  CHECK_MS,
);
