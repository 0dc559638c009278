/** An HTTP API as it was deployed: its routes, where they lead, who may call them, and its CORS, read from AWS's stand-in. */
import {
  ApiGatewayV2Client,
  type Cors,
  GetApisCommand,
  GetAuthorizerCommand,
  GetIntegrationsCommand,
  GetRoutesCommand,
  type Integration,
  type Route,
} from "@aws-sdk/client-apigatewayv2";

/** Where the API is read from. */
export interface ApiSource {
  /** URL of the AWS stand-in. */
  readonly awsEndpoint: string;
  readonly region: string;
  readonly apiName: string;
}

/** What is behind a route. */
export type Target =
  | { readonly kind: "function"; readonly name: string }
  /** A listener inside of a VPC. `headers` are set on each request: a text, or `$context.requestId`. */
  | { readonly kind: "listener"; readonly headers: Readonly<Record<string, string>> };

/** Who may call a route. */
export type Access =
  | { readonly kind: "none" }
  | { readonly kind: "iam" }
  | { readonly kind: "jwt"; readonly issuer: string; readonly audience: readonly string[] };

/** A route with its key, such as `GET /inference/{id}`. */
export interface DeployedRoute {
  readonly key: string;
  readonly target: Target;
  readonly access: Access;
}

/** The API. */
export interface DeployedApi {
  readonly id: string;
  readonly routes: readonly DeployedRoute[];
  /** @default - no CORS: every OPTIONS is a route's */
  readonly cors?: Cors;
}

/**
 * Reads an API.
 *
 * @throws Error when there is none of that name, or when it has what the stand-in cannot do
 */
export async function readApi({ awsEndpoint, region, apiName }: ApiSource): Promise<DeployedApi> {
  const client = new ApiGatewayV2Client({
    region,
    endpoint: awsEndpoint,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 10_000 },
  });
  try {
    const { Items: apis = [] } = await client.send(new GetApisCommand({}));
    const api = apis.find(({ Name }) => Name === apiName);
    if (!api?.ApiId) {
      const names = apis.map(({ Name }) => Name).join(", ") || "none";
      throw new Error(`There is no HTTP API ${apiName} at ${awsEndpoint}, only ${names}. Deploy its stack first.`);
    }
    const { Items: integrations = [] } = await client.send(new GetIntegrationsCommand({ ApiId: api.ApiId }));
    const { Items: routes = [] } = await client.send(new GetRoutesCommand({ ApiId: api.ApiId }));
    const deployed: DeployedRoute[] = [];
    for (const route of routes) {
      const integration = integrations.find(({ IntegrationId }) => route.Target === `integrations/${IntegrationId}`);
      const access = await accessOf(client, api.ApiId, route);
      deployed.push({ key: route.RouteKey ?? "", target: targetOf(route, integration), access });
    }
    return { id: api.ApiId, routes: deployed, ...(api.CorsConfiguration ? { cors: api.CorsConfiguration } : {}) };
  } finally {
    client.destroy();
  }
}

function targetOf({ RouteKey, Target }: Route, integration: Integration | undefined): Target {
  const { IntegrationType, IntegrationUri = "", PayloadFormatVersion, ConnectionType } = integration ?? {};
  // An ARN of the function, or of its invocation, which holds the function's.
  const [, name] = /:function:([^/:]+)/.exec(IntegrationUri) ?? [];
  if (IntegrationType === "AWS_PROXY" && name && PayloadFormatVersion === "2.0") {
    return { kind: "function", name };
  }
  if (IntegrationType === "HTTP_PROXY" && ConnectionType === "VPC_LINK") {
    const headers = Object.entries(integration?.RequestParameters ?? {}).map(([parameter, value]) => {
      const [, header] = /^overwrite:header\.([\w-]+)$/.exec(parameter) ?? [];
      if (!header || (value.startsWith("$") && value !== "$context.requestId")) {
        throw new Error(`${RouteKey}: the stand-in sets whole headers only, not "${parameter}" to "${value}".`);
      }
      return [header, value] as const;
    });
    return { kind: "listener", headers: Object.fromEntries(headers) };
  }
  const found = `${IntegrationType} to "${IntegrationUri}", payload ${PayloadFormatVersion}, target ${Target}`;
  throw new Error(`${RouteKey}: expected a function with payload 2.0 or a VPC link, got ${found}.`);
}

async function accessOf(client: ApiGatewayV2Client, ApiId: string, route: Route): Promise<Access> {
  if (route.AuthorizationType === "AWS_IAM") {
    return { kind: "iam" };
  }
  if (route.AuthorizationType !== "JWT") {
    return { kind: "none" };
  }
  const { JwtConfiguration } = await client.send(new GetAuthorizerCommand({ ApiId, AuthorizerId: route.AuthorizerId }));
  return { kind: "jwt", issuer: JwtConfiguration?.Issuer ?? "", audience: JwtConfiguration?.Audience ?? [] };
}
