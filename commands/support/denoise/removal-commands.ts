/** The subcommands that delete for good: what the storage holds, and the stacks themselves. */
import { ECRClient } from "@aws-sdk/client-ecr";
import { S3Client } from "@aws-sdk/client-s3";
import type { Command } from "commander";
import { type WaitFlags, waitingOf, withTimeout } from "../ecs-tier/commands";
import { isDeployed } from "../ecs-tier/deployment";
import { forgetPaused } from "../ecs-tier/memory";
import { pause } from "../ecs-tier/pause";
import { tierClients } from "../ecs-tier/tier";
import { asOperator, type CommonFlags, confirm, type Operator, withCommonFlags } from "../operator";
import { Problem } from "../problem";
import { columns } from "../table";
import { destroyStacks, STACKS } from "./destroy";
import { chosenOf, type Emptied, emptiedOf } from "./emptying";
import { DENOISE } from "./tier";

interface EmptyFlags extends CommonFlags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** Adds `empty` and `destroy`. */
export function addRemoval(parent: Command): void {
  withCommonFlags(parent.command("empty"))
    .description(
      "Deletes for good every object, version and image of what is named; without a name, of both buckets and the repository.",
    )
    .argument("[what...]", "physical names; needed where settings.protectData is on")
    .option("--yes", "do not ask")
    .option("--dry-run", "only count what there is")
    .action((what: string[], flags: EmptyFlags) => asOperator(flags, (operator) => empty(operator, what, flags)));
  withTimeout(withCommonFlags(parent.command("destroy")))
    .description(`Pauses, empties, and destroys ${STACKS.join(", ")}, in this order.`)
    .option("--yes", "do not ask")
    .action((flags: WaitFlags & { yes?: boolean }) => asOperator(flags, (operator) => destroy(operator, flags)));
}

async function empty(operator: Operator, what: readonly string[], flags: EmptyFlags): Promise<void> {
  const { protectData } = operator.settings;
  const chosen = chosenOf(emptiedIn(operator), what, protectData && !flags.dryRun);
  const before = await countEach(chosen);
  if (flags.dryRun) {
    operator.show({ found: before }, () => countText(before));
    return;
  }
  operator.say(countText(before));
  await agree(operator, flags.yes, "empty what is listed above");
  await emptyEach(chosen, operator);
  const left = await countEach(chosen);
  operator.show({ found: before, left }, () => `Emptied: ${chosen.map(({ name }) => name).join(", ")}.`);
}

async function destroy(operator: Operator, flags: WaitFlags & { yes?: boolean }): Promise<void> {
  const { environment, protectData } = operator.settings;
  if (protectData) {
    throw new Problem(
      `The environment "${environment}" protects its data (settings.protectData): Terraform would refuse to destroy its buckets.`,
      "Set protectData to false in cdktf.json, deploy denoise-storage, then run it again: docs/operations/denoise-destroy.md.",
    );
  }
  await agree(operator, flags.yes, `empty and destroy ${STACKS.join(", ")}`);
  const clients = tierClients(DENOISE, operator.config);
  if (await isDeployed(clients)) {
    await pause(clients, waitingOf(operator, flags));
  }
  await emptyEach(emptiedIn(operator), operator);
  await destroyStacks(process.cwd(), process.env, operator.say);
  await forgetPaused(clients);
  operator.show({ destroyed: STACKS }, () => `Destroyed: ${STACKS.join(", ")}. npm run state shows what is left.`);
}

/** @throws Problem unless the environment's name is typed, or `--yes` was given */
async function agree({ settings }: Operator, yes = false, what = ""): Promise<void> {
  const { environment } = settings;
  const question = `This cannot be undone. Type the environment's name to ${what} in "${environment}": `;
  if (!yes && !(await confirm(question, new RegExp(`^${environment}$`)))) {
    throw new Problem("Nothing was changed.", "Type the environment's name on a terminal, or run it with --yes.");
  }
}

function emptiedIn({ config, settings }: Operator): Emptied[] {
  return emptiedOf(settings, new S3Client({ ...config, forcePathStyle: settings.standIns }), new ECRClient(config));
}

async function countEach(chosen: readonly Emptied[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name, holding } of chosen) {
    counts[name] = await holding.count();
  }
  return counts;
}

function countText(counts: Readonly<Record<string, number>>): string {
  return columns(Object.entries(counts).map(([name, count]) => [name, String(count)]));
}

async function emptyEach(chosen: readonly Emptied[], { say }: Operator): Promise<void> {
  for (const { holding } of chosen) {
    await holding.erase((done) => say(`${holding.name}: ${done} deleted`));
  }
}
