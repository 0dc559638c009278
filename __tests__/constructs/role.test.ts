import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { namesEverything, Role, type RoleProps, type Statement } from "../../constructs/role";
import { constructed } from "../support/constructed";
import { jsonencoded, statementsOf } from "../support/expression";

const READ: Statement = { sid: "Read", actions: ["s3:GetObject"], resources: ["arn:aws:s3:::code/*"] };

function role(statements: readonly Statement[], props: Partial<RoleProps> = {}) {
  return constructed((scope) => {
    new Role(scope, "role", {
      name: "worker_role",
      description: "Workers",
      service: "ec2.amazonaws.com",
      statements,
      ...props,
    }).instanceProfile();
  });
}

describe("Role", () => {
  const plain = role([READ]);

  test("one service may assume it", async () => {
    expect(plain.text).toHaveResourceWithProperties(IamRole, { name: "worker_role", description: "Workers" });
    expect(await statementsOf(plain.resource("aws_iam_role").assume_role_policy)).toEqual([
      {
        sid: "Trust",
        effect: "Allow",
        principal: { Service: "ec2.amazonaws.com" },
        actions: ["sts:AssumeRole"],
        resources: [],
      },
    ]);
  });

  test("may do exactly what its statements say, in one inline policy", async () => {
    expect(await jsonencoded(plain.resource("aws_iam_role_policy").policy)).toEqual({
      Version: "2012-10-17",
      Statement: [{ Sid: "Read", Effect: "Allow", Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::code/*"] }],
    });
    expect(plain.resources("aws_iam_role_policy_attachment")).toEqual([]);
    expect(plain.resource("aws_iam_role")).not.toHaveProperty("managed_policy_arns");
  });

  test("conditions of one test are merged, in statements and in the trust", async () => {
    const conditions = [
      { test: "StringEquals", variable: "aws:SourceAccount", values: ["111122223333"] },
      { test: "StringEquals", variable: "aws:RequestedRegion", values: ["ap-northeast-2", "us-east-1"] },
      { test: "Bool", variable: "aws:SecureTransport", values: ["true"] },
    ];
    const conditional = role([{ ...READ, conditions }], { trustConditions: conditions });
    const expected = {
      StringEquals: { "aws:SourceAccount": ["111122223333"], "aws:RequestedRegion": ["ap-northeast-2", "us-east-1"] },
      Bool: { "aws:SecureTransport": ["true"] },
    };
    for (const policy of [
      conditional.resource("aws_iam_role_policy").policy,
      conditional.resource("aws_iam_role").assume_role_policy,
    ]) {
      expect((await statementsOf(policy))[0]?.condition).toEqual(expected);
    }
  });

  test("its instance profile has its name and holds it", () => {
    const name = plain.reference("aws_iam_role", undefined, "name");
    expect(plain.resource("aws_iam_instance_profile")).toMatchObject({ name, role: name });
  });

  test.each(["s3:*", "*", "s3:Get*"])("refuses the action %s", (action) => {
    expect(() => role([{ ...READ, actions: ["s3:PutObject", action] }])).toThrow(
      `statement Read: action "${action}" has a wildcard. Name each action.`,
    );
  });

  test.each([
    ["*", true],
    ["arn:aws:s3:::*", true],
    ["arn:aws:ec2:ap-northeast-2:111122223333:instance/*", true],
    ["arn:aws:cloudwatch:ap-northeast-2:111122223333:alarm:*", true],
    ["arn:aws:s3:::files/*", false],
    ["arn:aws:logs:ap-northeast-2:111122223333:log-group:/jobs:*", false],
    ["arn:aws:secretsmanager:ap-northeast-2:111122223333:secret:team/*", false],
  ])("%s names everything: %s", (arn, everything) => {
    expect(namesEverything(arn)).toBe(everything);
  });

  test("refuses the resource * without a reason", () => {
    expect(() => role([{ ...READ, resources: ["*"] }])).toThrow(
      'statement Read: resource "*" without a reason. Name the ARN, or set wildcardReason.',
    );
  });

  test("takes the resource * with a reason, which stays in the code", async () => {
    const wild = role([{ ...READ, resources: ["*"], wildcardReason: "The action has no resource-level permissions." }]);
    expect((await statementsOf(wild.resource("aws_iam_role_policy").policy))[0]?.resources).toEqual(["*"]);
    expect(wild.text).not.toContain("The action has no resource-level permissions.");
  });
});
