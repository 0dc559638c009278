/** An HTTP API in front of functions and of a load balancer inside of a VPC: signed in, throttled, logged. */
import { Apigatewayv2Api } from "@cdktf/provider-aws/lib/apigatewayv2-api";
import { Apigatewayv2Authorizer } from "@cdktf/provider-aws/lib/apigatewayv2-authorizer";
import { Apigatewayv2Integration } from "@cdktf/provider-aws/lib/apigatewayv2-integration";
import { Apigatewayv2Route } from "@cdktf/provider-aws/lib/apigatewayv2-route";
import { Apigatewayv2Stage } from "@cdktf/provider-aws/lib/apigatewayv2-stage";
import { Apigatewayv2VpcLink } from "@cdktf/provider-aws/lib/apigatewayv2-vpc-link";
import { Construct } from "constructs";
import { exception } from "./exception";
import { LogGroup } from "./log-group";
import type { NodeFunction } from "./node-function";

/** HTTP APIs end a request after it. */
const TIMEOUT_MS = 30_000;
/** A line of the access log: who asked what, what was answered, how long it took, and why it failed. No headers, no queries. */
const ACCESS_LOG = {
  requestId: "$context.requestId",
  time: "$context.requestTime",
  sourceIp: "$context.identity.sourceIp",
  userAgent: "$context.identity.userAgent",
  routeKey: "$context.routeKey",
  path: "$context.path",
  status: "$context.status",
  responseLength: "$context.responseLength",
  latencyMs: "$context.responseLatency",
  integrationMs: "$context.integrationLatency",
  error: "$context.error.message",
  integrationError: "$context.integrationErrorMessage",
};

/** Who may call: AWS identities with `execute-api:Invoke`, whoever has a token of an issuer, or anyone. */
export type Authorizer =
  | { readonly kind: "iam" }
  | { readonly kind: "jwt"; readonly issuer: string; readonly audience: readonly string[] }
  | { readonly kind: "none" };

export interface HttpApiProps {
  /** Physical name; the access log is `/aws/apigateway/<name>`. */
  readonly name: string;
  /** What it is for. */
  readonly description: string;
  readonly authorizer: Authorizer;
  /** Why anyone may call, where the authorizer is `none`. @default - there must be an authorizer */
  readonly openReason?: string;
  /** Origins whose pages may call it, or `*`. Without any, only pages of the API itself may. */
  readonly corsOrigins: readonly string[];
  /** Requests a second, and at once, over which it answers 429. */
  readonly requestsPerSecond: number;
  readonly burst: number;
  /** Days that the access log is kept. */
  readonly logRetentionDays: number;
}

/** Whom a route is for. */
export interface RouteOptions {
  /** Why anyone may call the route. @default - the API's authorizer decides */
  readonly openReason?: string;
}

/** What routes lead to. */
export interface Integration {
  readonly id: string;
}

/** An API with one stage, `$default`, which every change reaches at once. */
export class HttpApi extends Construct {
  /** Id of the API. */
  readonly id: string;
  /** URL of the API, without a slash at its end. */
  readonly url: string;
  /** Name of the access log. */
  readonly logGroupName: string;
  private readonly executionArn: string;
  private readonly props: HttpApiProps;
  private readonly authorizerId: string | undefined;

  constructor(scope: Construct, id: string, props: HttpApiProps) {
    super(scope, id);
    this.props = props;
    const api = new Apigatewayv2Api(this, "Resource", {
      name: props.name,
      description: props.description,
      protocolType: "HTTP",
      corsConfiguration:
        props.corsOrigins.length > 0
          ? {
              allowOrigins: [...props.corsOrigins],
              allowMethods: ["GET", "POST", "OPTIONS"],
              allowHeaders: [
                "authorization",
                "content-type",
                "x-amz-date",
                "x-amz-security-token",
                "x-amz-content-sha256",
              ],
              exposeHeaders: ["location", "retry-after"],
              maxAge: 3_000,
            }
          : undefined,
    });
    const logs = new LogGroup(this, "access-log", {
      name: `/aws/apigateway/${props.name}`,
      retentionDays: props.logRetentionDays,
    });
    new Apigatewayv2Stage(this, "stage", {
      apiId: api.id,
      name: "$default",
      autoDeploy: true,
      accessLogSettings: { destinationArn: logs.arn, format: JSON.stringify(ACCESS_LOG) },
      defaultRouteSettings: {
        throttlingRateLimit: props.requestsPerSecond,
        throttlingBurstLimit: props.burst,
        detailedMetricsEnabled: true,
      },
    });
    this.id = api.id;
    this.url = api.apiEndpoint;
    this.executionArn = api.executionArn;
    this.logGroupName = logs.name;
    this.authorizerId = props.authorizer.kind === "jwt" ? this.tokens(props.authorizer).id : undefined;
  }

  /**
   * An integration with a function, which gets events of format 2.0.
   *
   * @param id name in the state: `presign`
   */
  toFunction(id: string, fn: NodeFunction): Integration {
    fn.allowCalls("from-api", "apigateway.amazonaws.com", `${this.executionArn}/*/*`);
    return new Apigatewayv2Integration(this, id, {
      apiId: this.id,
      integrationType: "AWS_PROXY",
      integrationUri: fn.arn,
      payloadFormatVersion: "2.0",
      timeoutMilliseconds: TIMEOUT_MS,
    });
  }

  /**
   * An integration with a load balancer's listener, through a VPC link. Requests carry the API's id of theirs as `x-request-id`.
   *
   * @param id name in the state: `service`
   * @param link physical name of the VPC link, its subnets and its security groups
   * @param listenerArn listener inside of the VPC
   */
  toListener(
    id: string,
    link: {
      readonly name: string;
      readonly subnetIds: readonly string[];
      readonly securityGroupIds: readonly string[];
    },
    listenerArn: string,
  ): Integration {
    const vpcLink = new Apigatewayv2VpcLink(this, `${id}-link`, {
      name: link.name,
      subnetIds: [...link.subnetIds],
      securityGroupIds: [...link.securityGroupIds],
    });
    return new Apigatewayv2Integration(this, id, {
      apiId: this.id,
      integrationType: "HTTP_PROXY",
      integrationMethod: "ANY",
      integrationUri: listenerArn,
      connectionType: "VPC_LINK",
      connectionId: vpcLink.id,
      payloadFormatVersion: "1.0",
      requestParameters: { "overwrite:header.x-request-id": "$context.requestId" },
      timeoutMilliseconds: TIMEOUT_MS,
    });
  }

  /**
   * Leads requests to an integration.
   *
   * @param id name in the state: `post-inference`
   * @param key method and path, such as `POST /inference`
   */
  route(id: string, key: string, integration: Integration, { openReason }: RouteOptions = {}): void {
    const { kind } = this.props.authorizer;
    const reason = openReason ?? (kind === "none" ? this.props.openReason : undefined);
    if (kind === "none" && reason === undefined) {
      throw new Error(`${this.node.path}: ${key} would be open to anyone. Give it an authorizer, or openReason.`);
    }
    const route = new Apigatewayv2Route(this, id, {
      apiId: this.id,
      routeKey: key,
      target: `integrations/${integration.id}`,
      ...(reason !== undefined
        ? { authorizationType: "NONE" }
        : kind === "jwt"
          ? { authorizationType: "JWT", authorizerId: this.authorizerId }
          : { authorizationType: "AWS_IAM" }),
    });
    if (reason !== undefined) {
      exception(route, "CKV_AWS_309", reason);
    }
  }

  private tokens({ issuer, audience }: Extract<Authorizer, { kind: "jwt" }>): Apigatewayv2Authorizer {
    return new Apigatewayv2Authorizer(this, "tokens", {
      apiId: this.id,
      name: "tokens",
      authorizerType: "JWT",
      identitySources: ["$request.header.Authorization"],
      jwtConfiguration: { issuer, audience: [...audience] },
    });
  }
}
