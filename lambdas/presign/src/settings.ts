/** The function's settings: its environment variables. */
import { z } from "zod";
import { awsVariables, readEnvironment, text, wholeNumber } from "../../shared/environment";

const GIB = 1024 ** 3;
/** Longest that a URL of the service may be good for, in seconds. */
const LONGEST_S = 300;
/** Largest object that S3 takes in one upload, in bytes. */
const LARGEST_BYTES = 5 * GIB;

const bucket = (output: string) => text().describe(`Set it to the output ${output} of denoise-storage.`);

const shape = z.object({
  ...awsVariables,
  DDN_IN_BUCKET: bucket("inBucket"),
  DDN_OUT_BUCKET: bucket("outBucket"),
  DDN_MAX_UPLOAD_BYTES: wholeNumber(1, LARGEST_BYTES, "bytes")
    .default(2 * GIB)
    .describe("Set the largest upload; the default is 2147483648."),
  DDN_URL_SECONDS: wholeNumber(1, LONGEST_S, "seconds")
    .default(LONGEST_S)
    .describe("Set how long a URL is good for; the default is 300."),
});

/** What the function runs with. */
export interface Settings {
  readonly region: string;
  readonly inBucket: string;
  readonly outBucket: string;
  /** Largest upload by POST, in bytes. */
  readonly maxUploadBytes: number;
  /** How long a URL is good for, in seconds. */
  readonly urlSeconds: number;
  /** URL of a stand-in of AWS; undefined for AWS itself. */
  readonly endpoint: string | undefined;
}

/**
 * Reads the settings.
 *
 * @throws Error that lists every variable that is wrong, and what to set
 */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const data = readEnvironment("presign", shape, env);
  return {
    region: data.AWS_REGION,
    inBucket: data.DDN_IN_BUCKET,
    outBucket: data.DDN_OUT_BUCKET,
    maxUploadBytes: data.DDN_MAX_UPLOAD_BYTES,
    urlSeconds: data.DDN_URL_SECONDS,
    endpoint: data.AWS_ENDPOINT_URL,
  };
}
