/** Reads JSON bodies, in UTF-8, with a limit that holds while bytes arrive (and, for a compressed body, while it unpacks). */
import express, { type Request, type Response } from "express";
import { invalid, tooLarge } from "./problems";

/** A JSON body, as it came and as a value. */
export interface JsonBody {
  readonly text: string;
  readonly value: unknown;
}

/**
 * Reads a JSON body; one that is absent or empty is `null`.
 * @throws Problem 400 when it is not JSON, 413 with the remedy when it is too large
 */
export async function readJson(request: Request, maxBytes: number, tooLargeRemedy: string): Promise<JsonBody> {
  const bytes = await readBytes(request, maxBytes, tooLargeRemedy);
  if (bytes.length === 0) {
    return { text: "null", value: null };
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    throw invalid([{ field: "body", detail: `is not JSON: ${why}` }]);
  }
}

function readBytes(request: Request, maxBytes: number, tooLargeRemedy: string): Promise<Buffer> {
  const parse = express.raw({ limit: maxBytes, type: () => true });
  return new Promise((resolve, reject) => {
    parse(request, request.res as Response, (error?: unknown) => {
      if (error) {
        reject(isTooLarge(error) ? tooLarge(maxBytes, tooLargeRemedy) : error);
      } else {
        resolve(Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0));
      }
    });
  });
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "type" in error && error.type === "entity.too.large";
}
