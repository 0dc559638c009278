/** What a plan does, resource by resource. */
import { dataOf } from "../../../modules/platform/data-types";
import type { PlanJson, ResourceChange } from "./plan-json";
import { ACTIONS, type AttributeChange, type Change } from "./summary";
import { differences, hide, isObject, SENSITIVE, UNKNOWN } from "./values";

/** Terraform's reasons for a replacement that no attribute asks for. */
const REASONS: Readonly<Record<string, string>> = {
  replace_because_tainted: "its creation had failed half-way",
  replace_by_request: "asked for with -replace",
  replace_by_triggers: "triggered by replace_triggered_by",
  delete_because_no_resource_config: "no longer in the code",
};

/** Every change of managed resources, the destructive ones first. */
export function changesOf(plan: PlanJson): Change[] {
  const configured = new Map(
    (plan.configuration?.root_module?.resources ?? []).map(({ address, expressions }) => [
      address,
      new Set(Object.keys(expressions)),
    ]),
  );
  return plan.resource_changes
    .filter(({ mode }) => mode === "managed")
    .flatMap((each) => changeOf(each, configured.get(withoutKey(each.address)) ?? new Set()))
    .sort((a, b) => ACTIONS.indexOf(a.action) - ACTIONS.indexOf(b.action) || (a.address < b.address ? -1 : 1));
}

/** Outputs that get another value, or one that is not known yet. */
export function changedOutputs(plan: PlanJson): string[] {
  return Object.entries(plan.output_changes)
    .filter(([, { actions }]) => actions.some((each) => each !== "no-op"))
    .map(([name]) => name);
}

function changeOf(each: ResourceChange, configured: ReadonlySet<string>): Change[] {
  const { address, type, change, previous_address: from, action_reason: reason } = each;
  const action = actionOf(each);
  if (action === undefined) {
    return [];
  }
  const replacedBy = action === "replace" ? (change.replace_paths ?? []).map(pathText) : [];
  const loses = action === "replace" || action === "destroy" ? dataOf(type) : undefined;
  const why = reason === undefined || replacedBy.length > 0 ? undefined : REASONS[reason];
  return [
    {
      address,
      type,
      action,
      replacedBy,
      attributes: action === "update" || action === "replace" ? attributesOf(each, configured, replacedBy) : [],
      ...(from === undefined ? {} : { from }),
      ...(isImport(change) ? { imported: true } : {}),
      ...(why === undefined ? {} : { reason: why }),
      ...(loses === undefined ? {} : { loses }),
    },
  ];
}

function actionOf({ change, previous_address: from }: ResourceChange): Change["action"] | undefined {
  const has = (action: (typeof change.actions)[number]) => change.actions.includes(action);
  if (has("delete")) {
    return has("create") ? "replace" : "destroy";
  }
  if (has("forget")) {
    return "forget";
  }
  if (has("create") || has("update")) {
    return has("create") ? "create" : "update";
  }
  return isImport(change) ? "import" : from === undefined ? undefined : "move";
}

function isImport({ importing }: ResourceChange["change"]): boolean {
  return importing !== undefined && importing !== null;
}

/**
 * The attributes that change, those that force a replacement first. Left out is what the cloud alone computes anew, and tags that are told
 * with all tags.
 */
export function attributesOf(
  { change }: ResourceChange,
  configured: ReadonlySet<string>,
  replacedBy: readonly string[] = [],
): AttributeChange[] {
  const before = hide(change.before, change.before_sensitive, SENSITIVE);
  const after = hide(hide(change.after, change.after_unknown, UNKNOWN), change.after_sensitive, SENSITIVE);
  const all = isObject(before) && isObject(after) ? differences(before, after) : [];
  const forces = ({ path }: AttributeChange) => replacedBy.some((each) => isWithin(path, each));
  // Default tags are in `tags_all` alone; what the provider says of `tags` after they changed is no change of its own.
  const inTagsAll = all.some(({ after: to, path }) => rootOf(path) === "tags_all" && to !== UNKNOWN);
  const isReplaced = change.actions.includes("delete");
  const worth = all.filter((each) => {
    const root = rootOf(each.path);
    const isCopy = root === "tags" && (inTagsAll || !configured.has(root));
    // A new resource computes all that the code does not set.
    const isComputed = (isReplaced && root !== "tags_all") || each.after === UNKNOWN;
    return forces(each) || (!isCopy && (configured.has(root) || !isComputed));
  });
  return [...worth.filter(forces), ...worth.filter((each) => !forces(each))];
}

/** The attribute that a path begins with. */
export function rootOf(path: string): string {
  return /^[^.[]*/.exec(path)?.[0] ?? "";
}

function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`);
}

function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === "number" ? `${text}[${step}]` : text === "" ? step : `${text}.${step}`),
    "",
  );
}

/** The address in the code: without the key of `count` or `for_each`. */
function withoutKey(address: string): string {
  return address.replace(/\[[^\]]*\]$/, "");
}
