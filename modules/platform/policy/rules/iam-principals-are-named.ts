/** Policies that say whom they let in. */
import type { Rule } from "../rule";
import { POLICY_TYPES, type PolicyStatement, policiesOf } from "../statements";

/** Conditions that narrow "everyone" to an account, an organization or one resource. */
const NARROWS =
  /^aws:(SourceArn|SourceAccount|PrincipalOrgID|PrincipalArn|PrincipalAccount|SourceVpce|SourceVpc|CalledVia)$/i;
/** Claims that say which workload of an identity provider it is. */
const SUBJECT = /:(sub|amr)$/;

export const iamPrincipalsAreNamed: Rule = {
  id: "iam-principals-are-named",
  title: 'Who may assume a role or use a resource is named: no Principal "*", no federation without its subject.',
  reason: "A role that every workflow of an identity provider may assume is a role that everybody may assume.",
  remedy:
    "Name the service, the role or the account; for OIDC, hold the sub claim to the repository and environment with StringEquals.",
  types: POLICY_TYPES,
  check: (resource) =>
    policiesOf(resource).statements.flatMap((statement) => {
      const found = statement.allows ? looseIn(statement) : undefined;
      return found === undefined ? [] : [{ found: `statement ${statement.sid} ${found}`, part: statement.sid }];
    }),
};

function looseIn({ actions, principals = [], conditions }: PolicyStatement): string | undefined {
  if (principals.includes("*") && !conditions.some(({ variable }) => NARROWS.test(variable))) {
    return "lets everyone in";
  }
  const federated = principals.some((principal) => principal.startsWith("Federated:"));
  if (federated && actions.includes("sts:AssumeRoleWithWebIdentity")) {
    const subjects = conditions.filter(({ variable }) => SUBJECT.test(variable)).flatMap(({ values }) => values);
    if (subjects.length === 0) {
      return "lets in every subject of an identity provider";
    }
    const loose = subjects.filter((subject) => /^[*?]|^repo:[^/]*[*?]/.test(subject));
    return loose.length === 0 ? undefined : `lets in every subject like ${loose.join(", ")}`;
  }
  return undefined;
}
