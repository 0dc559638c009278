/** The workers: what runs functions, and how many of it. */
import { DataAwsEcrImage } from "@cdktf/provider-aws/lib/data-aws-ecr-image";
import type { Construct } from "constructs";
import { CloudInit } from "../../constructs/cloud-init";
import { fetchArtifact, pullImages, sessionManager, shipLogs } from "../../constructs/instance-permissions";
import { IMAGES, InstanceTemplate } from "../../constructs/instance-template";
import { LogGroup } from "../../constructs/log-group";
import { ProgramArtifact } from "../../constructs/program-artifact";
import { QueueScaledGroup, type QueueScaledGroupProps } from "../../constructs/queue-scaled-group";
import { Role } from "../../constructs/role";
import { type Runtime, runtimeRepository, runtimeTag, workerArtifact } from "../../userdata/worker/artifact";
import { workerPermissions } from "../../userdata/worker/permissions";
import { contract, type ValuesOf } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { archive } from "./archive";
import { data } from "./data";
import { DRAIN_HOOK, WORKER_GROUP, WORKER_ROLE } from "./names";
import { network } from "./network";
import { FUNCTION_SECRETS, workerVariables } from "./program-variables";

export const workers = contract("nanogrid-workers", {
  workerGroupName: "Auto-scaling group of the workers",
  workerLaunchTemplateId: "Launch template of the workers",
  workerLogGroup: "Log group of the workers",
});

/** Where the workers keep the credential configuration of the archive; the name is the deployed one. */
const GCP_CREDENTIALS_FILE = "/etc/ncp-test-465906-417c34e96c23.json";
/** Deployed values of the depth scaling. */
const DEPTH_SCALING = { kind: "depth", addFromMessages: 10, removeAfterMinutes: 3, cooldownSeconds: 300 } as const;
/** How long a worker may drain before its heartbeat extends it. */
const DRAIN_SECONDS = 300;

export class NanogridWorkers extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, workers.stack, settings);
    const stored = this.read(data);
    const net = this.read(network);
    const own = settings.nanogrid.workers;
    const logs = new LogGroup(this, "logs", {
      name: "/nanogrid/worker",
      retentionDays: own.logRetentionDays,
    });
    const template = this.createTemplate(stored, net, logs);
    const group = new QueueScaledGroup(this, "group", {
      name: WORKER_GROUP,
      alarmPrefix: "nanogrid",
      min: own.min,
      desired: own.desired,
      max: own.max,
      template,
      subnetIds: net.workerSubnetIds,
      queueName: stored.queueName,
      scaling: this.scaling,
      spot: own.spot.enabled ? own.spot : undefined,
      drainHook: DRAIN_HOOK,
      drainSeconds: DRAIN_SECONDS,
    });
    this.publish(workers, {
      workerGroupName: group.name,
      workerLaunchTemplateId: template.id,
      workerLogGroup: logs.name,
    });
  }

  private get scaling(): QueueScaledGroupProps["scaling"] {
    const { scaling, acceptedLatencySeconds, meanJobSeconds } = this.settings.nanogrid.workers;
    return scaling === "backlog" ? { kind: "backlog", acceptedLatencySeconds, meanJobSeconds } : DEPTH_SCALING;
  }

  private createTemplate(
    stored: ValuesOf<typeof data>,
    net: ValuesOf<typeof network>,
    logs: LogGroup,
  ): InstanceTemplate {
    const { region, accountId, standIns } = this.settings;
    const { workers: own, archive: archiveSettings, network: networkSettings } = this.settings.nanogrid;
    const gcpCredentialsSecret = archiveSettings.enabled ? stored.gcpCredentialsSecretArn : undefined;
    const role = new Role(this, "role", {
      name: WORKER_ROLE,
      description: "NanoGrid workers: the queue, code, results and the archive's credential configuration",
      service: "ec2.amazonaws.com",
      statements: [
        ...workerPermissions({
          codeBucket: stored.codeBucketArn,
          userDataBucket: stored.userDataBucketArn,
          queue: stored.queueArn,
          jobsTable: stored.jobsTableArn,
          functionSecrets: `arn:aws:secretsmanager:${region}:${accountId}:secret:${FUNCTION_SECRETS}*`,
          gcpCredentialsSecret,
          // Written out: the group's launch template needs this role first. EC2 Auto Scaling puts a generated id before the name.
          group: `arn:aws:autoscaling:${region}:${accountId}:autoScalingGroup:*:autoScalingGroupName/${WORKER_GROUP}`,
          redis: stored.redisArn,
          redisUser: stored.redisWorkerUserArn,
        }),
        fetchArtifact(stored.artifactsBucketArn, "worker"),
        ...pullImages([stored.runtimePythonRepositoryArn, stored.runtimeNodeRepositoryArn]),
        shipLogs(logs.arn),
        sessionManager(),
      ],
    });
    const artifact = new ProgramArtifact(this, "artifact", { ...workerArtifact(), bucket: stored.artifactsBucket });
    const cloudInit = new CloudInit(this, "cloud-init", {
      template: "userdata/worker/cloud-init.yaml.tftpl",
      variables: {
        ...workerVariables(this.settings),
        code_bucket: stored.codeBucket,
        user_data_bucket: stored.userDataBucket,
        queue_url: stored.queueUrl,
        jobs_table: stored.jobsTable,
        redis_host: stored.redisHost,
        redis_port: stored.redisPort,
        redis_tls: stored.redisTls,
        redis_user: standIns ? "" : stored.redisWorkerUser,
        redis_name: stored.redisName,
        archive_bucket: archiveSettings.enabled ? this.read(archive).bucket : "",
        gcp_credentials_secret: gcpCredentialsSecret ?? "",
        gcp_credentials_file: GCP_CREDENTIALS_FILE,
        runtime_image_python: this.runtimeImage("python"),
        runtime_image_node: this.runtimeImage("node"),
        group_name: WORKER_GROUP,
        log_group: logs.name,
        artifact_bucket: artifact.bucket,
        artifact_key: artifact.key,
        artifact_sha256: artifact.sha256,
      },
    });
    return new InstanceTemplate(this, "template", {
      name: "nanogrid-worker",
      image: IMAGES.amazonLinux2023,
      amiId: own.amiId,
      instanceType: own.instanceType,
      zones: [networkSettings.subnets.privateData1.zone, networkSettings.subnets.privateData2.zone].map(
        (zone) => `${region}${zone}`,
      ),
      instanceProfile: role.instanceProfile().name,
      securityGroupIds: [net.workerSecurityGroupId],
      userData: cloudInit.userData,
      rootVolumeGib: own.rootVolumeGib,
    });
  }

  /** A sandbox image as workers pull it, by digest. One that was not pushed stops the plan: `npm run runtime-images` pushes it. */
  private runtimeImage(runtime: Runtime): string {
    const image = new DataAwsEcrImage(this, `runtime-${runtime}`, {
      repositoryName: runtimeRepository(runtime),
      imageTag: runtimeTag(runtime),
    });
    return image.imageUri;
  }
}
