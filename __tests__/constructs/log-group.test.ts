import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { TerraformOutput } from "cdktf";
import { exceptionsOf } from "../../constructs/exception";
import { LogGroup } from "../../constructs/log-group";
import { constructed } from "../support/constructed";

describe("LogGroup", () => {
  test("has its name and forgets after its days", () => {
    const synthesis = constructed((scope) => {
      const group = new LogGroup(scope, "logs", { name: "/jobs", retentionDays: 14 });
      new TerraformOutput(scope, "name", { value: group.name });
    });
    expect(synthesis.text).toHaveResourceWithProperties(CloudwatchLogGroup, { name: "/jobs", retention_in_days: 14 });
    expect(synthesis.outputs.name).toBe(synthesis.reference("aws_cloudwatch_log_group", undefined, "name"));
  });

  test("says why it has no key of its own, beside the resource itself", () => {
    constructed((scope) => {
      const group = new LogGroup(scope, "logs", { name: "/jobs", retentionDays: 14 });
      expect(exceptionsOf(group.node.findChild("Resource")).map(({ rule }) => rule)).toContain("CKV_AWS_158");
      expect(exceptionsOf(group)).toEqual([]);
    });
  });
});
