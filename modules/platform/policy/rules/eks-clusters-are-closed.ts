/** Kubernetes whose API, secrets and audit log are in hand. */
import { blocks, isTrue, strings } from "../json";
import type { Rule } from "../rule";

export const eksClustersAreClosed: Rule = {
  id: "eks-clusters-are-closed",
  title:
    "The API of an EKS cluster is not open to the world, its secrets are encrypted with a key, and its audit log is on.",
  reason: "A stolen token opens a public API from anywhere, and without the audit log nobody learns of it.",
  remedy:
    "Set endpoint_public_access to false or public_access_cidrs, encryption_config for secrets, and the log types api, audit and authenticator.",
  types: ["aws_eks_cluster"],
  check: ({ body }) => {
    const [network] = blocks(body.vpc_config);
    const isPublic = isTrue(network?.endpoint_public_access ?? true);
    const cidrs = strings(network?.public_access_cidrs);
    const logs = strings(body.enabled_cluster_log_types);
    const found = [
      ...(isPublic && (cidrs.length === 0 || cidrs.includes("0.0.0.0/0")) ? ["its API is open to the world"] : []),
      ...(blocks(body.encryption_config).some(({ resources }) => strings(resources).includes("secrets"))
        ? []
        : ["its secrets are not encrypted with a key"]),
      ...(logs.includes("audit") ? [] : ["its audit log is off"]),
    ];
    return found.length === 0 ? undefined : found.join(", ");
  },
};
