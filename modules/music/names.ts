/** Physical names of the Music pipeline that more than one of its stacks, programs or tests must know. */
import { BACK } from "../../containers/music/back/image";
import { FIRST_STAGE } from "../../containers/music/first-stage/image";
import { FRONT } from "../../containers/music/front/image";
import { SECOND_STAGE } from "../../containers/music/second-stage/image";

/** What every name of the pipeline begins with in AWS. */
export const PREFIX = "music";
/** EKS cluster. */
export const CLUSTER = "music-cluster";
/** Namespace of the services. */
export const NAMESPACE = "music";
/** Namespaces of the platform. */
export const PLATFORM_NAMESPACES = {
  monitoring: "monitoring",
  keda: "keda",
  kubeflow: "kubeflow",
  gpu: "gpu",
} as const;
/** SNS topic that every alarm notifies. */
export const ALARM_TOPIC = "music-alarms";
/** Managed node groups, which are also the values of {@link NODES_LABEL}. */
export const NODE_GROUPS = { system: "system", gpuSmall: "gpu-small", gpuLarge: "gpu-large" } as const;
/** Label of every node with the group that it belongs to. */
export const NODES_LABEL = "music/nodes";
/** Taint of nodes with a GPU, and the extended resource that the device plugin registers. */
export const GPU_TAINT = "nvidia.com/gpu";
export const GPU_RESOURCE = "nvidia.com/gpu";
/** The four services, which are also the names of their Deployments, Services and image repositories. */
export const SERVICES = ["front", "back", "first-stage", "second-stage"] as const;
/** Repository of the image of the pipeline's steps. */
export const STEP_REPOSITORY = "music-pipeline-python";
/** One of the four services. */
export type ServiceName = (typeof SERVICES)[number];
/** TCP ports of the services. */
export const PORTS: Readonly<Record<ServiceName, number>> = {
  front: FRONT.port,
  back: BACK.port,
  "first-stage": FIRST_STAGE.port,
  "second-stage": SECOND_STAGE.port,
};
/** TCP port of Kubeflow Pipelines' API server in {@link PLATFORM_NAMESPACES}.kubeflow. */
export const PIPELINE_SERVER = { name: "ml-pipeline", port: 8888 } as const;
/** Label that Kubeflow Pipelines puts on the pods of a run's steps. */
export const STEP_LABEL = { "pipelines.kubeflow.org/v2_component": "true" } as const;
/** Label of namespaces whose pods, such as an ingress controller's, may connect to `front`. */
export const ENTRANCE_LABEL = { "music/entrance": "allowed" } as const;
/** Service accounts that call AWS, in the namespaces of the platform. */
export const SERVICE_ACCOUNTS = {
  autoscaler: { namespace: "kube-system", name: "cluster-autoscaler" },
  vpcCni: { namespace: "kube-system", name: "aws-node" },
  efsCsi: { namespace: "kube-system", name: "efs-csi-controller-sa" },
  ebsCsi: { namespace: "kube-system", name: "ebs-csi-controller-sa" },
  pipelineRunner: { namespace: PLATFORM_NAMESPACES.kubeflow, name: "pipeline-runner" },
} as const;
/** Secret with the key that users are signed with, and the key's name in it. */
export const SESSION = { secret: "session", key: "key" } as const;
