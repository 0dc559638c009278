/** A group of a fixed number of instances that heals itself. */
import { AutoscalingGroup } from "@cdktf/provider-aws/lib/autoscaling-group";
import { Construct } from "constructs";
import type { InstanceTemplate } from "./instance-template";

export interface FixedGroupProps {
  /** Physical name. */
  readonly name: string;
  /** Number of instances: the group's min and max. */
  readonly count: number;
  /** What they are launched from. */
  readonly template: InstanceTemplate;
  /** Subnets; the group spreads over their zones. */
  readonly subnetIds: readonly string[];
  /** Target groups that instances register with. */
  readonly targetGroupArns: readonly string[];
}

/**
 * Lost instances are replaced; a new template is rolled out one instance at a time. Health is EC2's own: a target that is unwell for a
 * reason outside of it must not be replaced.
 */
export class FixedGroup extends Construct {
  /** Name of the group. */
  readonly name: string;

  constructor(scope: Construct, id: string, props: FixedGroupProps) {
    super(scope, id);
    const group = new AutoscalingGroup(this, "Resource", {
      name: props.name,
      minSize: props.count,
      maxSize: props.count,
      vpcZoneIdentifier: [...props.subnetIds],
      targetGroupArns: [...props.targetGroupArns],
      healthCheckType: "EC2",
      launchTemplate: { id: props.template.id, version: props.template.latestVersion },
      instanceRefresh: {
        strategy: "Rolling",
        preferences: { minHealthyPercentage: props.count > 1 ? 50 : 0, instanceWarmup: "180" },
      },
      // Instances may never become healthy against a cloud's stand-in, and a deploy must not wait for a boot.
      waitForCapacityTimeout: "0",
    });
    this.name = group.name;
  }
}
