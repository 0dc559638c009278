/** The Denoise API as its users see it: presigned uploads and downloads, inference, and the polling of what takes longer. */
import { setTimeout as sleep } from "node:timers/promises";
import { ApiGatewayV2Client, GetApisCommand, GetRoutesCommand } from "@aws-sdk/client-apigatewayv2";
import { S3Client } from "@aws-sdk/client-s3";
import { AwsClient } from "aws4fetch";
import { z } from "zod";
import { API } from "../../../modules/denoise/names";
import { callWithRetries, messageOf, parseJson, requestId } from "../calls";
import type { ClientConfig } from "../clients";
import { Problem } from "../problem";

const CALL_MS = 40_000;
const TRANSFER_MS = 600_000;
const POLL_MS = 1_000;
/** Holds the access token where the API takes tokens. */
export const TOKEN_VARIABLE = "DDN_TOKEN";

const presigned = z.object({
  key: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
  expiresInSeconds: z.number(),
});
const inference = z.looseObject({
  id: z.string(),
  status: z.enum(["running", "succeeded", "failed"]),
  output: z.string().optional(),
  steps: z.record(z.string(), z.number()).default({}),
  error: z.unknown().optional(),
});
/** RFC 9457, as every program here answers errors. */
const problemDocument = z.object({ detail: z.string(), remedy: z.string().optional(), field: z.string().optional() });

/** What is asked of a model. */
export interface InferenceRequest {
  readonly file: string;
  readonly output?: string;
  readonly model: "efficient" | "powerful";
  readonly strength: number;
  readonly digital_offset: number;
  readonly using_bits: 8 | 12 | 14 | 16;
  /** In micrometres. */
  readonly pixel_pitch: number;
}

/** What has become of a request. */
export type Inference = z.output<typeof inference>;

/** How calls prove who makes them. */
type Authorization = "AWS_IAM" | "JWT" | "NONE";

/** Where the API is, and what it asks for. */
export interface ApiOptions {
  readonly config: ClientConfig;
  /** Base URL. @default - of the API that is deployed under its fixed name */
  readonly url?: string | undefined;
  /** @default - as the deployed routes say; nothing where a URL is given */
  readonly token?: string | undefined;
  /** Told about every call: method, path, status, request id, milliseconds. */
  readonly say: (text: string) => void;
}

/** A client of the API. */
export class DenoiseApi {
  private constructor(
    readonly url: string,
    private readonly authorization: Authorization,
    private readonly options: ApiOptions,
  ) {}

  /** @throws Problem when no URL is given and the API is not deployed, or a token is missing */
  static async open(options: ApiOptions): Promise<DenoiseApi> {
    const { config, token, url } = options;
    const { authorization, endpoint } = url
      ? { endpoint: url, authorization: token ? ("JWT" as const) : ("NONE" as const) }
      : await deployedApi(config);
    if (authorization === "JWT" && !token) {
      throw new Problem(
        `${API} takes tokens of its issuer, and ${TOKEN_VARIABLE} is not set.`,
        `export ${TOKEN_VARIABLE}=… with an access token of yours, then run it again.`,
      );
    }
    return new DenoiseApi(endpoint.replace(/\/+$/, ""), authorization, options);
  }

  /** Uploads a file below a key through a presigned PUT. */
  async upload(key: string, body: Uint8Array): Promise<void> {
    const { headers, url } = await this.presign(key, "upload");
    await this.call("PUT", url, { body, headers, timeoutMs: TRANSFER_MS, signed: false, what: `PUT ${key}` });
  }

  /** Downloads a result through a presigned GET. */
  async download(key: string): Promise<Uint8Array> {
    const { url } = await this.presign(key, "download");
    const answer = await this.call("GET", url, { timeoutMs: TRANSFER_MS, signed: false, what: `GET ${key}` });
    return new Uint8Array(await answer.arrayBuffer());
  }

  /**
   * Asks for an inference and waits for its end.
   *
   * @param limitMs how long it may take
   * @throws Problem when it failed, or takes longer
   */
  async infer(request: InferenceRequest, limitMs: number): Promise<Inference> {
    const end = Date.now() + limitMs;
    const headers = { "content-type": "application/json" };
    const answer = await this.call("POST", `${this.url}/inference`, { body: JSON.stringify(request), headers });
    let latest = inference.parse(await answer.json());
    while (latest.status === "running") {
      if (Date.now() > end) {
        throw new Problem(
          `The inference ${latest.id} runs for over ${Math.round(limitMs / 1_000)} s.`,
          `It goes on: GET ${this.url}/inference/${latest.id} says how it ends.`,
        );
      }
      await sleep(POLL_MS);
      const path = `${this.url}/inference/${encodeURIComponent(latest.id)}`;
      latest = inference.parse(await (await this.call("GET", path)).json());
    }
    if (latest.status === "failed") {
      throw new Problem(
        `The inference ${latest.id} failed: ${JSON.stringify(latest.error)}`,
        "Its lines in /ecs/ddn-triton-task carry that id.",
      );
    }
    return latest;
  }

  private async presign(file: string, mode: "upload" | "download") {
    const answer = await this.call("GET", `${this.url}/presign?${new URLSearchParams({ file, mode })}`);
    return presigned.parse(await answer.json());
  }

  private async call(method: string, url: string, options: CallOptions = {}): Promise<Response> {
    const { what = `${method} ${new URL(url).pathname}` } = options;
    const answer = await callWithRetries({ what, send: () => this.send(method, url, options), say: this.options.say });
    if (answer instanceof Response && answer.ok) {
      return answer;
    }
    throw await problemOf(what, answer);
  }

  private async send(method: string, url: string, options: CallOptions): Promise<Response> {
    const { body, signed = true, timeoutMs = CALL_MS } = options;
    const headers = new Headers(options.headers);
    if (signed && this.authorization === "JWT") {
      headers.set("authorization", `Bearer ${this.options.token}`);
    }
    const request = { method, headers, ...(body === undefined ? {} : { body: body as BodyInit }) };
    const signal = AbortSignal.timeout(timeoutMs);
    return signed && this.authorization === "AWS_IAM"
      ? fetch(await this.sign(url, request), { signal })
      : fetch(url, { ...request, signal });
  }

  /** With the credentials that every AWS client here finds. */
  private async sign(url: string, request: RequestInit): Promise<Request> {
    const { config } = this.options;
    const client = new S3Client(config);
    const credentials = await client.config.credentials();
    client.destroy();
    return new AwsClient({ ...credentials, service: "execute-api", region: config.region }).sign(url, request);
  }
}

interface CallOptions {
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the call is made in the caller's name: presigned URLs carry their own proof. @default true */
  readonly signed?: boolean;
  /** @default {@link CALL_MS} */
  readonly timeoutMs?: number;
  /** What stands in the log, for URLs whose query must not. @default - method and path */
  readonly what?: string;
}

/** The API that is deployed under its name, and what its inference route asks for. */
async function deployedApi(config: ClientConfig): Promise<{ endpoint: string; authorization: Authorization }> {
  const client = new ApiGatewayV2Client(config);
  try {
    const { Items: apis = [] } = await client.send(new GetApisCommand({ MaxResults: "500" }));
    const api = apis.find(({ Name }) => Name === API);
    if (!api?.ApiId || !api.ApiEndpoint) {
      throw new Problem(
        `There is no API ${API} in this account and region.`,
        "Deploy denoise-api, choose another ENVIRONMENT, or give its address with --url.",
      );
    }
    const { Items: routes = [] } = await client.send(new GetRoutesCommand({ ApiId: api.ApiId, MaxResults: "500" }));
    const { AuthorizationType = "NONE" } = routes.find(({ RouteKey }) => RouteKey === "POST /inference") ?? {};
    return { endpoint: api.ApiEndpoint, authorization: AuthorizationType as Authorization };
  } finally {
    client.destroy();
  }
}

async function problemOf(what: string, answer: Response | Error): Promise<Problem> {
  if (answer instanceof Error) {
    return new Problem(
      `${what}: no answer. ${messageOf(answer)}`,
      "Check the network and the address: npm run denoise -- health shows whether the service is up.",
      undefined,
      { cause: answer },
    );
  }
  const text = await answer.text();
  const { detail, field, remedy } = problemDocument.safeParse(parseJson(text)).data ?? { detail: text.slice(0, 500) };
  return new Problem(
    `${what} answered ${answer.status}${requestId(answer)}: ${detail}${field ? ` (field ${field})` : ""}`,
    remedy ?? remedyFor(answer.status),
  );
}

function remedyFor(status: number): string {
  if (status === 401 || status === 403) {
    return "This identity may not call the API: it needs execute-api:Invoke on it, or a valid token.";
  }
  if (status === 404) {
    return "Check the key; results and uploads expire after the days of settings.denoise.storage.";
  }
  return status >= 500
    ? "npm run denoise -- health and docs/operations/denoise-triton-not-ready.md."
    : "Mend what it names, then run it again.";
}
