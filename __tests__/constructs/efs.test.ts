import { Efs, type EfsProps } from "../../constructs/efs";
import { constructed } from "../support/constructed";
import { statementsOf } from "../support/expression";

function files(props: Partial<EfsProps> = {}) {
  return constructed((scope) => {
    const efs = new Efs(scope, "files", {
      name: "songs",
      vpcId: "vpc-1",
      subnets: { a: "s-1", b: "s-2" },
      client: { groupId: "sg-nodes" },
      ...props,
    });
    efs.accessPoint("point", { path: "/songs", uid: 10001 });
  });
}

describe("Efs", () => {
  const synthesis = files();

  test("is encrypted, and is mounted over TLS through its mount targets alone", async () => {
    expect(synthesis.resource("aws_efs_file_system").encrypted).toBe(true);
    const statements = await statementsOf(synthesis.resource("aws_efs_file_system_policy").policy);
    expect(statements.map(({ effect, condition }) => [effect, condition])).toEqual([
      ["Allow", { Bool: { "elasticfilesystem:AccessedViaMountTarget": "true" } }],
      ["Deny", { Bool: { "aws:SecureTransport": "false" } }],
    ]);
  });

  test("has a mount target in each subnet, that only its clients reach", () => {
    const group = synthesis.reference("aws_security_group", undefined, "id");
    expect(
      synthesis.resources("aws_efs_mount_target").map(({ body }) => [body.subnet_id, body.security_groups]),
    ).toEqual([
      ["s-1", [group]],
      ["s-2", [group]],
    ]);
    expect(synthesis.resources("aws_vpc_security_group_ingress_rule").map(({ body }) => body)).toEqual([
      expect.objectContaining({ from_port: 2049, to_port: 2049, referenced_security_group_id: "sg-nodes" }),
    ]);
  });

  test("shows an access point's clients one folder, as one user who is not root", () => {
    expect(synthesis.resource("aws_efs_access_point")).toMatchObject({
      posix_user: { uid: 10001, gid: 10001 },
      root_directory: { path: "/songs", creation_info: { owner_uid: 10001, owner_gid: 10001, permissions: "0750" } },
    });
  });

  test("is backed up and protected, unless it is said not to be", () => {
    const state = (protect: boolean, backup: boolean) => {
      const { lifecycle } = files({ protect, backup }).resource("aws_efs_file_system");
      return [lifecycle, files({ protect, backup }).resource("aws_efs_backup_policy").backup_policy];
    };
    expect(state(true, true)).toEqual([{ prevent_destroy: true }, { status: "ENABLED" }]);
    expect(state(false, false)).toEqual([{ prevent_destroy: false }, { status: "DISABLED" }]);
  });
});
