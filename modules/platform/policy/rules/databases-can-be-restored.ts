/** Databases that go back to any minute of the last days. */
import { blocks, isTrue } from "../json";
import type { Rule } from "../rule";

const DAYS = 7;

export const databasesCanBeRestored: Rule = {
  id: "databases-can-be-restored",
  title: "Tables have point-in-time recovery, databases at least seven days of backups.",
  reason: "A program that writes nonsense destroys more data than any failing disk.",
  remedy: "Set point_in_time_recovery.enabled, backup_retention_period to 7 or more, or backup_enabled.",
  types: [
    "aws_dynamodb_table",
    "aws_db_instance",
    "aws_rds_cluster",
    "aws_docdb_cluster",
    "mongodbatlas_advanced_cluster",
    "mongodbatlas_cluster",
  ],
  check: ({ type, body }) => {
    if (type === "aws_dynamodb_table") {
      return blocks(body.point_in_time_recovery).some(({ enabled }) => isTrue(enabled))
        ? undefined
        : "point-in-time recovery is off";
    }
    if (type.startsWith("mongodbatlas_")) {
      return isTrue(body.backup_enabled ?? body.cloud_backup) ? undefined : "backups are off";
    }
    const days = Number(body.backup_retention_period ?? 0);
    return days >= DAYS ? undefined : `backup_retention_period is ${days} days`;
  },
};
