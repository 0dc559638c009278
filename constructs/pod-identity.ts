/** What the pods of one Kubernetes service account may do in AWS, by EKS Pod Identity: no key, and no token of an OIDC provider. */
import { EksPodIdentityAssociation } from "@cdktf/provider-aws/lib/eks-pod-identity-association";
import { Construct } from "constructs";
import { Role, type Statement } from "./role";

/** Service that assumes the roles of pods. */
export const POD_IDENTITY_SERVICE = "pods.eks.amazonaws.com";

/** A service account of a cluster. */
export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

export interface PodRoleProps {
  /** Physical name of the role. */
  readonly name: string;
  /** What the pods do in AWS. */
  readonly description: string;
  /** Name of the EKS cluster. */
  readonly clusterName: string;
  /** Account of the cluster, 12 digits. */
  readonly accountId: string;
  /** Whose pods may assume it. */
  readonly serviceAccount: ServiceAccount;
  /** What they may do. */
  readonly statements: readonly Statement[];
}

/**
 * A role that only the pods of one service account of one cluster get: EKS names them in the session's tags, and the trust asks for them.
 * An add-on takes it in its own configuration; for any other workload use {@link PodIdentity}.
 */
export function podRole(scope: Construct, id: string, props: PodRoleProps): Role {
  const tag = (name: string, value: string) => ({
    test: "StringEquals",
    variable: `aws:RequestTag/${name}`,
    values: [value],
  });
  return new Role(scope, id, {
    name: props.name,
    description: props.description,
    service: POD_IDENTITY_SERVICE,
    sessionTags: true,
    trustConditions: [
      { test: "StringEquals", variable: "aws:SourceAccount", values: [props.accountId] },
      tag("eks-cluster-name", props.clusterName),
      tag("kubernetes-namespace", props.serviceAccount.namespace),
      tag("kubernetes-service-account", props.serviceAccount.name),
    ],
    statements: props.statements,
  });
}

/** A role, and its association with a service account. */
export class PodIdentity extends Construct {
  /** ARN of the role. */
  readonly roleArn: string;

  constructor(scope: Construct, id: string, props: PodRoleProps) {
    super(scope, id);
    const role = podRole(this, "role", props);
    new EksPodIdentityAssociation(this, "Resource", {
      clusterName: props.clusterName,
      namespace: props.serviceAccount.namespace,
      serviceAccount: props.serviceAccount.name,
      roleArn: role.arn,
      // A pod that gets credentials before its permissions are there would fail and be blamed.
      dependsOn: [role.permissions],
    });
    this.roleArn = role.arn;
  }
}
