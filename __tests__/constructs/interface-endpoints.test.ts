import { InterfaceEndpoints } from "../../constructs/interface-endpoints";
import { SecurityGroup } from "../../constructs/security-group";
import { constructed } from "../support/constructed";
import { statementsOf } from "../support/expression";

const STATEMENT = {
  Sid: "Send",
  Effect: "Allow",
  Principal: "*",
  Action: "sqs:SendMessage",
  Resource: "arn:aws:sqs:::q",
};

const ECR = { service_name: "com.amazonaws.eu-west-1.ecr.api" };
const SQS = { service_name: "com.amazonaws.eu-west-1.sqs" };

function endpoints(addRule?: boolean) {
  return constructed((scope) => {
    const caller = new SecurityGroup(scope, "caller", { name: "caller", description: "Callers", vpcId: "vpc-1" });
    const construct = new InterfaceEndpoints(scope, "endpoints", {
      prefix: "shop",
      vpcId: "vpc-1",
      region: "eu-west-1",
      subnetIds: ["subnet-1", "subnet-2"],
      endpoints: [{ service: "sqs", statements: [STATEMENT] }, { service: "ecr.api" }],
    });
    construct.allow("callers", caller, addRule);
  });
}

describe("InterfaceEndpoints", () => {
  const synthesis = endpoints();

  test("answer under the services' own names, with an address in each subnet", () => {
    for (const { body } of synthesis.resources("aws_vpc_endpoint")) {
      expect(body).toMatchObject({
        vpc_endpoint_type: "Interface",
        private_dns_enabled: true,
        subnet_ids: ["subnet-1", "subnet-2"],
        security_group_ids: [synthesis.reference("aws_security_group", { name: "shop-endpoints-sg" }, "id")],
      });
    }
    expect(synthesis.resource("aws_vpc_endpoint", ECR)).toMatchObject({
      tags: { Name: "shop-ecr-api-endpoint" },
    });
  });

  test("have the policy that was asked for, or AWS's", async () => {
    const policy = synthesis.resource("aws_vpc_endpoint", SQS).policy;
    expect(await statementsOf(policy)).toEqual([
      expect.objectContaining({ sid: "Send", actions: ["sqs:SendMessage"], resources: ["arn:aws:sqs:::q"] }),
    ]);
    expect(synthesis.resource("aws_vpc_endpoint", ECR)).not.toHaveProperty("policy");
  });

  test("let in over HTTPS whom they are told, who gets the rule out, unless it has one", () => {
    const caller = synthesis.reference("aws_security_group", { name: "caller" }, "id");
    expect(synthesis.resource("aws_vpc_security_group_ingress_rule")).toMatchObject({
      referenced_security_group_id: caller,
      from_port: 443,
      to_port: 443,
    });
    expect(synthesis.resource("aws_vpc_security_group_egress_rule").security_group_id).toBe(caller);
    expect(endpoints(false).resources("aws_vpc_security_group_egress_rule")).toEqual([]);
  });
});
