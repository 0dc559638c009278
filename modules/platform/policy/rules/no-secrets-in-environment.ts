/** Environment variables without secrets. */
import { jsonOf } from "../expression";
import { blocks, isBlock, type Json } from "../json";
import type { JudgedResource, Rule } from "../rule";

const SECRET_NAME = /(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS)$/i;
/** What leads to a secret instead of being one. */
const REFERENCE = /^(arn:aws|\$\{.*\.(arn|id|name)\}$|https?:\/\/|\/)/;

export const noSecretsInEnvironment: Rule = {
  id: "no-secrets-in-environment",
  title: "Functions and containers get secrets by reference, never as the value of an environment variable.",
  reason: "Environment variables stand in the state, the console and every crash report.",
  remedy: "Pass the secret's ARN and read it when the program starts; in ECS, use secrets with valueFrom.",
  types: ["aws_lambda_function", "aws_ecs_task_definition"],
  check: (resource) => {
    const secret = variablesOf(resource).filter(
      ([name, value]) => SECRET_NAME.test(name) && typeof value === "string" && value !== "" && !REFERENCE.test(value),
    );
    return secret.length === 0 ? undefined : `${secret.map(([name]) => name).join(", ")} carries a value`;
  },
};

function variablesOf({ type, body }: JudgedResource): readonly [string, Json | undefined][] {
  if (type === "aws_lambda_function") {
    return blocks(body.environment).flatMap(({ variables }) => (isBlock(variables) ? Object.entries(variables) : []));
  }
  const definitions = typeof body.container_definitions === "string" ? jsonOf(body.container_definitions) : undefined;
  return blocks(definitions)
    .flatMap(({ environment }) => blocks(environment))
    .map(({ name, value }) => [String(name), value]);
}
