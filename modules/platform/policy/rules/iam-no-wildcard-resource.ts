/** IAM policies that name what they are about. */
import { namesEverything } from "../../../../constructs/role";
import type { Rule } from "../rule";
import { POLICY_TYPES, policiesOf } from "../statements";

export const iamNoWildcardResource: Rule = {
  id: "iam-no-wildcard-resource",
  title: "What a role is allowed names its resources: not all of a service, and not all of a type.",
  reason: 'With "*", one program that is taken over reaches what every other program keeps.',
  remedy:
    "Name the ARNs. Where an action has no resource-level permissions, say so: wildcardReason in a Statement of constructs/role.ts.",
  types: POLICY_TYPES,
  check: (resource) =>
    policiesOf(resource).statements.flatMap(({ sid, allows, resources, notResources, principals }) => {
      // In a resource's own policy and in a trust policy, the resource is the one that carries it.
      const loose =
        principals === undefined && (notResources || resources.length === 0 || resources.some(namesEverything));
      const what = notResources ? "everything but what NotResource names" : resources.join(", ") || "no resource";
      return allows && loose ? [{ found: `statement ${sid} is about ${what}`, part: sid }] : [];
    }),
};
