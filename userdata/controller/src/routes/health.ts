/** Routes without a key: health, readiness, the API's description and the way to it. */
import type { RequestHandler, Router } from "express";
import type { HealthChecks } from "../health";
import { openApiDocument } from "../openapi";
import { Problem } from "../problems";

export interface HealthRoutesProps {
  /** Whether work can be accepted durably. */
  readonly health: HealthChecks;
  /** Whether everything answers. */
  readonly ready: HealthChecks;
}

export function healthRoutes(router: Router, { health, ready }: HealthRoutesProps): void {
  router.get("/health", answer(health, "Work cannot be accepted durably now."));
  router.get("/ready", answer(ready, "Not all that the controller uses answers."));
  router.get("/openapi.json", (_request, response) => {
    response.json(openApiDocument());
  });
  router.get("/", (_request, response) => {
    response.json({
      name: "NanoGrid",
      links: { api: "/openapi.json", functions: "/v1/functions", jobs: "/v1/jobs", health: "/health", ready: "/ready" },
    });
  });
}

function answer(checks: HealthChecks, detail: string): RequestHandler {
  return async (_request, response) => {
    const { ok, checks: services } = await checks.now();
    response.set("Cache-Control", "no-store");
    if (ok) {
      response.json({ status: "ok", checks: services });
      return;
    }
    const away = Object.keys(services).filter((name) => services[name] !== "ok");
    throw new Problem({
      status: 503,
      kind: "unavailable",
      title: "NanoGrid cannot do this now",
      detail: `${detail} No answer from: ${away.join(", ")}.`,
      remedy: "Wait for the service to come back, and look at its health in AWS; the controller's log has the error.",
      headers: { "Retry-After": "5" },
      more: { checks: services },
    });
  };
}
