import { SharedClaim } from "../../constructs/shared-claim";
import { constructed } from "../support/constructed";
import type { Block } from "../support/synth";

describe("SharedClaim", () => {
  const synthesis = constructed((scope) => {
    new SharedClaim(scope, "files", {
      name: "files",
      namespace: "songs",
      fileSystemId: "fs-1",
      accessPointId: "fsap-1",
      gib: 50,
    });
  });
  const volume = (synthesis.resource("kubernetes_persistent_volume_v1").spec as readonly Block[])[0] as Block;

  test("is for one volume, and the volume for it: neither takes another", () => {
    const { spec } = synthesis.resource("kubernetes_persistent_volume_claim_v1");
    expect((spec as Block).volume_name).toMatch(/^\$\{kubernetes_persistent_volume_v1\..*\.metadata\[0\]\.name\}$/);
    expect(volume.claim_ref).toEqual({ name: "files", namespace: "songs" });
    expect(volume.persistent_volume_source).toEqual({
      csi: { driver: "efs.csi.aws.com", volume_handle: "fs-1::fsap-1" },
    });
  });

  test("leaves the files where they are when it goes, and makes no volume by itself", () => {
    expect(volume.persistent_volume_reclaim_policy).toBe("Retain");
    expect(synthesis.resource("kubernetes_storage_class_v1")).toMatchObject({
      storage_provisioner: "kubernetes.io/no-provisioner",
      reclaim_policy: "Retain",
    });
  });

  test("is read and written by many pods on many nodes", () => {
    expect(volume.access_modes).toEqual(["ReadWriteMany"]);
    expect(volume.capacity).toEqual({ storage: "50Gi" });
  });
});
