/** What network policies allow, by Kubernetes' own rules: simulated nodes enforce none. */
import { BlockList } from "node:net";
import type { KubernetesObject } from "../../local/kubernetes/api";

/** A pod, as policies see it; with an address also what is outside of the cluster, in a namespace that has no policy. */
export interface PolicyPod {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** @default - one that a pod may have */
  readonly address?: string;
}

const POD_ADDRESS = "10.40.64.10";

/** Pods, the labels of namespaces by name, and all policies of all namespaces, as the API has them. */
export class NetworkRules {
  /**
   * @param policies NetworkPolicy objects
   * @param namespaces labels by the namespace's name
   */
  constructor(
    private readonly policies: readonly KubernetesObject[],
    private readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>,
  ) {}

  /** Whether a connection is let out on one side and in on the other. */
  allows(from: PolicyPod, to: PolicyPod, port: number, protocol = "TCP"): boolean {
    return this.passes("Egress", from, to, port, protocol) && this.passes("Ingress", to, from, port, protocol);
  }

  /** A pod that no policy of a direction selects is open in it; else one rule of one of them has to fit. */
  private passes(
    direction: "Ingress" | "Egress",
    own: PolicyPod,
    other: PolicyPod,
    port: number,
    protocol: string,
  ): boolean {
    const selecting = this.policies.filter(
      ({ metadata, spec }) =>
        metadata.namespace === own.namespace &&
        spec.policyTypes.includes(direction) &&
        selects(spec.podSelector, own.labels),
    );
    if (selecting.length === 0) {
      return true;
    }
    const peersOf = (rule: KubernetesObject) => (direction === "Ingress" ? rule.from : rule.to);
    return selecting
      .flatMap(({ spec }) => (direction === "Ingress" ? spec.ingress : spec.egress) ?? [])
      .some(
        (rule) =>
          (peersOf(rule) === undefined ||
            peersOf(rule).some((peer: KubernetesObject) => this.isPeer(peer, own, other))) &&
          (rule.ports === undefined ||
            rule.ports.some(
              (each: KubernetesObject) =>
                (each.protocol ?? "TCP") === protocol && (each.port === undefined || Number(each.port) === port),
            )),
      );
  }

  private isPeer(
    { namespaceSelector, podSelector, ipBlock }: KubernetesObject,
    own: PolicyPod,
    other: PolicyPod,
  ): boolean {
    if (ipBlock !== undefined) {
      return isWithin(other.address ?? POD_ADDRESS, ipBlock);
    }
    const inNamespace =
      namespaceSelector === undefined
        ? own.namespace === other.namespace
        : selects(namespaceSelector, this.namespaces[other.namespace] ?? {});
    return inNamespace && (podSelector === undefined || selects(podSelector, other.labels));
  }
}

function isWithin(address: string, { cidr, except }: KubernetesObject): boolean {
  if (except !== undefined) {
    throw new Error("a policy excepts addresses: extend this evaluator first");
  }
  const [network = "", bits] = String(cidr).split("/");
  const list = new BlockList();
  list.addSubnet(network, Number(bits));
  return list.check(address);
}

function selects(
  { matchLabels = {}, matchExpressions }: KubernetesObject,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (matchExpressions !== undefined) {
    throw new Error("a policy selects by expressions: extend this evaluator first");
  }
  return Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
}
