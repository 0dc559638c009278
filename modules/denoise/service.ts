/** Where Denoise computes: GPU instances, the task of Triton, API and metrics on them, and the load balancer inside of the VPC. */
import type { Construct } from "constructs";
import { EcsCluster } from "../../constructs/ecs-cluster";
import { EcsService, type TaskScaling } from "../../constructs/ecs-service";
import { EcsTask } from "../../constructs/ecs-task";
import { LoadBalancer } from "../../constructs/load-balancer";
import { LogGroup } from "../../constructs/log-group";
import { Role } from "../../constructs/role";
import { DENOISE_PORTS } from "../../containers/denoise/image";
import { denoiseTaskStatements } from "../../containers/denoise/permissions";
import { contract, list, type ValuesOf } from "../platform/contract";
import { capacityStrategy, createExecutionRole, createGpuInstances, taskTrust } from "../platform/gpu-tier";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { serviceAlarms } from "./alarms";
import { denoiseContainers, TRITON_START_SECONDS } from "./containers";
import {
  CLUSTER,
  CONTAINERS,
  LOAD_BALANCER,
  METRICS_NAMESPACE,
  ON_DEMAND_GROUP,
  PENDING_REQUESTS,
  SERVICE,
  SPOT_GROUP,
  TARGET_GROUP,
  TASK_FAMILY,
  TASK_LOG_GROUP,
} from "./names";
import { createNetwork, createSecurityGroups, type DenoiseNetwork } from "./network";
import { storage } from "./storage";

export const service = contract("denoise-service", {
  vpcId: "VPC of the service",
  subnetIds: list("Private subnets of the tasks and the load balancer"),
  linkSecurityGroupId: "ddn-link-sg: what may reach the load balancer",
  listenerArn: "Listener of the load balancer, inside of the VPC",
  loadBalancerDnsName: "DNS name of ddn-alb, inside of the VPC",
  loadBalancerArnSuffix: "Dimension of the load balancer's metrics",
  targetGroupArn: "Target group of the tasks",
  targetGroupArnSuffix: "Dimension of the target group's metrics",
  clusterName: "ECS cluster: DDN_ECS_CLUSTER",
  serviceName: "ECS service",
  taskFamily: "Family of the task definitions",
  taskLogGroup: "Log group of the tasks",
  capacityGroups: list("Auto-scaling groups of the GPU instances"),
});

type Stored = ValuesOf<typeof storage>;

export class DenoiseService extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, service.stack, settings);
    const { service: own, gpu } = settings.denoise;
    const stored = this.read(storage);
    const network = createNetwork(this, settings);
    const groups = createSecurityGroups(this, network.vpcId, DENOISE_PORTS.api);
    const loadBalancer = this.createLoadBalancer(network, groups.loadBalancer.id);
    const cluster = new EcsCluster(this, "cluster", { name: CLUSTER });
    const capacity = createGpuInstances(this, {
      cluster,
      clusterName: CLUSTER,
      region: settings.region,
      accountId: settings.accountId,
      role: {
        name: "ddn_instance_role",
        description: "Denoise's GPU instances: the ECS agent and Session Manager",
      },
      names: { template: "ddn-gpu", onDemand: ON_DEMAND_GROUP, spot: SPOT_GROUP },
      machines: gpu,
      network: { ...network, securityGroupId: groups.instance.id },
      startTimeoutSeconds: TRITON_START_SECONDS,
    });
    const clusterCapacity = cluster.runOn(capacity.map(({ provider }) => provider));
    const logs = new LogGroup(this, "logs", { name: TASK_LOG_GROUP, retentionDays: own.logRetentionDays });
    const task = this.createTask(stored, logs);
    const tasks = new EcsService(this, "service", {
      name: SERVICE,
      cluster,
      taskDefinitionArn: task.arn,
      desired: own.desired,
      strategy: capacityStrategy(capacity, gpu),
      subnetIds: network.subnetIds,
      securityGroupIds: [groups.task.id],
      target: { groupArn: loadBalancer.targetGroupArn, container: CONTAINERS.api, port: DENOISE_PORTS.api },
      graceSeconds: own.graceSeconds,
      rollout: own.rollout,
      scaling: this.scaling(loadBalancer),
      // ECS refuses a target group that no listener has.
      dependsOn: [clusterCapacity, loadBalancer.listener],
    });
    serviceAlarms(this, this.settings, {
      topicArn: stored.alarmTopicArn,
      loadBalancer: loadBalancer.arnSuffix,
      targetGroup: loadBalancer.targetGroupArnSuffix,
      cluster: cluster.name,
      service: tasks.name,
    });
    this.publish(service, {
      vpcId: network.vpcId,
      subnetIds: network.subnetIds,
      linkSecurityGroupId: groups.link.id,
      listenerArn: loadBalancer.listener.arn,
      loadBalancerDnsName: loadBalancer.dnsName,
      loadBalancerArnSuffix: loadBalancer.arnSuffix,
      targetGroupArn: loadBalancer.targetGroupArn,
      targetGroupArnSuffix: loadBalancer.targetGroupArnSuffix,
      clusterName: cluster.name,
      serviceName: tasks.name,
      taskFamily: TASK_FAMILY,
      taskLogGroup: logs.name,
      capacityGroups: capacity.map(({ groupName }) => groupName),
    });
  }

  private createLoadBalancer(network: DenoiseNetwork, securityGroupId: string): LoadBalancer {
    const { accountId, protectData, denoise } = this.settings;
    const suffix = denoise.storage.bucketSuffix ? `-${denoise.storage.bucketSuffix}` : "";
    return new LoadBalancer(this, "load-balancer", {
      name: LOAD_BALANCER,
      internal: true,
      vpcId: network.vpcId,
      subnetIds: network.subnetIds,
      securityGroupIds: [securityGroupId],
      target: { name: TARGET_GROUP, port: DENOISE_PORTS.api, healthPath: "/healthz", type: "ip" },
      idleTimeoutSeconds: denoise.service.idleTimeoutSeconds,
      deregistrationDelaySeconds: denoise.service.deregistrationDelaySeconds,
      accessLogsBucket: `${LOAD_BALANCER}-logs-${accountId}${suffix}`,
      protect: protectData,
    });
  }

  private createTask(stored: Stored, logs: LogGroup): EcsTask {
    const { region, accountId } = this.settings;
    const role = new Role(this, "task-role", {
      name: "ddn_task_role",
      description: "Denoise's task: reads noisy images, writes clean ones, publishes metrics",
      ...taskTrust(accountId),
      statements: denoiseTaskStatements({
        inBucketArn: stored.inBucketArn,
        outBucketArn: stored.outBucketArn,
        namespace: METRICS_NAMESPACE,
      }),
    });
    const execution = createExecutionRole(this, {
      name: "ddn_execution_role",
      description: "Starts Denoise's task: pulls its image, writes its log",
      accountId,
      imageUri: this.settings.denoise.image.uri,
      repositoryArn: stored.repositoryArn,
      logs,
    });
    return new EcsTask(this, "task", {
      family: TASK_FAMILY,
      image: stored.imageUri,
      containers: denoiseContainers(this.settings, stored),
      taskRoleArn: role.arn,
      executionRoleArn: execution.arn,
      logGroupName: logs.name,
      region,
    });
  }

  private scaling(loadBalancer: LoadBalancer): TaskScaling {
    const { min, max, scaling } = this.settings.denoise.service;
    const { outCooldownSeconds, inCooldownSeconds } = scaling;
    const common = { min, max, outCooldownSeconds, inCooldownSeconds };
    if (scaling.metric === "requests") {
      const resourceLabel = `${loadBalancer.arnSuffix}/${loadBalancer.targetGroupArnSuffix}`;
      return { ...common, metric: { kind: "requests", resourceLabel }, target: scaling.requestsPerTask };
    }
    return {
      ...common,
      metric: {
        kind: "custom",
        namespace: METRICS_NAMESPACE,
        metricName: PENDING_REQUESTS,
        dimensions: { ClusterName: CLUSTER, ServiceName: SERVICE },
      },
      target: scaling.pendingPerTask,
    };
  }
}
