/** An application load balancer with one target group, access logs, and TLS where there is a certificate. */
import { Lb } from "@cdktf/provider-aws/lib/lb";
import { LbListener } from "@cdktf/provider-aws/lib/lb-listener";
import { LbTargetGroup } from "@cdktf/provider-aws/lib/lb-target-group";
import { Construct } from "constructs";
import { exception } from "./exception";
import { PrivateBucket } from "./private-bucket";

/** TLS 1.3, and 1.2 with forward secrecy. */
const TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06";

const INTERNAL =
  "It has private addresses only: TLS ends at what is in front of it, and the rest of the way is the VPC's.";
const NO_CERTIFICATE = "No certificate is set for this environment. With certificateArn, port 80 only redirects.";

export interface LoadBalancerProps {
  /** Physical name. */
  readonly name: string;
  /** VPC of the targets. */
  readonly vpcId: string;
  /** Subnets in at least two zones: public ones, unless it is internal. */
  readonly subnetIds: readonly string[];
  /** Security groups of the load balancer. */
  readonly securityGroupIds: readonly string[];
  /** Whether it has private addresses only, and serves over HTTP what reaches it inside of the VPC. @default false */
  readonly internal?: boolean;
  /** Target group: its name, HTTP port, and the path that says a target can take requests. */
  readonly target: {
    readonly name: string;
    readonly port: number;
    readonly healthPath: string;
    /** `ip` for tasks with addresses of their own. @default "instance" */
    readonly type?: "instance" | "ip";
  };
  /** Longest silence on a connection, in seconds, at most 4000. */
  readonly idleTimeoutSeconds: number;
  /** How long a leaving target may finish its requests, in seconds, at most 3600. */
  readonly deregistrationDelaySeconds: number;
  /** ACM certificate: with it, 443 serves and 80 redirects. @default - 80 serves */
  readonly certificateArn?: string;
  /** Name of the bucket of the access logs. */
  readonly accessLogsBucket: string;
  /** Days that access logs are kept. @default 90 */
  readonly accessLogsDays?: number;
  /** Protects the load balancer and its logs from deletion. @default true */
  readonly protect?: boolean;
}

/** The way in. */
export class LoadBalancer extends Construct {
  /** ARN of the load balancer. */
  readonly arn: string;
  /** Suffix of the ARN: the dimension of its metrics. */
  readonly arnSuffix: string;
  /** DNS name. */
  readonly dnsName: string;
  /** The listener that serves. */
  readonly listener: LbListener;
  /** ARN of the target group. */
  readonly targetGroupArn: string;
  /** Suffix of the target group's ARN: the dimension of its metrics. */
  readonly targetGroupArnSuffix: string;

  constructor(scope: Construct, id: string, props: LoadBalancerProps) {
    super(scope, id);
    const protect = props.protect ?? true;
    const logs = new PrivateBucket(this, "access-logs", {
      name: props.accessLogsBucket,
      expireAfterDays: props.accessLogsDays ?? 90,
      protect,
      writer: { service: "logdelivery.elasticloadbalancing.amazonaws.com", prefix: "AWSLogs/" },
    });
    const loadBalancer = new Lb(this, "Resource", {
      name: props.name,
      loadBalancerType: "application",
      internal: props.internal ?? false,
      subnets: [...props.subnetIds],
      securityGroups: [...props.securityGroupIds],
      idleTimeout: props.idleTimeoutSeconds,
      dropInvalidHeaderFields: true,
      enableDeletionProtection: protect,
      accessLogs: { bucket: logs.name, enabled: true },
      // The load balancer checks that it may write before it exists.
      dependsOn: [logs.policy],
    });
    if (!protect) {
      exception(loadBalancer, "CKV_AWS_150", "The environment may be destroyed: settings.protectData is off in it.");
    }
    const clearText = props.internal ? INTERNAL : NO_CERTIFICATE;
    if (!props.certificateArn) {
      exception(loadBalancer, "CKV2_AWS_20", clearText);
    }
    const target = new LbTargetGroup(this, "targets", {
      name: props.target.name,
      vpcId: props.vpcId,
      port: props.target.port,
      protocol: "HTTP",
      targetType: props.target.type ?? "instance",
      deregistrationDelay: String(props.deregistrationDelaySeconds),
      healthCheck: {
        path: props.target.healthPath,
        matcher: "200",
        interval: 15,
        timeout: 5,
        healthyThreshold: 2,
        unhealthyThreshold: 3,
      },
    });
    if (!props.certificateArn) {
      exception(target, "CKV_AWS_378", clearText);
    }
    this.arn = loadBalancer.arn;
    this.arnSuffix = loadBalancer.arnSuffix;
    this.dnsName = loadBalancer.dnsName;
    this.targetGroupArn = target.arn;
    this.targetGroupArnSuffix = target.arnSuffix;
    this.listener = this.createListeners(props.certificateArn, clearText);
  }

  /** @returns the listener that serves */
  private createListeners(certificateArn: string | undefined, clearText: string): LbListener {
    const forward = [{ type: "forward", targetGroupArn: this.targetGroupArn }];
    const toHttps = [{ type: "redirect", redirect: { protocol: "HTTPS", port: "443", statusCode: "HTTP_301" } }];
    const http = new LbListener(this, "http", {
      loadBalancerArn: this.arn,
      port: 80,
      protocol: "HTTP",
      defaultAction: certificateArn ? toHttps : forward,
    });
    if (!certificateArn) {
      for (const rule of ["tls-only", "CKV_AWS_2", "CKV_AWS_103"]) {
        exception(http, rule, clearText);
      }
      return http;
    }
    return new LbListener(this, "https", {
      loadBalancerArn: this.arn,
      port: 443,
      protocol: "HTTPS",
      sslPolicy: TLS_POLICY,
      certificateArn,
      defaultAction: forward,
    });
  }
}
