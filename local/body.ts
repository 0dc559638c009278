/** The body of a request, as far as a server here takes it. */
import type { IncomingMessage } from "node:http";

/**
 * Reads a body whole.
 *
 * @param limit most bytes that it may have
 * @returns the bytes; undefined when there are more, the rest of it read and dropped
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= limit) {
      chunks.push(chunk);
    }
  }
  return bytes <= limit ? Buffer.concat(chunks) : undefined;
}
