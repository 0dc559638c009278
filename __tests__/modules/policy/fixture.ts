/** Small stacks of raw resources, held to the policy. */
import { join } from "node:path";
import { TerraformDataSource, TerraformResource, TerraformStack, Testing } from "cdktf";
import { exception } from "../../../constructs/exception";
import { judge, type Verdict } from "../../../modules/platform/policy/judge";
import { RULES } from "../../../modules/platform/policy/rules";
import { runFolder } from "../../support/synth";

/** Attributes by address: `aws_s3_bucket.files`, `data.aws_iam_policy_document.trust`. */
export type Fixture = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** An exception for a resource of a fixture. */
export interface FixtureException {
  readonly address: string;
  readonly rule: string;
  readonly reason?: string;
  readonly part?: string;
}

/** What the policy says of a stack with these resources. */
export function verdictOn(
  fixture: Fixture,
  { protectData = true, exceptions = [] }: { protectData?: boolean; exceptions?: readonly FixtureException[] } = {},
): Verdict {
  const stack = new TerraformStack(Testing.app({ outdir: join(runFolder(), "constructs") }), "fixture");
  for (const [address, attributes] of Object.entries(fixture)) {
    const data = address.startsWith("data.");
    const [terraformResourceType = "", name = ""] = address.replace(/^data\./, "").split(".");
    const element = new (data ? TerraformDataSource : TerraformResource)(stack, address, { terraformResourceType });
    element.overrideLogicalId(name);
    for (const [attribute, value] of Object.entries(attributes)) {
      element.addOverride(attribute, value);
    }
    for (const { rule, part, reason = "A test wants it this way." } of exceptions.filter(
      (each) => each.address === address,
    )) {
      exception(element, rule, reason, part);
    }
  }
  return judge(stack, RULES, { environment: "test", protectData });
}
