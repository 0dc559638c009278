/** The OpenAPI document against the routes and against its own standard. */
import { spawnSync } from "node:child_process";
import pino from "pino";
import { createRouter, listRoutes } from "../../../userdata/controller/src/app";
import { createAws } from "../../../userdata/controller/src/aws";
import { openApiDocument } from "../../../userdata/controller/src/openapi";
import { JobEvents } from "../../../userdata/controller/src/redis";
import { readSettings } from "../../../userdata/controller/src/settings";
import { motoMissing, standInsPython } from "../../support/servers";
import { testUnless } from "../../support/tools";

const settings = readSettings({
  ENVIRONMENT: "local",
  AWS_REGION: "ap-northeast-2",
  S3_CODE_BUCKET: "code",
  S3_USER_DATA_BUCKET: "user-data",
  FUNCTIONS_TABLE: "functions",
  JOBS_TABLE: "jobs",
  API_KEYS_TABLE: "keys",
  SQS_QUEUE_URL: "http://127.0.0.1/queue",
  REDIS_HOST: "127.0.0.1",
  REDIS_TLS: "false",
});

test("openapi: the document has every route and no other", () => {
  const log = pino({ enabled: false });
  const aws = createAws(settings);
  const events = new JobEvents(settings.redis, undefined, log);
  const router = createRouter({ settings, aws, events, log, stopping: new AbortController().signal });
  events.close();
  aws.close();

  const routes = [...listRoutes(router)].flatMap(([path, methods]) =>
    methods.map((method) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`),
  );
  const described = Object.entries(openApiDocument().paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.sort()).toEqual(routes.sort());
});

test("openapi: every parameter of a path is described", () => {
  for (const [path, operations] of Object.entries(openApiDocument().paths)) {
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const operation of Object.values(operations) as { parameters?: { in: string; name: string }[] }[]) {
      const named = (operation.parameters ?? []).filter((parameter) => parameter.in === "path").map(({ name }) => name);
      expect(named).toEqual(wanted);
    }
  }
});

testUnless(motoMissing())("openapi: the document is valid OpenAPI 3.1", () => {
  const program = "import json, sys; from openapi_spec_validator import validate; validate(json.load(sys.stdin))";
  const { status, stderr } = spawnSync(standInsPython(), ["-c", program], {
    input: JSON.stringify(openApiDocument()),
    encoding: "utf8",
    timeout: 30_000,
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
