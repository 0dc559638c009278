/** A cluster for the Music pipeline: a real control plane, with nodes as the emitted node groups describe them. */
import { readFileSync } from "node:fs";
import type { KubernetesApi, KubernetesObject } from "../../local/kubernetes/api";
import { PLAYED } from "../../local/kubernetes/control-plane";
import type { ImageName } from "../../modules/music/images";
import { GPU_RESOURCE, STEP_REPOSITORY } from "../../modules/music/names";
import type { Block, Synthesis } from "./synth";

/** What a node of a type has for pods: of what EC2 lists, less what EKS keeps for the kubelet and the system. */
const TYPES: Readonly<Record<string, { readonly cpu: string; readonly memory: string; readonly gpus: number }>> = {
  "t3.large": { cpu: "1930m", memory: "7000Mi", gpus: 0 },
  "g4dn.xlarge": { cpu: "3920m", memory: "14900Mi", gpus: 1 },
  "g6e.2xlarge": { cpu: "7910m", memory: "62500Mi", gpus: 1 },
};
/** Taints as EKS writes them, and as Kubernetes does. */
const EFFECTS: Readonly<Record<string, string>> = { NO_SCHEDULE: "NoSchedule", NO_EXECUTE: "NoExecute" };

/** Kinds that KEDA and Prometheus' operator bring, without their schemas: neither is installed here. */
const KINDS = [
  { group: "keda.sh", version: "v1alpha1", kind: "ScaledObject", plural: "scaledobjects" },
  { group: "monitoring.coreos.com", version: "v1", kind: "ServiceMonitor", plural: "servicemonitors" },
] as const;

/** The section of an environment with the Music pipeline alone, on stand-ins. No pod runs a program: its images are names, and none is built. */
export function musicSection(): object {
  const { context } = JSON.parse(readFileSync("cdktf.json", "utf8")) as {
    context: { environments: { local: { readonly accountId: string } } };
  };
  const { local } = context.environments;
  const image = (name: string) => `${local.accountId}.dkr.ecr.ap-northeast-2.amazonaws.com/${name}:local`;
  const images: Readonly<Record<ImageName, string>> = {
    front: image("music-front"),
    back: image("music-back"),
    firstStage: image("music-first-stage"),
    secondStage: image("music-second-stage"),
    step: image(STEP_REPOSITORY),
  };
  return { ...local, denoise: { api: { authorizer: "none" } }, music: { enabled: true, services: { images } } };
}

/** Teaches a cluster the kinds of what music-platform installs. */
export async function defineKinds(api: KubernetesApi): Promise<void> {
  for (const { group, version, kind, plural } of KINDS) {
    const openAPIV3Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    await api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: "Namespaced",
        names: { kind, plural, singular: kind.toLowerCase() },
        versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema } }],
      },
    });
  }
}

/** What a node of a type has for pods. @throws Error when it is not known */
export function capacityOf(type: string): Readonly<Record<string, string>> {
  const has = TYPES[type];
  if (has === undefined) {
    throw new Error(`No capacity is known of ${type}. Add it here.`);
  }
  const { cpu, memory, gpus } = has;
  return {
    cpu,
    memory,
    pods: "29",
    "ephemeral-storage": "90Gi",
    ...(gpus > 0 ? { [GPU_RESOURCE]: String(gpus) } : {}),
  };
}

/**
 * Adds a node of a group, as EKS and the device plugin would.
 *
 * @param cluster what music-cluster emits
 * @param group name of the node group
 * @param name of the node
 * @param more what else it has for pods, by the resource's name
 */
export async function addNode(
  api: KubernetesApi,
  cluster: Synthesis,
  group: string,
  name: string,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { instance_types, labels, taint } = cluster.resource("aws_eks_node_group", { node_group_name: group });
  const [type = ""] = instance_types as string[];
  const capacity = { ...capacityOf(type), ...more };
  await api.create("/api/v1/nodes", {
    metadata: { name, labels: { ...PLAYED, ...(labels as Block), "kubernetes.io/hostname": name } },
    spec: {
      taints: ((taint ?? []) as readonly Block[]).map(({ key, value, effect }) => ({
        key,
        value,
        effect: EFFECTS[String(effect)],
      })),
    },
    status: { capacity, allocatable: capacity },
  });
}

/** A disk that a claim wants. */
export interface Disk {
  readonly namespace: string;
  readonly claim: string;
  readonly storageClass: string;
  readonly gib: number;
}

/** Makes a disk for a claim, as the EBS driver would once a pod wants it. It has the claim's name. */
export async function addDisk(api: KubernetesApi, { namespace, claim, storageClass, gib }: Disk): Promise<void> {
  await api.create("/api/v1/persistentvolumes", {
    metadata: { name: claim },
    spec: {
      storageClassName: storageClass,
      accessModes: ["ReadWriteOnce"],
      capacity: { storage: `${gib}Gi` },
      persistentVolumeReclaimPolicy: "Retain",
      claimRef: { namespace, name: claim },
      csi: { driver: "ebs.csi.aws.com", volumeHandle: "vol-0123456789abcdef0" },
    },
  });
}

/** Pods of a program that are not on their way out. */
export async function podsOf(api: KubernetesApi, program: string): Promise<readonly KubernetesObject[]> {
  const pods = await api.list(`/api/v1/namespaces/music/pods?labelSelector=app.kubernetes.io/name%3D${program}`);
  return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** As KEDA does it. */
export async function scale(api: KubernetesApi, program: string, replicas: number): Promise<void> {
  await api.patch(`/apis/apps/v1/namespaces/music/deployments/${program}/scale`, { spec: { replicas } });
}
