import { ACCOUNT, emitted } from "../../bench/support/emitted";
import {
  archiveBucketName,
  bucketNames,
  CONTROLLERS,
  DEAD_LETTER_QUEUE,
  FUNCTION_SECRETS,
  QUEUE,
  TABLES,
  WORKERS,
} from "../../commands/support/names";
import { parseSettings } from "../../modules/platform/settings";

const SYNTH_MS = 120_000;
const NANOGRID = { data: { bucketSuffix: "acme" }, archive: { bucketSuffix: "other" } };
const SETTINGS = parseSettings({ test: { accountId: ACCOUNT, owner: "tests", nanogrid: NANOGRID } }, "test");

let stacks: ReadonlyMap<string, unknown>;

beforeAll(() => {
  stacks = emitted({ nanogrid: NANOGRID });
}, SYNTH_MS);

/** The values that a stack's resources of a type have for an attribute. */
function named(stack: string, type: string, attribute = "name"): unknown[] {
  const { resource } = stacks.get(stack) as { resource: Record<string, Record<string, Record<string, unknown>>> };
  return Object.values(resource[type] ?? {}).map((body) => body[attribute]);
}

test("the names that operators' commands work on are those that the stacks give", () => {
  for (const { group, logGroup, stack } of [WORKERS, CONTROLLERS]) {
    expect(named(stack, "aws_autoscaling_group")).toEqual([group]);
    expect(named(stack, "aws_cloudwatch_log_group")).toContain(logGroup);
  }
  expect(named("nanogrid-data", "aws_sqs_queue").sort()).toEqual([QUEUE, DEAD_LETTER_QUEUE]);
  expect(named("nanogrid-data", "aws_dynamodb_table").sort()).toEqual(Object.values(TABLES).sort());
  expect(named("nanogrid-data", "aws_s3_bucket", "bucket")).toEqual(
    expect.arrayContaining(Object.values(bucketNames(SETTINGS))),
  );
  expect(named("nanogrid-archive", "google_storage_bucket")).toEqual([archiveBucketName(SETTINGS)]);
  expect(JSON.stringify(stacks.get(WORKERS.stack))).toContain(`:secret:${FUNCTION_SECRETS}*`);
});
