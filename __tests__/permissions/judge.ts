/** IAM's decision about one action on one resource, by the policies that the stacks emit. */
import { runSimulation } from "@cloud-copilot/iam-simulate";
import type { PolicyStatement } from "../support/expression";
import type { Ask } from "./asked";
import type { Emitted } from "./emitted";

/** A decision. */
export interface Verdict {
  readonly allowed: boolean;
  /** Names of the statements that allow it. */
  readonly by: readonly string[];
}

/** Part of a role's permissions that is taken away: an action of a statement on one of its resources, or on all of them. */
export interface Dropped {
  readonly sid: string;
  readonly action: string;
  /** @default - all of the statement's */
  readonly resource?: string;
}

/** What a request comes with. The stand-in listens on loopback without TLS, in the place of endpoints that have it. */
const CONTEXT = { "aws:SecureTransport": "true" };

/** Judges by the policies of one environment. Decisions are remembered. */
export class Judge {
  private readonly verdicts = new Map<string, Promise<Verdict>>();

  constructor(private readonly emitted: Emitted) {}

  /** A decision; somebody who is no role of the environment may do nothing. */
  verdict(
    role: string,
    ask: Ask,
    dropped?: Dropped,
    context: Readonly<Record<string, string>> = CONTEXT,
  ): Promise<Verdict> {
    const key = JSON.stringify([role, ask, dropped, context]);
    const known = this.verdicts.get(key) ?? this.decide(role, ask, dropped, context);
    this.verdicts.set(key, known);
    return known;
  }

  private async decide(
    role: string,
    { action, resource, context: own }: Ask,
    dropped: Dropped | undefined,
    context: Readonly<Record<string, string>>,
  ): Promise<Verdict> {
    const { roles, resourcePolicies, place } = this.emitted;
    const statements = roles.filter(({ name }) => name === role).flatMap((each) => each.statements);
    const left = dropped ? statements.flatMap((statement) => without(statement, dropped)) : statements;
    if (left.length === 0) {
      return { allowed: false, by: [] };
    }
    const principal = `arn:aws:sts::${place.accountId}:assumed-role/${role}/i-0123456789abcdef0`;
    const onResource = resourcePolicies[resource.split("/")[0] ?? ""];
    const answer = await runSimulation(
      {
        request: {
          principal,
          action,
          resource: { resource, accountId: place.accountId },
          contextVariables: {
            "aws:PrincipalAccount": place.accountId,
            "aws:RequestedRegion": place.region,
            ...context,
            ...own,
          },
        },
        identityPolicies: [{ name: "permissions", policy: documentOf(left) }],
        ...(onResource ? { resourcePolicy: documentOf(onResource) } : {}),
        serviceControlPolicies: [],
        resourceControlPolicies: [],
      },
      {},
    );
    if (answer.resultType === "error") {
      throw new Error(`${role}, ${action} on ${resource}: cannot be judged: ${JSON.stringify(answer)}`);
    }
    // A resource of `*` is judged once for each type that the action may be about.
    const results = answer.resultType === "wildcard" ? answer.results : [answer.result];
    const allowing = results.flatMap(({ analysis }) => analysis.identityAnalysis?.allowStatements ?? []);
    return { allowed: answer.overallResult === "Allowed", by: allowing.map(({ explain }) => explain.identifier) };
  }
}

/** A statement without what is dropped of it: one, two for a resource that only another action keeps, or none. */
function without(statement: PolicyStatement, { sid, action, resource }: Dropped): PolicyStatement[] {
  if (statement.sid !== sid) {
    return [statement];
  }
  const others = { ...statement, actions: statement.actions.filter((each) => each !== action) };
  const elsewhere = {
    ...statement,
    sid: `${sid}Elsewhere`,
    actions: [action],
    resources: statement.resources.filter((each) => each !== resource),
  };
  const kept = resource === undefined ? [others] : [others, elsewhere];
  return kept.filter(({ actions, resources }) => actions.length > 0 && resources.length > 0);
}

function documentOf(statements: readonly PolicyStatement[]): object {
  return {
    Version: "2012-10-17",
    Statement: statements.map(({ sid, effect, actions, resources, principal, condition }) => ({
      Sid: sid,
      Effect: effect,
      Action: actions,
      Resource: resources,
      ...(principal === undefined ? {} : { Principal: principal }),
      ...(condition === undefined ? {} : { Condition: condition }),
    })),
  };
}
