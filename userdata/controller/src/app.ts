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
import { ApiKeys } from "./keys";
import type { Logger } from "./log";
import { methodNotAllowed, noSuchRoute, problemHandler } from "./problems";
import { WorkQueue } from "./queue";
import type { JobEvents } from "./redis";
import { Results } from "./results";
import { functionRoutes } from "./routes/functions";
import { healthRoutes } from "./routes/health";
import { invocationRoutes } from "./routes/invocations";
import { jobRoutes } from "./routes/jobs";
import type { Settings } from "./settings";
import { UserFiles } from "./user-files";

/** What the application works with. */
export interface AppProps {
  readonly settings: Settings;
  readonly aws: Aws;
  readonly events: JobEvents;
  readonly log: Logger;
  /** Aborted when the controller stops: calls that wait are answered with their job. */
  readonly stopping: AbortSignal;
}

export function createApp(props: AppProps): Express {
  const app = express();
  app.disable("x-powered-by");
  // One hop: the load balancer, which alone can reach the controller, sets X-Forwarded-Proto.
  app.set("trust proxy", 1);
  app.set("query parser", "simple");
  app.use(identify(props.log));
  app.use(createRouter(props));
  app.use(noSuchRoute);
  app.use(problemHandler(props.log));
  return app;
}

/** All routes. */
export function createRouter({ settings, aws, events, log, stopping }: AppProps): Router {
  const functions = new FunctionsTable(aws.dynamo, settings.functionsTable);
  const jobs = new JobsTable(aws.dynamo, settings.jobsTable);
  const code = new CodeStore(aws.s3, settings.codeBucket);
  const queue = new WorkQueue(aws.sqs, settings.queueUrl);
  const results = new Results(jobs, events, log);
  const invoker = new Invoker({ jobs, queue, code, events, log });
  const checks = createChecks(aws, events, settings);
  const { dynamodb, sqs } = checks;

  const router = Router();
  router.use("/v1", authenticate(new ApiKeys(aws.dynamo, settings.apiKeysTable), settings.environment));
  healthRoutes(router, { health: new HealthChecks({ dynamodb, sqs }, log), ready: new HealthChecks(checks, log) });
  functionRoutes(router, { functions, code, uploadMaxBytes: settings.uploadMaxBytes });
  invocationRoutes(router, { functions, jobs, invoker, results, syncMaxWaitS: settings.syncMaxWaitS, stopping });
  jobRoutes(router, { jobs, results, files: new UserFiles(aws.s3, settings.userDataBucket) });
  for (const [path, methods] of listRoutes(router)) {
    router.all(path, methodNotAllowed(methods));
  }
  return router;
}

/** Paths of a router with their methods, in capitals. */
export function listRoutes(router: Router): Map<string, string[]> {
  const routes = new Map<string, string[]>();
  for (const { route } of router.stack) {
    const methods =
      route?.stack.map(({ method }) => method?.toUpperCase()).filter((method) => method !== undefined) ?? [];
    if (route && methods.length > 0) {
      routes.set(route.path, [...(routes.get(route.path) ?? []), ...methods]);
    }
  }
  return routes;
}

/** Gives each request an id, the client's where it sent one, and logs how the request ended. */
function identify(log: Logger): RequestHandler {
  return (request, response, next) => {
    const given = request.get("x-request-id") ?? "";
    const requestId = /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : newId("req");
    const { method, path } = request;
    const start = process.hrtime.bigint();
    response.locals.requestId = requestId;
    response.set("X-Request-Id", requestId);
    response.once("close", () => {
      const { tenant, jobId } = response.locals;
      const status = response.writableFinished ? response.statusCode : "client gone";
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      const line = { requestId, method, path, status, ms: Math.round(ms * 10) / 10, tenant, jobId };
      if (path === "/health") {
        log.debug(line, "request");
      } else {
        log.info(line, "request");
      }
    });
    next();
  };
}
