/** A claim on files that are there already: many pods on many nodes read and write them. */
import { PersistentVolumeClaimV1 } from "@cdktf/provider-kubernetes/lib/persistent-volume-claim-v1";
import { PersistentVolumeV1 } from "@cdktf/provider-kubernetes/lib/persistent-volume-v1";
import { StorageClassV1 } from "@cdktf/provider-kubernetes/lib/storage-class-v1";
import { Construct } from "constructs";

export interface SharedClaimProps {
  /** Name of the claim, and with the namespace before it of its volume and class. */
  readonly name: string;
  readonly namespace: string;
  /** EFS file system, and the access point that is all of it that pods see. */
  readonly fileSystemId: string;
  readonly accessPointId: string;
  /** Size, in GiB: Kubernetes wants one, and EFS grows past it. */
  readonly gib: number;
}

/** The class makes no volumes: this claim is for this volume and no other, which stays when the claim goes. */
export class SharedClaim extends Construct {
  /** Name of the claim. */
  readonly name: string;

  constructor(scope: Construct, id: string, props: SharedClaimProps) {
    super(scope, id);
    const full = `${props.namespace}-${props.name}`;
    const storage = `${props.gib}Gi`;
    const storageClass = new StorageClassV1(this, "class", {
      metadata: { name: full },
      storageProvisioner: "kubernetes.io/no-provisioner",
      reclaimPolicy: "Retain",
      volumeBindingMode: "Immediate",
    });
    const volume = new PersistentVolumeV1(this, "volume", {
      metadata: { name: full },
      spec: [
        {
          accessModes: ["ReadWriteMany"],
          capacity: { storage },
          storageClassName: storageClass.metadata.name,
          persistentVolumeReclaimPolicy: "Retain",
          claimRef: { name: props.name, namespace: props.namespace },
          persistentVolumeSource: {
            // The driver encrypts on the way: "::" stands between file system and access point.
            csi: { driver: "efs.csi.aws.com", volumeHandle: `${props.fileSystemId}::${props.accessPointId}` },
          },
        },
      ],
    });
    const claim = new PersistentVolumeClaimV1(this, "Resource", {
      metadata: { name: props.name, namespace: props.namespace },
      spec: {
        accessModes: ["ReadWriteMany"],
        storageClassName: storageClass.metadata.name,
        volumeName: volume.metadata.name,
        resources: { requests: { storage } },
      },
    });
    this.name = claim.metadata.name;
  }
}
