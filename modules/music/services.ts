/** The Music pipeline's services in Kubernetes: four programs, their shared files, who may connect to whom, and how the stages are scaled. */
import { LimitRangeV1 } from "@cdktf/provider-kubernetes/lib/limit-range-v1";
import { NamespaceV1 } from "@cdktf/provider-kubernetes/lib/namespace-v1";
import { ResourceQuotaV1 } from "@cdktf/provider-kubernetes/lib/resource-quota-v1";
import type { Construct } from "constructs";
import { LocalChart } from "../../constructs/local-chart";
import { SharedClaim } from "../../constructs/shared-claim";
import { mebibytes, millis, Workload } from "../../constructs/workload";
import { MUSIC_METRICS, MUSIC_PATHS, MUSIC_USER_ID } from "../../containers/music/program";
import { contract } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { cluster } from "./cluster";
import { createNetworkPolicies } from "./connections";
import { useHelm, useKubernetes } from "./kubernetes";
import { GPU_RESOURCE, NAMESPACE, PORTS, SERVICES, type ServiceName } from "./names";
import { platform } from "./platform";
import { CLAIM, type Program, programs } from "./programs";

export const services = contract("music-services", {
  namespace: "Namespace of the services",
  frontUrl: "URL of front, inside of the cluster",
  backUrl: "URL of back, inside of the cluster",
});

const STAGES = ["first-stage", "second-stage"] as const;
/** What a container gets that asks for nothing. */
const USUAL = { cpuMillis: 100, memoryMib: 128, scratchMib: 128 };

export class MusicServices extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, services.stack, settings);
    const values = this.read(cluster);
    const foundation = this.read(platform);
    useKubernetes(this, settings, values);
    useHelm(this, settings, values);
    const all = programs(settings, values);
    const namespace = new NamespaceV1(this, "namespace", {
      metadata: {
        name: NAMESPACE,
        labels: {
          "pod-security.kubernetes.io/enforce": "restricted",
          "pod-security.kubernetes.io/warn": "restricted",
        },
      },
    }).metadata.name;
    const quota = this.createQuota(namespace, Object.values(all));
    createNetworkPolicies(this, namespace);
    const files = new SharedClaim(this, "files", {
      name: CLAIM,
      namespace,
      fileSystemId: values.fileSystemId,
      accessPointId: values.accessPointId,
      gib: settings.music.storage.shareGib,
    });
    const session = new LocalChart(this, "session", {
      chart: "modules/music/charts/session",
      name: "session",
      namespace,
      values: {},
    });
    const workload = (name: ServiceName) => {
      const { mounts, ...program } = all[name];
      return new Workload(this, name, {
        ...program,
        name,
        namespace,
        port: PORTS[name],
        uid: MUSIC_USER_ID,
        probes: MUSIC_PATHS,
        // The claim's name once it is there: pods wait for their files.
        mounts: mounts.map((mount) => ({ ...mount, claim: files.name })),
        // What asks for nothing would be refused before there are usual values.
        dependsOn: [quota, session.release],
      });
    };
    const front = workload("front");
    const back = workload("back");
    const stages = STAGES.map(workload);
    this.createScaling(namespace, foundation.prometheusUrl, all, stages);
    this.publish(services, { namespace, frontUrl: front.url, backUrl: back.url });
  }

  /** All pods that there may be, and no more; for one container, at most what the largest has. */
  private createQuota(namespace: string, all: readonly Program[]): LimitRangeV1 {
    const total = (of: (program: Program) => number) =>
      all.reduce((sum, program) => sum + of(program) * program.mostPods, 0);
    const memory = mebibytes(total(({ resources }) => resources.memoryMib));
    const scratch = mebibytes(total(({ resources }) => resources.scratchMib));
    const quota = new ResourceQuotaV1(this, "quota", {
      metadata: { name: NAMESPACE, namespace },
      spec: {
        hard: {
          pods: String(total(() => 1)),
          "requests.cpu": millis(total(({ resources }) => resources.cpuMillis)),
          "requests.memory": memory,
          "limits.memory": memory,
          "requests.ephemeral-storage": scratch,
          [`requests.${GPU_RESOURCE}`]: String(total(({ resources }) => resources.gpus?.count ?? 0)),
          persistentvolumeclaims: "1",
          "services.loadbalancers": "0",
          "services.nodeports": "0",
        },
      },
    });
    const most = Math.max(...all.map(({ resources }) => resources.memoryMib));
    const usual = { memory: mebibytes(USUAL.memoryMib), "ephemeral-storage": mebibytes(USUAL.scratchMib) };
    return new LimitRangeV1(this, "limits", {
      metadata: { name: NAMESPACE, namespace },
      spec: {
        limit: [
          {
            type: "Container",
            default: usual,
            defaultRequest: { ...usual, cpu: millis(USUAL.cpuMillis) },
            max: { memory: mebibytes(most) },
          },
        ],
      },
      dependsOn: [quota],
    });
  }

  /**
   * KEDA's and Prometheus' objects are of kinds that a cluster learns when those are installed. A chart of ours carries them: Terraform's own
   * resource for such objects must ask the cluster for their kinds while it plans.
   */
  private createScaling(
    namespace: string,
    prometheusUrl: string,
    all: Readonly<Record<ServiceName, Program>>,
    stages: readonly Workload[],
  ): void {
    const { scaling } = this.settings.music;
    const watched = SERVICES.filter((name) => name !== "front");
    new LocalChart(this, "stages", {
      chart: "modules/music/charts/stages",
      name: "stages",
      namespace,
      values: {
        watched,
        stages: STAGES.map((name) => ({
          name,
          query: `max(${MUSIC_METRICS.backlog}{namespace="${NAMESPACE}",stage="${name}"})`,
          threshold: String(scaling.waitingPerPod),
          max: all[name].mostPods,
        })),
        prometheusUrl,
        pollSeconds: scaling.pollSeconds,
        idleSeconds: scaling.idleSeconds,
      },
      dependsOn: stages.map(({ deployment }) => deployment),
    });
  }
}
