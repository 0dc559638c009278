/** What every GPU tier on ECS has alike: its instances, and the roles that its task starts with. All of it lies in the stack's own scope. */
import type { Construct } from "constructs";
import { CloudInit } from "../../constructs/cloud-init";
import type { EcsCluster } from "../../constructs/ecs-cluster";
import type { EcsServiceProps } from "../../constructs/ecs-service";
import { GpuCapacity } from "../../constructs/gpu-capacity";
import { IMAGES, InstanceTemplate } from "../../constructs/instance-template";
import type { LogGroup } from "../../constructs/log-group";
import { Role } from "../../constructs/role";
import { ecsAgent, repositoryOf, taskExecution } from "./ecs-permissions";
import type { GpuSettings } from "./gpu-settings";
import { RESERVED_MIB } from "./gpu-types";

/** Where a tier's instances run. */
export interface GpuNetwork {
  /** Private subnets, one a zone. */
  readonly subnetIds: readonly string[];
  /** Zones of those subnets, such as `ap-northeast-2a`. */
  readonly zones: readonly string[];
  /** Security group of the instances. */
  readonly securityGroupId: string;
}

export interface GpuInstancesProps {
  readonly cluster: EcsCluster;
  /** Physical name of the cluster. */
  readonly clusterName: string;
  readonly region: string;
  readonly accountId: string;
  /** Name and description of the instances' role. */
  readonly role: { readonly name: string; readonly description: string };
  /** Name of the launch template, and of each group with its capacity provider. */
  readonly names: { readonly template: string; readonly onDemand: string; readonly spot: string };
  readonly machines: GpuSettings;
  readonly network: GpuNetwork;
  /** How long a container may wait for another to be healthy, in seconds. */
  readonly startTimeoutSeconds: number;
}

/** The instances: on-demand ones first, then spot ones where the settings have them. */
export function createGpuInstances(scope: Construct, props: GpuInstancesProps): GpuCapacity[] {
  const { cluster, clusterName, region, accountId, machines, names } = props;
  const { subnetIds, zones, securityGroupId } = props.network;
  const instances = `arn:aws:ecs:${region}:${accountId}:container-instance/${clusterName}`;
  const role = new Role(scope, "instance-role", {
    ...props.role,
    service: "ec2.amazonaws.com",
    statements: ecsAgent({ cluster: cluster.arn, instances }),
  });
  const cloudInit = new CloudInit(scope, "cloud-init", {
    template: "userdata/gpu-host/cloud-init.yaml.tftpl",
    variables: {
      cluster: cluster.name,
      start_timeout_seconds: String(props.startTimeoutSeconds),
      reserved_mib: String(RESERVED_MIB),
    },
  });
  const template = new InstanceTemplate(scope, "template", {
    name: names.template,
    image: IMAGES.ecsGpu,
    amiId: machines.amiId,
    instanceType: machines.instanceType,
    zones,
    instanceProfile: role.instanceProfile().name,
    securityGroupIds: [securityGroupId],
    userData: cloudInit.userData,
    rootVolumeGib: machines.rootVolumeGib,
  });
  const { min, max } = machines;
  const onDemand = new GpuCapacity(scope, "on-demand", { name: names.onDemand, template, subnetIds, min, max });
  if (!machines.spot.enabled) {
    return [onDemand];
  }
  const { instanceTypes } = machines.spot;
  const spot = new GpuCapacity(scope, "spot", {
    name: names.spot,
    template,
    subnetIds,
    min: machines.spot.min,
    max: machines.spot.max,
    spot: { instanceTypes, zones },
  });
  return [onDemand, spot];
}

/** Which share of tasks runs on which of the instances. */
export function capacityStrategy(capacity: readonly GpuCapacity[], machines: GpuSettings): EcsServiceProps["strategy"] {
  return capacity.map(({ provider }, index) => ({
    provider,
    weight: index === 0 ? machines.weight : machines.spot.weight,
    base: index === 0 ? machines.base : 0,
  }));
}

/** Who may take a task's roles: tasks of this account. */
export function taskTrust(accountId: string) {
  return {
    service: "ecs-tasks.amazonaws.com",
    trustConditions: [{ test: "StringEquals", variable: "aws:SourceAccount", values: [accountId] }],
  };
}

export interface ExecutionRoleProps {
  readonly name: string;
  readonly description: string;
  readonly accountId: string;
  /** Image that was built elsewhere, as in the settings. */
  readonly imageUri?: string;
  /** ARN of the system's own repository. */
  readonly repositoryArn: string;
  readonly logs: LogGroup;
}

/** The role that starts a task: it pulls the image, from wherever it is, and writes the log. */
export function createExecutionRole(scope: Construct, props: ExecutionRoleProps): Role {
  const { name, description, accountId, imageUri, repositoryArn, logs } = props;
  const imageRepository = imageUri === undefined ? undefined : repositoryOf(imageUri);
  return new Role(scope, "execution-role", {
    name,
    description,
    ...taskTrust(accountId),
    statements: taskExecution(imageRepository ?? repositoryArn, logs.arn),
  });
}
