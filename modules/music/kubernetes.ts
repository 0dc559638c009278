/** How Terraform gets into the cluster that another stack has made. */
import { HelmProvider } from "@cdktf/provider-helm/lib/provider";
import { KubernetesProvider } from "@cdktf/provider-kubernetes/lib/provider";
import { Fn, type TerraformStack } from "cdktf";
import type { ValuesOf } from "../platform/contract";
import type { Settings } from "../platform/settings";
import type { cluster } from "./cluster";

/** The bindings are of 2.38; the resources that are used are the same in 3.x, whose versions without `_v1` in their names are gone. */
const KUBERNETES_PROVIDER_VERSION = ">= 2.38, < 4";
/** From 3.0 on, `kubernetes` and `exec` are attributes instead of blocks, as in the bindings of 3.1. */
const HELM_PROVIDER_VERSION = ">= 3.1, < 4";

/** A cluster, as its stack publishes it. */
export type ClusterValues = ValuesOf<typeof cluster>;

/**
 * The kubernetes provider. At each run it asks `aws eks get-token` for a token of 15 minutes, in the name of whoever runs Terraform: none is
 * in a state or a plan. Stand-ins have their own cluster: there KUBE_CONFIG_PATH leads the provider, and nothing of it is emitted.
 */
export function useKubernetes(stack: TerraformStack, settings: Settings, values: ClusterValues): void {
  new KubernetesProvider(
    stack,
    "kubernetes",
    settings.standIns ? {} : { ...connection(values), exec: [token(settings, values)] },
  );
  stack.addOverride("terraform.required_providers.kubernetes.version", KUBERNETES_PROVIDER_VERSION);
}

/** The helm provider, which gets in in the same way. */
export function useHelm(stack: TerraformStack, settings: Settings, values: ClusterValues): void {
  new HelmProvider(
    stack,
    "helm",
    settings.standIns ? {} : { kubernetes: { ...connection(values), exec: token(settings, values) } },
  );
  stack.addOverride("terraform.required_providers.helm.version", HELM_PROVIDER_VERSION);
}

function connection({ clusterEndpoint, clusterCertificateAuthority }: ClusterValues) {
  return {
    host: clusterEndpoint,
    clusterCaCertificate: Fn.base64decode(clusterCertificateAuthority),
  };
}

function token({ region }: Settings, { clusterName }: ClusterValues) {
  return {
    apiVersion: "client.authentication.k8s.io/v1beta1",
    command: "aws",
    args: ["eks", "get-token", "--output", "json", "--region", region, "--cluster-name", clusterName],
  };
}
