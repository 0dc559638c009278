/** The stand-in of the Atlas provider: real Terraform attached to it, in front of the stand-ins. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateVpcCommand, EC2Client } from "@aws-sdk/client-ec2";
import { type AtlasProvider, startAtlasProvider } from "../../../local/atlas-provider/program";
import { SCHEMAS_FILE, schemasText } from "../../../local/atlas-provider/schemas";
import { clientOptions, terraformClouds } from "../../../local/clouds";
import { run } from "../../support/run";
import { type StandIns, startStandIns } from "../../support/servers";
import { expr } from "../../support/synth";
import { describeUnless } from "../../support/tools";

const ACCOUNT = "123456789012";
const REGION = "ap-northeast-2";
const PROJECT = expr("mongodbatlas_project.p.id");
/** The container first: at the same time, the cluster would make one of its own. */
const AFTER = { depends_on: ["mongodbatlas_network_container.c"] };
const TEST_MS = 60_000;

test("schemas.json is what the bindings say (npx tsx local/atlas-provider/schemas.ts writes it)", () => {
  expect(JSON.parse(readFileSync(SCHEMAS_FILE, "utf8"))).toEqual(JSON.parse(schemasText()));
});

test("the schemas tell what is computed, what is a block, and how often", () => {
  const { resources } = JSON.parse(schemasText());
  expect(resources.mongodbatlas_network_peering.attributes).toMatchObject({
    connection_id: { computed: true, type: "string" },
    container_id: { required: true, type: "string" },
    vpc_id: { optional: true, computed: true, type: "string" },
  });
  expect(resources.mongodbatlas_advanced_cluster.blocks).toMatchObject({
    replication_specs: {
      nesting: "list",
      blocks: { region_configs: { blocks: { electable_specs: { maxItems: 1 } } } },
    },
    tags: { nesting: "set" },
    timeouts: { nesting: "single" },
  });
});

describeUnless(process.env.NANOGRID_NO_ATLAS_PROVIDER)("the provider", () => {
  let standIns: StandIns;
  let atlas: AtlasProvider;
  let work: string;
  let vpcId: string;
  let number = 0;

  beforeAll(async () => {
    standIns = await startStandIns(ACCOUNT);
    atlas = await startAtlasProvider(process.env.NANOGRID_ATLAS_PROVIDER ?? "", standIns.ports.aws);
    work = mkdtempSync(join(tmpdir(), "atlas-provider-"));
    const ec2 = new EC2Client(clientOptions(standIns.ports, REGION));
    vpcId = (await ec2.send(new CreateVpcCommand({ CidrBlock: "10.20.0.0/16" }))).Vpc?.VpcId ?? "";
    ec2.destroy();
  }, TEST_MS);

  afterAll(async () => {
    await atlas?.stop();
    await standIns?.stop();
    rmSync(work, { recursive: true, force: true });
  });

  /** A folder of its own with these resources and a project `p`, ready to apply. */
  function configured(resource: object): { write(resource: object): void; terraform(...args: string[]): string } {
    const name = String(number++);
    const cwd = join(work, name);
    mkdirSync(cwd);
    const write = (changed: object) => {
      const project = { p: { org_id: "5f0000000000000000000000", name: `p-${name}` } };
      const document = {
        terraform: { required_providers: { mongodbatlas: { source: "mongodb/mongodbatlas", version: "~> 1.41" } } },
        resource: { mongodbatlas_project: project, ...changed },
      };
      writeFileSync(join(cwd, "main.tf.json"), JSON.stringify(document));
    };
    write(resource);
    const env = { ...process.env, ...terraformClouds(standIns.ports, REGION), ...atlas.env };
    const terraform = (...args: string[]) => run("terraform", [...args, "-no-color"], { cwd, env });
    terraform("init", "-input=false");
    return { write, terraform };
  }

  const container = (cidr = "10.21.0.0/21") => ({
    mongodbatlas_network_container: {
      c: { project_id: PROJECT, atlas_cidr_block: cidr, region_name: "AP_NORTHEAST_2", provider_name: "AWS" },
    },
  });
  const cluster = (more: object = {}, tier = "M10") => ({
    mongodbatlas_advanced_cluster: {
      a: {
        project_id: PROJECT,
        name: "shop",
        cluster_type: "REPLICASET",
        replication_specs: [
          {
            region_configs: [
              {
                provider_name: "AWS",
                region_name: "AP_NORTHEAST_2",
                priority: 7,
                electable_specs: { instance_size: tier, node_count: 3 },
              },
            ],
          },
        ],
        ...more,
      },
    },
  });
  const peering = (containerId: string) => ({
    mongodbatlas_network_peering: {
      n: {
        project_id: PROJECT,
        container_id: containerId,
        provider_name: "AWS",
        accepter_region_name: REGION,
        aws_account_id: ACCOUNT,
        vpc_id: vpcId,
        route_table_cidr_block: "10.20.0.0/16",
      },
    },
  });
  const apply = ["apply", "-auto-approve", "-input=false"];
  const OWN_CONTAINER = expr("mongodbatlas_network_container.c.container_id");

  test(
    "a cluster without a container gets one of Atlas's own, so that another range comes too late",
    () => {
      const { write, terraform } = configured(cluster());
      terraform(...apply);
      write({ ...cluster(), ...container() });
      expect(() => terraform(...apply)).toThrow(/CONTAINER_ALREADY_EXISTS/);
    },
    TEST_MS,
  );

  test(
    "a peering without its container, or with a range that overlaps, is refused",
    () => {
      const without = configured(peering("0123456789abcdef01234567"));
      expect(() => without.terraform(...apply)).toThrow(/CLOUD_PROVIDER_CONTAINER_NOT_FOUND/);
      const overlapping = configured({ ...container("10.20.8.0/21"), ...peering(OWN_CONTAINER) });
      expect(() => overlapping.terraform(...apply)).toThrow(/OVERLAPPING_CIDR_BLOCKS/);
    },
    TEST_MS,
  );

  test(
    "a security group is refused on the access list before a peering is active",
    () => {
      const { terraform } = configured({
        ...container(),
        ...peering(OWN_CONTAINER),
        mongodbatlas_project_ip_access_list: {
          s: { project_id: PROJECT, aws_security_group: "sg-1", depends_on: ["mongodbatlas_network_peering.n"] },
        },
      });
      expect(() => terraform(...apply)).toThrow(/no peering of the project is active/);
      expect(terraform("show")).toContain('status_name            = "PENDING_ACCEPTANCE"');
    },
    TEST_MS,
  );

  test(
    "a tier without machines of its own, and a protected cluster's end, are refused",
    () => {
      expect(() => configured(cluster({}, "M0")).terraform(...apply)).toThrow(/M0 is no tier of dedicated clusters/);
      const kept = configured({ ...container(), ...cluster({ ...AFTER, termination_protection_enabled: true }) });
      kept.terraform(...apply);
      expect(() => kept.terraform("destroy", "-auto-approve")).toThrow(/protected from termination/);
    },
    TEST_MS,
  );

  test(
    "what changes in place changes, what cannot is replaced, and then there is nothing to do",
    () => {
      const { write, terraform } = configured({
        ...container(),
        ...cluster(AFTER),
      });
      terraform(...apply);
      write({ ...container(), ...cluster({ backup_enabled: true, ...AFTER }) });
      expect(terraform(...apply)).toContain("0 added, 1 changed, 0 destroyed");
      terraform("plan", "-detailed-exitcode");
      write({ ...container(), ...cluster({ name: "other", ...AFTER }) });
      expect(terraform("plan")).toMatch(/name +=? *"shop" -> "other" # forces replacement/);
      expect(terraform("destroy", "-auto-approve")).toContain("Destroy complete!");
    },
    TEST_MS,
  );

  test(
    "what is there is imported, and what is gone is planned anew",
    () => {
      const { terraform } = configured({});
      terraform(...apply);
      const [, id = ""] = /id += "([0-9a-f]{24})"/.exec(terraform("state", "show", "mongodbatlas_project.p")) ?? [];
      terraform("state", "rm", "mongodbatlas_project.p");
      terraform("import", "mongodbatlas_project.p", id);
      terraform("plan", "-detailed-exitcode");
      run("curl", [
        "-sf",
        "-X",
        "DELETE",
        `http://127.0.0.1:${standIns.ports.aws}/standins/atlas/mongodbatlas_project/${id}`,
      ]);
      expect(terraform("plan")).toContain("1 to add, 0 to change, 0 to destroy");
    },
    TEST_MS,
  );
});
