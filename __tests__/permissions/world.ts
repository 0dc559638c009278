/** NanoGrid on loopback with IAM: its programs run with their roles' keys, and what the stacks emit decides what they may do. */
import { join } from "node:path";
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  PutLifecycleHookCommand,
} from "@aws-sdk/client-auto-scaling";
import { CreateLaunchTemplateCommand, EC2Client } from "@aws-sdk/client-ec2";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientOptions } from "../../local/clouds";
import { DRAIN_HOOK, WORKER_GROUP, WORKER_ROLE } from "../../modules/nanogrid/names";
import { CONTROLLER_REDIS_ACCESS } from "../../userdata/controller/permissions";
import { WORKER_REDIS_ACCESS } from "../../userdata/worker/permissions";
import { Grid, type Program } from "../support/grid";
import { Authorizer, type Decision } from "./authorizer";
import type { Emitted } from "./emitted";
import { type Metadata, type PackageIndex, startMetadata, startPackageIndex } from "./machine";
import { startTlsRedis, type TlsRedis } from "./tls-redis";

export const CONTROLLER_ROLE = "nanogrid_controller_role";
export { WORKER_ROLE };
/** Secrets that the tests make. */
export const SECRETS = {
  function: "nanogrid/functions/default/token",
  archive: "nanogrid/gcp-credentials",
  other: "somebody/elses",
};
/** The package that functions may depend on. */
export const PACKAGE = "fortytwo";

/** A shortened clock, so that what happens over minutes happens in seconds. */
const QUICK = { VISIBILITY_TIMEOUT_S: "3", DUTY_SWEEP_S: "1", POLL_WAIT_S: "1" };

/** The grid and what surrounds it. */
export class World {
  private constructor(
    readonly emitted: Emitted,
    readonly authorizer: Authorizer,
    readonly grid: Grid,
    private readonly redis: TlsRedis,
    readonly packages: PackageIndex,
    readonly metadata: Metadata,
    /** The one instance of the workers' group. */
    readonly instanceId: string,
  ) {}

  /** Starts everything but the programs. */
  static async start(emitted: Emitted): Promise<World> {
    const authorizer = await Authorizer.start(emitted);
    const grid = await Grid.start(authorizer.url);
    const users = { "nanogrid-controller": CONTROLLER_REDIS_ACCESS, "nanogrid-worker": WORKER_REDIS_ACCESS };
    const redis = await startTlsRedis(join(grid.folder, "tls"), users, authorizer);
    const packages = await startPackageIndex(PACKAGE);
    const options = clientOptions(grid.standIns.ports, emitted.place.region);
    await createSecrets(new SecretsManagerClient(options));
    const instanceId = await createGroup(options);
    const metadata = await startMetadata(instanceId);
    return new World(emitted, authorizer, grid, redis, packages, metadata, instanceId);
  }

  /** Options of clients that sign as a role, or as the operator. */
  options(role = "local") {
    const options = clientOptions(this.grid.standIns.ports, this.emitted.place.region);
    return { ...options, credentials: { accessKeyId: role, secretAccessKey: "local" }, maxAttempts: 1 };
  }

  /** Puts an object as the operator. */
  async put(bucket: string, key: string, body: string): Promise<void> {
    await new S3Client(this.options()).send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  }

  /** Starts a controller with its role and its Redis user. */
  controller(env: Readonly<Record<string, string>> = {}): Promise<Program> {
    return this.grid.startController({ ...this.as(CONTROLLER_ROLE, "nanogrid-controller"), ...env });
  }

  /** Starts a worker with its role and its Redis user. */
  worker(env: Readonly<Record<string, string>> = {}): Promise<Program> {
    const egress = { EGRESS_NETWORK: this.packages.network, DEPENDENCIES_PYTHON_INDEX_URL: this.packages.url };
    return this.grid.startWorker({ ...this.as(WORKER_ROLE, "nanogrid-worker"), ...QUICK, ...egress, ...env });
  }

  /** What a worker is told that is in the group. */
  get inGroup(): Record<string, string> {
    return {
      ASG_NAME: WORKER_GROUP,
      LIFECYCLE_HOOK_NAME: DRAIN_HOOK,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: this.metadata.url,
    };
  }

  /** Decisions about a role. */
  decisionsOf(role: string): Decision[] {
    return this.authorizer.decisions.filter((decision) => decision.role === role);
  }

  async stop(): Promise<void> {
    await this.grid.close();
    await Promise.all([this.redis.stop(), this.packages.stop(), this.metadata.stop(), this.authorizer.stop()]);
  }

  private as(role: string, redisUser: string): Record<string, string> {
    return {
      AWS_ACCESS_KEY_ID: role,
      REDIS_HOST: "localhost",
      REDIS_PORT: String(this.redis.port),
      REDIS_TLS: "true",
      REDIS_USER: redisUser,
      REDIS_CACHE_NAME: "nanogrid-redis",
      NODE_EXTRA_CA_CERTS: this.redis.certificate,
      SSL_CERT_FILE: this.redis.certificate,
    };
  }
}

type Options = ReturnType<typeof clientOptions>;

async function createSecrets(client: SecretsManagerClient): Promise<void> {
  for (const Name of Object.values(SECRETS)) {
    await client.send(new CreateSecretCommand({ Name, SecretString: "the secret's value" }));
  }
}

/** The workers' group with one instance, which waits at the hook when it leaves. @returns the instance's id */
async function createGroup(options: Options): Promise<string> {
  await new EC2Client(options).send(
    new CreateLaunchTemplateCommand({
      LaunchTemplateName: WORKER_GROUP,
      LaunchTemplateData: { ImageId: "ami-12c6146b", InstanceType: "t3.small" },
    }),
  );
  const groups = new AutoScalingClient(options);
  const AutoScalingGroupName = WORKER_GROUP;
  const size = { MinSize: 0, MaxSize: 1, DesiredCapacity: 1, AvailabilityZones: [`${options.region}a`] };
  const LaunchTemplate = { LaunchTemplateName: WORKER_GROUP };
  await groups.send(new CreateAutoScalingGroupCommand({ AutoScalingGroupName, LaunchTemplate, ...size }));
  await groups.send(
    new PutLifecycleHookCommand({
      AutoScalingGroupName,
      LifecycleHookName: DRAIN_HOOK,
      LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
      HeartbeatTimeout: 300,
      DefaultResult: "CONTINUE",
    }),
  );
  const { AutoScalingGroups = [] } = await groups.send(new DescribeAutoScalingGroupsCommand({}));
  return AutoScalingGroups[0]?.Instances?.[0]?.InstanceId ?? "";
}
