/** Who may connect to whom: the pipeline's arrows, as data, and the network policies that they make. */
import { NetworkPolicyV1 } from "@cdktf/provider-kubernetes/lib/network-policy-v1";
import type { Construct } from "constructs";
import { NAME_LABEL } from "../../constructs/workload";
import {
  ENTRANCE_LABEL,
  NAMESPACE,
  PIPELINE_SERVER,
  PLATFORM_NAMESPACES,
  PORTS,
  SERVICES,
  type ServiceName,
  STEP_LABEL,
} from "./names";

/** Label that Kubernetes itself puts on every namespace. */
const NAMESPACE_NAME = "kubernetes.io/metadata.name";
const DNS = 53;

type Labels = Readonly<Record<string, string>>;

/** One end of an arrow. */
export type End =
  | ServiceName
  /** Pods of another namespace; without labels of pods, all of them. */
  | { readonly namespace: Labels; readonly pods?: Labels };

/** A connection that is allowed: whoever is its `from` may connect to this TCP port of its `to`. */
export interface Arrow {
  readonly from: End;
  readonly to: End;
  readonly port: number;
}

const named = (name: string): Labels => ({ [NAMESPACE_NAME]: name });

/** Every arrow. DNS, which all services may ask, is beside them. */
export const ARROWS: readonly Arrow[] = [
  { from: { namespace: ENTRANCE_LABEL }, to: "front", port: PORTS.front },
  { from: "front", to: "back", port: PORTS.back },
  {
    from: "back",
    to: { namespace: named(PLATFORM_NAMESPACES.kubeflow), pods: { app: PIPELINE_SERVER.name } },
    port: PIPELINE_SERVER.port,
  },
  ...(["first-stage", "second-stage"] as const).map((stage) => ({
    from: { namespace: named(PLATFORM_NAMESPACES.kubeflow), pods: STEP_LABEL },
    to: stage,
    port: PORTS[stage],
  })),
  ...(["back", "first-stage", "second-stage"] as const).map((service) => ({
    from: { namespace: named(PLATFORM_NAMESPACES.monitoring), pods: { [NAME_LABEL]: "prometheus" } },
    to: service,
    port: PORTS[service],
  })),
];

/**
 * A policy that lets nothing in and nothing out, for every pod of the namespace, and one a service with its arrows. What a step of the
 * pipeline may reach is for its own namespace to say; the services let in what the arrows say.
 *
 * @param namespace the services' namespace, once it is there
 */
export function createNetworkPolicies(scope: Construct, namespace: string): void {
  new NetworkPolicyV1(scope, "nothing-policy", {
    metadata: { name: "nothing", namespace },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  });
  for (const service of SERVICES) {
    const into = ARROWS.filter(({ to }) => to === service);
    const out = ARROWS.filter(({ from }) => from === service);
    new NetworkPolicyV1(scope, `${service}-policy`, {
      metadata: { name: service, namespace },
      spec: {
        podSelector: { matchLabels: { [NAME_LABEL]: service } },
        policyTypes: ["Ingress", "Egress"],
        ingress: into.map(({ from, port }) => ({ from: [peer(from)], ports: [tcp(port)] })),
        egress: [
          ...out.map(({ to, port }) => ({ to: [peer(to)], ports: [tcp(port)] })),
          {
            to: [peer({ namespace: named("kube-system"), pods: { "k8s-app": "kube-dns" } })],
            ports: [tcp(DNS), { port: String(DNS), protocol: "UDP" }],
          },
        ],
      },
    });
  }
}

function peer(end: End) {
  if (typeof end === "string") {
    return {
      namespaceSelector: { matchLabels: { ...named(NAMESPACE) } },
      podSelector: { matchLabels: { [NAME_LABEL]: end } },
    };
  }
  const { namespace, pods } = end;
  return {
    namespaceSelector: { matchLabels: { ...namespace } },
    ...(pods === undefined ? {} : { podSelector: { matchLabels: { ...pods } } }),
  };
}

function tcp(port: number) {
  return { port: String(port), protocol: "TCP" };
}
