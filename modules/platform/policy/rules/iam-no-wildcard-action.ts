/** IAM policies that name each action. */
import type { Rule } from "../rule";
import { POLICY_TYPES, policiesOf } from "../statements";

export const iamNoWildcardAction: Rule = {
  id: "iam-no-wildcard-action",
  title: "What is allowed names each action: no wildcard, no NotAction.",
  reason: "A wildcard allows what AWS adds next year, and nobody knows what a program really needs.",
  remedy: "Name the actions that the program calls.",
  types: POLICY_TYPES,
  check: (resource) =>
    policiesOf(resource).statements.flatMap(({ sid, allows, actions, notActions }) => {
      const loose = notActions
        ? ["everything but what NotAction names"]
        : actions.filter((action) => /[*?]/.test(action));
      return allows && loose.length > 0 ? [{ found: `statement ${sid} allows ${loose.join(", ")}`, part: sid }] : [];
    }),
};
