/** What Kubernetes asks the cloud for. */
import { always, each } from "../assumptions";
import { HOURS } from "../prices";
import { block, hourly, monthly, type Pricing, used } from "../pricing";

const service: Pricing = ({ body }, { usage }) =>
  block(body, "spec")?.type === "LoadBalancer"
    ? [
        hourly("network load balancer", "nlb/hour", always(1)),
        used(
          "capacity units",
          "nlb/lcu",
          each(usage("loadBalancerLcu"), (units) => units * HOURS),
        ),
      ]
    : [];

/** A claim is served from a file system or volume that Terraform knows, or by a class that makes one. */
const claim: Pricing = ({ body }, { usage }) => {
  const volumeName = block(body, "spec")?.volume_name;
  return volumeName ? [] : [used("storage", "efs/storage", usage("fileSystemGb"))];
};

/** Disks that a release claims: wherever its values have the `spec` of a claim. They are gp3, as the class of disks says. */
const release: Pricing = ({ body }) =>
  ((body.values ?? []) as string[])
    .flatMap((values) => claimedGib(JSON.parse(values)))
    .map((gib) => monthly(`${gib} GiB of gp3`, "ebs/gp3", gib));

function claimedGib(value: unknown): number[] {
  if (typeof value !== "object" || value === null) {
    return [];
  }
  const { resources } = value as { resources?: { requests?: { storage?: string } } };
  const [, gib] = /^(\d+)Gi$/.exec(resources?.requests?.storage ?? "") ?? [];
  return gib === undefined ? Object.values(value).flatMap(claimedGib) : [Number(gib)];
}

/** Kubernetes objects that are charged. */
export const KUBERNETES: Readonly<Record<string, Pricing>> = {
  helm_release: release,
  kubernetes_service: service,
  kubernetes_service_v1: service,
  kubernetes_persistent_volume_claim: claim,
  kubernetes_persistent_volume_claim_v1: claim,
  kubernetes_persistent_volume: () => [],
  kubernetes_persistent_volume_v1: () => [],
};
