/** What Kubernetes asks the cloud for. */
import { always, each } from "../assumptions";
import { HOURS } from "../prices";
import { block, hourly, type Pricing, used } from "../pricing";

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

/** Kubernetes objects that are charged. */
export const KUBERNETES: Readonly<Record<string, Pricing>> = {
  kubernetes_service: service,
  kubernetes_service_v1: service,
  kubernetes_persistent_volume_claim: claim,
  kubernetes_persistent_volume_claim_v1: claim,
  kubernetes_persistent_volume: () => [],
  kubernetes_persistent_volume_v1: () => [],
};
