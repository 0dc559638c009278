import { EksCluster, type EksClusterProps } from "../../constructs/eks-cluster";
import { podRole } from "../../constructs/pod-identity";
import { constructed } from "../support/constructed";
import { statementsOf } from "../support/expression";

function cluster(props: Partial<EksClusterProps> = {}, then: (cluster: EksCluster) => void = () => undefined) {
  return constructed((scope) => {
    then(
      new EksCluster(scope, "cluster", {
        name: "songs",
        version: "1.35",
        subnetIds: ["s-1", "s-2"],
        logRetentionDays: 30,
        ...props,
      }),
    );
  });
}

describe("EksCluster", () => {
  test("is reached from inside of the VPC only, unless ranges are named", () => {
    expect(cluster().resource("aws_eks_cluster").vpc_config).toEqual({
      subnet_ids: ["s-1", "s-2"],
      endpoint_private_access: true,
      endpoint_public_access: false,
    });
    expect(cluster({ publicCidrs: ["203.0.113.0/24"] }).resource("aws_eks_cluster").vpc_config).toMatchObject({
      endpoint_public_access: true,
      public_access_cidrs: ["203.0.113.0/24"],
    });
  });

  test("encrypts secrets with a key of its own, which turns, and logs all that the control plane says", () => {
    const synthesis = cluster();
    expect(synthesis.resource("aws_eks_cluster")).toMatchObject({
      encryption_config: {
        provider: { key_arn: synthesis.reference("aws_kms_key", undefined, "arn") },
        resources: ["secrets"],
      },
      enabled_cluster_log_types: ["api", "audit", "authenticator", "controllerManager", "scheduler"],
      depends_on: expect.arrayContaining([synthesis.one("aws_cloudwatch_log_group").address]),
    });
    expect(synthesis.resource("aws_kms_key").enable_key_rotation).toBe(true);
    expect(synthesis.resource("aws_cloudwatch_log_group")).toMatchObject({
      name: "/aws/eks/songs/cluster",
      retention_in_days: 30,
    });
  });

  test("lets in by access entries alone", () => {
    const arn = "arn:aws:iam::111122223333:role/on-call";
    const synthesis = cluster({}, (eks) => eks.admit("on-call", arn, "AmazonEKSAdminViewPolicy"));
    expect(synthesis.resource("aws_eks_cluster").access_config).toMatchObject({ authentication_mode: "API" });
    expect(synthesis.resource("aws_eks_access_entry").principal_arn).toBe(arn);
    expect(synthesis.resource("aws_eks_access_policy_association")).toMatchObject({
      policy_arn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy",
      access_scope: { type: "cluster" },
    });
  });

  test("hands an add-on its role before it starts", async () => {
    const synthesis = cluster({}, (eks) => {
      const role = podRole(eks, "cni-role", {
        name: "cni",
        description: "Addresses of pods",
        clusterName: "songs",
        accountId: "111122223333",
        serviceAccount: { namespace: "kube-system", name: "aws-node" },
        statements: [{ sid: "Look", actions: ["s3:GetObject"], resources: ["arn:aws:s3:::songs/a"] }],
      });
      const podIdentity = { serviceAccount: "aws-node", role };
      eks.addon("cni", { name: "vpc-cni", configuration: { enableNetworkPolicy: "true" }, podIdentity });
    });
    const role = synthesis.one("aws_iam_role", { name: "cni" });
    const permissions = synthesis.one("aws_iam_role_policy", { role: `\${${role.address}.name}` });
    expect(synthesis.resource("aws_eks_addon")).toMatchObject({
      addon_name: "vpc-cni",
      configuration_values: '{"enableNetworkPolicy":"true"}',
      pod_identity_association: [{ service_account: "aws-node", role_arn: `\${${role.address}.arn}` }],
      depends_on: [permissions.address],
    });
    const [trust] = await statementsOf(role.body.assume_role_policy);
    expect(trust).toMatchObject({
      actions: ["sts:AssumeRole", "sts:TagSession"],
      principal: { Service: "pods.eks.amazonaws.com" },
      condition: {
        StringEquals: {
          "aws:SourceAccount": ["111122223333"],
          "aws:RequestTag/eks-cluster-name": ["songs"],
          "aws:RequestTag/kubernetes-namespace": ["kube-system"],
          "aws:RequestTag/kubernetes-service-account": ["aws-node"],
        },
      },
    });
  });

  test("is protected from destruction, with its key, unless it is said not to be", () => {
    const state = (protect: boolean) => {
      const synthesis = cluster({ protect });
      const { deletion_protection, lifecycle } = synthesis.resource("aws_eks_cluster");
      return [deletion_protection, lifecycle, synthesis.resource("aws_kms_key").lifecycle];
    };
    expect(state(true)).toEqual([true, { prevent_destroy: true }, { prevent_destroy: true }]);
    expect(state(false)).toEqual([false, { prevent_destroy: false }, { prevent_destroy: false }]);
  });
});
