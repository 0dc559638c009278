/** No protocol older than TLS 1.2. */
import { blocks } from "../json";
import type { Rule } from "../rule";

/** Security policies of load balancers whose oldest protocol is TLS 1.2: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html */
const LOAD_BALANCER = /^ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)/;

export const tls12OrNewer: Rule = {
  id: "tls-1-2-or-newer",
  title: "Whatever ends TLS refuses versions before 1.2.",
  reason: "TLS 1.0 and 1.1 are broken, and where nothing is said they are still on.",
  remedy: 'Name a policy such as "ELBSecurityPolicy-TLS13-1-2-2021-06" for listeners, or "TLS_1_2" for domain names.',
  types: [
    "aws_lb_listener",
    "aws_alb_listener",
    "aws_apigatewayv2_domain_name",
    "aws_api_gateway_domain_name",
    "aws_cloudfront_distribution",
  ],
  check: ({ type, body }) => {
    if (type.endsWith("_listener")) {
      const ends = body.protocol === "HTTPS" || body.protocol === "TLS";
      return ends && !LOAD_BALANCER.test(String(body.ssl_policy))
        ? `ssl_policy is ${body.ssl_policy ?? "not set"}`
        : undefined;
    }
    if (type === "aws_cloudfront_distribution") {
      const [certificate] = blocks(body.viewer_certificate);
      const version = String(certificate?.minimum_protocol_version ?? "not set");
      return /^TLSv1\.[23]/.test(version) ? undefined : `minimum_protocol_version is ${version}`;
    }
    const [configuration] = blocks(body.domain_name_configuration);
    const policy = String(configuration?.security_policy ?? body.security_policy ?? "not set");
    return /^(TLS_1_[23]|SecurityPolicy_TLS1[23])/.test(policy) ? undefined : `security_policy is ${policy}`;
  },
};
