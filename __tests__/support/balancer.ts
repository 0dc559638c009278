/**
 * A stand-in of the load balancer: passes each request to the next healthy target, as an application load balancer does, with its answers
 * (502 where a target refuses or breaks off, 503 where none is healthy). It never sends a request twice.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answersOk } from "../../local/services";

/** How a target's health is found out. */
export interface HealthCheck {
  readonly path: string;
  readonly intervalMs: number;
}

/** A balancer that listens. */
export interface Balancer {
  readonly url: string;
  /** Answers that the balancer had to give itself. */
  readonly failures: { readonly method: string; readonly path: string; readonly status: number }[];
  close(): Promise<void>;
}

/** Starts a balancer before targets, all taken as healthy at first. */
export async function startBalancer(targets: readonly string[], check: HealthCheck): Promise<Balancer> {
  const healthy = new Set(targets);
  const failures: Balancer["failures"] = [];
  let turn = 0;

  const server = createServer((incoming, outgoing) => {
    const candidates = targets.filter((target) => healthy.has(target));
    const target = candidates[turn++ % candidates.length];
    const fail = (status: number) => {
      failures.push({ method: incoming.method ?? "", path: incoming.url ?? "", status });
      outgoing.writableEnded || outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(status).end();
    };
    if (target === undefined) {
      fail(503);
      return;
    }
    pass(incoming, outgoing, target, () => fail(502));
  });
  const timer = setInterval(async () => {
    for (const target of targets) {
      if (await answersOk(`${target}${check.path}`)) {
        healthy.add(target);
      } else {
        healthy.delete(target);
      }
    }
  }, check.intervalMs);

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    failures,
    close: async () => {
      clearInterval(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pass(incoming: IncomingMessage, outgoing: ServerResponse, target: string, onBroken: () => void): void {
  const { method, headers } = incoming;
  const outbound = httpRequest(`${target}${incoming.url}`, { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.once("error", onBroken).pipe(outgoing);
  });
  outbound.once("error", onBroken);
  incoming.pipe(outbound);
}
