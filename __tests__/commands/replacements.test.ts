/** The reader of providers' source, on small sources that are written as theirs are. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REPLACEMENTS, replacementTables } from "../../commands/support/plans/replacements";
import { PROVIDERS } from "../../local/providers";
import { removeScratch, scratchFolder } from "../local/scratch";
import { run } from "../support/run";
import { has, testUnless } from "../support/tools";

const GO_MS = 180_000;

afterEach(removeScratch);

/** The plugin SDK, as the aws provider uses it: annotations, constants, a schema in a variable, a nested block. */
const SDK = `package sqs

const AttrName = "name"

var queueSchema = map[string]*schema.Schema{
	AttrName: {Type: schema.TypeString, ForceNew: true},
	"delay":  {Type: schema.TypeInt},
	"rule": {
		Elem: &schema.Resource{Schema: map[string]*schema.Schema{
			"key":   {ForceNew: true},
			"value": {ForceNew: false},
		}},
	},
	"owner": ownerSchema(),
}

func ownerSchema() *schema.Schema {
	return &schema.Schema{ForceNew: true}
}

// @SDKResource("aws_old_queue", name="Queue")
// @SDKResource("aws_queue", name="Queue")
func resourceQueue() *schema.Resource {
	return &schema.Resource{Schema: maps.Clone(queueSchema)}
}
`;

/** The plugin framework, with the schema in a type that another embeds. */
const FRAMEWORK = `package vpc

// @FrameworkResource("aws_rule", name="Rule")
func newRuleResource(context.Context) (resource.ResourceWithConfigure, error) {
	r := &ruleResource{}
	return r, nil
}

type ruleResource struct {
	baseResource
}

type baseResource struct{}

func (r *baseResource) Schema(ctx context.Context, request resource.SchemaRequest, response *resource.SchemaResponse) {
	response.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"group": schema.StringAttribute{
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"port": schema.Int64Attribute{
				PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			},
		},
	}
}
`;

/** Google's registry, with a resource that is put together from another package. */
const REGISTRY = `package storage

var bucketSchema = map[string]*schema.Schema{"bucket": {ForceNew: true}}

func init() {
	registry.Schema{Name: "google_bucket_member", Type: registry.SchemaTypeIAMResource, Schema: iam.Member(bucketSchema)}.Register()
	registry.Schema{Name: "google_bucket", Type: registry.SchemaTypeDataSource, Schema: nothing()}.Register()
}
`;
const IAM = `package iam

var memberSchema = map[string]*schema.Schema{"role": {ForceNew: true}, "note": {}}

func Member(parent map[string]*schema.Schema) *schema.Resource {
	member := &schema.Resource{}
	member.Schema = merge(memberSchema, parent)
	return member
}
`;

testUnless(has("go") ? undefined : "go is not on PATH")(
  "replacements: what forces a replacement is read from every style that the providers are written in",
  () => {
    const folder = scratchFolder();
    for (const [name, text] of Object.entries({ sqs: SDK, vpc: FRAMEWORK, storage: REGISTRY, iam: IAM })) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, `${name}.go`), text);
    }

    const found = run("go", ["run", join(REPLACEMENTS, "extract", "main.go"), folder], { timeoutMs: GO_MS });

    const queue = ["name", "owner", "rule.key"];
    expect(JSON.parse(found)).toEqual({
      aws_old_queue: queue,
      aws_queue: queue,
      aws_rule: ["group"],
      google_bucket_member: ["bucket", "role"],
    });
  },
  GO_MS,
);

test("replacements: there is a table of each provider that the stacks use, of the version that is pinned", () => {
  const pinned = PROVIDERS.map(({ name, moduleVersion, version }) => [name, version, moduleVersion]);

  const tables = replacementTables();

  expect(tables.map(({ provider, source, version }) => [provider, version, source.split("@")[1]]).sort()).toEqual(
    pinned.sort(),
  );
});
