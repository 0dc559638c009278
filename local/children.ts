/** Processes that live as long as whoever started them. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

const STOP_MS = 5_000;

/**
 * Ends a child, with SIGKILL when it does not go in time, and resolves when it is gone. A second call does nothing.
 *
 * @param stopMs how long it may take, in milliseconds
 */
export async function endChild(child: ChildProcess, stopMs = STOP_MS): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
  await exited;
  clearTimeout(timer);
}
