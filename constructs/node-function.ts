/** A Lambda function in Node.js from a bundle of ours: on arm64, traced, with a log that ends and a limit of its own. */
import { LambdaEventSourceMapping } from "@cdktf/provider-aws/lib/lambda-event-source-mapping";
import { LambdaFunction } from "@cdktf/provider-aws/lib/lambda-function";
import { LambdaPermission } from "@cdktf/provider-aws/lib/lambda-permission";
import { AssetType, type ITerraformDependable, TerraformAsset } from "cdktf";
import { Construct } from "constructs";
import { exception } from "./exception";
import { createFunctionBasis, exceptFunction, type FunctionProps } from "./function-basis";
import type { Statement } from "./role";

const RUNTIME = "nodejs22.x";

/** A queue whose messages the function is called with. What it names in `batchItemFailures` stays in the queue. */
export interface QueueSource {
  /** ARN of the queue. Its messages have to stay hidden for longer than the function may run. */
  readonly queueArn: string;
  /** Most messages of one call. */
  readonly batchSize: number;
  /** How long a call waits for that many, in seconds. */
  readonly windowSeconds: number;
  /** Most calls at a time: 2 to 1000. */
  readonly concurrency: number;
}

export interface NodeFunctionProps extends FunctionProps {
  /** The bundle: path of the zip, and its SHA-256 in hex. */
  readonly bundle: { readonly file: string; readonly sha256: string };
  /** File and export of the handler, such as `handler.handler`. */
  readonly handler: string;
  /** Subnets and security groups of a VPC that it runs in. @default - none: its way to AWS's APIs is the internet's */
  readonly vpc?: { readonly subnetIds: readonly string[]; readonly securityGroupIds: readonly string[] };
  /** A queue that it works on; what that needs of its role is added. @default - none */
  readonly source?: QueueSource;
}

/** A function that is called, and answers. */
export class NodeFunction extends Construct {
  /** Name of the function. */
  readonly name: string;
  /** ARN of the function. */
  readonly arn: string;
  /** Name of the log group. */
  readonly logGroupName: string;

  constructor(scope: Construct, id: string, props: NodeFunctionProps) {
    super(scope, id);
    const { logGroupName, config } = createFunctionBasis(this, {
      ...props,
      statements: [
        ...props.statements,
        ...(props.vpc ? [attachToVpc()] : []),
        ...(props.source ? [receiveMessages(props.source.queueArn)] : []),
      ],
    });
    const bundle = new TerraformAsset(this, "bundle", { path: props.bundle.file, type: AssetType.FILE });
    const fn = new LambdaFunction(this, "Resource", {
      ...config,
      runtime: RUNTIME,
      handler: props.handler,
      filename: bundle.path,
      sourceCodeHash: Buffer.from(props.bundle.sha256, "hex").toString("base64"),
      vpcConfig: props.vpc && {
        subnetIds: [...props.vpc.subnetIds],
        securityGroupIds: [...props.vpc.securityGroupIds],
      },
    });
    exceptFunction(fn, { inVpc: props.vpc !== undefined, hasQueue: props.source !== undefined });
    exception(fn, "CKV_AWS_272", "The bundle's hash is in the plan that is reviewed; a signer would be one more key.");
    this.name = fn.functionName;
    this.arn = fn.arn;
    this.logGroupName = logGroupName;
    if (props.source) {
      this.workOn(props.source, config.dependsOn);
    }
  }

  private workOn(
    { queueArn, batchSize, windowSeconds, concurrency }: QueueSource,
    permissions: ITerraformDependable[],
  ): void {
    new LambdaEventSourceMapping(this, "source", {
      eventSourceArn: queueArn,
      functionName: this.arn,
      batchSize,
      maximumBatchingWindowInSeconds: windowSeconds,
      functionResponseTypes: ["ReportBatchItemFailures"],
      scalingConfig: { maximumConcurrency: concurrency },
      // Lambda refuses a source that the role may not read.
      dependsOn: permissions,
    });
  }

  /**
   * Lets a service call it.
   *
   * @param id name of the permission in the state: `from-api`
   * @param service service principal
   * @param sourceArn ARN of the one resource that may
   */
  allowCalls(id: string, service: string, sourceArn: string): LambdaPermission {
    return new LambdaPermission(this, id, {
      statementId: id,
      action: "lambda:InvokeFunction",
      functionName: this.name,
      principal: service,
      sourceArn,
    });
  }
}

/** Network interfaces in a VPC, which Lambda makes and removes with the function's role: never the function itself. */
export function attachToVpc(): Statement {
  return {
    sid: "AttachToVpc",
    actions: [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:UnassignPrivateIpAddresses",
    ],
    resources: ["*"],
    // The key is there when the function's own code calls, and not when Lambda does.
    conditions: [{ test: "Null", variable: "lambda:SourceFunctionArn", values: ["true"] }],
    wildcardReason:
      "EC2 knows no resources for describing, the interfaces' ids are Lambda's to choose, and Lambda refuses a role that cannot do it everywhere.",
  };
}

/** What Lambda does with a queue on behalf of a function. */
function receiveMessages(queueArn: string): Statement {
  return {
    sid: "ReceiveMessages",
    actions: ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
    resources: [queueArn],
  };
}
