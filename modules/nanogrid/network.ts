/** NanoGrid's VPC, its subnets and its security groups. */
import type { Construct } from "constructs";
import { exception } from "../../constructs/exception";
import { SecurityGroup } from "../../constructs/security-group";
import { Vpc } from "../../constructs/vpc";
import { contract, list } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";

export const network = contract("nanogrid-network", {
  vpcId: "NanoGrid's VPC",
  publicSubnetIds: list("Public 1 and 2: load balancer and controllers"),
  privateAppSubnetId: "Private App: reserved",
  workerSubnetIds: list("Private Data 1 and 2: workers and Redis"),
  aiSubnetId: "Private Data 1: the AI node",
  loadBalancerSecurityGroupId: "nanogrid-alb-sg",
  controllerSecurityGroupId: "nanogrid-controller-sg",
  workerSecurityGroupId: "nanogrid-worker-sg",
  redisSecurityGroupId: "nanogrid-redis-sg",
  aiSecurityGroupId: "nanogrid-ai-sg",
});

export class NanogridNetwork extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, network.stack, settings);
    const vpc = this.createVpc();
    const groups = this.createSecurityGroups(vpc);
    this.publish(network, {
      vpcId: vpc.id,
      publicSubnetIds: [vpc.subnetId("Public 1"), vpc.subnetId("Public 2")],
      privateAppSubnetId: vpc.subnetId("Private App"),
      workerSubnetIds: [vpc.subnetId("Private Data 1"), vpc.subnetId("Private Data 2")],
      aiSubnetId: vpc.subnetId("Private Data 1"),
      loadBalancerSecurityGroupId: groups.loadBalancer.id,
      controllerSecurityGroupId: groups.controller.id,
      workerSecurityGroupId: groups.worker.id,
      redisSecurityGroupId: groups.redis.id,
      aiSecurityGroupId: groups.ai.id,
    });
  }

  private createVpc(): Vpc {
    const { region } = this.settings;
    const { cidr, natPerZone, flowLogsRetentionDays, subnets } = this.settings.nanogrid.network;
    const subnet = (name: string, { cidr, zone }: { cidr: string; zone: string }, isPublic = false) => ({
      name,
      cidr,
      zone: `${region}${zone}`,
      public: isPublic,
    });
    return new Vpc(this, "vpc", {
      prefix: "nanogrid",
      cidr,
      region,
      natPerZone,
      flowLogsRetentionDays,
      gatewayEndpoints: ["s3", "dynamodb"],
      subnets: [
        subnet("Public 1", subnets.public1, true),
        subnet("Public 2", subnets.public2, true),
        subnet("Private App", subnets.privateApp),
        subnet("Private Data 1", subnets.privateData1),
        subnet("Private Data 2", subnets.privateData2),
      ],
    });
  }

  private createSecurityGroups(vpc: Vpc) {
    const { controllers, ai: aiSettings, data } = this.settings.nanogrid;
    const group = (id: string, name: string, description: string) => {
      const made = new SecurityGroup(this, `${id}-security-group`, { name, description, vpcId: vpc.id });
      exception(made, "CKV2_AWS_5", "What carries the group is in another state, which reads its id from here.");
      return made;
    };
    const loadBalancer = group("load-balancer", "nanogrid-alb-sg", "Load balancer: HTTP and HTTPS from anywhere");
    const controller = group("controller", "nanogrid-controller-sg", "Controllers: requests from the load balancer");
    const worker = group("worker", "nanogrid-worker-sg", "Workers: nothing inbound");
    const redis = group("redis", "nanogrid-redis-sg", "Redis: controllers and workers");
    const ai = group("ai", "nanogrid-ai-sg", "AI node: prompts from workers");

    const http = loadBalancer.allowIn("http", 80, { cidr: "0.0.0.0/0" }, "HTTP from anywhere");
    const https = loadBalancer.allowIn("https", 443, { cidr: "0.0.0.0/0" }, "HTTPS from anywhere");
    exception(https, "no-ingress-from-the-world", "The API is for the internet, behind a web ACL.");
    exception(
      http,
      "no-ingress-from-the-world",
      "The API is for the internet; with a certificate, port 80 only redirects.",
    );
    exception(http, "CKV_AWS_260", "The API is for the internet; with a certificate, port 80 only redirects.");
    loadBalancer.allowAllOut("To the controllers");
    controller.allowIn("from-load-balancer", controllers.port, loadBalancer, "Requests from the load balancer");
    for (const cidr of controllers.sshCidrs) {
      controller.allowIn(`ssh-from-${cidr.replace(/[./]/g, "-")}`, 22, { cidr }, `SSH from ${cidr}`);
    }
    controller.allowAllOut("AWS APIs, Redis and package mirrors");
    worker.allowAllOut("AWS APIs, Google Cloud Storage, Redis, the AI node and package mirrors");
    redis.allowIn("from-controllers", data.redis.port, controller, "Job status and results for controllers");
    redis.allowIn("from-workers", data.redis.port, worker, "Job status and results from workers");
    ai.allowIn("from-workers", aiSettings.port, worker, "Prompts from workers");
    const ssh = ai.allowIn("ssh-from-controllers", 22, controller, "SSH from controllers");
    exception(ssh, "CKV_AWS_24", "Only the controllers' security group gets in, which the check does not see.");
    ai.allowAllOut("Model and package downloads");
    return { loadBalancer, controller, worker, redis, ai };
  }
}
