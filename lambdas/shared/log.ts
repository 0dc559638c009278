/** Structured logs: JSON, one line an event. */
import { isNativeError } from "node:util/types";

/** What a line is about; `cause` is written as name, message and stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one line. */
export type Log = (level: "info" | "warn" | "error", message: string, fields: LogFields) => void;

/**
 * A program's log. Lines go to standard output, past the console, which Lambda's runtime would put words before.
 *
 * @param program name of the program, in each line
 */
export function createLog(program: string): Log {
  return (level, message, { cause, ...fields }) => {
    const error = cause === undefined ? {} : { err: errorOf(cause) };
    const line = { level, time: new Date().toISOString(), program, msg: message, ...fields, ...error };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
}

/** The parts of an error worth a log line: an SDK error carries the request too, with its signature. */
function errorOf(error: unknown): object {
  if (!isNativeError(error)) {
    return { message: String(error) };
  }
  return { name: error.name, message: error.message, stack: error.stack };
}
