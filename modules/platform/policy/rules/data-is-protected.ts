/** What holds data survives a careless destroy. */
import { dataOf } from "../../data-types";
import { blocks, isTrue } from "../json";
import type { JudgedResource, Rule } from "../rule";

/** The service's own switch against deletion, by type: what it has to be. */
const SWITCHES: Readonly<Record<string, readonly [string, ...string[]]>> = {
  aws_cognito_user_pool: ["deletion_protection", "ACTIVE"],
  aws_db_instance: ["deletion_protection", "true"],
  aws_docdb_cluster: ["deletion_protection", "true"],
  aws_dynamodb_table: ["deletion_protection_enabled", "true"],
  aws_eks_cluster: ["deletion_protection", "true"],
  aws_lb: ["enable_deletion_protection", "true"],
  aws_neptune_cluster: ["deletion_protection", "true"],
  aws_rds_cluster: ["deletion_protection", "true"],
  google_sql_database_instance: ["deletion_protection", "true"],
  mongodbatlas_advanced_cluster: ["termination_protection_enabled", "true"],
  mongodbatlas_cluster: ["termination_protection_enabled", "true"],
};

/** Switches that let a store go with all that is in it: what they have to be, or not to be set. */
const EMPTIES = ["force_destroy", "force_delete", "skip_final_snapshot"];

export const dataIsProtected: Rule = {
  id: "data-is-protected",
  title:
    "Where settings.protectData is on, what holds data has prevent_destroy and the service's own deletion protection.",
  reason: "A rename or a wrong destroy would take the data with it, and no plan brings it back.",
  remedy:
    "Hand settings.protectData to the construct, which sets lifecycle.prevent_destroy, deletion protection, and no force_destroy.",
  types: /^(aws|google|mongodbatlas)_/,
  holdsIn: ({ protectData }) => protectData,
  check: (resource) => {
    const { type, body } = resource;
    const found = [
      ...(holdsData(resource) && !blocks(body.lifecycle).some(({ prevent_destroy }) => isTrue(prevent_destroy))
        ? ["lifecycle.prevent_destroy is not true"]
        : []),
      ...switchedOff(type, body),
      ...(dataOf(type) === undefined
        ? []
        : EMPTIES.filter((name) => isTrue(body[name])).map((name) => `${name} is true`)),
      ...(type === "aws_secretsmanager_secret" && Number(body.recovery_window_in_days ?? 30) === 0
        ? ["recovery_window_in_days is 0"]
        : []),
    ];
    return found.length === 0 ? undefined : found.join(", ");
  },
};

/** Logs end by themselves after their days, and the guard of plans asks before it lets them go. */
function holdsData({ type }: JudgedResource): boolean {
  return type !== "aws_cloudwatch_log_group" && dataOf(type) !== undefined;
}

function switchedOff(type: string, body: JudgedResource["body"]): string[] {
  const [name, wanted] = SWITCHES[type] ?? [];
  return name === undefined || String(body[name]) === wanted ? [] : [`${name} is not ${wanted}`];
}
