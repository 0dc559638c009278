/** CORS as an HTTP API answers it: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html. */
import type { IncomingHttpHeaders } from "node:http";
import type { Cors } from "@aws-sdk/client-apigatewayv2";

/** Headers of the answer to a preflight request: none where the origin is not allowed, so that the browser refuses. */
export function preflightHeaders(cors: Cors, headers: IncomingHttpHeaders): Record<string, string> {
  const common = corsHeaders(cors, headers.origin);
  if (Object.keys(common).length === 0) {
    return {};
  }
  return {
    ...common,
    ...listed("access-control-allow-methods", cors.AllowMethods),
    ...listed("access-control-allow-headers", cors.AllowHeaders),
    ...(cors.MaxAge === undefined ? {} : { "access-control-max-age": String(cors.MaxAge) }),
  };
}

/** Headers that any other answer gets. */
export function corsHeaders(cors: Cors | undefined, origin: string | undefined): Record<string, string> {
  const allowed = cors?.AllowOrigins ?? [];
  const fits = allowed.find(
    (each) => each === "*" || each === origin || (each.endsWith("://*") && origin?.startsWith(each.slice(0, -1))),
  );
  if (!cors || origin === undefined || fits === undefined) {
    return {};
  }
  return {
    "access-control-allow-origin": fits === "*" ? "*" : origin,
    ...(fits === "*" ? {} : { vary: "Origin" }),
    ...(cors.AllowCredentials ? { "access-control-allow-credentials": "true" } : {}),
    ...listed("access-control-expose-headers", cors.ExposeHeaders),
  };
}

function listed(name: string, values: readonly string[] | undefined): Record<string, string> {
  return values && values.length > 0 ? { [name]: values.join(",") } : {};
}
