/** `ENVIRONMENT=dev npm run state [-- <stack> [resource]]`: what exists, as the states in their bucket say. `--help` says more. */
import { S3Client } from "@aws-sdk/client-s3";
import { Command } from "commander";
import { asOperator, type CommonFlags, confirm, type Operator, withCommonFlags } from "./support/operator";
import { Problem } from "./support/problem";
import { instancesOf, managedCount, outputsOf, type StateInstance } from "./support/states/attributes";
import { type StateFile, StateStore, type StoredState } from "./support/states/bucket";
import { readVersions, restoreState } from "./support/states/restore";
import { columns, table } from "./support/table";

/** Longest value that is printed of an attribute; `--json` has all of it. */
const LONGEST = 200;

interface ConfirmFlags extends CommonFlags {
  readonly yes?: boolean;
}

const program = new Command("npm run state --")
  .description(
    "The Terraform states of the environment that ENVIRONMENT names (dev without it), read from their bucket.",
  )
  .argument("[stack]", "list its resources and outputs")
  .argument("[resource]", "print its attributes, without secrets; the beginning of an address is enough")
  .addHelpText(
    "after",
    `
Examples:
  npm run state
  npm run state -- nanogrid-data
  npm run state -- nanogrid-data aws_sqs_queue.queue
  npm run state -- versions nanogrid-data
  npm run state -- restore nanogrid-data --version 3HL4kqtJvjVBH40Nrjfkd
  npm run state -- unlock nanogrid-data --id 0f2a6bb2-2a0c-d2b1-7e1d-0c4c1c7b5b6e`,
  );

withCommonFlags(program).action((stack: string | undefined, resource: string | undefined, flags: CommonFlags) =>
  asOperator(flags, async (operator) => {
    if (stack === undefined) {
      await list(operator);
    } else {
      await show(operator, stack, resource);
    }
  }),
);

withCommonFlags(program.command("versions"))
  .description("Lists the versions of a state, the newest first.")
  .argument("<stack>")
  .action((stack: string, _: CommonFlags, command: Command) =>
    asOperator(command.optsWithGlobals(), (operator) => versions(operator, stack)),
  );

withCommonFlags(program.command("restore"))
  .description("Makes an earlier version the present state: under its lock, and with a higher serial.")
  .argument("<stack>")
  .requiredOption("--version <id>", "id of the version, from npm run state -- versions <stack>")
  .option("--yes", "do not ask")
  .action((stack: string, flags: ConfirmFlags & { version: string }, command: Command) =>
    asOperator(command.optsWithGlobals(), (operator) => restore(operator, stack, flags.version, flags.yes ?? false)),
  );

withCommonFlags(program.command("unlock"))
  .description("Frees the lock of a state whose run is gone for good.")
  .argument("<stack>")
  .requiredOption("--id <id>", "the lock's ID, so that a newer lock is not taken from whoever holds it")
  .option("--yes", "do not ask")
  .action((stack: string, flags: ConfirmFlags & { id: string }, command: Command) =>
    asOperator(command.optsWithGlobals(), (operator) => unlock(operator, stack, flags.id, flags.yes ?? false)),
  );

function storeOf({ config, settings }: Operator): StateStore {
  return new StateStore(new S3Client({ ...config, forcePathStyle: settings.standIns }), settings);
}

async function list(operator: Operator): Promise<void> {
  const states = await storeOf(operator).list();
  operator.show(states.map(documentOf), () => {
    const rows = states.map(({ changedAt, lock, stack, state }) => [
      stack,
      seconds(changedAt),
      lock === undefined ? "" : `by ${lock.Who} (${lock.Operation}) since ${lock.Created.slice(0, 19)}Z`,
      ...(state === undefined
        ? ["damaged", "", ""]
        : [managedCount(state), Object.keys(state.outputs).length, state.serial].map(String)),
    ]);
    return rows.length === 0
      ? `Environment "${operator.settings.environment}" has no states.`
      : table(["state", "last change", "locked", "resources", "outputs", "serial"], rows, { words: 3 });
  });
}

function documentOf({ changedAt, lock, stack, state }: StoredState) {
  return {
    stack,
    changedAt: changedAt.toISOString(),
    damaged: state === undefined,
    ...(state === undefined
      ? {}
      : {
          resources: managedCount(state),
          serial: state.serial,
          terraform: state.terraform_version,
          outputs: outputsOf(state),
        }),
    ...(lock === undefined ? {} : { lock }),
  };
}

async function show(operator: Operator, stack: string, resource: string | undefined): Promise<void> {
  const state = await stateOf(operator, stack);
  const instances = instancesOf(state);
  if (resource === undefined) {
    const outputs = outputsOf(state);
    const addresses = instances.map(({ address, id }) => ({ address, id }));
    operator.show({ stack, resources: addresses, outputs }, () =>
      [
        columns(addresses.map(({ address, id }) => [address, shortened(id)])),
        columns(Object.entries(outputs).map(([name, value]) => [name, shortened(JSON.stringify(value))])),
      ]
        .filter((text) => text !== "")
        .join("\n\n"),
    );
    return;
  }
  const found = named(instances, resource, stack);
  operator.show(found, () =>
    found
      .map(({ address, attributes }) =>
        [
          address,
          columns(
            Object.entries(attributes)
              .filter(([, value]) => !["null", '""', "[]", "{}"].includes(JSON.stringify(value)))
              .map(([name, value]) => [`  ${name}`, shortened(JSON.stringify(value))]),
          ),
        ].join("\n"),
      )
      .join("\n\n"),
  );
}

/** The resource of this address, all instances of it, or those whose addresses begin like this. */
function named(instances: readonly StateInstance[], resource: string, stack: string): StateInstance[] {
  const exact = instances.filter(({ address }) => address === resource || address.startsWith(`${resource}[`));
  const found = exact.length > 0 ? exact : instances.filter(({ address }) => address.startsWith(resource));
  if (found.length === 0) {
    throw new Problem(`${stack} has no resource ${resource}.`, `List them: npm run state -- ${stack}`);
  }
  return found;
}

async function stateOf(operator: Operator, stack: string): Promise<StateFile> {
  const store = storeOf(operator);
  const state = await store.read(stack);
  if (state === undefined) {
    const isThere = (await store.changedAt(stack)) !== undefined;
    throw isThere
      ? new Problem(`The state of ${stack} cannot be read as one.`, `Restore it: npm run state -- versions ${stack}`)
      : new Problem(
          `${stack} has no state in environment "${operator.settings.environment}".`,
          "npm run state lists those that there are.",
        );
  }
  return state;
}

async function versions(operator: Operator, stack: string): Promise<void> {
  const found = await readVersions(storeOf(operator), stack);
  operator.show(
    found.map(({ state, ...version }) => ({ ...version, serial: state?.serial })),
    () =>
      found.length === 0
        ? `${stack} has no versions.`
        : table(
            ["version", "written", "", "serial", "resources", "bytes"],
            found.map(({ bytes, changedAt, deleted, id, latest, state }) => [
              id,
              seconds(changedAt),
              [latest ? "present" : "", deleted ? "deleted" : state === undefined ? "damaged" : ""].join(" ").trim(),
              state === undefined ? "" : String(state.serial),
              state === undefined ? "" : String(managedCount(state)),
              String(bytes),
            ]),
            { words: 3 },
          ),
  );
}

async function restore(operator: Operator, stack: string, version: string, yes: boolean): Promise<void> {
  const store = storeOf(operator);
  const question = `Make version ${version} the state of ${stack} in "${operator.settings.environment}"? [y/N] `;
  if (!yes && !(await confirm(question))) {
    throw new Problem("Nothing was restored.", "Look at the versions first, or run it with --yes.");
  }
  const restored = await restoreState(store, stack, version);
  operator.show(
    { stack, serial: restored.serial, resources: managedCount(restored) },
    () =>
      `The state of ${stack} has serial ${restored.serial} and ${managedCount(restored)} resources. ` +
      `See what differs from the cloud before anything else: npm run diff -- ${stack}`,
  );
}

async function unlock(operator: Operator, stack: string, id: string, yes: boolean): Promise<void> {
  const store = storeOf(operator);
  const lock = await store.lockOf(stack);
  if (lock?.ID !== id) {
    throw new Problem(
      lock === undefined ? `The state of ${stack} is not locked.` : `The lock of ${stack} has the ID ${lock.ID}.`,
      "npm run state -- --json shows who holds which lock.",
    );
  }
  const question = `Take the lock from ${lock.Who} (${lock.Operation} since ${lock.Created})? If it still runs, the state breaks. [y/N] `;
  if (!yes && !(await confirm(question))) {
    throw new Problem("The lock stays.", "Make sure that its run is gone, or run it with --yes.");
  }
  await store.unlock(stack);
  operator.show({ stack, unlocked: id }, () => `The state of ${stack} is not locked any more.`);
}

function seconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length} characters)` : text;
}

void program.parseAsync();
