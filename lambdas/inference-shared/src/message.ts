/** A product in the queue. */
import { z } from "zod";
import { type Accepted, product } from "./product";

const message = z.object({
  product,
  acceptedAt: z.iso.datetime(),
  /** The request that it came with, for the log. */
  requestId: z.string(),
});

/** A message's body. */
export function messageOf({ product: content, acceptedAt }: Accepted, requestId: string): string {
  return JSON.stringify({ product: content, acceptedAt: acceptedAt.toISOString(), requestId });
}

/**
 * What a message says.
 *
 * @throws Error when it is none of ours
 */
export function readMessage(body: string): Accepted & { readonly requestId: string } {
  const { acceptedAt, ...rest } = message.parse(JSON.parse(body));
  return { ...rest, acceptedAt: new Date(acceptedAt) };
}
