/** Where Denoise runs: a VPC of its own or one that is there, and who may connect to whom in it. */
import type { Construct } from "constructs";
import { exception } from "../../constructs/exception";
import { SecurityGroup } from "../../constructs/security-group";
import type { Settings } from "../platform/settings";
import { twoZoneVpc } from "../platform/two-zone-vpc";

/** A network, as the tasks and the load balancer use it. */
export interface DenoiseNetwork {
  readonly vpcId: string;
  /** Private subnets, one a zone. */
  readonly subnetIds: string[];
  /** Zones of those subnets, such as `ap-northeast-2a`. */
  readonly zones: readonly string[];
}

/** The security groups: each lets in the one before it, and nothing else. */
export interface DenoiseGroups {
  /** The VPC link of the HTTP API. */
  readonly link: SecurityGroup;
  readonly loadBalancer: SecurityGroup;
  readonly task: SecurityGroup;
  /** GPU instances: nothing inbound, since tasks have addresses of their own. */
  readonly instance: SecurityGroup;
}

/** Port of the load balancer inside of the VPC. */
const HTTP = 80;

/**
 * The VPC of the settings. One of its own has a NAT gateway and a gateway endpoint for S3: ECR's layers and all images go through the
 * endpoint, which is free. Interface endpoints in its place would be nine in each of two zones, at about four times the gateway's price.
 */
export function createNetwork(scope: Construct, { region, denoise }: Settings): DenoiseNetwork {
  const { existing, subnets, cidr, natPerZone, flowLogsRetentionDays } = denoise.network;
  const zoneName = (letter: string) => `${region}${letter}`;
  if (existing) {
    return { vpcId: existing.vpcId, subnetIds: existing.subnetIds, zones: existing.zones.map(zoneName) };
  }
  return twoZoneVpc(scope, "ddn", region, { subnets, cidr, natPerZone, flowLogsRetentionDays });
}

/**
 * The security groups. Triton's ports are in none of them.
 *
 * @param apiPort TCP port of Flask
 */
export function createSecurityGroups(scope: Construct, vpcId: string, apiPort: number): DenoiseGroups {
  const group = (id: string, name: string, description: string) =>
    new SecurityGroup(scope, `${id}-security-group`, { name, description, vpcId });
  const link = group("link", "ddn-link-sg", "VPC link of the HTTP API");
  const loadBalancer = group("load-balancer", "ddn-alb-sg", "Load balancer: requests from the VPC link");
  const task = group("task", "ddn-task-sg", "Tasks: requests from the load balancer");
  const instance = group("instance", "ddn-instance-sg", "GPU instances: nothing inbound");
  exception(link, "CKV2_AWS_5", "The VPC link that carries the group is in denoise-api, which reads its id from here.");

  link.allowOut("to-load-balancer", HTTP, loadBalancer, "Requests to the load balancer");
  const http = loadBalancer.allowIn("from-link", HTTP, link, "Requests from the VPC link");
  exception(http, "CKV_AWS_260", "Only the VPC link's security group gets in, which the check does not see.");
  loadBalancer.allowOut("to-tasks", apiPort, task, "Requests and health checks to the tasks");
  task.allowIn("from-load-balancer", apiPort, loadBalancer, "Requests and health checks from the load balancer");
  task.allowAllOut("S3, CloudWatch");
  instance.allowAllOut("ECS, ECR, CloudWatch, Session Manager");
  return { link, loadBalancer, task, instance };
}
