/** The HTTP application: routes, and what is common to them. It listens nowhere by itself. */
import express, { type Express, type RequestHandler, Router } from "express";
import { authenticate } from "./auth";
import type { Aws } from "./aws";
import { CodeStore } from "./code-store";
import { FunctionsTable } from "./functions-table";
import { createChecks, HealthChecks } from "./health";
import { newId } from "./ids";
import { Invoker } from "./invoker";
import { JobsTable } from "./jobs-table";
import { ApiKeys, type KeyOwner } from "./keys";
import { KnownFunctions } from "./known-functions";
import { RequestLimits } from "./limits";
import type { Logger } from "./log";
import { Metrics } from "./metrics";
import { OpenRequests } from "./open-requests";
import { invalid, methodNotAllowed, noSuchRoute, problemHandler } from "./problems";
import { WorkQueue } from "./queue";
import type { JobEvents } from "./redis";
import { Results } from "./results";
import { functionRoutes } from "./routes/functions";
import { healthRoutes } from "./routes/health";
import { invocationRoutes } from "./routes/invocations";
import { jobRoutes } from "./routes/jobs";
import { keyRoutes } from "./routes/keys";
import { operationRoutes } from "./routes/operation";
import { pageRoutes } from "./routes/page";
import type { Settings } from "./settings";
import { createStatus } from "./status";
import { UserFiles } from "./user-files";

/** What the application works with. */
export interface AppProps {
  readonly settings: Settings;
  readonly aws: Aws;
  readonly events: JobEvents;
  readonly log: Logger;
  /** Aborted when the controller stops: calls that wait are answered with their job, streams end. */
  readonly stopping: AbortSignal;
}

export function createApp(props: AppProps): Express {
  const app = express();
  app.disable("x-powered-by");
  // One hop: the load balancer, which alone can reach the controller, sets X-Forwarded-Proto.
  app.set("trust proxy", 1);
  app.set("query parser", "simple");
  // Answers to a key are not kept by anybody, and others are small.
  app.set("etag", false);
  const page = Router();
  pageRoutes(page);
  const { router, metrics } = createApi(props);
  app.use(identify(props.log, metrics));
  // First: for a browser, / is the page.
  app.use(page);
  app.use(router);
  app.use(noSuchRoute);
  app.use(problemHandler(props.log));
  return app;
}

/** All routes of the API. */
export function createRouter(props: AppProps): Router {
  return createApi(props).router;
}

function createApi({ settings, aws, events, log, stopping }: AppProps): { router: Router; metrics: Metrics } {
  const { environment, syncMaxWaitS, uploadMaxBytes } = settings;
  const functions = new FunctionsTable(aws.dynamo, settings.functionsTable);
  const known = new KnownFunctions(functions, events);
  const jobs = new JobsTable(aws.dynamo, settings.jobsTable);
  const keys = new ApiKeys(aws.dynamo, settings.apiKeysTable);
  const limits = new RequestLimits(events, settings.keyRequestsPerMinute, log);
  const code = new CodeStore(aws.s3, settings.codeBucket);
  const files = new UserFiles(aws.s3, settings.userDataBucket);
  const queue = new WorkQueue(aws.sqs, settings.queueUrl);
  const results = new Results(jobs, events, log);
  const waits = new OpenRequests(stopping);
  const streams = new OpenRequests(stopping);
  const metrics = new Metrics({
    waiting: () => waits.size,
    streams: () => streams.size,
    redisConnected: () => events.connected,
  });
  const invoker = new Invoker({ jobs, queue, code, events, metrics, log });
  const checks = createChecks(aws, events, settings);
  const { dynamodb, sqs } = checks;

  const router = Router();
  router.use(["/v1", "/metrics"], authenticate(keys, limits, environment));
  healthRoutes(router, { health: new HealthChecks({ dynamodb, sqs }, log), ready: new HealthChecks(checks, log) });
  functionRoutes(router, { functions, known, code, invoker, log, uploadMaxBytes });
  invocationRoutes(router, { known, jobs, invoker, results, syncMaxWaitS, waits, environment });
  jobRoutes(router, { jobs, results, events, files, streams, log });
  keyRoutes(router, keys, log);
  operationRoutes(router, createStatus(aws, events, settings, log), metrics);
  for (const [path, methods] of listRoutes(router)) {
    router.all(path, methodNotAllowed(methods));
  }
  return { router, metrics };
}

/** Paths of a router with their methods, in capitals. */
export function listRoutes(router: Router): Map<string, string[]> {
  const routes = new Map<string, string[]>();
  for (const { route } of router.stack) {
    const methods =
      route?.stack.map(({ method }) => method?.toUpperCase()).filter((method) => method !== undefined) ?? [];
    if (route && methods.length > 0) {
      // A route has its method once for each of its handlers.
      routes.set(route.path, [...new Set([...(routes.get(route.path) ?? []), ...methods])]);
    }
  }
  return routes;
}

/** Gives each request an id, the client's where it sent one, and logs and counts how the request ended. */
function identify(log: Logger, metrics: Metrics): RequestHandler {
  return (request, response, next) => {
    const given = request.get("x-request-id") ?? "";
    const requestId = /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : newId("req");
    const { method, path } = request;
    const start = process.hrtime.bigint();
    response.locals.requestId = requestId;
    response.set({ "X-Request-Id": requestId, "X-Content-Type-Options": "nosniff" });
    response.once("close", () => {
      const { owner, jobId } = response.locals;
      const { tenant, keyId } = (owner ?? {}) as Partial<KeyOwner>;
      const status = response.writableFinished ? response.statusCode : "client gone";
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      metrics.noteRequest(method, response, ms / 1_000);
      const line = { requestId, method, path, status, ms: Math.round(ms * 10) / 10, tenant, keyId, jobId };
      if (path === "/health") {
        log.debug(line, "request");
      } else {
        log.info(line, "request");
      }
    });
    if (request.get("host") === undefined && request.httpVersion === "1.1") {
      throw invalid([{ field: "header Host", detail: "is missing" }]);
    }
    next();
  };
}
