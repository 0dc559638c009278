/** Calls of an AWS service over its JSON protocol, signed, for services of which a command needs one or two operations. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { SignatureV4 } from "@smithy/signature-v4";
import type { ClientConfig } from "./operator";

const REQUEST_MS = 15_000;
const FIRST_PAUSE_MS = 200;
const RETRIED = /Throttl|TooManyRequests|RequestLimit|InternalService|ServiceUnavailable|InternalFailure/;

/** An error that the service answered with; `name` is its code. */
export class ServiceError extends Error {
  constructor(
    override readonly name: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** One AWS service. */
export class ServiceApi {
  private readonly signer: SignatureV4;
  private readonly address: URL;

  /**
   * @param service its name in signatures and host names, such as `secretsmanager`
   * @param version version of its JSON protocol
   * @param client any AWS client: credentials and hash are taken from it
   * @param config region, attempts, and the stand-in's address where it is one
   * @param env AWS_ENDPOINT_URL leads elsewhere, as for the SDK
   */
  constructor(
    private readonly service: string,
    private readonly version: "1.0" | "1.1",
    client: Pick<SQSClient, "config">,
    private readonly config: ClientConfig,
    env: NodeJS.ProcessEnv = process.env,
  ) {
    const { credentials, sha256 } = client.config;
    this.signer = new SignatureV4({ credentials, sha256, region: config.region, service });
    this.address = new URL(
      config.endpoint ?? env.AWS_ENDPOINT_URL ?? `https://${service}.${config.region}.amazonaws.com`,
    );
  }

  /**
   * Calls an operation; what may pass is tried again, with growing pauses and jitter.
   *
   * @param target the operation, such as `secretsmanager.ListSecrets`
   * @param input its parameters
   * @returns its answer
   * @throws ServiceError with the service's code
   */
  async call(target: string, input: object): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once(target, JSON.stringify(input));
      } catch (error) {
        const passes = !(error instanceof ServiceError) || error.status >= 500 || RETRIED.test(error.name);
        if (!passes || attempt >= this.config.maxAttempts) {
          throw error;
        }
        await sleep(FIRST_PAUSE_MS * 2 ** attempt * (0.5 + Math.random() / 2));
      }
    }
  }

  private async once(target: string, body: string): Promise<unknown> {
    const { protocol, hostname, host, port } = this.address;
    const { headers } = await this.signer.sign({
      method: "POST",
      protocol,
      hostname,
      ...(port ? { port: Number(port) } : {}),
      path: "/",
      headers: { host, "content-type": `application/x-amz-json-${this.version}`, "x-amz-target": target },
      body,
    });
    const answer = await fetch(new URL("/", this.address), {
      method: "POST",
      headers,
      body,
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    const text = await answer.text();
    const document = (text ? parse(text) : {}) as { __type?: string; message?: string; Message?: string };
    if (!answer.ok) {
      const code = (document.__type ?? `Http${answer.status}`).replace(/^.*#/, "");
      throw new ServiceError(code, document.message ?? document.Message ?? `${this.service}: ${code}`, answer.status);
    }
    return document;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
