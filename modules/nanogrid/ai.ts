/** The private model server: prompts never leave the VPC. */
import type { Construct } from "constructs";
import { CloudInit } from "../../constructs/cloud-init";
import { sessionManager, shipLogs } from "../../constructs/instance-permissions";
import { IMAGES } from "../../constructs/instance-template";
import { LogGroup } from "../../constructs/log-group";
import { PinnedInstance } from "../../constructs/pinned-instance";
import { Role } from "../../constructs/role";
import { contract } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { data } from "./data";
import { network } from "./network";

export const ai = contract("nanogrid-ai", {
  aiInstanceId: "The AI node",
  aiEndpoint: "URL of Ollama, within the VPC",
  aiLogGroup: "Log group of the AI node",
});

/** Amazon Linux 2023 with NVIDIA drivers. */
const GPU_AMI_PARAMETER =
  "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id";
/** Amazon's Deep Learning images need this much. */
const ROOT_VOLUME_GIB = 75;

export class NanogridAi extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, ai.stack, settings);
    const own = settings.nanogrid.ai;
    const net = this.read(network);
    const { alarmTopicArn } = this.read(data);
    const logs = new LogGroup(this, "logs", {
      name: "/nanogrid/ai-node",
      retentionDays: own.logRetentionDays,
    });
    const role = new Role(this, "role", {
      name: "nanogrid_ai_role",
      description: "NanoGrid's AI node: its log and Session Manager",
      service: "ec2.amazonaws.com",
      statements: [shipLogs(logs.arn), sessionManager()],
    });
    const node = new PinnedInstance(this, "node", {
      name: "nanogrid-ai",
      amiParameter: isGpu(own.instanceType) ? GPU_AMI_PARAMETER : IMAGES.amazonLinux2023.parameter,
      amiId: own.amiId,
      instanceType: own.instanceType,
      region: settings.region,
      zone: `${settings.region}${settings.nanogrid.network.subnets.privateData1.zone}`,
      subnetId: net.aiSubnetId,
      privateIp: own.privateIp,
      securityGroupIds: [net.aiSecurityGroupId],
      instanceProfile: role.instanceProfile().name,
      userData: (volumeId) => this.createCloudInit(volumeId, logs).userData,
      rootVolumeGib: ROOT_VOLUME_GIB,
      dataVolumeGib: own.modelVolumeGib,
      alarmActions: [alarmTopicArn],
      volumeTags: this.tags,
      protect: settings.protectData,
    });
    this.publish(ai, {
      aiInstanceId: node.id,
      aiEndpoint: `http://${own.privateIp}:${own.port}`,
      aiLogGroup: logs.name,
    });
  }

  private createCloudInit(volumeId: string, logs: LogGroup): CloudInit {
    const { privateIp, port, models, ollama } = this.settings.nanogrid.ai;
    return new CloudInit(this, "cloud-init", {
      template: "userdata/ai-node/cloud-init.yaml.tftpl",
      variables: {
        private_ip: privateIp,
        port: String(port),
        models: models.join(","),
        volume_id: volumeId,
        ollama_version: ollama.version,
        ollama_sha256: ollama.sha256,
        log_group: logs.name,
      },
    });
  }
}

/** EC2's accelerated families with NVIDIA GPUs begin with g or p. */
function isGpu(instanceType: string): boolean {
  return /^[gp]\d/.test(instanceType);
}
