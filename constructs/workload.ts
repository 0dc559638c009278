/** A program in Kubernetes: its pods, its address inside of the cluster, and how many may be away at once. */
import { DeploymentV1 } from "@cdktf/provider-kubernetes/lib/deployment-v1";
import { PodDisruptionBudgetV1 } from "@cdktf/provider-kubernetes/lib/pod-disruption-budget-v1";
import { ServiceAccountV1 } from "@cdktf/provider-kubernetes/lib/service-account-v1";
import { ServiceV1 } from "@cdktf/provider-kubernetes/lib/service-v1";
import { type ITerraformDependable, Token } from "cdktf";
import { Construct } from "constructs";
import { exception } from "./exception";

/** Label of every pod with the name of its program. */
export const NAME_LABEL = "app.kubernetes.io/name";

/** Where scratch files go: everything else of a container is read-only. */
const SCRATCH = "/tmp";
const PORT_NAME = "http";
const CLAIM_VOLUME = "files";

/** What a container gets, and may not exceed. */
export interface Resources {
  /** Thousandths of a CPU that are kept for it. It may use more where its node has some to spare. */
  readonly cpuMillis: number;
  /** Memory that is kept for it and that it may not exceed, in MiB. */
  readonly memoryMib: number;
  /** What is kept for its scratch folder and its log, and may not be exceeded, in MiB. */
  readonly scratchMib: number;
  /** GPUs, each its own: the extended resource and how many. @default - none */
  readonly gpus?: { readonly resource: string; readonly count: number };
}

/** Where pods run. */
export interface Placement {
  /** Labels that a node must have. */
  readonly nodeLabels: Readonly<Record<string, string>>;
  /** Keys of the taints that do not keep the pods away. @default - none */
  readonly tolerates?: readonly string[];
}

/** A claim, as the pods of a program see it. */
export interface Mount {
  /** Name of the claim, in the program's namespace. */
  readonly claim: string;
  /** Path in the container. */
  readonly path: string;
  /** Folder of the claim that is all that the container sees of it. It is made where it is not there. */
  readonly folder: string;
  /** @default false */
  readonly readOnly?: boolean;
}

export interface WorkloadProps {
  /** Name of the program: its Deployment, Service, service account and disruption budget. */
  readonly name: string;
  readonly namespace: string;
  /** Image by tag or digest. */
  readonly image: string;
  /** TCP port that it listens on, which is also the Service's. */
  readonly port: number;
  /** How many pods, or that somebody else says how many: Terraform makes none then, and never changes the number. */
  readonly replicas: number | "scaled-elsewhere";
  readonly environment: Readonly<Record<string, string>>;
  /** Variables whose values are in a Secret of the namespace: its name, and the value's key in it. @default - none */
  readonly secrets?: Readonly<Record<string, { readonly name: string; readonly key: string }>>;
  readonly resources: Resources;
  readonly placement: Placement;
  /** User and group of the container, not root. */
  readonly uid: number;
  /** Folders of one claim. @default - none */
  readonly mounts?: readonly Mount[];
  /** Paths that answer 200 while the program lives, and while it takes requests. */
  readonly probes: { readonly live: string; readonly ready: string };
  /** Longest time until it takes its first request, in seconds: models are loaded meanwhile. */
  readonly startSeconds: number;
  /** How long it may finish what it does when it is asked to go, in seconds. */
  readonly stopSeconds: number;
  /** What must be there before its pods. @default - nothing */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/**
 * Pods that the strictest of Kubernetes' pod security standards takes: no root, no privilege, a read-only file system, no token of the API.
 *
 * A GPU belongs to one pod until it is gone, so that a rollout of a program with GPUs takes one pod away before it starts the next.
 */
export class Workload extends Construct {
  /** The Deployment, for what must come after it. */
  readonly deployment: ITerraformDependable;
  /** URL of the Service, inside of the cluster. */
  readonly url: string;

  constructor(scope: Construct, id: string, props: WorkloadProps) {
    super(scope, id);
    const { name, namespace, port, replicas } = props;
    const selector = { [NAME_LABEL]: name };
    const labels = { ...selector, "app.kubernetes.io/part-of": namespace };
    const metadata = { name, namespace, labels };
    const account = new ServiceAccountV1(this, "account", { metadata, automountServiceAccountToken: false });
    const scaled = replicas === "scaled-elsewhere";
    const deployment = new DeploymentV1(this, "Resource", {
      metadata,
      spec: {
        replicas: scaled ? "0" : String(replicas),
        selector: { matchLabels: selector },
        strategy: {
          type: "RollingUpdate",
          rollingUpdate: props.resources.gpus
            ? { maxSurge: "0", maxUnavailable: "1" }
            : { maxSurge: "1", maxUnavailable: "0" },
        },
        template: { metadata: { labels }, spec: this.podSpec(props, account.metadata.name, selector) },
      },
      ...(scaled ? { lifecycle: { ignoreChanges: ["spec[0].replicas"] } } : {}),
      dependsOn: [...(props.dependsOn ?? [])],
    });
    acceptFindings(deployment, props.image);
    const service = new ServiceV1(this, "service", {
      metadata,
      spec: {
        type: "ClusterIP",
        selector,
        port: [{ name: PORT_NAME, port, targetPort: PORT_NAME, protocol: "TCP" }],
      },
    });
    new PodDisruptionBudgetV1(this, "disruption-budget", {
      metadata,
      spec: { maxUnavailable: "1", selector: { matchLabels: selector } },
    });
    this.deployment = deployment;
    this.url = `http://${service.metadata.name}.${namespace}:${port}`;
  }

  private podSpec(props: WorkloadProps, serviceAccountName: string, selector: Readonly<Record<string, string>>) {
    const { placement, mounts = [], uid } = props;
    const claims = [...new Set(mounts.map(({ claim }) => claim))];
    return {
      serviceAccountName,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: props.stopSeconds,
      nodeSelector: { ...placement.nodeLabels },
      toleration: (placement.tolerates ?? []).map((key) => ({ key, operator: "Exists", effect: "NoSchedule" })),
      topologySpreadConstraint: [
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: [{ matchLabels: selector }],
        },
      ],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: String(uid),
        runAsGroup: String(uid),
        fsGroup: String(uid),
        seccompProfile: { type: "RuntimeDefault" },
      },
      container: [this.container(props)],
      volume: [
        { name: "scratch", emptyDir: { sizeLimit: mebibytes(props.resources.scratchMib) } },
        ...claims.map((claimName) => ({ name: CLAIM_VOLUME, persistentVolumeClaim: { claimName } })),
      ],
    };
  }

  private container(props: WorkloadProps) {
    const { name, image, port, environment, secrets = {}, resources, mounts = [], probes, startSeconds } = props;
    const { cpuMillis, memoryMib, scratchMib, gpus } = resources;
    const kept = {
      memory: mebibytes(memoryMib),
      "ephemeral-storage": mebibytes(scratchMib),
      ...(gpus ? { [gpus.resource]: String(gpus.count) } : {}),
    };
    const probe = (path: string, periodSeconds: number, failureThreshold: number) => ({
      httpGet: { path, port: PORT_NAME },
      periodSeconds,
      timeoutSeconds: 5,
      failureThreshold,
    });
    const startPeriodSeconds = 5;
    return {
      name,
      image,
      imagePullPolicy: "IfNotPresent",
      port: [{ name: PORT_NAME, containerPort: port, protocol: "TCP" }],
      env: [
        ...Object.entries(environment).map(([variable, value]) => ({ name: variable, value })),
        ...Object.entries(secrets).map(([variable, secretKeyRef]) => ({ name: variable, valueFrom: { secretKeyRef } })),
      ],
      resources: {
        requests: { cpu: millis(cpuMillis), ...kept },
        // No limit of CPU: it would slow a container down while its node has nothing else to do.
        limits: kept,
      },
      startupProbe: probe(probes.ready, startPeriodSeconds, Math.ceil(startSeconds / startPeriodSeconds)),
      livenessProbe: probe(probes.live, 15, 4),
      readinessProbe: probe(probes.ready, 5, 3),
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        privileged: false,
        // The provider writes what is left out here as false, over the pod's own.
        runAsNonRoot: true,
        capabilities: { drop: ["ALL"] },
      },
      volumeMount: [
        { name: "scratch", mountPath: SCRATCH },
        ...mounts.map(({ path, folder, readOnly = false }) => ({
          name: CLAIM_VOLUME,
          mountPath: path,
          subPath: folder,
          readOnly,
        })),
      ],
    };
  }
}

function acceptFindings(deployment: DeploymentV1, image: string): void {
  exception(
    deployment,
    "CKV_K8S_11",
    "A limit of CPU slows a container down while its node has nothing else to do; what is kept for it bounds its neighbours.",
  );
  exception(
    deployment,
    "CKV_K8S_15",
    "A tag never moves in these repositories, and gigabytes that a node has are not pulled again.",
  );
  if (!image.includes("@sha256:")) {
    exception(deployment, "CKV_K8S_43", "A tag never moves in these repositories: it means one image for ever.");
  }
  if (Token.isUnresolved(image)) {
    exception(
      deployment,
      "CKV_K8S_14",
      "The image is in another stack's outputs, with the tag of its sources or as a setting names it: with a tag or digest.",
    );
  }
}

/** Thousandths of a CPU as Kubernetes writes them: `250m`, or `2` for 2000. */
export function millis(value: number): string {
  return value % 1000 === 0 ? String(value / 1000) : `${value}m`;
}

/** MiB as Kubernetes writes them: `512Mi`, or `2Gi` for 2048. */
export function mebibytes(value: number): string {
  return value % 1024 === 0 ? `${value / 1024}Gi` : `${value}Mi`;
}
