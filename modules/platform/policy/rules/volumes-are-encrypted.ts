/** Disks that nobody can read without the account. */
import { type Block, blocks, isTrue } from "../json";
import type { Rule } from "../rule";

export const volumesAreEncrypted: Rule = {
  id: "volumes-are-encrypted",
  title: "Every volume is encrypted: root volumes and those of launch templates too.",
  reason: "A snapshot that is shared by mistake, or a disk that is thrown away, would be readable.",
  remedy: "Set encrypted = true on the volume, the root_block_device and every block_device_mappings.ebs.",
  types: ["aws_ebs_volume", "aws_instance", "aws_launch_template", "aws_ebs_snapshot_copy", "aws_efs_file_system"],
  check: ({ type, body }) => {
    switch (type) {
      case "aws_instance": {
        const others = open(blocks(body.ebs_block_device));
        const root = blocks(body.root_block_device);
        return root.length === 0 || open(root) || others ? "a volume of the instance is not encrypted" : undefined;
      }
      case "aws_launch_template": {
        const disks = blocks(body.block_device_mappings).flatMap(({ ebs }) => blocks(ebs));
        return disks.length === 0 || open(disks) ? "a volume of what is launched is not encrypted" : undefined;
      }
      default:
        return isTrue(body.encrypted) ? undefined : "encrypted is not true";
    }
  },
};

function open(disks: readonly Block[]): boolean {
  return disks.some(({ encrypted }) => !isTrue(encrypted));
}
