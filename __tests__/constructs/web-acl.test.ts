import { Wafv2WebAcl } from "@cdktf/provider-aws/lib/wafv2-web-acl";
import { Wafv2WebAclAssociation } from "@cdktf/provider-aws/lib/wafv2-web-acl-association";
import { Wafv2WebAclLoggingConfiguration } from "@cdktf/provider-aws/lib/wafv2-web-acl-logging-configuration";
import { WebAcl } from "../../constructs/web-acl";
import { constructed } from "../support/constructed";
import type { Block } from "../support/synth";
import { decide, rulesOf, type WebRequest } from "../support/web-acl";

const GIB = 1024 ** 3;
const SETS = ["AWSManagedRulesCommonRuleSet", "AWSManagedRulesSQLiRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"];

function webAcl(maxBodyBytes = GIB) {
  return constructed((scope) => {
    new WebAcl(scope, "web-acl", {
      name: "front",
      rateLimitPer5Minutes: 1000,
      maxBodyBytes,
      codePathPrefix: "/v1/functions",
      loadBalancerArn: "arn:lb",
      logRetentionDays: 30,
    });
  });
}

describe("WebAcl", () => {
  const synthesis = webAcl();
  const acl = synthesis.resource("aws_wafv2_web_acl");
  const decision = (request: WebRequest) => decide(acl, request);

  test("is regional, allows by default and is associated with the load balancer", () => {
    expect(synthesis.text).toHaveResourceWithProperties(Wafv2WebAcl, {
      name: "front",
      scope: "REGIONAL",
      default_action: { allow: {} },
    });
    expect(synthesis.text).toHaveResourceWithProperties(Wafv2WebAclAssociation, {
      web_acl_arn: synthesis.reference("aws_wafv2_web_acl", undefined, "arn"),
      resource_arn: "arn:lb",
    });
  });

  test("has the rate limit, the size limit, the three managed sets, and the rule for their body rules", () => {
    expect(rulesOf(acl).map(({ name }) => name)).toEqual([
      "RateLimitRule",
      "SizeConstraintRule",
      ...SETS,
      "BodyRulesOutsideCodePaths",
    ]);
  });

  test("no two rules share a priority, a name or a metric", () => {
    const rules = acl.rule as { name: string; priority: number; visibility_config: { metric_name: string } }[];
    for (const values of [
      rules.map(({ name }) => name),
      rules.map(({ priority }) => priority),
      rules.map(({ visibility_config }) => visibility_config.metric_name),
    ]) {
      expect(new Set<string | number>(values).size).toBe(rules.length);
    }
  });

  test("in the managed sets body rules only count, and no other rule is touched", () => {
    for (const set of SETS) {
      const overrides = rulesOf(acl).find(({ name }) => name === set)?.statement.managed_rule_group_statement
        ?.rule_action_override;
      expect(overrides?.length).toBeGreaterThan(0);
      for (const override of overrides ?? []) {
        expect(override).toEqual({ name: expect.stringMatching(/_BODY$/), action_to_use: { count: {} } });
      }
    }
  });

  describe("source code in a body", () => {
    const upload = { bodyBytes: 40_000, bodyMatches: true, headers: { "content-length": "40000" } };

    test.each(["/v1/functions", "/v1/functions/fn_1", "/v1/functions/fn_1/invoke"])("passes on %s", (path) => {
      expect(decision({ path, ...upload })).toEqual({ action: "allow" });
    });

    test.each(["/", "/health", "/v1/keys", "/v1/jobs/job_1", "/v2/functions", "/x/v1/functions"])(
      "is blocked on %s",
      (path) => {
        expect(decision({ path, ...upload })).toEqual({ action: "block", rule: "BodyRulesOutsideCodePaths" });
      },
    );

    test.each([
      "SizeRestrictions_BODY",
      "EC2MetaDataSSRF_BODY",
      "GenericLFI_BODY",
      "GenericRFI_BODY",
      "CrossSiteScripting_BODY",
      "SQLi_BODY",
      "SQLiExtendedPatterns_BODY",
      "JavaDeserializationRCE_BODY",
      "Log4JRCE_BODY",
      "ReactJSRCE_BODY",
    ])("%s alone decides outside of the code paths, and nowhere in them", (bodyMatches) => {
      expect(decision({ path: "/v1/keys", bodyMatches }).action).toBe("block");
      expect(decision({ path: "/v1/functions", bodyMatches }).action).toBe("allow");
    });
  });

  test.each(SETS)("%s still blocks an attack in the query, on the code paths too", (attackInQuery) => {
    for (const path of ["/v1/functions", "/v1/keys"]) {
      expect(decision({ path, attackInQuery })).toEqual({ action: "block", rule: attackInQuery });
    }
  });

  test("an ordinary request passes", () => {
    expect(decision({ path: "/health" })).toEqual({ action: "allow" });
    expect(decision({ path: "/v1/keys", bodyBytes: 200, headers: { "content-length": "200" } }).action).toBe("allow");
  });

  test("an address with over 1000 requests in 5 minutes is blocked", () => {
    expect(decision({ path: "/health", requestsInWindow: 1000 }).action).toBe("allow");
    expect(decision({ path: "/health", requestsInWindow: 1001 })).toEqual({ action: "block", rule: "RateLimitRule" });
    expect(rulesOf(acl)[0]?.statement.rate_based_statement).toMatchObject({
      evaluation_window_sec: 300,
      aggregate_key_type: "IP",
    });
  });

  describe("the size limit", () => {
    const sized = (length: string) => decision({ path: "/v1/functions", headers: { "content-length": length } });

    test.each([
      ["0", "allow"],
      ["1073741823", "allow"],
      ["1073741824", "allow"],
      ["1073741825", "block"],
      ["2000000000", "block"],
      ["9999999999999999999999", "block"],
      ["0001073741824", "allow"],
      ["0001073741825", "block"],
    ] as const)("a declared length of %s: %s", (length, action) => {
      expect(sized(length).action).toBe(action);
    });

    test("its pattern has at most the 512 characters that WAF takes, whatever the limit", () => {
      const lengths = [
        GIB,
        1,
        ...Array.from({ length: 15 }, (_, zeros) => 10 ** zeros * 11),
        Number.MAX_SAFE_INTEGER,
      ].map((limit) => patternOf(webAcl(limit).resource("aws_wafv2_web_acl")).length);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(512);
    });

    test("its pattern is anchored at both ends, so that it never finds a number inside of another text", () => {
      expect(patternOf(acl)).toMatch(/^\^.*\$$/);
    });

    test("a body that declares nothing is left to the controller: WAF sees 8 KB of it", () => {
      expect(decision({ path: "/v1/functions", bodyBytes: 2 * GIB }).action).toBe("allow");
    });
  });

  test("is logged, where WAF may log, without the API keys", () => {
    expect(synthesis.resource("aws_cloudwatch_log_group")).toMatchObject({
      name: "aws-waf-logs-front",
      retention_in_days: 30,
    });
    expect(synthesis.text).toHaveResourceWithProperties(Wafv2WebAclLoggingConfiguration, {
      log_destination_configs: [synthesis.reference("aws_cloudwatch_log_group", undefined, "arn")],
      redacted_fields: [{ single_header: { name: "authorization" } }],
    });
  });
});

function patternOf(acl: Block): string {
  const [, size] = rulesOf(acl);
  const pattern = size?.statement.or_statement?.statement.find((each) => each.regex_match_statement);
  return pattern?.regex_match_statement?.regex_string ?? "";
}
