import { Lb } from "@cdktf/provider-aws/lib/lb";
import { LbListener } from "@cdktf/provider-aws/lib/lb-listener";
import { LbTargetGroup } from "@cdktf/provider-aws/lib/lb-target-group";
import { LoadBalancer, type LoadBalancerProps } from "../../constructs/load-balancer";
import { constructed } from "../support/constructed";
import { statementsOf } from "../support/expression";

const CERTIFICATE = "arn:aws:acm:ap-northeast-2:000000000000:certificate/1";

function loadBalancer(props: Partial<LoadBalancerProps> = {}) {
  return constructed((scope) => {
    new LoadBalancer(scope, "front", {
      name: "front",
      vpcId: "vpc-1",
      subnetIds: ["subnet-a", "subnet-c"],
      securityGroupIds: ["sg-1"],
      target: { name: "targets", port: 8080, healthPath: "/health" },
      idleTimeoutSeconds: 4000,
      deregistrationDelaySeconds: 3600,
      accessLogsBucket: "front-logs",
      ...props,
    });
  });
}

describe("LoadBalancer", () => {
  const plain = loadBalancer();
  const targets = plain.reference("aws_lb_target_group", undefined, "arn");

  test("faces the internet over its subnets and drops malformed headers", () => {
    expect(plain.text).toHaveResourceWithProperties(Lb, {
      name: "front",
      load_balancer_type: "application",
      internal: false,
      subnets: ["subnet-a", "subnet-c"],
      security_groups: ["sg-1"],
      idle_timeout: 4000,
      drop_invalid_header_fields: true,
    });
  });

  test("its targets speak HTTP, are checked by their path and may finish before they leave", () => {
    expect(plain.text).toHaveResourceWithProperties(LbTargetGroup, {
      name: "targets",
      port: 8080,
      protocol: "HTTP",
      target_type: "instance",
      vpc_id: "vpc-1",
      deregistration_delay: "3600",
      health_check: expect.objectContaining({ path: "/health", matcher: "200" }),
    });
  });

  test("an internal one has private addresses, and its targets may be addresses", () => {
    const target = { name: "tasks", port: 50101, healthPath: "/healthz", type: "ip" } as const;
    const inside = loadBalancer({ internal: true, target });
    expect(inside.resource("aws_lb").internal).toBe(true);
    expect(inside.resource("aws_lb_target_group")).toMatchObject({ target_type: "ip", port: 50101 });
  });

  test("without a certificate, 80 serves and there is no other listener", () => {
    expect(plain.resources("aws_lb_listener")).toHaveLength(1);
    expect(plain.text).toHaveResourceWithProperties(LbListener, {
      port: 80,
      protocol: "HTTP",
      default_action: [{ type: "forward", target_group_arn: targets }],
    });
    expect(plain.resource("aws_lb_listener")).not.toHaveProperty("ssl_policy");
  });

  test("with a certificate, 443 serves with TLS 1.3 and 80 only redirects there for good", () => {
    const tls = loadBalancer({ certificateArn: CERTIFICATE });
    expect(tls.resources("aws_lb_listener")).toHaveLength(2);
    expect(tls.text).toHaveResourceWithProperties(LbListener, {
      port: 443,
      protocol: "HTTPS",
      certificate_arn: CERTIFICATE,
      ssl_policy: expect.stringContaining("TLS13"),
      default_action: [{ type: "forward", target_group_arn: targets }],
    });
    expect(tls.resource("aws_lb_listener", { port: 80 }).default_action).toEqual([
      { type: "redirect", redirect: { protocol: "HTTPS", port: "443", status_code: "HTTP_301" } },
    ]);
  });

  test("its logs go to a private bucket that only the log delivery may write to, and expire", async () => {
    const bucket = plain.one("aws_s3_bucket").address;
    expect(plain.resource("aws_lb").access_logs).toEqual({ bucket: `\${${bucket}.bucket}`, enabled: true });
    expect(plain.resource("aws_lb").depends_on).toEqual([plain.one("aws_s3_bucket_policy").address]);
    expect(plain.resource("aws_s3_bucket_lifecycle_configuration").rule).toContainEqual(
      expect.objectContaining({ id: "expire-objects", expiration: [{ days: 90 }] }),
    );
    const allowed = (await statementsOf(plain.resource("aws_s3_bucket_policy").policy)).filter(
      ({ effect }) => effect === "Allow",
    );
    expect(allowed).toEqual([
      {
        sid: "ServiceWrites",
        effect: "Allow",
        principal: { Service: "logdelivery.elasticloadbalancing.amazonaws.com" },
        actions: ["s3:PutObject"],
        resources: [`\${${bucket}.arn}/AWSLogs/*`],
      },
    ]);
  });

  test.each([
    ["protected from deletion unless told otherwise", undefined, true],
    ["deletable when told so", false, false],
  ])("is %s, with its logs", (_, protect, expected) => {
    const synthesis = loadBalancer({ protect });
    expect(synthesis.resource("aws_lb").enable_deletion_protection).toBe(expected);
    expect(synthesis.resource("aws_s3_bucket").lifecycle).toEqual({ prevent_destroy: expected });
  });
});
