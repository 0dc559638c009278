import { AdvancedCluster } from "@cdktf/provider-mongodbatlas/lib/advanced-cluster";
import { NetworkPeering } from "@cdktf/provider-mongodbatlas/lib/network-peering";
import { PeeredAtlas, type PeeredAtlasProps } from "../../constructs/peered-atlas";
import { constructed } from "../support/constructed";

const PROPS: PeeredAtlasProps = {
  organizationId: "0123456789abcdef01234567",
  projectName: "shop-dev",
  clusterName: "shop",
  atlasRegion: "EU_WEST_1",
  atlasCidr: "10.9.0.0/21",
  tier: "M20",
  mongodbVersion: "8.0",
  tags: { owner: "us" },
  vpc: {
    accountId: "111122223333",
    region: "eu-west-1",
    id: "vpc-1",
    cidr: "10.8.0.0/16",
    routeTables: [
      { name: "private-a", id: "rtb-1" },
      { name: "private-b", id: "rtb-2" },
    ],
  },
  access: { cidrs: { "private-1": "10.8.1.0/24", "private-2": "10.8.2.0/24" } },
};

function atlas(props: Partial<PeeredAtlasProps> = {}) {
  return constructed((scope) => {
    const construct = new PeeredAtlas(scope, "atlas", { ...PROPS, ...props });
    const role = construct.customRole("role", "maker", "shop", ["CREATE_COLLECTION"]);
    construct.allowRole("maker", "arn:aws:iam::111122223333:role/maker", [role]);
  });
}

describe("PeeredAtlas", () => {
  const synthesis = atlas();

  test("is three nodes of the tier in one region, with backups, and in TLS 1.2 or newer", () => {
    expect(synthesis.text).toHaveResourceWithProperties(AdvancedCluster, {
      cluster_type: "REPLICASET",
      backup_enabled: true,
      pit_enabled: false,
      replication_specs: [
        {
          region_configs: [
            expect.objectContaining({
              provider_name: "AWS",
              region_name: "EU_WEST_1",
              electable_specs: { instance_size: "M20", node_count: 3 },
            }),
          ],
        },
      ],
      advanced_configuration: { minimum_enabled_tls_protocol: "TLS1_2", javascript_enabled: false },
    });
  });

  test("is protected unless it is said that it need not be", () => {
    const protection = { termination_protection_enabled: true, lifecycle: { prevent_destroy: true } };
    expect(synthesis.resource("mongodbatlas_advanced_cluster")).toMatchObject(protection);
    expect(atlas({ protect: false }).resource("mongodbatlas_advanced_cluster")).toMatchObject({
      termination_protection_enabled: false,
      lifecycle: { prevent_destroy: false },
    });
  });

  test("asks for the peering in AWS's spelling of the region, by the container's id and not Terraform's", () => {
    expect(synthesis.text).toHaveResourceWithProperties(NetworkPeering, {
      accepter_region_name: "eu-west-1",
      aws_account_id: "111122223333",
      vpc_id: "vpc-1",
      route_table_cidr_block: "10.8.0.0/16",
      container_id: synthesis.reference("mongodbatlas_network_container", undefined, "container_id"),
    });
  });

  test("routes from every table, and lets in the ranges that were named", () => {
    expect(
      synthesis.resources("aws_route").map(({ body }) => [body.destination_cidr_block, body.route_table_id]),
    ).toEqual([
      ["10.9.0.0/21", "rtb-1"],
      ["10.9.0.0/21", "rtb-2"],
    ]);
    expect(synthesis.resources("mongodbatlas_project_ip_access_list").map(({ body }) => body.cidr_block)).toEqual([
      "10.8.1.0/24",
      "10.8.2.0/24",
    ]);
  });

  test("lets in a security group in place of ranges", () => {
    const group = atlas({ access: { securityGroupId: "sg-1" } });
    expect(group.resource("mongodbatlas_project_ip_access_list")).toMatchObject({ aws_security_group: "sg-1" });
    expect(group.resource("mongodbatlas_project_ip_access_list")).not.toHaveProperty("cidr_block");
  });

  test("a user is an IAM role with a role in the database, on this cluster alone", () => {
    expect(synthesis.resource("mongodbatlas_database_user")).toMatchObject({
      auth_database_name: "$external",
      aws_iam_type: "ROLE",
      username: "arn:aws:iam::111122223333:role/maker",
      roles: [
        {
          role_name: synthesis.reference("mongodbatlas_custom_db_role", undefined, "role_name"),
          database_name: "admin",
        },
      ],
      scopes: [{ name: synthesis.reference("mongodbatlas_advanced_cluster", undefined, "name"), type: "CLUSTER" }],
    });
    expect(synthesis.resource("mongodbatlas_custom_db_role").actions).toEqual([
      { action: "CREATE_COLLECTION", resources: [{ database_name: "shop", collection_name: "" }] },
    ]);
  });
});
