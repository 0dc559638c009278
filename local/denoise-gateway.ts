/** The stand-in of Denoise's HTTP API as a process of its own: `tsx local/denoise-gateway.ts <config.json>`. */
import { readFileSync } from "node:fs";
import { presignArtifact } from "../lambdas/presign/artifact";
import { API, PRESIGN_FUNCTION } from "../modules/denoise/names";
import { startGateway } from "./gateway/gateway";
import { deployedFunction } from "./lambda/deployed";
import type { RuntimeCommand } from "./lambda/node-runtime";

/** What it is told. */
export interface GatewayConfig {
  readonly port: number;
  /** URL of the API's container. */
  readonly upstream: string;
  readonly awsEndpoint: string;
  readonly region: string;
  /** Runs the function behind GET /presign. */
  readonly command: RuntimeCommand;
}

async function main(file: string): Promise<void> {
  const { command, ...rest } = JSON.parse(readFileSync(file, "utf8")) as GatewayConfig;
  const print = (text: string) => process.stdout.write(`${text.trimEnd()}\n`);
  const { awsEndpoint, region } = rest;
  const artifact = presignArtifact();
  const presign = await deployedFunction({
    name: PRESIGN_FUNCTION,
    awsEndpoint,
    region,
    artifact,
    command,
    onOutput: print,
  });
  const gateway = await startGateway({
    ...rest,
    apiName: API,
    functions: { [PRESIGN_FUNCTION]: presign },
    onLog: print,
  });
  process.once("SIGTERM", async () => {
    await gateway.close();
    await presign.close();
  });
}

void main(process.argv[2] ?? "");
