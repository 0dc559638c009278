/** The GPU tier of the inference cluster: instances, the task that embeds texts and describes products, its image, and a load balancer. */
import { Annotations } from "cdktf";
import type { Construct } from "constructs";
import { ContainerImage } from "../../constructs/container-image";
import { EcsCluster } from "../../constructs/ecs-cluster";
import { EcsService } from "../../constructs/ecs-service";
import { EcsTask } from "../../constructs/ecs-task";
import { ImageRepository } from "../../constructs/image-repository";
import { LoadBalancer } from "../../constructs/load-balancer";
import { LogGroup } from "../../constructs/log-group";
import {
  PRODUCT_INFERENCE_COMMAND,
  PRODUCT_INFERENCE_HEALTH_CHECK,
  PRODUCT_INFERENCE_PORT,
  productInferenceImage,
} from "../../containers/product-inference/image";
import { contract, list, type ValuesOf } from "../platform/contract";
import { gpuQuotas } from "../platform/gpu-quotas";
import { capacityStrategy, createExecutionRole, createGpuInstances } from "../platform/gpu-tier";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { gpuAlarms } from "./gpu-alarms";
import {
  CLUSTER,
  CONTAINER,
  LOAD_BALANCER,
  ON_DEMAND_GROUP,
  REPOSITORY,
  SERVICE,
  SPOT_GROUP,
  TARGET_GROUP,
  TASK_FAMILY,
  TASK_LOG_GROUP,
} from "./names";
import { network } from "./network";

export const gpu = contract("inference-gpu", {
  serviceUrl: "URL of the GPU tier's load balancer, inside of the VPC",
  listenerArn: "Listener of the load balancer, inside of the VPC",
  loadBalancerArnSuffix: "Dimension of the load balancer's metrics",
  targetGroupArn: "Target group of the tasks",
  targetGroupArnSuffix: "Dimension of the target group's metrics",
  clusterName: "ECS cluster",
  serviceName: "ECS service",
  taskFamily: "Family of the task definitions",
  taskLogGroup: "Log group of the tasks",
  capacityGroups: list("Auto-scaling groups of the GPU instances"),
  repositoryName: "Repository of the container image",
  imageUri: "Container image that the tasks run, by tag or digest",
});

/** Nothing waits for another container: the agent's own three minutes. */
const START_TIMEOUT_SECONDS = 180;
/** Shares of four vCPUs, the fewest that an instance has; what is left is the agent's. */
const CPU_UNITS = 3584;
/** The model is loaded before the port is open. */
const START_SECONDS = 120;
/** How long requests may go on after SIGTERM; the load balancer has sent none for the deregistration delay by then. */
const DRAIN_SECONDS = 30;
const STOP_SECONDS = DRAIN_SECONDS + 15;

export class InferenceGpu extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, gpu.stack, settings);
    const { machines, service: own } = settings.inference.gpu;
    this.tellQuotas();
    const net = this.read(network);
    const repository = new ImageRepository(this, "repository", {
      name: REPOSITORY,
      keep: settings.inference.gpu.keptImages,
      protect: settings.protectData,
    });
    const imageUri = settings.inference.gpu.image.uri ?? this.buildImage(repository);
    const loadBalancer = this.createLoadBalancer(net);
    const cluster = new EcsCluster(this, "cluster", { name: CLUSTER });
    const capacity = createGpuInstances(this, {
      cluster,
      clusterName: CLUSTER,
      region: settings.region,
      accountId: settings.accountId,
      role: {
        name: "inference_instance_role",
        description: "GPU instances of the inference cluster: the ECS agent and Session Manager",
      },
      names: { template: "inference-gpu", onDemand: ON_DEMAND_GROUP, spot: SPOT_GROUP },
      machines,
      network: {
        subnetIds: net.privateSubnetIds,
        zones: this.zones(),
        securityGroupId: net.instanceSecurityGroupId,
      },
      startTimeoutSeconds: START_TIMEOUT_SECONDS,
    });
    const clusterCapacity = cluster.runOn(capacity.map(({ provider }) => provider));
    const logs = new LogGroup(this, "logs", { name: TASK_LOG_GROUP, retentionDays: own.logRetentionDays });
    const task = this.createTask(repository, imageUri, logs);
    const service = new EcsService(this, "service", {
      name: SERVICE,
      cluster,
      taskDefinitionArn: task.arn,
      desired: own.desired,
      strategy: capacityStrategy(capacity, machines),
      subnetIds: net.privateSubnetIds,
      securityGroupIds: [net.taskSecurityGroupId],
      target: { groupArn: loadBalancer.targetGroupArn, container: CONTAINER, port: PRODUCT_INFERENCE_PORT },
      graceSeconds: own.graceSeconds,
      rollout: own.rollout,
      scaling: {
        min: own.min,
        max: own.max,
        // Batches are as large as the load: the requests of a task tell how much of it there is, and need nothing that publishes.
        metric: {
          kind: "requests",
          resourceLabel: `${loadBalancer.arnSuffix}/${loadBalancer.targetGroupArnSuffix}`,
        },
        target: own.requestsPerTask,
        outCooldownSeconds: own.outCooldownSeconds,
        inCooldownSeconds: own.inCooldownSeconds,
      },
      // ECS refuses a target group that no listener has.
      dependsOn: [clusterCapacity, loadBalancer.listener],
    });
    gpuAlarms(this, settings.inference, {
      topicArn: net.alarmTopicArn,
      loadBalancer: loadBalancer.arnSuffix,
      targetGroup: loadBalancer.targetGroupArnSuffix,
    });
    this.publish(gpu, {
      serviceUrl: `http://${loadBalancer.dnsName}`,
      listenerArn: loadBalancer.listener.arn,
      loadBalancerArnSuffix: loadBalancer.arnSuffix,
      targetGroupArn: loadBalancer.targetGroupArn,
      targetGroupArnSuffix: loadBalancer.targetGroupArnSuffix,
      clusterName: cluster.name,
      serviceName: service.name,
      taskFamily: TASK_FAMILY,
      taskLogGroup: logs.name,
      capacityGroups: capacity.map(({ groupName }) => groupName),
      repositoryName: repository.name,
      imageUri,
    });
  }

  /** A new account has no quota for GPU instances, and an apply would wait for instances that never come. */
  private tellQuotas(): void {
    const { region, inference } = this.settings;
    const needs = gpuQuotas(inference.gpu.machines).map(
      ({ name, code, vcpus }) => `${vcpus} vCPUs of "${name}" (${code})`,
    );
    Annotations.of(this).addInfo(
      `needs ${needs.join(" and ")} in ${region}, beside what else runs there. docs/operations/inference-gpu-deploy.md says how to look.`,
    );
  }

  /** Zones of the private subnets. A plan checks that they offer the instance types, so that it has to know them. */
  private zones(): readonly string[] {
    const { region, inference } = this.settings;
    const { private1, private2 } = inference.network.subnets;
    return [private1, private2].map(({ zone }) => `${region}${zone}`);
  }

  private buildImage(repository: ImageRepository): string {
    const image = new ContainerImage(this, "image", {
      ...productInferenceImage(),
      repository: REPOSITORY,
      repositoryUrl: repository.url,
      environment: this.settings.environment,
    });
    return image.uri;
  }

  private createLoadBalancer(net: ValuesOf<typeof network>): LoadBalancer {
    const { accountId, protectData } = this.settings;
    const { bucketSuffix, service: own } = this.settings.inference.gpu;
    return new LoadBalancer(this, "load-balancer", {
      name: LOAD_BALANCER,
      internal: true,
      vpcId: net.vpcId,
      subnetIds: net.privateSubnetIds,
      securityGroupIds: [net.loadBalancerSecurityGroupId],
      target: { name: TARGET_GROUP, port: PRODUCT_INFERENCE_PORT, healthPath: "/readyz", type: "ip" },
      idleTimeoutSeconds: own.idleTimeoutSeconds,
      deregistrationDelaySeconds: own.deregistrationDelaySeconds,
      accessLogsBucket: `${LOAD_BALANCER}-logs-${accountId}${bucketSuffix ? `-${bucketSuffix}` : ""}`,
      protect: protectData,
    });
  }

  /** The program asks nothing of AWS, so that its task has no role. */
  private createTask(repository: ImageRepository, image: string, logs: LogGroup): EcsTask {
    const { region, accountId } = this.settings;
    const { service: own, image: given } = this.settings.inference.gpu;
    const execution = createExecutionRole(this, {
      name: "inference_execution_role",
      description: "Starts the GPU tier's task: pulls its image, writes its log",
      accountId,
      imageUri: given.uri,
      repositoryArn: repository.arn,
      logs,
    });
    return new EcsTask(this, "task", {
      family: TASK_FAMILY,
      image,
      containers: [
        {
          name: CONTAINER,
          command: PRODUCT_INFERENCE_COMMAND,
          environment: {
            // The image is read-only: what CUDA compiles goes below the home folder, where the container may write.
            HOME: "/tmp",
            INFERENCE_PROVIDER: "cuda",
            INFERENCE_PORT: String(PRODUCT_INFERENCE_PORT),
            INFERENCE_MAX_BATCH: String(own.batching.maxBatch),
            INFERENCE_MAX_WAIT_MS: String(own.batching.maxWaitMs),
            INFERENCE_BATCH_TOKENS: String(own.batching.batchTokens),
            INFERENCE_QUEUE: String(own.batching.queue),
            INFERENCE_MAX_TEXTS: String(own.limits.maxTexts),
            INFERENCE_MAX_PRODUCTS: String(own.limits.maxProducts),
            INFERENCE_MAX_CHARACTERS: String(own.limits.maxCharacters),
            INFERENCE_MAX_BODY_BYTES: String(own.limits.maxBodyBytes),
            INFERENCE_REQUEST_SECONDS: String(own.requestSeconds),
            INFERENCE_DRAIN_SECONDS: String(DRAIN_SECONDS),
            INFERENCE_LOG_LEVEL: own.logLevel,
          },
          memoryMib: own.memoryMib,
          cpuUnits: CPU_UNITS,
          gpus: 1,
          port: PRODUCT_INFERENCE_PORT,
          healthCheck: {
            command: PRODUCT_INFERENCE_HEALTH_CHECK,
            intervalSeconds: 15,
            timeoutSeconds: 5,
            retries: 3,
            startSeconds: START_SECONDS,
          },
          stopTimeoutSeconds: STOP_SECONDS,
        },
      ],
      executionRoleArn: execution.arn,
      logGroupName: logs.name,
      region,
    });
  }
}
