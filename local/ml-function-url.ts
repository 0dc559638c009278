/** The ML function behind a stand-in of its URL, as a process of its own: `tsx local/ml-function-url.ts <config.json>`. */
import { readFileSync } from "node:fs";
import { ML_HANDLER } from "../lambdas/ml-xgboost/image";
import { FUNCTION } from "../modules/ml-function/names";
import { startFunctionUrl } from "./function-url/function-url";
import { deployedImageFunction } from "./lambda/deployed";
import { pythonRuntime } from "./lambda/python-runtime";

/** What it is told. */
export interface FunctionUrlConfig {
  readonly port: number;
  readonly awsEndpoint: string;
  readonly region: string;
  /** AWS account id. */
  readonly account: string;
  /** Interpreter that has AWS's runtime interface client and XGBoost. */
  readonly python: string;
  /** Zip of what the image has in `/var/task`, without its packages. */
  readonly zip: string;
}

async function main(file: string): Promise<void> {
  const { account, awsEndpoint, port, python, region, zip } = JSON.parse(
    readFileSync(file, "utf8"),
  ) as FunctionUrlConfig;
  const print = (text: string) => process.stdout.write(`${text.trimEnd()}\n`);
  const fn = await deployedImageFunction({
    name: FUNCTION,
    awsEndpoint,
    region,
    zip,
    handler: ML_HANDLER,
    command: pythonRuntime(python, ML_HANDLER),
    onOutput: print,
  });
  const functionArn = `arn:aws:lambda:${region}:${account}:function:${FUNCTION}`;
  const url = await startFunctionUrl({ fn, port, awsEndpoint, region, functionArn, onLog: print });
  process.once("SIGTERM", async () => {
    await url.close();
    await fn.close();
  });
}

void main(process.argv[2] ?? "");
