/** What the Music pipeline runs on: an EKS cluster in a VPC of its own, its node groups, shared files, images and artifacts. */
import type { SnsTopic } from "@cdktf/provider-aws/lib/sns-topic";
import type { Construct } from "constructs";
import { Efs } from "../../constructs/efs";
import { EksCluster } from "../../constructs/eks-cluster";
import { NodeGroup, type NodeImage } from "../../constructs/node-group";
import { PodIdentity, podRole, type ServiceAccount } from "../../constructs/pod-identity";
import { PrivateBucket } from "../../constructs/private-bucket";
import { Role, type Statement } from "../../constructs/role";
import { MUSIC_USER_ID } from "../../containers/music/program";
import { alarmTopic } from "../platform/alarm-topic";
import { CI_ACCESS, ciNames } from "../platform/ci/names";
import { contract } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { type TwoZoneNetwork, twoZoneVpc } from "../platform/two-zone-vpc";
import { clusterAlarms } from "./alarms";
import { createImages } from "./images";
import { ALARM_TOPIC, CLUSTER, GPU_TAINT, NODE_GROUPS, NODES_LABEL, PREFIX, SERVICE_ACCOUNTS } from "./names";
import {
  artifactStatements,
  autoscalerStatements,
  type ClusterScope,
  ebsCsiStatements,
  efsCsiStatements,
  nodeStatements,
  vpcCniStatements,
} from "./permissions";

export const cluster = contract("music-cluster", {
  clusterName: "EKS cluster",
  clusterEndpoint: "URL of the Kubernetes API",
  clusterCertificateAuthority: "Certificate authority of the Kubernetes API, base64",
  vpcId: "VPC of the cluster",
  fileSystemId: "File system of the shared files",
  accessPointId: "Access point of the shared files: a folder, as the programs' user",
  frontImageUri: "Container image that front runs, by tag or digest",
  backImageUri: "Container image that back runs, by tag or digest",
  firstStageImageUri: "Container image that first-stage runs, by tag or digest",
  secondStageImageUri: "Container image that second-stage runs, by tag or digest",
  stepImageUri: "Container image that the pipeline's steps run, by tag or digest",
  artifactsBucket: "Bucket of what the pipeline's runs leave",
  alarmTopicArn: "SNS topic that every alarm notifies",
});

export class MusicCluster extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, cluster.stack, settings);
    const { cluster: own, storage } = settings.music;
    const network = twoZoneVpc(this, PREFIX, settings.region, settings.music.network);
    const { subnetIds } = network;
    const topic = this.createTopic();
    const eks = new EksCluster(this, "cluster", {
      name: CLUSTER,
      version: own.version,
      subnetIds,
      publicCidrs: own.publicCidrs,
      logRetentionDays: own.logRetentionDays,
      protect: settings.protectData,
    });
    this.admit(eks);
    const images = createImages(this, settings);
    const files = new Efs(this, "files", {
      name: `${PREFIX}-files`,
      vpcId: network.vpcId,
      subnets: Object.fromEntries(network.zones.map((zone, index) => [zone.slice(-1), subnetIds[index] ?? ""])),
      client: { groupId: eks.securityGroupId },
      backup: storage.backup,
      protect: settings.protectData,
    });
    const repositoryArns = [...new Set(Object.values(images).map(({ repositoryArn }) => repositoryArn))];
    const groups = this.createNodes(eks, network, repositoryArns);
    this.createAddons(eks, files, groups);
    const suffix = storage.bucketSuffix ? `-${storage.bucketSuffix}` : "";
    const artifacts = new PrivateBucket(this, "artifacts", {
      name: `${PREFIX}-artifacts-${settings.accountId}${suffix}`,
      versioned: false,
      expireAfterDays: storage.artifactsExpireDays,
      protect: settings.protectData,
    });
    this.createIdentities(eks, artifacts);
    clusterAlarms(this, settings, { topicArn: topic.arn, clusterName: eks.name, fileSystemId: files.id });
    this.publish(cluster, {
      clusterName: eks.name,
      clusterEndpoint: eks.endpoint,
      clusterCertificateAuthority: eks.certificateAuthority,
      vpcId: network.vpcId,
      fileSystemId: files.id,
      accessPointId: files.accessPoint("music-files", { path: "/music", uid: MUSIC_USER_ID }),
      frontImageUri: images.front.uri,
      backImageUri: images.back.uri,
      firstStageImageUri: images.firstStage.uri,
      secondStageImageUri: images.secondStage.uri,
      stepImageUri: images.step.uri,
      artifactsBucket: artifacts.name,
      alarmTopicArn: topic.arn,
    });
  }

  private get clusterScope(): ClusterScope {
    const { region, accountId } = this.settings;
    return { region, accountId, clusterName: CLUSTER };
  }

  private createTopic(): SnsTopic {
    return alarmTopic(this, ALARM_TOPIC, this.settings.music.alarms.emails);
  }

  /** Administrators of the settings; CI's roles where there is CI: the one that deploys, and the one that reads. */
  private admit(eks: EksCluster): void {
    const { ci, music } = this.settings;
    music.cluster.adminArns.forEach((arn, index) => {
      eks.admit(`admin-${index + 1}`, arn, "AmazonEKSClusterAdminPolicy");
    });
    if (ci.repository) {
      const { deployRoleArn, planRoleArn } = ciNames(this.settings);
      eks.admit(`${CI_ACCESS}-deploy`, deployRoleArn, "AmazonEKSClusterAdminPolicy");
      eks.admit(`${CI_ACCESS}-plan`, planRoleArn, "AmazonEKSAdminViewPolicy");
    }
  }

  /** Nodes need the network plugin and the agent of pod identities at their start, and so come after both. */
  private createNodes(eks: EksCluster, network: TwoZoneNetwork, repositoryArns: readonly string[]): NodeGroup[] {
    const { nodes, cluster: own } = this.settings.music;
    const role = new Role(this, "node-role", {
      name: `${PREFIX}-node-role`,
      description: "Nodes of the Music pipeline: join their cluster and pull images",
      service: "ec2.amazonaws.com",
      statements: nodeStatements(this.clusterScope, repositoryArns),
    });
    const identities = eks.addon("pod-identity-addon", { name: "eks-pod-identity-agent" });
    const cni = eks.addon("vpc-cni-addon", {
      name: "vpc-cni",
      configuration: { enableNetworkPolicy: "true" },
      podIdentity: this.podIdentity("vpc-cni", SERVICE_ACCOUNTS.vpcCni, vpcCniStatements(this.clusterScope)),
      dependsOn: [identities],
    });
    const proxy = eks.addon("kube-proxy-addon", { name: "kube-proxy" });
    const group = (name: string, image: NodeImage, sizes: (typeof nodes)[keyof typeof nodes]) =>
      new NodeGroup(this, `${name}-nodes`, {
        name,
        clusterName: eks.name,
        version: own.version,
        roleArn: role.arn,
        subnetIds: network.subnetIds,
        zones: network.zones,
        image,
        ...sizes,
        labels: { [NODES_LABEL]: name },
        ...(image === "AL2023_x86_64_NVIDIA"
          ? { taints: [{ key: GPU_TAINT, value: "present", effect: "NO_SCHEDULE" }] }
          : {}),
        dependsOn: [role.permissions, cni, proxy],
      });
    return [
      group(NODE_GROUPS.system, "AL2023_x86_64_STANDARD", nodes.system),
      group(NODE_GROUPS.gpuSmall, "AL2023_x86_64_NVIDIA", nodes.gpuSmall),
      group(NODE_GROUPS.gpuLarge, "AL2023_x86_64_NVIDIA", nodes.gpuLarge),
    ];
  }

  /** Add-ons whose pods want a node. */
  private createAddons(eks: EksCluster, files: Efs, groups: readonly NodeGroup[]): void {
    const dependsOn = groups.map(({ group }) => group);
    eks.addon("coredns-addon", { name: "coredns", dependsOn });
    eks.addon("efs-csi-addon", {
      name: "aws-efs-csi-driver",
      podIdentity: this.podIdentity("efs-csi", SERVICE_ACCOUNTS.efsCsi, efsCsiStatements(files.arn)),
      dependsOn,
    });
    eks.addon("ebs-csi-addon", {
      name: "aws-ebs-csi-driver",
      podIdentity: this.podIdentity("ebs-csi", SERVICE_ACCOUNTS.ebsCsi, ebsCsiStatements(this.clusterScope)),
      dependsOn,
    });
  }

  private podIdentity(id: string, serviceAccount: ServiceAccount, statements: readonly Statement[]) {
    const { accountId } = this.settings;
    const role = podRole(this, `${id}-role`, {
      name: `${PREFIX}-${id}-role`,
      description: `Add-on ${id} of ${CLUSTER}`,
      clusterName: CLUSTER,
      accountId,
      serviceAccount,
      statements,
    });
    return { serviceAccount: serviceAccount.name, role };
  }

  /** Workloads that music-platform installs and that call AWS. */
  private createIdentities(eks: EksCluster, artifacts: PrivateBucket): void {
    const identity = (
      id: string,
      serviceAccount: ServiceAccount,
      description: string,
      statements: readonly Statement[],
    ) =>
      new PodIdentity(this, `${id}-identity`, {
        name: `${PREFIX}-${id}-role`,
        description,
        clusterName: eks.name,
        accountId: this.settings.accountId,
        serviceAccount,
        statements,
      });
    identity(
      "autoscaler",
      SERVICE_ACCOUNTS.autoscaler,
      "Cluster autoscaler: sizes of the node groups",
      autoscalerStatements(this.clusterScope, Object.values(NODE_GROUPS)),
    );
    identity(
      "pipeline-runner",
      SERVICE_ACCOUNTS.pipelineRunner,
      "Pods of the pipeline's runs: their artifacts",
      artifactStatements(artifacts.arn),
    );
  }
}
