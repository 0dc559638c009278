/** Databases, caches, queues and streams that are encrypted at rest. */
import { blocks, isTrue, type Json } from "../json";
import type { Rule } from "../rule";

const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  aws_db_instance: ["storage_encrypted"],
  aws_rds_cluster: ["storage_encrypted"],
  aws_docdb_cluster: ["storage_encrypted"],
  aws_neptune_cluster: ["storage_encrypted"],
  aws_elasticache_replication_group: ["at_rest_encryption_enabled"],
  aws_sqs_queue: ["sqs_managed_sse_enabled", "kms_master_key_id"],
  aws_kinesis_stream: ["kms_key_id"],
  aws_redshift_cluster: ["encrypted"],
};

export const dataStoresAreEncrypted: Rule = {
  id: "data-stores-are-encrypted",
  title: "Databases, caches, queues and streams are encrypted at rest.",
  reason: "A backup or a disk that gets out would be readable.",
  remedy:
    "Switch encryption on: an encrypted store costs the same. It cannot be switched on later without making it anew.",
  types: [...Object.keys(SWITCHES), "aws_opensearch_domain"],
  check: ({ type, body }) => {
    if (type === "aws_opensearch_domain") {
      return blocks(body.encrypt_at_rest).some(({ enabled }) => isTrue(enabled)) ? undefined : "encrypt_at_rest is off";
    }
    const names = SWITCHES[type] ?? [];
    return names.some((name) => isOn(body[name])) ? undefined : `${names.join(" or ")} is not set`;
  },
};

/** A switch, or the name of a key. */
function isOn(value: Json | undefined): boolean {
  return isTrue(value) || (typeof value === "string" && value !== "" && value !== "false");
}
