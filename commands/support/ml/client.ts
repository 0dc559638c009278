/** The ML function as its callers see it: a URL, and a role that may call it. */
import { GetFunctionUrlConfigCommand, LambdaClient, ResourceNotFoundException } from "@aws-sdk/client-lambda";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { AwsClient } from "aws4fetch";
import { z } from "zod";
import { CALLER_ROLE, FUNCTION } from "../../../modules/ml-function/names";
import { callWithRetries, messageOf, parseJson, requestId } from "../calls";
import type { ClientConfig } from "../clients";
import { Problem } from "../problem";

/** A little more than the function's own timeout of 30 s. */
const CALL_MS = 35_000;
/** The shortest session that STS gives. */
const SESSION_SECONDS = 900;
const SESSION_NAME = "ml-predict";

const card = z.looseObject({
  name: z.string(),
  version: z.string(),
  features: z.array(z.looseObject({ name: z.string() })).min(1),
  classes: z.array(z.string()).min(2),
  maxRows: z.int().min(1),
});
const prediction = z.object({
  class: z.string(),
  probabilities: z.record(z.string(), z.number()),
  outside: z.array(z.string()),
});
const predicted = z.object({ model: z.object({ version: z.string() }), predictions: z.array(prediction) });
const rowError = z.object({ row: z.int().optional(), field: z.string(), detail: z.string() });
/** RFC 9457, as every program here answers errors; what Lambda itself refuses has a Message alone. */
const problemDocument = z.object({
  detail: z.string().optional(),
  Message: z.string().optional(),
  remedy: z.string().optional(),
  errors: z.array(rowError).optional(),
});

/** What the function says of its model. */
export type Card = z.output<typeof card>;
/** What the model says of a row. */
export type Prediction = z.output<typeof prediction>;
/** A value that the function does not take: the row's index in the batch, and the feature. */
export type RowError = z.output<typeof rowError>;

/** What became of a batch: all of it was predicted, or nothing, since some values are wrong. */
export type Answer = { readonly predictions: readonly Prediction[] } | { readonly errors: readonly RowError[] };

/** Where the function is, and who calls it. */
export interface MlOptions {
  readonly config: ClientConfig;
  /** The environment's account, which has the role. */
  readonly accountId: string;
  /** URL of the function. @default - of the function that is deployed under its fixed name */
  readonly url?: string | undefined;
  /** ARN of the role that is assumed. @default - the stack's own role for callers */
  readonly roleArn?: string | undefined;
  /** Told about every call: method, status, request id, milliseconds. */
  readonly say: (text: string) => void;
}

/** A client in the name of the callers' role. */
export class MlClient {
  private constructor(
    readonly url: string,
    private readonly signer: AwsClient,
    private readonly say: MlOptions["say"],
  ) {}

  /** @throws Problem when the function is not deployed, the URL is none, or the role may not be assumed */
  static async open(options: MlOptions): Promise<MlClient> {
    const url = options.url === undefined ? await deployedUrl(options.config) : checkedUrl(options.url);
    return new MlClient(url, await assumeRole(options), options.say);
  }

  /** Asks for the model's card. */
  async card(): Promise<Card> {
    const answer = await this.call("GET");
    const text = await answer.text();
    const found = answer.ok ? card.safeParse(parseJson(text)).data : undefined;
    if (found) {
      return found;
    }
    throw answer.ok ? this.stranger() : problemOf(`GET ${this.url}`, answer, text);
  }

  /** Sends rows, at most as many as the card says. */
  async predict(rows: readonly Readonly<Record<string, number>>[]): Promise<Answer> {
    const answer = await this.call("POST", JSON.stringify({ rows }));
    const text = await answer.text();
    const document = parseJson(text);
    if (answer.status === 422) {
      const { errors } = problemDocument.safeParse(document).data ?? {};
      if (errors?.some(({ row }) => row !== undefined)) {
        return { errors };
      }
    }
    const found = answer.ok ? predicted.safeParse(document).data : undefined;
    if (found && found.predictions.length === rows.length) {
      return { predictions: found.predictions };
    }
    throw answer.ok ? this.stranger() : problemOf(`POST ${this.url}`, answer, text);
  }

  private async call(method: "GET" | "POST", body?: string): Promise<Response> {
    const headers = { "content-type": "application/json" };
    const what = `${method} ${this.url}`;
    const send = async () => {
      // Signed anew each time: a signature is good for five minutes.
      const request = await this.signer.sign(this.url, { method, headers, ...(body === undefined ? {} : { body }) });
      return fetch(request, { signal: AbortSignal.timeout(CALL_MS) });
    };
    const answer = await callWithRetries({ what, send, say: this.say });
    if (!(answer instanceof Response)) {
      throw new Problem(`${what}: no answer. ${messageOf(answer)}`, "Check the address and the network.", undefined, {
        cause: answer,
      });
    }
    return answer;
  }

  private stranger(): Problem {
    return new Problem(
      `${this.url} answers, but not as ${FUNCTION} does.`,
      "Check the address: it is the output EndpointUrl of the stack ml-function.",
    );
  }
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new Problem(`--url: "${text}" is no URL.`, "Give one such as https://….lambda-url.ap-northeast-2.on.aws/");
  }
  return url.href;
}

async function deployedUrl(config: ClientConfig): Promise<string> {
  const lambda = new LambdaClient(config);
  try {
    const { FunctionUrl = "" } = await lambda.send(new GetFunctionUrlConfigCommand({ FunctionName: FUNCTION }));
    return checkedUrl(FunctionUrl);
  } catch (error) {
    if (error instanceof ResourceNotFoundException) {
      throw new Problem(
        `There is no function ${FUNCTION} with a URL in this account and region.`,
        "Deploy ml-function, choose another ENVIRONMENT, or give the address with --url.",
      );
    }
    throw error;
  } finally {
    lambda.destroy();
  }
}

async function assumeRole({ accountId, config, roleArn }: MlOptions): Promise<AwsClient> {
  const RoleArn = roleArn ?? `arn:aws:iam::${accountId}:role/${CALLER_ROLE}`;
  const sts = new STSClient(config);
  try {
    const session = { RoleArn, RoleSessionName: SESSION_NAME, DurationSeconds: SESSION_SECONDS };
    const { Credentials } = await sts.send(new AssumeRoleCommand(session));
    const { AccessKeyId: accessKeyId = "", SecretAccessKey: secretAccessKey = "" } = Credentials ?? {};
    const sessionToken = Credentials?.SessionToken ?? "";
    return new AwsClient({
      accessKeyId,
      secretAccessKey,
      sessionToken,
      service: "lambda",
      region: config.region,
      retries: 0,
    });
  } catch (error) {
    if ((error as Error).name === "AccessDenied") {
      throw new Problem(
        `This identity may not assume ${RoleArn}.`,
        "It needs sts:AssumeRole on it: the role lets its account in, and the account's policies say whom.",
        undefined,
        { cause: error },
      );
    }
    throw error;
  } finally {
    sts.destroy();
  }
}

function problemOf(what: string, answer: Response, text: string): Problem {
  const { Message, detail = Message, remedy } = problemDocument.safeParse(parseJson(text)).data ?? {};
  const said = detail ?? text.slice(0, 500);
  return new Problem(
    `${what} answered ${answer.status}${requestId(answer)}: ${said || "nothing more"}`,
    remedy ?? remedyFor(answer.status),
  );
}

function remedyFor(status: number): string {
  if (status === 403) {
    return "The role needs lambda:InvokeFunctionUrl and lambda:InvokeFunction on the function: deploy ml-function again.";
  }
  if (status === 404) {
    return "Check the address: it is the output EndpointUrl of the stack ml-function.";
  }
  return status === 429
    ? "docs/operations/ml-function-throttles.md says what to do."
    : "docs/operations/ml-function-errors.md says what to do.";
}
