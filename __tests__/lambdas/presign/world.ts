/** The presign function with its role's permissions, under AWS's runtime interface client, against stand-ins that enforce both. */
import { CreateBucketCommand, PutBucketCorsCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { presignArtifact } from "../../../lambdas/presign/artifact";
import { presignStatements } from "../../../lambdas/presign/permissions";
import { clientOptions } from "../../../local/clouds";
import { LocalFunction } from "../../../local/lambda/function";
import { prepareNodeRuntime } from "../../../local/lambda/node-runtime";
import { Authorizer } from "../../permissions/authorizer";
import { type StandIns, startStandIns } from "../../support/servers";

export const REGION = "ap-northeast-2";
export const ACCOUNT = "123456789012";
export const IN_BUCKET = "ddn-in-bucket-test";
export const OUT_BUCKET = "ddn-out-bucket-test";
/** Largest upload by POST in these tests, in bytes. */
export const MAX_UPLOAD_BYTES = 1_000_000;
/** Time to build AWS's runtime interface client, once on a machine. */
export const SETUP_MS = 600_000;
const ROLE = "ddn_presign_role";

/** An answer of the function. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: the document of an answer, whose members each test names.
  readonly body: any;
}

export class PresignWorld {
  /** What the function has written, line by line. */
  output = "";

  private constructor(
    readonly standIns: StandIns,
    readonly authorizer: Authorizer,
    readonly s3: S3Client,
    readonly command: readonly [string, ...string[]],
  ) {}

  /** Starts the stand-ins with both buckets, whose CORS lets any page upload and download. */
  static async start(): Promise<PresignWorld> {
    const command = await prepareNodeRuntime();
    const statements = presignStatements({ inBucketArn: arn(IN_BUCKET), outBucketArn: arn(OUT_BUCKET) });
    const authorizer = await Authorizer.start({
      place: { accountId: ACCOUNT, region: REGION },
      roles: [
        {
          stack: "denoise-api",
          name: ROLE,
          statements: statements.map(({ sid, actions, resources }) => ({ sid, effect: "Allow", actions, resources })),
        },
      ],
      resourcePolicies: {},
    });
    const standIns = await startStandIns(ACCOUNT, authorizer.url);
    const s3 = new S3Client(clientOptions(standIns.ports, REGION));
    for (const Bucket of [IN_BUCKET, OUT_BUCKET]) {
      await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: REGION } }));
      const CORSRules = [{ AllowedOrigins: ["*"], AllowedMethods: ["GET", "PUT", "POST"], AllowedHeaders: ["*"] }];
      await s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
    }
    return new PresignWorld(standIns, authorizer, s3, command);
  }

  /** The function, with other environment variables where they are given. */
  createFunction(environment: Readonly<Record<string, string>> = {}): LocalFunction {
    return new LocalFunction({
      name: "ddn-presign-lambda",
      zip: presignArtifact().file,
      handler: "handler.handler",
      command: this.command,
      runtime: "nodejs22.x",
      region: REGION,
      account: ACCOUNT,
      timeoutS: 10,
      environment: {
        AWS_ACCESS_KEY_ID: ROLE,
        AWS_SECRET_ACCESS_KEY: "local",
        AWS_ENDPOINT_URL: this.awsUrl,
        DDN_IN_BUCKET: IN_BUCKET,
        DDN_OUT_BUCKET: OUT_BUCKET,
        DDN_MAX_UPLOAD_BYTES: String(MAX_UPLOAD_BYTES),
        ...environment,
      },
      onOutput: (text) => {
        this.output += text;
      },
    });
  }

  get awsUrl(): string {
    return `http://127.0.0.1:${this.standIns.ports.aws}`;
  }

  /** Puts a result, as the service does. */
  async putResult(key: string, content: string): Promise<void> {
    await this.s3.send(new PutObjectCommand({ Bucket: OUT_BUCKET, Key: key, Body: content }));
  }

  async stop(): Promise<void> {
    this.s3.destroy();
    await this.standIns.stop();
    await this.authorizer.stop();
  }
}

/** Asks the function as the HTTP API does. */
export async function ask(presign: LocalFunction, query: string): Promise<Answered> {
  const { payload, functionError } = await presign.invoke({
    version: "2.0",
    rawPath: "/presign",
    rawQueryString: query,
    requestContext: { requestId: "request-1" },
  });
  if (functionError) {
    throw new Error(payload);
  }
  const { statusCode, headers, body } = JSON.parse(payload);
  return { status: statusCode, headers, body: JSON.parse(body) };
}

/** A query of the function. */
export function queryOf(file: string, mode: string): string {
  return String(new URLSearchParams({ file, mode }));
}

function arn(bucket: string): string {
  return `arn:aws:s3:::${bucket}`;
}
