/** Nothing in clear text. */
import { blocks, isTrue } from "../json";
import type { JudgedResource, Rule } from "../rule";
import { policiesOf } from "../statements";

const POLICIES: Readonly<Record<string, { readonly type: string; readonly attribute: string }>> = {
  aws_s3_bucket: { type: "aws_s3_bucket_policy", attribute: "bucket" },
  aws_sqs_queue: { type: "aws_sqs_queue_policy", attribute: "queue_url" },
};

export const tlsOnly: Rule = {
  id: "tls-only",
  title: "Buckets, queues, caches and listeners take no request in clear text.",
  reason: "What travels in clear text is read and changed by whoever is on the way.",
  remedy:
    "Deny aws:SecureTransport false in the policy (constructs/private-bucket.ts and work-queue.ts do), switch transit encryption on, " +
    "or give the listener a certificate and redirect port 80.",
  types: [
    ...Object.keys(POLICIES),
    "aws_elasticache_replication_group",
    "aws_lb_listener",
    "aws_alb_listener",
    "aws_cloudfront_distribution",
    "aws_opensearch_domain",
  ],
  check: (resource) => {
    switch (resource.type) {
      case "aws_s3_bucket":
      case "aws_sqs_queue":
        return deniesClearText(resource) ? undefined : "no policy denies requests without TLS";
      case "aws_elasticache_replication_group":
        return isTrue(resource.body.transit_encryption_enabled) ? undefined : "transit encryption is off";
      case "aws_cloudfront_distribution":
        return servesClearText(resource) ? "a cache behaviour allows HTTP" : undefined;
      case "aws_opensearch_domain":
        return blocks(resource.body.domain_endpoint_options).some((options) => isTrue(options.enforce_https))
          ? undefined
          : "HTTPS is not enforced";
      default:
        return listener(resource);
    }
  },
};

function deniesClearText(resource: JudgedResource): boolean {
  const how = POLICIES[resource.type];
  const policies = how === undefined ? [] : resource.companions(how.type, how.attribute);
  return [resource, ...policies]
    .flatMap((each) => policiesOf(each).statements)
    .some(
      ({ allows, principals, conditions }) =>
        !allows &&
        principals?.includes("*") &&
        conditions.length === 1 &&
        conditions.some(({ variable, values }) => variable === "aws:SecureTransport" && values.includes("false")),
    );
}

function listener({ body }: JudgedResource): string | undefined {
  if (!["HTTP", "TCP"].includes(String(body.protocol ?? "HTTP"))) {
    return undefined;
  }
  const redirects = blocks(body.default_action).every(
    ({ type, redirect }) => type === "redirect" && blocks(redirect).every(({ protocol }) => protocol === "HTTPS"),
  );
  return redirects ? undefined : `port ${body.port} serves ${body.protocol ?? "HTTP"} instead of redirecting to HTTPS`;
}

function servesClearText({ body }: JudgedResource): boolean {
  return [...blocks(body.default_cache_behavior), ...blocks(body.ordered_cache_behavior)].some(
    ({ viewer_protocol_policy }) => viewer_protocol_policy === "allow-all",
  );
}
