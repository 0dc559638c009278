/** A function as it was deployed to the stand-in of AWS: its handler, limits, environment and role are read from there. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { AwsClient } from "aws4fetch";
import type { Artifact } from "../../modules/platform/artifact";
import { type FunctionProps, LocalFunction } from "./function";

/** The secret of every access key id at the stand-ins. */
const SECRET = "local";
const ANSWER_MS = 10_000;

/** Where a function is, and what runs it. */
interface DeployedProps extends Pick<FunctionProps, "name" | "command" | "region" | "onOutput"> {
  /** URL of the AWS stand-in: the function is read from it, and told to use it. */
  readonly awsEndpoint: string;
  /** Variables that differ from those that were deployed: what is elsewhere here. @default - none */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface DeployedFunctionProps extends DeployedProps {
  /** Its code, which has to be what was deployed. */
  readonly artifact: Artifact;
}

export interface DeployedImageFunctionProps extends DeployedProps {
  /** Zip of what the image has in `/var/task`, without its packages: `command` brings them. */
  readonly zip: string;
  /** Command of the image. */
  readonly handler: string;
}

/** What of a function's configuration is used here. */
interface Configuration {
  readonly FunctionArn: string;
  /** A function from an image has neither this nor a handler. */
  readonly Runtime?: string;
  readonly Handler?: string;
  readonly Role: string;
  readonly Timeout: number;
  readonly MemorySize: number;
  readonly CodeSha256: string;
  readonly Environment?: { readonly Variables?: Readonly<Record<string, string>> };
}

/**
 * Makes a function that runs with its role's name as access key id, by which the stand-in knows it.
 *
 * @throws Error when there is no such function, or other code was deployed
 */
export async function deployedFunction({ artifact, ...props }: DeployedFunctionProps): Promise<LocalFunction> {
  const deployed = await configurationOf(props);
  const own = createHash("sha256").update(readFileSync(artifact.file)).digest("base64");
  if (deployed.CodeSha256 !== own) {
    throw new Error(
      `${props.name}: deployed was the code ${deployed.CodeSha256}, here it is ${own}. Deploy its stack again.`,
    );
  }
  const { Handler = "", Runtime = "" } = deployed;
  return functionOf(props, deployed, { zip: artifact.file, handler: Handler, runtime: Runtime });
}

/**
 * The same of a function whose program is an image: it runs from the image's sources, since no image is pulled here.
 *
 * @throws Error when there is no such function
 */
export async function deployedImageFunction({
  handler,
  zip,
  ...props
}: DeployedImageFunctionProps): Promise<LocalFunction> {
  return functionOf(props, await configurationOf(props), { zip, handler, runtime: "Image" });
}

async function configurationOf({ awsEndpoint, name, region }: DeployedProps): Promise<Configuration> {
  const client = new AwsClient({
    accessKeyId: "local",
    secretAccessKey: SECRET,
    service: "lambda",
    region,
    retries: 2,
  });
  const response = await client.fetch(`${awsEndpoint}/2015-03-31/functions/${name}/configuration`, {
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (!response.ok) {
    throw new Error(
      `There is no function ${name} at ${awsEndpoint} (status ${response.status}). Deploy its stack first.`,
    );
  }
  return (await response.json()) as Configuration;
}

function functionOf(
  { awsEndpoint, environment = {}, ...props }: DeployedProps,
  { Environment, FunctionArn, MemorySize, Role, Timeout }: Configuration,
  program: Pick<FunctionProps, "zip" | "handler" | "runtime">,
): LocalFunction {
  return new LocalFunction({
    ...props,
    ...program,
    account: FunctionArn.split(":")[4] ?? "",
    timeoutS: Timeout,
    memoryMb: MemorySize,
    environment: {
      ...Environment?.Variables,
      ...environment,
      AWS_ACCESS_KEY_ID: Role.split("/").at(-1) ?? "",
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_ENDPOINT_URL: awsEndpoint,
    },
  });
}
