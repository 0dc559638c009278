/** The function ML-XGBoost under AWS's runtime interface client for Python, and how its URL asks it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ML_HANDLER, programFiles } from "../../../lambdas/ml-xgboost/image";
import { type Invocation, LocalFunction } from "../../../local/lambda/function";
import { pythonRuntime } from "../../../local/lambda/python-runtime";
import { FUNCTION } from "../../../modules/ml-function/names";
import { packFiles } from "../../../modules/platform/artifact";

export const REGION = "ap-northeast-2";
export const ACCOUNT = "123456789012";

/** An answer of the function to an event. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: the document of an answer, whose members each test names.
  readonly body: any;
}

/** What of a request an event is made from. */
export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

/** The function. Nothing runs until it is invoked. */
export function createMlFunction(
  environment: Readonly<Record<string, string>> = {},
  onOutput: (text: string) => void = () => undefined,
): LocalFunction {
  const folder = mkdtempSync(join(tmpdir(), "ml-function-"));
  const zip = join(folder, "function.zip");
  writeFileSync(zip, packFiles(programFiles()));
  const fn = new LocalFunction({
    name: FUNCTION,
    zip,
    handler: ML_HANDLER,
    command: pythonRuntime(process.env.NANOGRID_ML_XGBOOST_DEV_PYTHON ?? "", ML_HANDLER),
    runtime: "Image",
    region: REGION,
    account: ACCOUNT,
    timeoutS: 30,
    environment,
    onOutput,
  });
  rmSync(folder, { recursive: true, force: true });
  return fn;
}

/** Asks the function as its URL does, in payload format 2.0. */
export async function ask(fn: LocalFunction, asked: Asked = {}): Promise<Answered> {
  return answerOf(await fn.invoke(eventOf(asked)));
}

/** The event of a request. */
export function eventOf(asked: Asked): object {
  const { path = "/", method = "POST", headers = { "content-type": "application/json" }, ...rest } = asked;
  return {
    version: "2.0",
    rawPath: path,
    rawQueryString: "",
    headers,
    requestContext: { requestId: "request-1", http: { method, path } },
    isBase64Encoded: false,
    ...rest,
  };
}

function answerOf({ functionError, payload }: Invocation): Answered {
  if (functionError) {
    throw new Error(payload);
  }
  const { body, headers, statusCode } = JSON.parse(payload);
  return { status: statusCode, headers, body: JSON.parse(body) };
}
