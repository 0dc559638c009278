/** `GET /presign?file=<key>&mode=upload|download`, as an HTTP API's Lambda integration, payload format 2.0. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import { answer, refusal } from "../../shared/http";
import { Problem } from "../../shared/problem";
import { type ImageKey, imageKey, KeyError } from "./keys";
import { logLine } from "./log";
import { internal, invalid, NAMESPACE } from "./problem";
import { readSettings } from "./settings";
import { type Download, Signer, type Upload } from "./signer";

// Made when Lambda starts the function, so that wrong settings fail its start and not a request.
const signer = new Signer(readSettings(process.env));

/** Answers one request. */
export async function handler(
  event: APIGatewayProxyEventV2,
  context: Context,
): Promise<APIGatewayProxyStructuredResultV2> {
  const startedAt = performance.now();
  const { requestId } = event.requestContext;
  const query = new URLSearchParams(event.rawQueryString);
  const about = { requestId, invocationId: context.awsRequestId, mode: query.get("mode"), file: query.get("file") };
  const durationMs = () => Math.round(performance.now() - startedAt);
  try {
    const signed = await sign(query);
    logLine("info", "signed", { ...about, status: 200, key: signed.key, durationMs: durationMs() });
    return answer(200, "application/json", signed);
  } catch (error) {
    const { props } = error instanceof Problem ? error : internal(error);
    const { status, detail, cause } = props;
    logLine(status >= 500 ? "error" : "info", detail, { ...about, status, durationMs: durationMs(), cause });
    return refusal(NAMESPACE, props, event.rawPath, requestId);
  }
}

async function sign(query: URLSearchParams): Promise<Upload | Download> {
  const mode = single(query, "mode");
  if (mode !== "upload" && mode !== "download") {
    throw invalid("mode", `expected upload or download, got ${JSON.stringify(mode)}`);
  }
  const key = keyOf(single(query, "file"));
  return mode === "upload" ? signer.upload(key) : signer.download(key);
}

function single(query: URLSearchParams, name: string): string {
  const values = query.getAll(name);
  if (values.length > 1) {
    throw invalid(name, `expected it once, got it ${values.length} times`);
  }
  return values[0] ?? "";
}

function keyOf(file: string): ImageKey {
  try {
    return imageKey(file);
  } catch (error) {
    throw error instanceof KeyError ? invalid("file", error.message) : error;
  }
}
