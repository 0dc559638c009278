/** Stack inference-network: the order in which Atlas and AWS can do it, and who reaches whom. */
import { modelArns } from "../../../modules/inference/bedrock";
import { FUNCTION_ROLES } from "../../../modules/inference/names";
import { atlasRegionOf } from "../../../modules/inference/regions";
import { statementsOf } from "../../support/expression";
import { expr, type Resource, type Synthesis, stackOf } from "../../support/synth";

const ORDER = [
  "mongodbatlas_project",
  "mongodbatlas_network_container",
  "mongodbatlas_advanced_cluster",
  "mongodbatlas_network_peering",
  "aws_vpc_peering_connection_accepter",
  "aws_route",
  "mongodbatlas_project_ip_access_list",
];

/** What each resource needs, by address: references in its body and what it says it depends on. */
function needsOf(stack: Synthesis): Map<string, Set<string>> {
  const all = stack.resources();
  return new Map(
    all.map(({ address, body }) => {
      const text = JSON.stringify({ ...body, "//": undefined });
      const needed = all.filter(
        (other) => other.address !== address && new RegExp(`\\b${other.address}(?![\\w-])`).test(text),
      );
      return [address, new Set(needed.map((other) => other.address))];
    }),
  );
}

/** Everything that a resource waits for, through others. */
function allNeeds(needs: Map<string, Set<string>>, address: string, seen = new Set<string>()): Set<string> {
  for (const each of needs.get(address) ?? []) {
    if (!seen.has(each)) {
      seen.add(each);
      allNeeds(needs, each, seen);
    }
  }
  return seen;
}

/** The order of the walk: what waits for nothing first. Its reverse is the order of destruction. */
function walk(needs: Map<string, Set<string>>): string[] {
  const done: string[] = [];
  const visit = (address: string) => {
    for (const each of needs.get(address) ?? []) {
      visit(each);
    }
    if (!done.includes(address)) {
      done.push(address);
    }
  };
  for (const address of needs.keys()) {
    visit(address);
  }
  return done;
}

function atlasSteps(stack: Synthesis): Resource[][] {
  return ORDER.map((type) =>
    stack.resources(type).filter(({ type, name }) => type !== "aws_route" || name.startsWith("atlas_")),
  );
}

describe.each(["dev", "prod", "options"] as const)("inference-network of %s", (environment) => {
  const stack = stackOf(environment, "inference-network");
  const needs = needsOf(stack);

  test("Atlas and AWS are asked in the order that works: each step waits for the one before it", () => {
    const steps = atlasSteps(stack);
    steps.forEach((step, index) => {
      expect([ORDER[index], step.length > 0]).toEqual([ORDER[index], true]);
      for (const { address } of step) {
        const needed = allNeeds(needs, address);
        const before = steps.slice(0, index).flatMap((others) => others.map((other) => other.address));
        expect([address, before.filter((each) => !needed.has(each))]).toEqual([address, []]);
      }
    });
  });

  test("and it is destroyed in the reverse order: nothing goes while something of a later step is there", () => {
    const destroyed = walk(needs).reverse();
    const position = (address: string) => destroyed.indexOf(address);
    const steps = atlasSteps(stack);
    steps.slice(1).forEach((step, index) => {
      const last = Math.max(...step.map(({ address }) => position(address)));
      const first = Math.min(...(steps[index] ?? []).map(({ address }) => position(address)));
      expect([ORDER[index + 1], last < first]).toEqual([ORDER[index + 1], true]);
    });
  });

  test("every private route table leads to Atlas over the accepted peering", () => {
    const tables = stack.resources("aws_route_table").filter(({ name }) => name.includes("private"));
    const cidr = stack.resource("mongodbatlas_network_container").atlas_cidr_block;
    const routes = stack.resources("aws_route").filter(({ body }) => body.destination_cidr_block === cidr);
    expect(routes.map(({ body }) => body.route_table_id).sort()).toEqual(
      tables.map(({ address }) => expr(`${address}.id`)).sort(),
    );
    for (const { body } of routes) {
      expect(body.vpc_peering_connection_id).toBe(
        stack.reference("aws_vpc_peering_connection_accepter", undefined, "id"),
      );
    }
  });

  test("functions reach AWS's services, the load balancer and MongoDB's ports at Atlas, and nothing else", () => {
    const own = stack.reference("aws_security_group", "function-security-group", "id");
    const out = stack
      .resources("aws_vpc_security_group_egress_rule")
      .filter(({ body }) => body.security_group_id === own)
      .map(({ body }) => `${body.from_port}-${body.to_port}`);
    expect(out.sort()).toEqual(["27015-27017", "443-443", "80-80"]);
    expect(stack.resource("aws_vpc_security_group_egress_rule", { from_port: 27015 }).cidr_ipv4).toBe(
      stack.resource("mongodbatlas_network_container").atlas_cidr_block,
    );
    const into = stack.resources("aws_vpc_security_group_ingress_rule");
    expect(into.filter(({ body }) => body.security_group_id === own)).toEqual([]);
    expect(into.filter(({ body }) => body.cidr_ipv4 !== undefined)).toEqual([]);
  });

  test("database users are the functions' roles, of one database, without a password", () => {
    const account = stack.at("provider", "aws", 0, "allowed_account_ids", 0);
    const users = stack.resources("mongodbatlas_database_user");
    expect(users.map(({ body }) => body.username).sort()).toEqual(
      Object.values(FUNCTION_ROLES)
        .map((role) => `arn:aws:iam::${account}:role/${role}`)
        .sort(),
    );
    const database = stack.outputs.database_name;
    for (const { body } of users) {
      expect(body).toMatchObject({ auth_database_name: "$external", aws_iam_type: "ROLE" });
      expect(body).not.toHaveProperty("password");
      const [role, ...others] = body.roles as { database_name: string; role_name: string }[];
      expect(others).toEqual([]);
      expect([database, "admin"]).toContain(role?.database_name);
    }
    expect(stack.resource("mongodbatlas_database_user", "atlas_user-search").roles).toEqual([
      { database_name: database, role_name: "read" },
    ]);
  });

  test("the bootstrap makes collections and indexes, and neither reads nor writes what is in them", () => {
    const { actions } = stack.resource("mongodbatlas_custom_db_role") as unknown as { actions: { action: string }[] };
    const allowed = actions.map(({ action }) => action);
    expect(allowed).toEqual(expect.arrayContaining(["CREATE_COLLECTION", "CREATE_SEARCH_INDEXES"]));
    expect(allowed.filter((action) => /^(FIND|INSERT|UPDATE|REMOVE)$|^DROP_/.test(action))).toEqual([]);
  });

  test("no key of Atlas is in it: they come from the environment alone", () => {
    expect(stack.at("provider", "mongodbatlas")).toEqual([{}]);
  });

  test("the Bedrock endpoint lets the functions' roles invoke the models of the settings, and nothing else", async () => {
    const endpoint = stack.resource("aws_vpc_endpoint", "endpoints_bedrock-runtime");
    const [statement, ...others] = await statementsOf(endpoint.policy);
    expect(others).toEqual([]);
    expect(statement?.actions).toEqual(["bedrock:InvokeModel"]);
    expect(statement?.resources.every((arn) => /:(foundation-model|inference-profile)\/[\w.:-]+$/.test(arn))).toBe(
      true,
    );
    expect(endpoint).toMatchObject({ vpc_endpoint_type: "Interface", private_dns_enabled: true });
  });
});

describe("inference-network", () => {
  test("in prod, project and cluster are protected, and backups outlive a cluster", () => {
    const stack = stackOf("prod", "inference-network");
    expect(stack.resource("mongodbatlas_advanced_cluster")).toMatchObject({
      backup_enabled: true,
      retain_backups_enabled: true,
      termination_protection_enabled: true,
      lifecycle: { prevent_destroy: true },
    });
    expect(stack.resource("mongodbatlas_project").lifecycle).toEqual({ prevent_destroy: true });
  });

  test("with a NAT gateway only Bedrock and S3 have endpoints; the access list names the private subnets", () => {
    const stack = stackOf("dev", "inference-network");
    expect(stack.resources("aws_nat_gateway")).toHaveLength(1);
    expect(stack.resources("aws_vpc_endpoint").map(({ name }) => name)).toEqual([
      "endpoints_bedrock-runtime",
      "vpc_s3-endpoint",
    ]);
    expect(stack.resources("mongodbatlas_project_ip_access_list").map(({ body }) => body.cidr_block)).toEqual([
      "10.20.16.0/20",
      "10.20.32.0/20",
    ]);
  });

  test("with endpoints only there is no way to the internet, and the access list may name the functions' group", () => {
    const stack = stackOf("options", "inference-network");
    expect(stack.resources("aws_nat_gateway")).toEqual([]);
    const services = stack
      .resources("aws_vpc_endpoint")
      .map(({ body }) => String(body.service_name).split(".").slice(3).join("."));
    expect(services.sort()).toEqual(
      ["bedrock-runtime", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "s3", "sqs", "sts"].sort(),
    );
    const out = stack.resources("aws_vpc_security_group_egress_rule");
    expect(out.filter(({ body }) => body.cidr_ipv4 === "0.0.0.0/0")).toEqual([]);
    expect(stack.resource("mongodbatlas_project_ip_access_list").aws_security_group).toBe(
      stack.reference("aws_security_group", "function-security-group", "id"),
    );
  });
});

test("an inference profile needs itself and its model in every region that it may answer from", () => {
  expect(modelArns("amazon.titan-embed-text-v2:0", "ap-northeast-2", "1")).toEqual([
    "arn:aws:bedrock:ap-northeast-2::foundation-model/amazon.titan-embed-text-v2:0",
  ]);
  const [profile, ...models] = modelArns("apac.amazon.nova-lite-v1:0", "ap-northeast-2", "1");
  expect(profile).toBe("arn:aws:bedrock:ap-northeast-2:1:inference-profile/apac.amazon.nova-lite-v1:0");
  expect(models).toContain("arn:aws:bedrock:ap-southeast-2::foundation-model/amazon.nova-lite-v1:0");
  expect(models).toHaveLength(6);
});

test("regions are spelled Atlas's way, and one without a name is an error", () => {
  expect(atlasRegionOf("ap-northeast-2")).toBe("AP_NORTHEAST_2");
  expect(() => atlasRegionOf("xx-nowhere-9")).toThrow("MongoDB Atlas has no name for the region xx-nowhere-9");
});
