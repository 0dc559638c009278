/** The environment variables that lead programs to the stand-ins, and keep them away from real accounts. */
import "../commands/support/sdk-warning";

/** Where the AWS stand-in takes every host name below `.test`, so that Terraform needs no endpoint in what is synthesized. */
const AWS_BEHIND_PROXY = "http://aws.test";

/** Variables that could lead to a real cloud account, or change what Terraform and CDKTF do. */
const LEADS_ELSEWHERE =
  /^(AWS_|GOOGLE_|GCLOUD_|CLOUDSDK_|TF_(?!CLI_CONFIG_FILE|PLUGIN_CACHE_DIR)|CDKTF_|STORAGE_EMULATOR_HOST$)/;

/** What is on loopback is reached without the proxy that a shell may have; programs read either spelling. */
const DIRECT = { NO_PROXY: "127.0.0.1,localhost", no_proxy: "127.0.0.1,localhost" };

/**
 * The AWS provider waits for the eventual consistency of the real service (25 s for a queue, a minute for a load balancer) unless its
 * own test mode is on. Requests go out as usual: no recorder is installed, and the path is never opened.
 */
const WITHOUT_DELAYS = { VCR_MODE: "REPLAY_ONLY", VCR_PATH: "/nonexistent" };

/** Reading the AWS provider's schema is most of a plan's work; with fewer garbage collections it takes a quarter less. */
const GOGC = "300";

/** Ports of the stand-ins on loopback. */
export interface CloudPorts {
  readonly aws: number;
  readonly gcp: number;
}

/** The environment without anything that leads to a real account. */
export function withoutAccounts(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !LEADS_ELSEWHERE.test(name)));
}

/** Credentials that open the stand-ins and nothing else. */
function dummyAccount(region: string): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  };
}

/** For Terraform, CDKTF and the AWS command line: any host name reaches the AWS stand-in, through its proxy. */
export function terraformClouds(ports: CloudPorts, region: string): Record<string, string> {
  const google = `http://127.0.0.1:${ports.gcp}`;
  return {
    ...dummyAccount(region),
    AWS_ENDPOINT_URL: AWS_BEHIND_PROXY,
    HTTP_PROXY: `http://127.0.0.1:${ports.aws}`,
    http_proxy: `http://127.0.0.1:${ports.aws}`,
    ...DIRECT,
    GOOGLE_OAUTH_ACCESS_TOKEN: "local",
    GOOGLE_STORAGE_CUSTOM_ENDPOINT: `${google}/storage/v1/`,
    GOOGLE_IAM_CUSTOM_ENDPOINT: `${google}/v1/`,
    GOOGLE_IAM_BETA_CUSTOM_ENDPOINT: `${google}/v1/`,
    CHECKPOINT_DISABLE: "1",
    ...WITHOUT_DELAYS,
    GOGC,
  };
}

/** For programs over the AWS SDKs and Google's client. */
export function programClouds(ports: CloudPorts, region: string): Record<string, string> {
  return {
    ...dummyAccount(region),
    AWS_ENDPOINT_URL: `http://127.0.0.1:${ports.aws}`,
    STORAGE_EMULATOR_HOST: `http://127.0.0.1:${ports.gcp}`,
    ...DIRECT,
  };
}

/** Options of the AWS SDK's clients for the stand-in: bounded time and retries, buckets in the path. */
export function clientOptions(ports: CloudPorts, region: string) {
  return {
    region,
    endpoint: `http://127.0.0.1:${ports.aws}`,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    forcePathStyle: true,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 20_000 },
  };
}
