/** The way in: load balancer, WAF, and the controllers behind them. */
import type { Construct } from "constructs";
import { CloudInit } from "../../constructs/cloud-init";
import { exception } from "../../constructs/exception";
import { FixedGroup } from "../../constructs/fixed-group";
import { fetchArtifact, sessionManager, shipLogs } from "../../constructs/instance-permissions";
import { IMAGES, InstanceTemplate } from "../../constructs/instance-template";
import { LoadBalancer } from "../../constructs/load-balancer";
import { LogGroup } from "../../constructs/log-group";
import { ProgramArtifact } from "../../constructs/program-artifact";
import { Role } from "../../constructs/role";
import { WebAcl } from "../../constructs/web-acl";
import { controllerArtifact } from "../../userdata/controller/artifact";
import { controllerPermissions } from "../../userdata/controller/permissions";
import { contract, type ValuesOf } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { data } from "./data";
import { network } from "./network";
import { controllerVariables } from "./program-variables";

export const controllers = contract("nanogrid-controllers", {
  serviceUrl: "URL of the API",
  loadBalancerDnsName: "DNS name of nanogrid-alb",
  loadBalancerArnSuffix: "Dimension of the load balancer's metrics",
  targetGroupArnSuffix: "Dimension of the target group's metrics",
  controllerGroupName: "Auto-scaling group of the controllers",
  controllerLaunchTemplateId: "Launch template of the controllers",
  controllerLogGroup: "Log group of the controllers",
});

/** Where functions are uploaded and invoked: bodies there are source code or arbitrary events. */
const CODE_PATHS = "/v1/functions";
/** Node.js and PM2 that run the controller, as npm packages. */
const NODE_VERSION = "22.23.3";
const PM2_VERSION = "7.0.4";
/** Ubuntu with Node.js, PM2 and releases kept for a rollback. */
const ROOT_VOLUME_GIB = 16;

export class NanogridControllers extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, controllers.stack, settings);
    const stored = this.read(data);
    const net = this.read(network);
    const loadBalancer = this.createLoadBalancer(net);
    exception(
      loadBalancer,
      "CKV2_AWS_76",
      "The web ACL has the rule set for it; its body rules count and are blocked outside of uploaded code by a rule of ours.",
    );
    new WebAcl(this, "web-acl", {
      name: "nanogrid-web-acl",
      rateLimitPer5Minutes: settings.nanogrid.controllers.rateLimitPer5Minutes,
      maxBodyBytes: settings.nanogrid.controllers.maxBodyBytes,
      codePathPrefix: CODE_PATHS,
      loadBalancerArn: loadBalancer.arn,
      logRetentionDays: settings.nanogrid.controllers.logRetentionDays,
    });
    const logs = new LogGroup(this, "logs", {
      name: "/nanogrid/controller",
      retentionDays: settings.nanogrid.controllers.logRetentionDays,
    });
    const template = this.createTemplate(stored, net, logs);
    const group = new FixedGroup(this, "group", {
      name: "nanogrid-controller-asg",
      count: settings.nanogrid.controllers.count,
      template,
      subnetIds: net.publicSubnetIds,
      targetGroupArns: [loadBalancer.targetGroupArn],
    });
    const scheme = settings.nanogrid.controllers.certificateArn ? "https" : "http";
    this.publish(controllers, {
      serviceUrl: `${scheme}://${loadBalancer.dnsName}`,
      loadBalancerDnsName: loadBalancer.dnsName,
      loadBalancerArnSuffix: loadBalancer.arnSuffix,
      targetGroupArnSuffix: loadBalancer.targetGroupArnSuffix,
      controllerGroupName: group.name,
      controllerLaunchTemplateId: template.id,
      controllerLogGroup: logs.name,
    });
  }

  private createLoadBalancer(net: ValuesOf<typeof network>): LoadBalancer {
    const { controllers: own, data: dataSettings } = this.settings.nanogrid;
    const suffix = dataSettings.bucketSuffix ? `-${dataSettings.bucketSuffix}` : "";
    return new LoadBalancer(this, "load-balancer", {
      name: "nanogrid-alb",
      vpcId: net.vpcId,
      subnetIds: net.publicSubnetIds,
      securityGroupIds: [net.loadBalancerSecurityGroupId],
      target: { name: "nanogrid-controller-tg", port: own.port, healthPath: "/health" },
      idleTimeoutSeconds: own.idleTimeoutSeconds,
      deregistrationDelaySeconds: own.deregistrationDelaySeconds,
      certificateArn: own.certificateArn,
      accessLogsBucket: `nanogrid-alb-logs-${this.settings.accountId}${suffix}`,
      protect: this.settings.protectData,
    });
  }

  private createTemplate(
    stored: ValuesOf<typeof data>,
    net: ValuesOf<typeof network>,
    logs: LogGroup,
  ): InstanceTemplate {
    const { region } = this.settings;
    const { controllers: own, network: networkSettings } = this.settings.nanogrid;
    const role = new Role(this, "role", {
      name: "nanogrid_controller_role",
      description: "NanoGrid controllers: functions, jobs and the queue",
      service: "ec2.amazonaws.com",
      statements: [
        ...controllerPermissions({
          codeBucket: stored.codeBucketArn,
          userDataBucket: stored.userDataBucketArn,
          functionsTable: stored.functionsTableArn,
          jobsTable: stored.jobsTableArn,
          apiKeysTable: stored.apiKeysTableArn,
          queue: stored.queueArn,
          deadLetterQueue: stored.deadLetterQueueArn,
          redisReplicationGroup: stored.redisArn,
          redisUser: stored.redisControllerUserArn,
        }),
        fetchArtifact(stored.artifactsBucketArn, "controller"),
        shipLogs(logs.arn),
        sessionManager(),
      ],
    });
    const artifact = new ProgramArtifact(this, "artifact", { ...controllerArtifact(), bucket: stored.artifactsBucket });
    const cloudInit = new CloudInit(this, "cloud-init", {
      template: "userdata/controller/cloud-init.yaml.tftpl",
      variables: {
        ...controllerVariables(this.settings),
        code_bucket: stored.codeBucket,
        user_data_bucket: stored.userDataBucket,
        functions_table: stored.functionsTable,
        jobs_table: stored.jobsTable,
        api_keys_table: stored.apiKeysTable,
        queue_url: stored.queueUrl,
        dead_letter_queue_url: stored.deadLetterQueueUrl,
        redis_host: stored.redisHost,
        redis_port: stored.redisPort,
        redis_tls: stored.redisTls,
        redis_user: this.settings.standIns ? "" : stored.redisControllerUser,
        redis_name: stored.redisName,
        log_group: logs.name,
        artifact_bucket: artifact.bucket,
        artifact_key: artifact.key,
        artifact_sha256: artifact.sha256,
        node_version: NODE_VERSION,
        pm2_version: PM2_VERSION,
      },
    });
    return new InstanceTemplate(this, "template", {
      name: "nanogrid-controller",
      image: IMAGES.ubuntuLts,
      amiId: own.amiId,
      instanceType: own.instanceType,
      zones: [networkSettings.subnets.public1.zone, networkSettings.subnets.public2.zone].map(
        (zone) => `${region}${zone}`,
      ),
      instanceProfile: role.instanceProfile().name,
      securityGroupIds: [net.controllerSecurityGroupId],
      userData: cloudInit.userData,
      rootVolumeGib: ROOT_VOLUME_GIB,
    });
  }
}
