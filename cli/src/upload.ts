/** Uploads a function as a multipart form, with a bar while it goes where somebody looks on. */
import { randomBytes } from "node:crypto";
import { SingleBar } from "cli-progress";
import type { Api } from "../../userdata/controller/page/client/api";
import type { FunctionView } from "../../userdata/controller/page/client/types";
import { size } from "../../userdata/controller/page/client/words";

const CHUNK = 64 * 1024;
/** An upload of a gigabyte over a slow line. */
const TIMEOUT_MS = 30 * 60_000;

/**
 * Creates a function, or a version of one.
 * @param functionId undefined creates one
 * @param fields of the form; an empty one is left out
 */
export async function upload(
  api: Api,
  functionId: string | undefined,
  fields: Readonly<Record<string, string | undefined>>,
  zip: Uint8Array,
): Promise<FunctionView> {
  const { body, contentType } = multipart(fields, zip);
  const bar = new SingleBar({
    stream: process.stderr,
    format: `uploading {bar} {percentage} % of ${size(body.length)}`,
    hideCursor: true,
    clearOnComplete: true,
    noTTYOutput: false,
  });
  try {
    return await api.call<FunctionView>(
      functionId ? "PUT" : "POST",
      `/v1/functions${functionId ? `/${functionId}` : ""}`,
      {
        body: () => {
          if (process.stderr.isTTY) {
            bar.start(body.length, 0);
          }
          return chunks(body, (sent) => bar.update(sent));
        },
        headers: { "Content-Type": contentType, "Content-Length": String(body.length) },
        timeoutMs: TIMEOUT_MS,
      },
    );
  } finally {
    bar.stop();
  }
}

/** In pieces, each made when the one before has gone. */
function chunks(body: Uint8Array, onSent: (bytes: number) => void): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        onSent(at);
        if (at >= body.length) {
          controller.close();
          return;
        }
        controller.enqueue(body.subarray(at, at + CHUNK));
        at = Math.min(body.length, at + CHUNK);
      },
    },
    { highWaterMark: 0 },
  );
}

function multipart(fields: Readonly<Record<string, string | undefined>>, zip: Uint8Array) {
  const boundary = `nanogrid-${randomBytes(16).toString("hex")}`;
  const part = (disposition: string) => `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n`;
  const texts = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => `${part(`name="${name}"`)}\r\n${value}\r\n`);
  const file = `${part('name="code"; filename="code.zip"')}Content-Type: application/zip\r\n\r\n`;
  const body = Buffer.concat([Buffer.from(`${texts.join("")}${file}`), zip, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  return { body, contentType: `multipart/form-data; boundary=${boundary}` };
}
