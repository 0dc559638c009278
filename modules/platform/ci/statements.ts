/** The statements of CI's roles, made from what the stacks emit and from the action tables. */
import type { StatementCondition } from "../../../constructs/role";
import type { Settings } from "../settings";
import { ACCESS_ACTIONS } from "./access-actions";
import { COMPUTE_ACTIONS } from "./compute-actions";
import { DATA_ACTIONS } from "./data-actions";
import type { Emitted } from "./emitted";
import { KUBERNETES_ACTIONS } from "./kubernetes-actions";
import { ciNames } from "./names";
import { NETWORK_ACTIONS } from "./network-actions";
import { type ActionTable, NAME, PATH, type Row, type Scope, WRITTEN_SECRET } from "./scope";
import { SERVICE_ACTIONS } from "./service-actions";

/** What Terraform calls for each type that a stack may emit. */
export const TYPE_ACTIONS: ActionTable = {
  ...ACCESS_ACTIONS,
  ...COMPUTE_ACTIONS,
  ...DATA_ACTIONS,
  ...KUBERNETES_ACTIONS,
  ...NETWORK_ACTIONS,
  ...SERVICE_ACTIONS,
};

/** Types that call nothing of AWS but the states, which have statements of their own, or another cloud (docs/operations/continuous-delivery.md). */
const NOT_AWS = /^(data\.)?(google_|terraform_|null_|random_|time_|mongodbatlas_|kubernetes_|helm_)/;

/** A statement of an IAM policy, as CI's roles have it. */
export interface CiStatement {
  readonly sid: string;
  readonly effect: "Allow" | "Deny";
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: readonly StatementCondition[];
  /** Why nothing narrower works. */
  readonly reason?: string;
}

/** What CI's roles may do. */
export interface CiPermissions {
  readonly plan: readonly CiStatement[];
  readonly deploy: readonly CiStatement[];
  /** What no role that a stack makes may exceed. */
  readonly boundary: readonly CiStatement[];
}

/**
 * @param settings the environment's settings
 * @param emitted what its stacks emit
 * @param table what Terraform calls for each type; default: {@link TYPE_ACTIONS}
 * @throws Error that names every type without a row and every physical name outside of `ci.namePrefixes`
 */
export function ciPermissions(settings: Settings, emitted: Emitted, table: ActionTable = TYPE_ACTIONS): CiPermissions {
  assertCovered(settings, emitted, table);
  const rows = emitted.types.flatMap((type) => table[type]?.rows ?? []);
  const values = placeholders(settings, emitted);
  const reads = merged(rows, "read", values);
  const writes = merged(rows, "write", values);
  const { planRoleArn, deployRoleArn } = ciNames(settings);
  const bucket = `arn:aws:s3:::${settings.state.bucket}`;
  const writesTo = (label: string) => writes.filter((each) => each.sid === `Write${label}`);
  const iamWrites = writes.flatMap(({ actions }) => actions.filter((action) => action.startsWith("iam:")));
  return {
    plan: [...stateReads(settings), ...reads],
    deploy: [
      ...stateReads(settings),
      ...stateWrites(settings),
      ...together(reads, writes),
      deny("OwnRoles", iamWrites, [planRoleArn, deployRoleArn]),
      deny(
        "StateBucket",
        writesTo("Buckets").flatMap(({ actions }) => actions),
        [bucket],
      ),
    ].filter(({ actions }) => actions.length > 0),
    boundary: [
      {
        sid: "MostOfAll",
        effect: "Allow",
        actions: emitted.roleActions,
        resources: ["*"],
        reason: "a ceiling of actions: each role's own policy names its resources",
      },
      deny("States", ["s3:*"], [bucket, `${bucket}/*`]),
    ],
  };
}

/** A plan reads the states of this environment, its producers' among them, and never a lock. */
function stateReads({ project, environment, state }: Settings): CiStatement[] {
  const bucket = `arn:aws:s3:::${state.bucket}`;
  return [
    allow("ListStates", ["s3:ListBucket"], [bucket]),
    allow("ReadStates", ["s3:GetObject"], [`${bucket}/${project}/${environment}/*.tfstate`]),
  ];
}

function stateWrites({ project, environment, state }: Settings): CiStatement[] {
  const states = `arn:aws:s3:::${state.bucket}/${project}/${environment}/*.tfstate`;
  return [
    allow("WriteStates", ["s3:PutObject"], [states]),
    allow("LockStates", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], [`${states.replace(/state$/, "lock")}`]),
  ];
}

/** One statement per label: its scopes' ARNs, the values of their conditions and the actions of every type, together. */
function merged(rows: readonly Row[], access: Row["access"], values: Placeholders): CiStatement[] {
  const chosen = rows.filter((row) => row.access === access);
  const prefix = access === "read" ? "Read" : "Write";
  return [...new Set(chosen.map(({ scope }) => scope.label))].map((label) => {
    const same = chosen.filter(({ scope }) => scope.label === label);
    const scopes = same.map(({ scope }) => scope);
    const conditions = mergedConditions(scopes).map((each) => ({
      ...each,
      values: each.values.flatMap((value) => filled(value, values)),
    }));
    const [reason] = scopes.flatMap((scope) => scope.reason ?? []);
    return {
      sid: `${prefix}${label}`,
      effect: "Allow",
      actions: unique(same.flatMap(({ actions }) => actions)),
      resources: unique(scopes.flatMap(({ arns }) => arns)).flatMap((arn) =>
        arn === "*" ? ["*"] : filled(`arn:aws:${arn}`, values),
      ),
      ...(conditions.length > 0 ? { conditions } : {}),
      ...(reason === undefined ? {} : { reason }),
    };
  });
}

/**
 * Reads and writes for one role. Those of the same resources become one statement, since policies have little room and ARNs take most of it.
 */
function together(reads: readonly CiStatement[], writes: readonly CiStatement[]): CiStatement[] {
  const boundsOf = ({ resources, conditions = [] }: CiStatement) => JSON.stringify([resources, conditions]);
  const labelOf = ({ sid }: CiStatement) => sid.replace(/^(Read|Write)/, "");
  const pairs = reads.flatMap((read) => {
    const write = writes.find((each) => labelOf(each) === labelOf(read) && boundsOf(each) === boundsOf(read));
    return write ? [{ read, write }] : [];
  });
  const joined = pairs.map(({ read, write }) => ({
    ...write,
    sid: `Manage${labelOf(write)}`,
    actions: unique([...read.actions, ...write.actions]),
  }));
  const alone = [...reads, ...writes].filter(
    (each) => !pairs.some(({ read, write }) => each === read || each === write),
  );
  return [...alone, ...joined];
}

/** The conditions of scopes with one label, which differ in values alone. */
function mergedConditions(scopes: readonly Scope[]): StatementCondition[] {
  return (scopes[0]?.conditions ?? []).map(({ test, variable }) => ({
    test,
    variable,
    values: unique(
      scopes.flatMap(({ conditions = [] }) =>
        conditions.filter((each) => each.test === test && each.variable === variable).flatMap((each) => each.values),
      ),
    ),
  }));
}

type Placeholders = Readonly<Record<string, readonly string[]>>;

function placeholders(settings: Settings, { roleServices, writtenSecrets }: Emitted): Placeholders {
  const { region, accountId, project, environment, ci } = settings;
  return {
    "{region}": [region],
    "{account}": [accountId],
    "{project}": [project],
    "{environment}": [environment],
    "{boundary}": [ciNames(settings).boundaryArn],
    "{services}": roleServices,
    [NAME]: ci.namePrefixes.filter((prefix) => !prefix.startsWith("/")),
    [PATH]: ci.namePrefixes.filter((prefix) => prefix.startsWith("/")),
    [WRITTEN_SECRET]: writtenSecrets,
  };
}

/** Every way to fill in a text's placeholders. */
function filled(text: string, values: Placeholders): string[] {
  const [found] = Object.keys(values).filter((placeholder) => text.includes(placeholder));
  return found === undefined
    ? [text]
    : (values[found] ?? []).flatMap((value) => filled(text.replaceAll(found, value), values));
}

function allow(sid: string, actions: readonly string[], resources: readonly string[]): CiStatement {
  return { sid, effect: "Allow", actions, resources };
}

function deny(what: string, actions: readonly string[], resources: readonly string[]): CiStatement {
  return { sid: `Never${what}`, effect: "Deny", actions: unique(actions), resources };
}

function assertCovered({ ci, state }: Settings, { types, resources }: Emitted, table: ActionTable): void {
  const unknown = types.filter((type) => !NOT_AWS.test(type) && !(type in table));
  if (unknown.length > 0) {
    throw new Error(
      `ci-access: no table says what Terraform calls for ${unknown.join(", ")}. ` +
        "Add each to the table of its kind in modules/platform/ci/*-actions.ts.",
    );
  }
  const foreign = resources.filter(({ type, body }) => {
    const attribute = table[type]?.name;
    const name = attribute === undefined ? undefined : body[attribute];
    return (
      typeof name === "string" &&
      name !== state.bucket &&
      !name.includes("${") &&
      !ci.namePrefixes.some((each) => name.startsWith(each))
    );
  });
  if (foreign.length > 0) {
    const names = foreign.map(({ address, type, body }) => `${address} (${String(body[table[type]?.name ?? ""])})`);
    throw new Error(
      `ci-access: the deploy role would not reach ${names.join(", ")}: no prefix of ci.namePrefixes begins its name. ` +
        "Add one in cdktf.json, or in the default in modules/platform/settings.ts.",
    );
  }
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}
