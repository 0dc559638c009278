/** The controller's environment. */
import { readSettings, SettingsError } from "../../../userdata/controller/src/settings";

const right = {
  ENVIRONMENT: "prod",
  AWS_REGION: "ap-northeast-2",
  S3_CODE_BUCKET: "code",
  S3_USER_DATA_BUCKET: "user-data",
  FUNCTIONS_TABLE: "functions",
  JOBS_TABLE: "jobs",
  API_KEYS_TABLE: "keys",
  SQS_QUEUE_URL: "https://sqs.ap-northeast-2.amazonaws.com/1/queue",
  REDIS_HOST: "redis",
  REDIS_TLS: "true",
  REDIS_USER: "nanogrid-controller",
  REDIS_CACHE_NAME: "nanogrid-redis",
};

function problems(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readSettings(env);
  } catch (error) {
    if (error instanceof SettingsError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

test("settings: what is left out has the documented default", () => {
  expect(readSettings(right)).toMatchObject({
    port: 8_080,
    host: "0.0.0.0",
    awsEndpointUrl: undefined,
    logFile: "",
    deadLetterQueueUrl: "",
    keyRequestsPerMinute: 600,
    syncMaxWaitS: 3_500,
    uploadMaxBytes: 52_428_800,
    shutdownGraceS: 25,
    redis: { port: 6_379, tls: true },
  });
});

test("settings: everything wrong is told at once, each by name, with what came and what to do", () => {
  const found = problems({ PORT: "http", REDIS_TLS: "yes", REDIS_PORT: "0", REDIS_USER: "u", SQS_QUEUE_URL: "queue" });

  const names = found.map((problem) => problem.split(" ")[0]);
  expect(names.sort()).toEqual(
    [
      "API_KEYS_TABLE",
      "AWS_REGION",
      "ENVIRONMENT",
      "FUNCTIONS_TABLE",
      "JOBS_TABLE",
      "PORT",
      "REDIS_CACHE_NAME",
      "REDIS_HOST",
      "REDIS_PORT",
      "REDIS_TLS",
      "S3_CODE_BUCKET",
      "S3_USER_DATA_BUCKET",
      "SQS_QUEUE_URL",
    ].sort(),
  );
  expect(found.find((problem) => problem.startsWith("PORT"))).toMatch(/is "http".*Set a TCP port from 1 to 65535/);
  expect(found.find((problem) => problem.startsWith("JOBS_TABLE"))).toBe(
    "JOBS_TABLE is not set. Set it to the output jobsTable of nanogrid-data.",
  );
});

test("settings: where the dead letters are may be left out, and must be a URL where it is not", () => {
  expect(readSettings({ ...right, DEAD_LETTER_QUEUE_URL: "https://sqs/1/dlq" }).deadLetterQueueUrl).toBe(
    "https://sqs/1/dlq",
  );
  expect(problems({ ...right, DEAD_LETTER_QUEUE_URL: "dlq" })).toEqual([
    expect.stringMatching(/^DEAD_LETTER_QUEUE_URL is "dlq".*deadLetterQueueUrl/),
  ]);
});

test("settings: a Redis user without TLS is refused, since its token would travel unencrypted", () => {
  expect(problems({ ...right, REDIS_TLS: "false" })).toEqual([expect.stringContaining("IAM tokens need TLS")]);
});
