/** A log group that forgets. */
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { exception } from "./exception";

export interface LogGroupProps {
  /** Physical name. */
  readonly name: string;
  /** Days that a line is kept. */
  readonly retentionDays: number;
}

/** CloudWatch's own encryption, and an end for every line. */
export class LogGroup extends Construct {
  /** Name of the group. */
  readonly name: string;
  /** ARN of the group. */
  readonly arn: string;
  /** The group itself: a service that would make one without an end comes after it. */
  readonly group: ITerraformDependable;

  constructor(scope: Construct, id: string, props: LogGroupProps) {
    super(scope, id);
    const group = new CloudwatchLogGroup(this, "Resource", {
      name: props.name,
      retentionInDays: props.retentionDays,
    });
    exception(
      group,
      "CKV_AWS_158",
      "CloudWatch encrypts every group; a key of our own would be one more thing to lose.",
    );
    exception(
      group,
      "CKV_AWS_338",
      "How long a log is of use is a setting: after a year nobody reads an instance's log.",
    );
    this.name = group.name;
    this.arn = group.arn;
    this.group = group;
  }
}
