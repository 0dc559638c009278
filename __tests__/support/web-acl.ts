/**
 * Decides about a request as WAF does with an emitted web ACL: rules by priority, overrides, labels.
 *
 * The patterns of managed rules are not public. What is assumed of a request is therefore said with it: every body rule of the sets
 * matches source code, and a rule that looks elsewhere matches an attack in the query. The conditions that AWS does publish (lengths,
 * the user agent, file extensions) are held against what the request has.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Block } from "./synth";

/** What WAF sees of a body behind a load balancer, in bytes; elsewhere it is 16 KiB by default. */
export const INSPECTED_BODY_BYTES = 8 * 1024;

interface ManagedSet {
  readonly namespace: string;
  readonly bodyRules: readonly string[];
  readonly queryRule: string;
  /** Rules whose conditions AWS publishes. */
  readonly published: Readonly<Record<string, (request: WebRequest) => boolean>>;
}

/** The body rules of each set and the namespace of its labels, from AWS's list of baseline rule groups. */
const MANAGED_SETS: Readonly<Record<string, ManagedSet>> = {
  AWSManagedRulesCommonRuleSet: {
    published: {
      NoUserAgent_HEADER: ({ headers = {} }) => headers["user-agent"] === undefined,
      SizeRestrictions_QUERYSTRING: ({ query = "" }) => query.length > 2048,
      SizeRestrictions_Cookie_HEADER: ({ headers = {} }) => (headers.cookie ?? "").length > 10_240,
      SizeRestrictions_URIPATH: ({ path }) => path.length > 1024,
      RestrictedExtensions_URIPATH: ({ path }) => /\.(log|ini)$/.test(path),
      RestrictedExtensions_QUERYARGUMENTS: ({ query = "" }) => /\.(log|ini)(&|$)/.test(query),
    },
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
    published: {},
    namespace: "awswaf:managed:aws:sql-database",
    bodyRules: ["SQLi_BODY", "SQLiExtendedPatterns_BODY"],
    queryRule: "SQLi_QUERYARGUMENTS",
  },
  AWSManagedRulesKnownBadInputsRuleSet: {
    published: { PROPFIND_METHOD: ({ method }) => method === "PROPFIND" },
    namespace: "awswaf:managed:aws:known-bad-inputs",
    bodyRules: ["JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY"],
    queryRule: "Log4JRCE_QUERYSTRING",
  },
};

/** A request, as far as the rules look at it. */
export interface WebRequest {
  /** @default "GET" */
  readonly method?: string;
  readonly path: string;
  /** What follows the question mark. @default "" */
  readonly query?: string;
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

/** A request that arrived, and its body. */
export interface Arrived extends WebRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * Sends a request with a real client to a real server, and gives what arrived there.
 *
 * @param send makes the request to the URL that it is given
 */
export async function arrivedAt(send: (url: string) => Promise<unknown>): Promise<Arrived> {
  let arrived: Promise<Arrived> | undefined;
  const server = createServer((request, response) => {
    arrived ??= read(request);
    void arrived.then(() => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await send(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  if (!arrived) {
    throw new Error("no request arrived");
  }
  return arrived;
}

async function read(request: IncomingMessage): Promise<Arrived> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  const body = Buffer.concat(chunks);
  const [path = "", query = ""] = (request.url ?? "").split("?");
  const headers = Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(", ")] as const);
  return {
    method: request.method ?? "",
    path,
    query,
    headers: Object.fromEntries(headers),
    bodyBytes: body.length,
    body,
  };
}

/** What WAF does with it, and the rule that decided, if one did. */
export interface Verdict {
  readonly action: "allow" | "block";
  readonly rule?: string;
}

/** A request, and how much of its body WAF sees. */
interface Seen extends WebRequest {
  readonly inspectedBodyBytes: number;
}

interface FieldToMatch {
  readonly body?: { readonly oversize_handling: "CONTINUE" | "MATCH" | "NO_MATCH" };
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

/**
 * The verdict of an `aws_wafv2_web_acl` on a request.
 *
 * @param inspectedBodyBytes how much of a body WAF sees
 */
export function decide(acl: Block, request: WebRequest, inspectedBodyBytes = INSPECTED_BODY_BYTES): Verdict {
  const labels = new Set<string>();
  for (const { name, action, statement } of [...rulesOf(acl)].sort((a, b) => a.priority - b.priority)) {
    const { managed_rule_group_statement: group } = statement;
    const blocks = group
      ? evaluateGroup(group, request, labels)
      : matches(statement, { ...request, inspectedBodyBytes }, labels) && "block" in (action ?? {});
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
    ...Object.entries(set.published).flatMap(([rule, applies]) => (applies(request) ? [rule] : [])),
  ];
  for (const rule of matching) {
    labels.add(`${set.namespace}:${rule.replace("_BODY", "_Body")}`);
  }
  const counted = (group.rule_action_override ?? []).filter(({ action_to_use }) => "count" in action_to_use);
  return matching.some((rule) => !counted.some(({ name }) => name === rule));
}

function matches(statement: Statement, request: Seen, labels: ReadonlySet<string>): boolean {
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
    const { field_to_match, size } = statement.size_constraint_statement;
    const { bodyBytes = 0, inspectedBodyBytes } = request;
    const handling = bodyBytes > inspectedBodyBytes ? field_to_match.body?.oversize_handling : "CONTINUE";
    return handling === "MATCH" || (handling === "CONTINUE" && Math.min(bodyBytes, inspectedBodyBytes) > size);
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
