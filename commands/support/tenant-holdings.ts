/** Everywhere that NanoGrid holds something of a tenant, in one environment. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { Storage } from "@google-cloud/storage";
import type { Settings } from "../../modules/platform/settings";
import type { ClientConfig } from "./clients";
import {
  Archive,
  DeadLetters,
  EndedJobs,
  FunctionSecrets,
  type Holding,
  ObjectVersions,
  OpenJobs,
  TableItems,
} from "./holdings";
import { archiveBucketName, bucketNames, TABLES } from "./names";
import { Problem } from "./problem";
import type { TenantHoldings } from "./tenant-erasure";

const GOOGLE_SECONDS = 60;

/**
 * @param settings the environment's settings
 * @param config options of AWS clients
 * @param tenant its name
 * @throws Problem when STORAGE_EMULATOR_HOST and the environment do not fit
 */
export function holdingsOf(settings: Settings, config: ClientConfig, tenant: string): TenantHoldings {
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(config));
  const s3 = new S3Client({ ...config, forcePathStyle: settings.standIns });
  const sqs = new SQSClient(config);
  const buckets = bucketNames(settings);
  const archive: Holding[] = settings.nanogrid.archive.enabled
    ? [new Archive(storage(settings.google.project, settings.standIns), archiveBucketName(settings), tenant)]
    : [];
  return {
    keys: new TableItems("API keys", dynamo, TABLES.apiKeys, "keyHash", tenant),
    openJobs: new OpenJobs(dynamo, TABLES.jobs, tenant),
    others: [
      new TableItems("functions", dynamo, TABLES.functions, "functionId", tenant),
      new EndedJobs(dynamo, TABLES.jobs, tenant),
      new DeadLetters(sqs, tenant),
      new ObjectVersions(s3, buckets.code, [`functions/${tenant}/`, `inputs/${tenant}/`, `dependencies/${tenant}/`]),
      new ObjectVersions(s3, buckets.userData, [`${tenant}/`]),
      new FunctionSecrets(new SecretsManagerClient(config), tenant),
      ...archive,
    ],
  };
}

/** Cloud Storage with the client's own credentials; of the stand-in only where the environment is the stand-ins'. */
export function storage(projectId: string, standIns: boolean): Storage {
  const isSet = Boolean(process.env.STORAGE_EMULATOR_HOST);
  if (isSet !== standIns) {
    throw new Problem(
      isSet
        ? "STORAGE_EMULATOR_HOST leads to a stand-in, and this environment is none."
        : "This environment is the stand-ins', and STORAGE_EMULATOR_HOST does not say where Google's is.",
      isSet ? "Unset it." : 'Lead this shell to them: eval "$(npm run --silent local:env)"',
    );
  }
  return new Storage({ projectId, retryOptions: { maxRetries: 3, totalTimeout: GOOGLE_SECONDS } });
}
