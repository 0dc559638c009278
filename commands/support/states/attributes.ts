/** Resources of a state for a person: addresses, attributes, and no secret. */
import { z } from "zod";
import { hide, isObject, SENSITIVE } from "../plans/values";
import type { StateFile } from "./bucket";

/** One instance of a resource. */
export interface StateInstance {
  readonly address: string;
  readonly mode: "managed" | "data";
  /** The cloud's id, where it has one. */
  readonly id: string;
  /** Attributes with secrets masked. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

/**
 * Names of attributes that hold secrets. Terraform marks in the state only what was secret in the configuration; what a provider's schema
 * calls secret it leaves to whoever shows it.
 */
const SECRET_NAMES =
  /(^|_)(auth_token|client_secret|connection_strings?|credentials?|passphrase|passwords?|private_key|secret_binary|secret_key|secret_string|secret|token|value_wo)$/;

const step = z.object({ type: z.enum(["get_attr", "index"]), value: z.unknown() });

/** Every instance of a state, in the order of addresses, data sources last. */
export function instancesOf(state: StateFile): StateInstance[] {
  return state.resources
    .flatMap(({ instances, mode, module, name, type }) =>
      instances.map(({ attributes, deposed, index_key: key, sensitive_attributes: secret }) => ({
        address: [
          ...(module === undefined ? [] : [`${module}.`]),
          mode === "data" ? "data." : "",
          `${type}.${name}`,
          key === undefined ? "" : `[${JSON.stringify(key)}]`,
          deposed === undefined ? "" : ` (deposed ${deposed})`,
        ].join(""),
        mode,
        id: typeof attributes?.id === "string" ? attributes.id : "",
        attributes: masked(attributes ?? {}, secret),
      })),
    )
    .sort((a, b) => rank(a) - rank(b) || (a.address < b.address ? -1 : 1));
}

/** Outputs with secrets masked. */
export function outputsOf(state: StateFile): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(state.outputs).map(([name, { sensitive = false, value }]) => [name, sensitive ? SENSITIVE : value]),
  );
}

/** How many resources a state manages. */
export function managedCount(state: StateFile): number {
  return state.resources
    .filter(({ mode }) => mode === "managed")
    .reduce((sum, { instances }) => sum + instances.length, 0);
}

function rank({ mode }: StateInstance): number {
  return mode === "managed" ? 0 : 1;
}

function masked(attributes: Record<string, unknown>, secret: readonly unknown[]): Record<string, unknown> {
  const mask = secret.reduce<unknown>((whole, path) => {
    const steps = z.array(step).safeParse(path).data ?? [];
    return withPath(
      whole,
      steps.map(({ value }) => (typeof value === "object" ? JSON.stringify(value) : String(value))),
    );
  }, {});
  return maskNames(plain(hide(attributes, mask, SENSITIVE))) as Record<string, unknown>;
}

/** A mask in which the value at a path is hidden. */
function withPath(mask: unknown, path: readonly string[]): unknown {
  const [first, ...rest] = path;
  if (first === undefined || mask === true) {
    return true;
  }
  const inner = isObject(mask) ? mask : {};
  return { ...inner, [first]: withPath(inner[first], rest) };
}

function maskNames(value: unknown, name = ""): unknown {
  if (SECRET_NAMES.test(name) && value !== null && value !== "") {
    return SENSITIVE;
  }
  if (Array.isArray(value)) {
    return value.map((each) => maskNames(each));
  }
  return isObject(value)
    ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, maskNames(each, key)]))
    : value;
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
