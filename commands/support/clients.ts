/** AWS clients for operator commands: bounded in time and retries, and led to the stand-ins where the environment is theirs. */
import "./sdk-warning";
import { EC2Client } from "@aws-sdk/client-ec2";
import { ECRClient } from "@aws-sdk/client-ecr";
import { S3Client } from "@aws-sdk/client-s3";
import { STSClient } from "@aws-sdk/client-sts";
import type { Settings } from "../../modules/platform/settings";

const CONNECT_MS = 3_000;
const REQUEST_MS = 15_000;
const ATTEMPTS = 3;
/** The stand-ins take any. */
const STAND_IN_CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };

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
 * @param env the shell's environment: credentials are found as every AWS tool finds them; for stand-ins, HTTP_PROXY is the address of
 *   AWS's and STORAGE_EMULATOR_HOST that of Google's, as `npm run --silent local:env` prints them
 */
export function createClients(settings: Settings, env: NodeJS.ProcessEnv): Clients {
  const common = {
    region: settings.region,
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS },
    ...(settings.standIns && env.HTTP_PROXY ? { endpoint: env.HTTP_PROXY, credentials: STAND_IN_CREDENTIALS } : {}),
  };
  return {
    ec2: new EC2Client(common),
    ecr: new ECRClient(common),
    s3: new S3Client({ ...common, forcePathStyle: settings.standIns }),
    sts: new STSClient(common),
    gcs: settings.standIns && env.STORAGE_EMULATOR_HOST ? env.STORAGE_EMULATOR_HOST : "https://storage.googleapis.com",
  };
}
