/** Structured logs: JSON, one line an event, with `requestId` and `jobId` where there is one. Secrets never enter them. */
import { isNativeError } from "node:util/types";
import pino, { type Logger } from "pino";

export type { Logger } from "pino";

/** The logger and how to get its last lines out. */
export interface Log {
  readonly log: Logger;
  /** Writes what is buffered. */
  flush(): void;
}

/** @param file path of the log; empty for standard output */
export function createLog(file: string): Log {
  const destination = pino.destination({ dest: file || 1, mkdir: true, sync: false });
  const log = pino(
    {
      base: { program: "controller" },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      serializers: { err: errorOf },
    },
    destination,
  );
  return { log, flush: () => destination.flushSync() };
}

/** The parts of an error worth a log line. An SDK error carries request and response, which may hold users' data. */
function errorOf(error: unknown): object {
  if (!isNativeError(error)) {
    return { message: String(error) };
  }
  const { name, message, stack, code } = error as Error & { code?: unknown };
  return { name, message, ...(code === undefined ? {} : { code }), stack };
}
