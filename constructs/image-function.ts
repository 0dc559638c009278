/** A Lambda function from a container image, and the URL through which signed requests call it. */
import { LambdaFunction } from "@cdktf/provider-aws/lib/lambda-function";
import { LambdaFunctionUrl } from "@cdktf/provider-aws/lib/lambda-function-url";
import { LambdaPermission } from "@cdktf/provider-aws/lib/lambda-permission";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { exception } from "./exception";
import { createFunctionBasis, exceptFunction, type FunctionProps } from "./function-basis";
import type { Statement } from "./role";

/** Condition key that is true when a call came through the function's URL. */
const VIA_URL = "lambda:InvokedViaFunctionUrl";

export interface ImageFunctionProps extends FunctionProps {
  /** The image by its digest, for arm64. Lambda takes images from ECR alone. */
  readonly imageUri: string;
  /** What has to be there before, so that Lambda can pull the image. @default - nothing */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** A function that is called, and answers. */
export class ImageFunction extends Construct {
  /** Name of the function. */
  readonly name: string;
  /** ARN of the function. */
  readonly arn: string;
  /** Name of the log group. */
  readonly logGroupName: string;

  constructor(scope: Construct, id: string, props: ImageFunctionProps) {
    super(scope, id);
    const { logGroupName, config } = createFunctionBasis(this, props);
    const fn = new LambdaFunction(this, "Resource", {
      ...config,
      packageType: "Image",
      imageUri: props.imageUri,
      dependsOn: [...config.dependsOn, ...(props.dependsOn ?? [])],
    });
    exceptFunction(fn);
    exception(fn, "CKV_AWS_272", "Lambda signs no images; this one is deployed by the digest of its bytes.");
    this.name = fn.functionName;
    this.arn = fn.arn;
    this.logGroupName = logGroupName;
  }

  /**
   * Gives it a URL that takes requests signed for the service `lambda`, and answers them when they are whole.
   *
   * @returns the URL, with a slash at its end
   */
  createUrl(): string {
    const url = new LambdaFunctionUrl(this, "url", {
      functionName: this.name,
      authorizationType: "AWS_IAM",
      invokeMode: "BUFFERED",
    });
    return url.functionUrl;
  }

  /**
   * Lets another account call it through its URL. Callers of the function's own account need their identity's permissions alone:
   * {@link callThroughUrl}; those of another account need both.
   *
   * @param id begins the names of the two permissions in the state: `from-111122223333`
   * @param accountId the other account
   */
  allowUrlCalls(id: string, accountId: string): void {
    new LambdaPermission(this, `${id}-url`, {
      statementId: `${id}-url`,
      action: "lambda:InvokeFunctionUrl",
      functionName: this.name,
      principal: accountId,
      functionUrlAuthType: "AWS_IAM",
    });
    const invoke = new LambdaPermission(this, `${id}-invoke`, {
      statementId: `${id}-invoke`,
      action: "lambda:InvokeFunction",
      functionName: this.name,
      principal: accountId,
    });
    // The bindings are of provider 6.25, which came before this attribute; it is what narrows the permission to the URL.
    invoke.addOverride("invoked_via_function_url", true);
  }
}

/**
 * What a caller of a function URL may do. Since October 2025 a call needs both actions
 * (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html); the second one is of use through the URL alone.
 *
 * @param functionArn ARN of the function
 */
export function callThroughUrl(functionArn: string): readonly Statement[] {
  return [
    {
      sid: "CallUrl",
      actions: ["lambda:InvokeFunctionUrl"],
      resources: [functionArn],
      conditions: [{ test: "StringEquals", variable: "lambda:FunctionUrlAuthType", values: ["AWS_IAM"] }],
    },
    {
      sid: "InvokeThroughUrl",
      actions: ["lambda:InvokeFunction"],
      resources: [functionArn],
      conditions: [{ test: "Bool", variable: VIA_URL, values: ["true"] }],
    },
  ];
}
