/** The parts of Terraform's plan JSON (`terraform show -json`, format 1.x) that are read here, and the plan without its secrets. */
import { z } from "zod";
import { hide, isObject, SENSITIVE } from "./values";

const action = z.enum(["no-op", "create", "read", "update", "delete", "forget"]);

const changed = z.looseObject({
  actions: z.array(action),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  after_unknown: z.unknown().optional(),
  before_sensitive: z.unknown().optional(),
  after_sensitive: z.unknown().optional(),
  replace_paths: z.array(z.array(z.union([z.string(), z.number()]))).optional(),
  importing: z.unknown().optional(),
});

const resourceChange = z.looseObject({
  address: z.string(),
  mode: z.enum(["managed", "data"]),
  type: z.string(),
  name: z.string(),
  previous_address: z.string().optional(),
  action_reason: z.string().optional(),
  change: changed,
});

const configured = z.looseObject({ address: z.string(), expressions: z.record(z.string(), z.unknown()).default({}) });

const planJson = z.looseObject({
  terraform_version: z.string(),
  resource_changes: z.array(resourceChange).default([]),
  resource_drift: z.array(resourceChange).default([]),
  output_changes: z.record(z.string(), changed).default({}),
  variables: z.record(z.string(), z.unknown()).optional(),
  configuration: z
    .looseObject({
      root_module: z
        .looseObject({
          resources: z.array(configured).default([]),
          variables: z.record(z.string(), z.looseObject({ sensitive: z.boolean().optional() })).optional(),
        })
        .optional(),
    })
    .optional(),
});

/** A plan as JSON. */
export type PlanJson = z.output<typeof planJson>;
/** What happens to a resource, or has happened to it. */
export type ResourceChange = z.output<typeof resourceChange>;

/**
 * Reads what `terraform show -json` printed.
 *
 * @throws ZodError when it is no plan
 */
export function parsePlan(text: string): PlanJson {
  return planJson.parse(JSON.parse(text));
}

/**
 * The plan with each secret replaced: Terraform writes secrets into its JSON as they are, and beside them which ones they are. What is no
 * value (addresses, actions, configuration) stays.
 */
export function maskPlan(plan: PlanJson): unknown {
  const declared = plan.configuration?.root_module?.variables ?? {};
  const variables = Object.entries(plan.variables ?? {}).map(([name, value]) => [
    name,
    declared[name]?.sensitive ? { value: SENSITIVE } : value,
  ]);
  return masked({ ...plan, ...(plan.variables ? { variables: Object.fromEntries(variables) } : {}) });
}

/** Fields whose secrets are named by a sibling. */
const MASKS: Readonly<Record<string, string>> = {
  before: "before_sensitive",
  after: "after_sensitive",
  values: "sensitive_values",
};

function masked(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(masked);
  }
  if (!isObject(value)) {
    return value;
  }
  if (value.sensitive === true && "value" in value) {
    return { ...value, value: SENSITIVE };
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      const mask = MASKS[key];
      return [key, mask !== undefined && mask in value ? hide(each, value[mask], SENSITIVE) : masked(each)];
    }),
  );
}
