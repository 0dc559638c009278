/** AWS clients for operator commands: bounded in time and retries, and led to the stand-ins where the environment is theirs. */
import "./sdk-warning";
import { EC2Client } from "@aws-sdk/client-ec2";
import { ECRClient } from "@aws-sdk/client-ecr";
import { S3Client } from "@aws-sdk/client-s3";
import { STSClient } from "@aws-sdk/client-sts";
import type { Settings } from "../../modules/platform/settings";
import { Problem } from "./problem";

const CONNECT_MS = 3_000;
const REQUEST_MS = 30_000;
const ATTEMPTS = 4;
/** The stand-ins take any. */
const STAND_IN_CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };

/** Options of an AWS client: region, bounded time and retries (with jitter, the SDK's own), and the stand-in's address where it is one. */
export interface ClientConfig {
  readonly region: string;
  readonly maxAttempts: number;
  readonly requestHandler: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly throwOnRequestTimeout: true;
  };
  readonly endpoint?: string;
  readonly credentials?: typeof STAND_IN_CREDENTIALS;
}

/** The clients that the commands use. */
export interface Clients {
  readonly ec2: EC2Client;
  readonly ecr: ECRClient;
  readonly s3: S3Client;
  readonly sts: STSClient;
  /** Where Google Cloud Storage answers. */
  readonly gcs: string;
}

/**
 * @param settings the environment's settings
 * @param env the shell's environment: credentials are found as every AWS tool finds them. Stand-ins are led to by HTTP_PROXY, as
 *   `npm run --silent local:env` prints it, or by AWS_ENDPOINT_URL
 */
export function clientConfig(settings: Settings, env: NodeJS.ProcessEnv): ClientConfig {
  return {
    region: settings.region,
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true },
    ...(settings.standIns ? standIn(env) : {}),
  };
}

function standIn(env: NodeJS.ProcessEnv): Pick<ClientConfig, "endpoint" | "credentials"> {
  const endpoint = env.HTTP_PROXY || env.AWS_ENDPOINT_URL;
  if (!endpoint) {
    throw new Problem(
      "This environment is the stand-ins', and neither HTTP_PROXY nor AWS_ENDPOINT_URL says where they are.",
      'Start them with npm start, then: eval "$(npm run --silent local:env)"',
    );
  }
  return { endpoint, credentials: STAND_IN_CREDENTIALS };
}

/**
 * @param settings the environment's settings
 * @param env as {@link clientConfig} takes it; for stand-ins, STORAGE_EMULATOR_HOST is the address of Google's
 */
export function createClients(settings: Settings, env: NodeJS.ProcessEnv): Clients {
  const config = clientConfig(settings, env);
  return {
    ec2: new EC2Client(config),
    ecr: new ECRClient(config),
    s3: new S3Client({ ...config, forcePathStyle: settings.standIns }),
    sts: new STSClient(config),
    gcs: settings.standIns && env.STORAGE_EMULATOR_HOST ? env.STORAGE_EMULATOR_HOST : "https://storage.googleapis.com",
  };
}
