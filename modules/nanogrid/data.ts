/** What NanoGrid keeps: the queue, the buckets, the tables, Redis, the sandbox images, and the secret of the archive. */
import { SecretsmanagerSecret } from "@cdktf/provider-aws/lib/secretsmanager-secret";
import type { Construct } from "constructs";
import { exception } from "../../constructs/exception";
import { ImageRepository } from "../../constructs/image-repository";
import { PrivateBucket } from "../../constructs/private-bucket";
import { Redis } from "../../constructs/redis";
import { Table } from "../../constructs/table";
import { WorkQueue } from "../../constructs/work-queue";
import { CONTROLLER_REDIS_ACCESS } from "../../userdata/controller/permissions";
import { type Runtime, runtimeRepository } from "../../userdata/worker/artifact";
import { WORKER_REDIS_ACCESS } from "../../userdata/worker/permissions";
import { alarmTopic } from "../platform/alarm-topic";
import { contract } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { network } from "./network";

export const data = contract("nanogrid-data", {
  queueUrl: "URL of nanogrid-task-queue",
  queueArn: "ARN of nanogrid-task-queue",
  queueName: "Name of nanogrid-task-queue",
  deadLetterQueueUrl: "URL of the dead-letter queue",
  deadLetterQueueArn: "ARN of the dead-letter queue",
  deadLetterQueueName: "Name of the dead-letter queue",
  codeBucket: "Bucket of the functions' code",
  codeBucketArn: "ARN of the bucket of the functions' code",
  userDataBucket: "Bucket of the files that functions leave",
  userDataBucketArn: "ARN of the bucket of the files that functions leave",
  artifactsBucket: "Bucket of the programs that instances run",
  artifactsBucketArn: "ARN of the bucket of the programs that instances run",
  functionsTable: "Table of functions",
  functionsTableArn: "ARN of the table of functions",
  jobsTable: "Table of jobs and idempotency keys",
  jobsTableArn: "ARN of the table of jobs and idempotency keys",
  apiKeysTable: "Table of hashed API keys",
  apiKeysTableArn: "ARN of the table of hashed API keys",
  redisHost: "Host name of Redis",
  redisPort: "TCP port of Redis",
  redisTls: "Whether Redis wants TLS and IAM authentication: true or false",
  redisName: "Id of the replication group",
  redisArn: "ARN of the replication group",
  redisControllerUser: "Redis user of the controllers",
  redisControllerUserArn: "ARN of the Redis user of the controllers",
  redisWorkerUser: "Redis user of the workers",
  redisWorkerUserArn: "ARN of the Redis user of the workers",
  runtimePythonRepositoryArn: "ARN of the repository of the sandbox images of Python functions",
  runtimeNodeRepositoryArn: "ARN of the repository of the sandbox images of Node.js functions",
  gcpCredentialsSecretArn: "ARN of the secret with the Google Cloud credential configuration",
  alarmTopicArn: "SNS topic that every alarm notifies",
});

/** Sandbox images that are kept of each runtime: enough to go back by several releases. */
const KEPT_IMAGES = 10;

/** Redis users; what each may do stands with its program. */
const REDIS_USERS = {
  controller: { name: "nanogrid-controller", access: CONTROLLER_REDIS_ACCESS },
  worker: { name: "nanogrid-worker", access: WORKER_REDIS_ACCESS },
};

export class NanogridData extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, data.stack, settings);
    const alarms = alarmTopic(this, "nanogrid-alarms");
    const queue = new WorkQueue(this, "queue", {
      name: "nanogrid-task-queue",
      ...settings.nanogrid.data.queue,
      alarmActions: [alarms.arn],
      protect: settings.protectData,
    });
    const code = this.createBucket("code-bucket", "nanogrid-code-bucket");
    const userData = this.createBucket("user-data-bucket", `nanogrid-user-data-${settings.accountId}`);
    const artifacts = this.createBucket("artifacts-bucket", `nanogrid-artifacts-${settings.accountId}`);
    const tables = this.createTables();
    const redis = this.createRedis();
    const python = this.createRepository("python");
    const node = this.createRepository("node");
    const credentials = new SecretsmanagerSecret(this, "gcp-credentials", {
      name: "nanogrid/gcp-credentials",
      description: "Credential configuration (no key) with which workers write to the archive",
      recoveryWindowInDays: settings.protectData ? 30 : 0,
      lifecycle: { preventDestroy: settings.protectData },
    });
    exception(
      credentials,
      "CKV_AWS_149",
      "It holds where to get tokens and no key, so that AWS's own encryption is enough.",
    );
    exception(
      credentials,
      "CKV2_AWS_57",
      "It holds where to get tokens and no key, so that there is nothing to rotate.",
    );
    this.publish(data, {
      queueUrl: queue.url,
      queueArn: queue.arn,
      queueName: queue.name,
      deadLetterQueueUrl: queue.deadLetterUrl,
      deadLetterQueueArn: queue.deadLetterArn,
      deadLetterQueueName: queue.deadLetterName,
      codeBucket: code.name,
      codeBucketArn: code.arn,
      userDataBucket: userData.name,
      userDataBucketArn: userData.arn,
      artifactsBucket: artifacts.name,
      artifactsBucketArn: artifacts.arn,
      functionsTable: tables.functions.name,
      functionsTableArn: tables.functions.arn,
      jobsTable: tables.jobs.name,
      jobsTableArn: tables.jobs.arn,
      apiKeysTable: tables.apiKeys.name,
      apiKeysTableArn: tables.apiKeys.arn,
      redisHost: redis.host,
      redisPort: String(settings.nanogrid.data.redis.port),
      redisTls: String(!settings.standIns),
      redisName: redis.name,
      redisArn: redis.arn,
      redisControllerUser: REDIS_USERS.controller.name,
      redisControllerUserArn: redis.userArn(REDIS_USERS.controller.name),
      redisWorkerUser: REDIS_USERS.worker.name,
      redisWorkerUserArn: redis.userArn(REDIS_USERS.worker.name),
      runtimePythonRepositoryArn: python.arn,
      runtimeNodeRepositoryArn: node.arn,
      gcpCredentialsSecretArn: credentials.arn,
      alarmTopicArn: alarms.arn,
    });
  }

  private createBucket(id: string, name: string): PrivateBucket {
    const { bucketSuffix } = this.settings.nanogrid.data;
    return new PrivateBucket(this, id, {
      name: bucketSuffix ? `${name}-${bucketSuffix}` : name,
      versioned: true,
      protect: this.settings.protectData,
    });
  }

  private createTables() {
    const protect = this.settings.protectData;
    const byTenant = { "by-tenant": { partition: "tenant", sort: "createdAt" } };
    // Sparse: only jobs about which something is left to do have the two attributes.
    const byDuty = { "by-duty": { partition: "duty", sort: "dutyAt", sortType: "N", keysOnly: true } } as const;
    return {
      functions: new Table(this, "functions-table", {
        name: "NanoGridFunctions",
        key: { partition: "functionId" },
        indexes: byTenant,
        protect,
      }),
      jobs: new Table(this, "jobs-table", {
        name: "NanoGridJobs",
        key: { partition: "jobId" },
        indexes: { ...byTenant, ...byDuty },
        ttlAttribute: "expiresAt",
        protect,
      }),
      apiKeys: new Table(this, "api-keys-table", {
        name: "NanoGridApiKeys",
        key: { partition: "keyHash" },
        indexes: byTenant,
        protect,
      }),
    };
  }

  private createRepository(runtime: Runtime): ImageRepository {
    return new ImageRepository(this, `runtime-${runtime}`, {
      name: runtimeRepository(runtime),
      keep: KEPT_IMAGES,
      protect: this.settings.protectData,
    });
  }

  private createRedis(): Redis {
    const { region } = this.settings;
    const { data: settings, network: networkSettings } = this.settings.nanogrid;
    const { workerSubnetIds, redisSecurityGroupId } = this.read(network);
    return new Redis(this, "redis", {
      name: "nanogrid-redis",
      description: "NanoGrid: job status, results and their events",
      ...settings.redis,
      subnetIds: workerSubnetIds,
      primaryZone: `${region}${networkSettings.subnets.privateData1.zone}`,
      securityGroupIds: [redisSecurityGroupId],
      users: Object.values(REDIS_USERS),
      protect: this.settings.protectData,
    });
  }
}
