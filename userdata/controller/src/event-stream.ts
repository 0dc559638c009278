/** Server-sent events as a response. */
import { once } from "node:events";
import type { Response } from "express";
import type { LogPosition, StreamOutput } from "./job-stream";
import type { JobSummary, LogEvent } from "./schemas";

/** How often a comment says that the connection lives, in milliseconds: what stands in between closes silent ones. */
const COMMENT_MS = 15_000;
/** When a client comes back whose stream has ended early, in milliseconds. */
const RETRY_MS = 2_000;

export class EventStream implements StreamOutput {
  private readonly comments: NodeJS.Timeout;

  /** @param signal aborted when nobody reads any more */
  constructor(
    private readonly response: Response,
    private readonly signal: AbortSignal,
  ) {
    response.status(200).set({
      "Content-Type": "text/event-stream; charset=utf-8",
      // A proxy that collects the answer first would make a stream pointless.
      "X-Accel-Buffering": "no",
    });
    response.write(`retry: ${RETRY_MS}\n\n`);
    this.comments = setInterval(() => response.write(": here\n\n"), COMMENT_MS);
    response.once("close", () => clearInterval(this.comments));
  }

  status(summary: JobSummary): Promise<void> {
    return this.send(`event: status\ndata: ${JSON.stringify(summary)}`);
  }

  log(event: LogEvent, { attempt, offset }: LogPosition): Promise<void> {
    return this.send(`event: log\nid: ${attempt}:${offset}\ndata: ${JSON.stringify(event)}`);
  }

  async end(result: string | undefined): Promise<void> {
    // JSON may hold line breaks between its parts, which are the only ones in it: each would end a line of data.
    await this.send(`event: result\ndata: ${result === undefined ? "null" : result.replaceAll(/[\r\n]+/g, " ")}`);
  }

  /** Ends the response. */
  close(): void {
    clearInterval(this.comments);
    this.response.end();
  }

  /** Resolves when the client can take more, or nobody reads any more. */
  private async send(lines: string): Promise<void> {
    if (!this.signal.aborted && !this.response.write(`${lines}\n\n`)) {
      await once(this.response, "drain", { signal: this.signal }).catch(() => undefined);
    }
  }
}
