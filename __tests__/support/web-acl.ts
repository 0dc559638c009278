/**
 * Decides about a request as WAF does with an emitted web ACL: rules by priority, overrides, labels.
 *
 * The conditions of managed rules are not public. What is assumed of a request is therefore said with it: every body rule of the sets
 * matches source code, and a rule that looks elsewhere matches an attack in the query.
 */
import type { Block } from "./synth";

/** What WAF sees of a body behind a load balancer, in bytes. */
const INSPECTED_BODY_BYTES = 8 * 1024;

/** The body rules of each set and the namespace of its labels, from AWS's list of baseline rule groups. */
const MANAGED_SETS: Readonly<Record<string, { namespace: string; bodyRules: readonly string[]; queryRule: string }>> = {
  AWSManagedRulesCommonRuleSet: {
    namespace: "awswaf:managed:aws:core-rule-set",
    bodyRules: [
      "SizeRestrictions_BODY",
      "EC2MetaDataSSRF_BODY",
      "GenericLFI_BODY",
      "GenericRFI_BODY",
      "CrossSiteScripting_BODY",
    ],
    queryRule: "GenericLFI_QUERYARGUMENTS",
  },
  AWSManagedRulesSQLiRuleSet: {
    namespace: "awswaf:managed:aws:sql-database",
    bodyRules: ["SQLi_BODY", "SQLiExtendedPatterns_BODY"],
    queryRule: "SQLi_QUERYARGUMENTS",
  },
  AWSManagedRulesKnownBadInputsRuleSet: {
    namespace: "awswaf:managed:aws:known-bad-inputs",
    bodyRules: ["JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY"],
    queryRule: "Log4JRCE_QUERYSTRING",
  },
};

/** A request, as far as the rules look at it. */
export interface WebRequest {
  readonly path: string;
  /** Names in lower case. @default {} */
  readonly headers?: Readonly<Record<string, string>>;
  /** @default 0 */
  readonly bodyBytes?: number;
  /** Whether the body looks like source code: every body rule matches, or only the one that is named. @default false */
  readonly bodyMatches?: boolean | string;
  /** Name of a managed set that finds an attack in the query. @default - none */
  readonly attackInQuery?: string;
  /** Requests of the same address in the last 5 minutes. @default 1 */
  readonly requestsInWindow?: number;
}

/** What WAF does with it, and the rule that decided, if one did. */
export interface Verdict {
  readonly action: "allow" | "block";
  readonly rule?: string;
}

interface FieldToMatch {
  readonly body?: object;
  readonly uri_path?: object;
  readonly single_header?: { readonly name: string };
}

interface Statement {
  readonly rate_based_statement?: { readonly limit: number; readonly evaluation_window_sec: number };
  readonly size_constraint_statement?: {
    readonly comparison_operator: string;
    readonly size: number;
    readonly field_to_match: FieldToMatch;
  };
  readonly regex_match_statement?: { readonly regex_string: string; readonly field_to_match: FieldToMatch };
  readonly byte_match_statement?: {
    readonly positional_constraint: string;
    readonly search_string: string;
    readonly field_to_match: FieldToMatch;
  };
  readonly label_match_statement?: { readonly scope: string; readonly key: string };
  readonly and_statement?: { readonly statement: readonly Statement[] };
  readonly or_statement?: { readonly statement: readonly Statement[] };
  readonly not_statement?: { readonly statement: readonly Statement[] };
}

interface ManagedRuleGroup {
  readonly name: string;
  readonly rule_action_override?: readonly { readonly name: string; readonly action_to_use: object }[];
}

/** A rule of an emitted web ACL. */
export interface Rule {
  readonly name: string;
  readonly priority: number;
  readonly action?: object;
  readonly statement: Statement & { readonly managed_rule_group_statement?: ManagedRuleGroup };
}

/** The rules of an `aws_wafv2_web_acl`. */
export function rulesOf(acl: Block): readonly Rule[] {
  return acl.rule as unknown as readonly Rule[];
}

/** The verdict of an `aws_wafv2_web_acl` on a request. */
export function decide(acl: Block, request: WebRequest): Verdict {
  const labels = new Set<string>();
  for (const { name, action, statement } of [...rulesOf(acl)].sort((a, b) => a.priority - b.priority)) {
    const { managed_rule_group_statement: group } = statement;
    const blocks = group
      ? evaluateGroup(group, request, labels)
      : matches(statement, request, labels) && "block" in (action ?? {});
    if (blocks) {
      return { action: "block", rule: name };
    }
  }
  return { action: "allow" in (acl.default_action as Block) ? "allow" : "block" };
}

/** Leaves the labels of the set's rules that match; whether one of them blocks. */
function evaluateGroup(group: ManagedRuleGroup, request: WebRequest, labels: Set<string>): boolean {
  const set = MANAGED_SETS[group.name];
  if (!set) {
    throw new Error(`the managed set ${group.name} is not known here`);
  }
  const { bodyMatches = false } = request;
  const matching = [
    ...set.bodyRules.filter((rule) => bodyMatches === true || bodyMatches === rule),
    ...(request.attackInQuery === group.name ? [set.queryRule] : []),
  ];
  for (const rule of matching) {
    labels.add(`${set.namespace}:${rule.replace("_BODY", "_Body")}`);
  }
  const counted = (group.rule_action_override ?? []).filter(({ action_to_use }) => "count" in action_to_use);
  return matching.some((rule) => !counted.some(({ name }) => name === rule));
}

function matches(statement: Statement, request: WebRequest, labels: ReadonlySet<string>): boolean {
  const all = (inner: readonly Statement[]) => inner.map((each) => matches(each, request, labels));
  if (statement.and_statement) return all(statement.and_statement.statement).every(Boolean);
  if (statement.or_statement) return all(statement.or_statement.statement).some(Boolean);
  if (statement.not_statement) return !all(statement.not_statement.statement)[0];
  if (statement.label_match_statement) return labels.has(statement.label_match_statement.key);
  if (statement.rate_based_statement) return (request.requestsInWindow ?? 1) > statement.rate_based_statement.limit;
  if (statement.regex_match_statement) {
    const { regex_string, field_to_match } = statement.regex_match_statement;
    const field = fieldOf(request, field_to_match);
    return field !== undefined && new RegExp(regex_string).test(field);
  }
  if (statement.byte_match_statement?.positional_constraint === "STARTS_WITH") {
    const { search_string, field_to_match } = statement.byte_match_statement;
    return fieldOf(request, field_to_match)?.startsWith(search_string) ?? false;
  }
  if (statement.size_constraint_statement?.comparison_operator === "GT") {
    return Math.min(request.bodyBytes ?? 0, INSPECTED_BODY_BYTES) > statement.size_constraint_statement.size;
  }
  throw new Error(`this statement is not known here: ${JSON.stringify(statement)}`);
}

function fieldOf(request: WebRequest, { uri_path, single_header }: FieldToMatch): string | undefined {
  if (uri_path) {
    return request.path;
  }
  if (single_header) {
    return request.headers?.[single_header.name];
  }
  throw new Error("only the path and headers are read as text here");
}
