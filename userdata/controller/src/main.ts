/** The controller: reads its settings, listens, and stops in good order. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createApp } from "./app";
import { createAws } from "./aws";
import { createLog, type Log } from "./log";
import { JobEvents } from "./redis";
import { redisTokens } from "./redis-token";
import { createHttpServer } from "./server";
import { readSettings, type Settings } from "./settings";

/** After the grace period, how long answers to calls that waited may take to get out. */
const ANSWER_MS = 3_000;

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const output = createLog(settings.logFile);
  const { log } = output;
  exitOnSurprise(output);

  const aws = createAws(settings);
  const { user, cacheName } = settings.redis;
  const events = new JobEvents(settings.redis, user ? redisTokens(aws.sqs.config, cacheName, user) : undefined, log);
  const stopping = new AbortController();
  const server = createHttpServer(createApp({ settings, aws, events, log, stopping: stopping.signal }));

  await listen(server, settings);
  log.info({ host: settings.host, port: (server.address() as AddressInfo).port }, "listening");
  void events.start();

  const signal = await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  log.info({ signal: signal[0], graceS: settings.shutdownGraceS }, "stopping: no new connections");
  await stop(server, settings.shutdownGraceS * 1_000, stopping);
  events.close();
  aws.close();
  log.info("stopped");
  output.flush();
  process.exit(0);
}

async function listen(server: Server, { host, port }: Settings): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `The controller cannot listen on ${host}:${port}: ${why}. Stop what holds the port, or set PORT or HOST.`,
    );
  }
}

/** Lets calls in flight end for `graceMs`, then answers those that wait for a result with their job. */
async function stop(server: Server, graceMs: number, stopping: AbortController): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that becomes idle after this stays open unless it is closed here.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  await Promise.race([closed, sleep(graceMs)]);
  stopping.abort();
  await Promise.race([closed, sleep(ANSWER_MS)]);
  clearInterval(idle);
  server.closeAllConnections();
}

function exitOnSurprise({ log, flush }: Log): void {
  const end = (err: unknown) => {
    log.fatal({ err }, "unexpected error: the controller ends and PM2 starts it again");
    flush();
    process.exit(1);
  };
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
