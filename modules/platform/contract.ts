/**
 * What one state offers to others, declared as data.
 *
 * A contract's field names are its frozen interface: `vpcId` is the Terraform output `vpc_id` of the producer's state. The types make
 * sure that a producer publishes every field and that a consumer can only ask for fields that exist.
 */

/** A field that holds a list of strings. */
export interface ListField {
  readonly kind: "list";
  readonly description: string;
}

/** A field: a description stands for a string, `list(…)` for a list of strings. */
export type Field = string | ListField;

/** What a stack offers, by field name. */
export interface Contract<F extends Record<string, Field> = Record<string, Field>> {
  /** Id of the stack that publishes it. */
  readonly stack: string;
  /** The fields with their descriptions. */
  readonly fields: F;
}

/** The values of a contract's fields. */
export type ValuesOf<C extends Contract> = {
  readonly [K in keyof C["fields"]]: C["fields"][K] extends ListField ? string[] : string;
};

/**
 * Declares a contract.
 *
 * @param stack id of the stack that publishes it
 * @param fields field name to description, or to `list(description)`
 */
export function contract<const F extends Record<string, Field>>(stack: string, fields: F): Contract<F> {
  return { stack, fields };
}

/** A field that holds a list of strings. */
export function list(description: string): ListField {
  return { kind: "list", description };
}

/** Name of the Terraform output that carries a field: `workerSubnetIds` is `worker_subnet_ids`. */
export function outputName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
