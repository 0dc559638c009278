import { contract, list, outputName } from "../../../modules/platform/contract";

describe("contract", () => {
  test.each([
    ["vpcId", "vpc_id"],
    ["workerSubnetIds", "worker_subnet_ids"],
    ["bucket", "bucket"],
    ["redisTls", "redis_tls"],
    ["alarmTopicArn", "alarm_topic_arn"],
  ])("the field %s is the output %s", (field, output) => {
    expect(outputName(field)).toBe(output);
  });

  test("is plain data: who publishes it, and what with which description", () => {
    const offered = contract("network", { vpcId: "The VPC", subnetIds: list("Its subnets") });
    expect(offered).toEqual({
      stack: "network",
      fields: { vpcId: "The VPC", subnetIds: { kind: "list", description: "Its subnets" } },
    });
  });
});
