/** An ECS cluster that runs on capacity providers, and is watched. */
import { EcsCluster as AwsEcsCluster } from "@cdktf/provider-aws/lib/ecs-cluster";
import { EcsClusterCapacityProviders } from "@cdktf/provider-aws/lib/ecs-cluster-capacity-providers";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";

export interface EcsClusterProps {
  /** Physical name. */
  readonly name: string;
}

/** A cluster with Container Insights. */
export class EcsCluster extends Construct {
  /** ARN of the cluster. */
  readonly arn: string;
  /** Name of the cluster. */
  readonly name: string;
  constructor(scope: Construct, id: string, props: EcsClusterProps) {
    super(scope, id);
    const cluster = new AwsEcsCluster(this, "Resource", {
      name: props.name,
      setting: [{ name: "containerInsights", value: "enabled" }],
    });
    this.arn = cluster.arn;
    this.name = cluster.name;
  }

  /**
   * Gives it the capacity providers that its services may name.
   *
   * @param providers names of the capacity providers
   * @returns what a service depends on, so that it is gone before they go
   */
  runOn(providers: readonly string[]): ITerraformDependable {
    return new EcsClusterCapacityProviders(this, "capacity", {
      clusterName: this.name,
      capacityProviders: [...providers],
    });
  }
}
