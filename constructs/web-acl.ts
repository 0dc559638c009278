/** A WAF web ACL in front of a load balancer, through which uploads of source code still pass. */
import { Wafv2WebAcl, type Wafv2WebAclRule } from "@cdktf/provider-aws/lib/wafv2-web-acl";
import { Wafv2WebAclAssociation } from "@cdktf/provider-aws/lib/wafv2-web-acl-association";
import { Wafv2WebAclLoggingConfiguration } from "@cdktf/provider-aws/lib/wafv2-web-acl-logging-configuration";
import { Construct } from "constructs";
import { regexForIntegersAbove } from "./integer-regex";
import { LogGroup } from "./log-group";

/**
 * The managed rule sets with their body rules: the rule's name and the label that it leaves. From AWS's list of baseline rule groups,
 * https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
 */
const MANAGED_RULE_SETS = [
  {
    name: "AWSManagedRulesCommonRuleSet",
    namespace: "core-rule-set",
    bodyRules: ["SizeRestrictions", "EC2MetaDataSSRF", "GenericLFI", "GenericRFI", "CrossSiteScripting"],
  },
  {
    name: "AWSManagedRulesSQLiRuleSet",
    namespace: "sql-database",
    bodyRules: ["SQLi", "SQLiExtendedPatterns"],
  },
  {
    name: "AWSManagedRulesKnownBadInputsRuleSet",
    namespace: "known-bad-inputs",
    bodyRules: ["JavaDeserializationRCE", "Log4JRCE", "ReactJSRCE"],
  },
] as const;

export interface WebAclProps {
  /** Physical name, which is also the prefix of its metrics; the log group is `aws-waf-logs-<name>`. */
  readonly name: string;
  /** Requests of one IP address in 5 minutes, over which it is blocked. */
  readonly rateLimitPer5Minutes: number;
  /** Body size in bytes over which a request is blocked. */
  readonly maxBodyBytes: number;
  /** Prefix of the paths whose bodies are source code: body rules of the managed sets only count there. */
  readonly codePathPrefix: string;
  /** ARN of the load balancer. */
  readonly loadBalancerArn: string;
  /** Days that the log is kept. */
  readonly logRetentionDays: number;
}

/**
 * Rate limit, size limit and AWS's managed rule sets.
 *
 * Source code looks like an attack to every body rule, so the managed sets' body rules only leave a label, and one rule at the end blocks
 * whatever carries such a label outside of the code paths. All other rules of the sets (headers, cookies, query, path) block everywhere.
 */
export class WebAcl extends Construct {
  /** ARN of the web ACL. */
  readonly arn: string;

  constructor(scope: Construct, id: string, props: WebAclProps) {
    super(scope, id);
    const acl = new Wafv2WebAcl(this, "Resource", {
      name: props.name,
      description: "Rate, size and managed rules in front of the load balancer",
      scope: "REGIONAL",
      defaultAction: { allow: {} },
      rule: [rateLimitRule(props), sizeRule(props), ...MANAGED_RULE_SETS.map(managedRule), bodyMatchRule(props)].map(
        (rule, priority) => ({ ...rule, priority, visibilityConfig: visibility(rule.name) }),
      ),
      visibilityConfig: visibility(props.name),
    });
    this.arn = acl.arn;
    new Wafv2WebAclAssociation(this, "association", { webAclArn: acl.arn, resourceArn: props.loadBalancerArn });
    this.createLog(acl, props);
  }

  private createLog(acl: Wafv2WebAcl, props: WebAclProps): void {
    const group = new LogGroup(this, "log-group", {
      // WAF delivers to no log group whose name begins otherwise.
      name: `aws-waf-logs-${props.name}`,
      retentionDays: props.logRetentionDays,
    });
    new Wafv2WebAclLoggingConfiguration(this, "logging", {
      resourceArn: acl.arn,
      logDestinationConfigs: [group.arn],
      // API keys travel in this header.
      redactedFields: [{ singleHeader: { name: "authorization" } }],
    });
  }
}

type Rule = Omit<Wafv2WebAclRule, "priority" | "visibilityConfig">;

function rateLimitRule({ rateLimitPer5Minutes }: WebAclProps): Rule {
  return {
    name: "RateLimitRule",
    action: { block: {} },
    statement: {
      rate_based_statement: { limit: rateLimitPer5Minutes, aggregate_key_type: "IP", evaluation_window_sec: 300 },
    },
  };
}

/**
 * WAF sees only the first kilobytes of a body behind a load balancer, so the size of what it sees never exceeds a gigabyte. What a client
 * declares does: a Content-Length over the limit is blocked here; a body without one (chunked) is cut off by the controller.
 */
function sizeRule({ maxBodyBytes }: WebAclProps): Rule {
  const regex = `^0*(?:${regexForIntegersAbove(maxBodyBytes)})$`;
  const transformation = [{ priority: 0, type: "NONE" }];
  return {
    name: "SizeConstraintRule",
    action: { block: {} },
    statement: {
      or_statement: {
        statement: [
          {
            size_constraint_statement: {
              comparison_operator: "GT",
              size: maxBodyBytes,
              field_to_match: { body: { oversize_handling: "CONTINUE" } },
              text_transformation: transformation,
            },
          },
          {
            regex_match_statement: {
              regex_string: regex,
              field_to_match: { single_header: { name: "content-length" } },
              text_transformation: transformation,
            },
          },
        ],
      },
    },
  };
}

function managedRule({ name, bodyRules }: (typeof MANAGED_RULE_SETS)[number]): Rule {
  return {
    name,
    overrideAction: { none: {} },
    statement: {
      managed_rule_group_statement: {
        vendor_name: "AWS",
        name,
        rule_action_override: bodyRules.map((rule) => ({ name: `${rule}_BODY`, action_to_use: { count: {} } })),
      },
    },
  };
}

function bodyMatchRule({ codePathPrefix }: WebAclProps): Rule {
  const labels = MANAGED_RULE_SETS.flatMap(({ namespace, bodyRules }) =>
    bodyRules.map((rule) => `awswaf:managed:aws:${namespace}:${rule}_Body`),
  );
  return {
    name: "BodyRulesOutsideCodePaths",
    action: { block: {} },
    statement: {
      and_statement: {
        statement: [
          {
            or_statement: {
              statement: labels.map((key) => ({ label_match_statement: { scope: "LABEL", key } })),
            },
          },
          {
            not_statement: {
              statement: [
                {
                  byte_match_statement: {
                    field_to_match: { uri_path: {} },
                    positional_constraint: "STARTS_WITH",
                    search_string: codePathPrefix,
                    text_transformation: [{ priority: 0, type: "NONE" }],
                  },
                },
              ],
            },
          },
        ],
      },
    },
  };
}

function visibility(metricName: string) {
  return { cloudwatchMetricsEnabled: true, sampledRequestsEnabled: true, metricName };
}
