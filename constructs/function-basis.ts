/** What every Lambda function here has, whatever its program comes as: a log that ends, a role, traces, arm64 and a limit of its own. */
import type { LambdaFunction, LambdaFunctionConfig } from "@cdktf/provider-aws/lib/lambda-function";
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { exception } from "./exception";
import { LogGroup } from "./log-group";
import { Role, type Statement } from "./role";

export interface FunctionProps {
  /** Physical name; the log group is `/aws/lambda/<name>`. */
  readonly name: string;
  /** What it does. */
  readonly description: string;
  /** Name of its role. */
  readonly roleName: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What its program may do; logs and traces are added. */
  readonly statements: readonly Statement[];
  readonly memoryMib: number;
  readonly timeoutSeconds: number;
  /** Runs at once, at most: reserved, so that others of the account cannot take them either. */
  readonly reservedConcurrency: number;
  /** Days that the log is kept. */
  readonly logRetentionDays: number;
}

/** What a function is made with. */
export interface FunctionBasis {
  readonly logGroupName: string;
  /** The part of its configuration that has nothing to do with where its program comes from. */
  readonly config: Omit<LambdaFunctionConfig, "runtime" | "handler" | "filename" | "imageUri"> & {
    readonly dependsOn: ITerraformDependable[];
  };
}

/**
 * Makes the log group `logs` and the role `role` in a function's construct.
 *
 * @param scope the construct of the function
 */
export function createFunctionBasis(scope: Construct, props: FunctionProps): FunctionBasis {
  const logs = new LogGroup(scope, "logs", {
    name: `/aws/lambda/${props.name}`,
    retentionDays: props.logRetentionDays,
  });
  const role = new Role(scope, "role", {
    name: props.roleName,
    description: `${props.name}: ${props.description}`,
    service: "lambda.amazonaws.com",
    statements: [
      ...props.statements,
      {
        sid: "WriteLogs",
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [`${logs.arn}:log-stream:*`],
      },
      sendTraces(),
    ],
  });
  return {
    logGroupName: logs.name,
    config: {
      functionName: props.name,
      description: props.description,
      role: role.arn,
      architectures: ["arm64"],
      memorySize: props.memoryMib,
      timeout: props.timeoutSeconds,
      reservedConcurrentExecutions: props.reservedConcurrency,
      environment: { variables: { ...props.environment } },
      tracingConfig: { mode: "Active" },
      loggingConfig: { logFormat: "JSON", logGroup: logs.name },
      // Its first call would fail without the permissions, and nothing else refers to the policy.
      dependsOn: [role.permissions],
    },
  };
}

/** What decides what checkov would have of a function. */
export interface FunctionSurroundings {
  readonly inVpc?: boolean;
  /** Whether a queue calls it. */
  readonly hasQueue?: boolean;
}

/** Writes down what checkov would have of a function, and why it has not. */
export function exceptFunction(
  fn: LambdaFunction,
  { inVpc = false, hasQueue = false }: FunctionSurroundings = {},
): void {
  const kept = hasQueue
    ? "Its queue keeps what fails, and has dead letters of its own."
    : "It is called and waited for: who calls gets the error, and nothing is left to keep.";
  exception(fn, "CKV_AWS_116", kept);
  if (!inVpc) {
    exception(fn, "CKV_AWS_117", "It reaches nothing in a VPC, and a VPC would take its way to AWS's APIs away.");
  }
  exception(fn, "CKV_AWS_173", "Its variables are names and numbers, no secrets, and Lambda encrypts them anyway.");
}

/** Sending traces to X-Ray. */
export function sendTraces(): Statement {
  return {
    sid: "SendTraces",
    actions: ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
    resources: ["*"],
    wildcardReason: "X-Ray knows no resources for what is sent to it.",
  };
}
