/** What operators look at: the state of queue and workers, and measurements for Prometheus. */
import type { Router } from "express";
import { allow } from "../auth";
import type { Metrics } from "../metrics";
import type { StatusView } from "../schemas";

/** @param status how queue and workers are */
export function operationRoutes(router: Router, status: () => Promise<StatusView>, metrics: Metrics): void {
  router.get("/v1/status", allow("invoker"), async (_request, response) => {
    response.json(await status());
  });

  router.get("/metrics", allow("admin"), async (_request, response) => {
    const { contentType, body } = await metrics.text();
    response.set("Content-Type", contentType).send(body);
  });
}
