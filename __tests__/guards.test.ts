/** What keeps a plan from the wrong account, the wrong region, or a zone without the machines: in every stack, whoever wrote it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { artifactIn } from "../commands/support/rollback/user-data";
import { loadSettings } from "../modules/platform/settings";
import { templateOf } from "./support/expression";
import {
  ALL_ENVIRONMENTS,
  type Block,
  ENVIRONMENTS,
  type Environment,
  type Resource,
  type Synthesis,
  synthesized,
} from "./support/synth";

function stacksOf(environment: Environment): [string, Synthesis][] {
  return Object.entries(synthesized(environment).stacks);
}

/** The instance types that a resource starts, where they are known. */
function instanceTypes({ type, body }: Resource): string[] {
  switch (type) {
    case "aws_instance":
    case "aws_launch_template":
      return body.instance_type === undefined ? [] : [String(body.instance_type)];
    case "aws_eks_node_group":
      return ((body.instance_types ?? []) as string[]).map(String);
    default:
      return [];
  }
}

/** The instance types that a mixed group chooses from. */
function mixedTypes({ body }: Resource): string[] {
  const policy = body.mixed_instances_policy as
    | { launch_template: { override: { instance_type: string }[] } }
    | undefined;
  return (policy?.launch_template.override ?? []).map(({ instance_type }) => instance_type);
}

/** The instance types that a stack asks about before it plans. */
function asked(stack: Synthesis): string[] {
  return stack.data("aws_ec2_instance_type_offerings").flatMap(({ body }) => {
    const filters = body.filter as { readonly name: string; readonly values: string[] }[];
    expect(filters.map(({ name }) => name)).toEqual(expect.arrayContaining(["instance-type", "location"]));
    expect(body.lifecycle).toMatchObject({
      postcondition: [{ error_message: expect.stringContaining("not offered") }],
    });
    return filters.filter(({ name }) => name === "instance-type").flatMap(({ values }) => values);
  });
}

describe.each(ENVIRONMENTS)("environment %s", (environment) => {
  const { accountId, region } = loadSettings(environment);

  test("every stack's provider takes one account and one region alone, that of the settings", () => {
    for (const [id, stack] of stacksOf(environment)) {
      const providers = (stack.at("provider", "aws") ?? []) as readonly Block[];

      expect([id, providers.length > 0]).toEqual([id, true]);
      for (const provider of providers) {
        expect({ id, ...provider }).toMatchObject({ id, region, allowed_account_ids: [accountId] });
      }
    }
  });

  test("every stack keeps its state, and reads others', in that account and region alone", () => {
    for (const [id, stack] of stacksOf(environment)) {
      const states = stack.data("terraform_remote_state").map(({ body }) => body.config);

      for (const state of [stack.at("terraform", "backend", "s3"), ...states]) {
        expect({ id, ...(state as Block) }).toMatchObject({ id, region, allowed_account_ids: [accountId] });
      }
    }
  });
});

test.each(ALL_ENVIRONMENTS)(
  "environment %s asks of every instance type whether its zones offer it, GPUs included",
  (environment) => {
    for (const [id, stack] of stacksOf(environment)) {
      const types = stack.resources().flatMap(instanceTypes);
      const found = new Set(asked(stack));

      expect({ id, missing: types.filter((type) => !found.has(type)) }).toEqual({ id, missing: [] });
      // A mixed group may name more, and its group may ask for those too.
      const mixed = stack.resources("aws_autoscaling_group").flatMap(mixedTypes);
      expect({ id, idle: [...found].filter((type) => ![...types, ...mixed].includes(type)) }).toEqual({ id, idle: [] });
    }
  },
);

test("the environment with every option has a GPU among them", () => {
  expect(stacksOf("options").flatMap(([, stack]) => asked(stack))).toContain("g5.xlarge");
});

test.each(ALL_ENVIRONMENTS)(
  "environment %s: every program's group can be rolled back, since its user data names its artifact",
  async (environment) => {
    const { folder, stacks } = synthesized(environment);
    for (const [id, stack] of Object.entries(stacks)) {
      const programs = stack
        .resources("aws_s3_object")
        .flatMap(({ body }) => /^programs\/([^/]+)\//.exec(String(body.key))?.[1] ?? []);
      const named: (string | undefined)[] = [];
      // Nodes of an EKS cluster run no program of ours.
      for (const { body } of stack
        .resources("aws_launch_template")
        .filter(({ body }) => body.user_data !== undefined)) {
        const { path } = await templateOf(body.user_data);
        const text = readFileSync(join(folder, "stacks", id, path), "utf8");
        for (const program of programs) {
          // As Terraform renders it.
          const values: Record<string, string> = {
            artifact_bucket: "a-bucket",
            artifact_key: `programs/${program}/${"0".repeat(64)}.zip`,
          };
          named.push(artifactIn(text.replace(/\$\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole))?.program);
        }
      }

      expect({ id, named }).toEqual({ id, named: programs });
    }
  },
);
