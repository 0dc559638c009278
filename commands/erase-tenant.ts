/**
 * `ENVIRONMENT=dev npm run erase-tenant -- <tenant>`: erases everything that NanoGrid holds of a tenant, and says what is left. Run again
 * after an interruption, it goes on. `--help` says more.
 */
import { Command } from "commander";
import { TENANT } from "../userdata/controller/src/keys";
import { asOperator, type CommonFlags, confirm, type Operator, withCommonFlags } from "./support/operator";
import { Problem } from "./support/problem";
import { columns } from "./support/table";
import { countHoldings, eraseTenant, type HoldingReport } from "./support/tenant-erasure";
import { holdingsOf } from "./support/tenant-holdings";

/** A controller remembers a key for 30 s. */
const KEY_MS = 35_000;
/** A worker that lost its lease stops the container and tidies up. */
const STOP_MS = 10_000;

/** What erasing does not reach. */
const STAYS = [
  "Redis: results and live logs, at most 24 hours from each job's end (it answers inside of the VPC only).",
  "The queue: messages of cancelled jobs, dropped by the next worker that takes them, kept 14 days at most.",
  "The jobs table: of cancelled jobs the id and CANCELLED, 14 days, so that those messages are dropped.",
  "DynamoDB's point-in-time recovery: up to 35 days back, for whoever may restore a table.",
  "Cloud Storage's soft deletion, where the archive's bucket has it: 7 days unless it says otherwise.",
  "Workers: code of functions in their caches, until they are replaced (npm run workers -- refresh).",
  "Logs of controllers, workers, load balancer and WAF: ids, addresses and times, for as long as their settings say.",
];

interface Flags extends CommonFlags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const program = withCommonFlags(new Command("npm run erase-tenant --"))
  .description(
    "Erases a tenant: keys, jobs, functions, files, secrets, dead letters and archive. Run again, it goes on where it was.",
  )
  .argument("<tenant>", "its name")
  .option("--dry-run", "only count what there is")
  .option("--yes", "do not ask")
  .addHelpText(
    "after",
    `
It needs an AWS identity that may read and delete in NanoGrid's tables, buckets, queues and secrets, and, for the archive, Google Cloud
credentials (gcloud auth application-default login) that may delete its objects.

What stays:
${STAYS.map((line) => `- ${line}`).join("\n")}`,
  )
  .action((tenant: string, flags: Flags) => asOperator(flags, (operator) => erase(operator, tenant, flags)));

async function erase(operator: Operator, tenant: string, { yes = false, dryRun = false }: Flags): Promise<void> {
  if (!TENANT.test(tenant)) {
    throw new Problem(
      `The tenant ${JSON.stringify(tenant)} cannot exist.`,
      'A tenant has 2 to 39 of a-z, 0-9 and "-", and begins with a letter.',
    );
  }
  const holdings = holdingsOf(operator.settings, operator.config, tenant);
  operator.say(`counting what there is of ${tenant}`);
  const before = await countHoldings(holdings);
  const isClean = before.every(({ found }) => found === 0);
  if (dryRun || isClean) {
    operator.show({ tenant, holdings: before, stays: STAYS }, () => report(tenant, before));
    complain(tenant, dryRun ? [] : before);
    return;
  }
  operator.say(`${table(before)}\n`);
  const question = `This cannot be undone. Type the tenant's name to erase it from "${operator.settings.environment}": `;
  if (!yes && !(await confirm(question, new RegExp(`^${tenant}$`)))) {
    throw new Problem("Nothing was erased.", "Type the tenant's name on a terminal, or run it with --yes.");
  }
  const waits = {
    keyMs: KEY_MS,
    jobMs: operator.settings.nanogrid.data.queue.visibilityTimeoutSeconds * 1_000 + STOP_MS,
  };
  const after = await eraseTenant(holdings, before, waits, operator.say);
  operator.show({ tenant, holdings: after, stays: STAYS }, () => report(tenant, after));
  complain(tenant, after);
}

function report(tenant: string, reports: readonly HoldingReport[]): string {
  return `${tenant}:\n${table(reports)}\n\nWhat stays:\n${STAYS.map((line) => `- ${line}`).join("\n")}`;
}

function table(reports: readonly HoldingReport[]): string {
  const cell = (count: number | null) => (count === null ? "?" : String(count));
  const rows = reports.map(({ name, found, erased, left }) => [name, cell(found), String(erased), cell(left)]);
  return columns([["WHAT", "FOUND", "ERASED", "LEFT"], ...rows]);
}

/** @throws Problem when something is left, or may be */
function complain(tenant: string, reports: readonly HoldingReport[]): void {
  const open = reports.filter(({ left }) => left !== 0);
  if (open.length > 0) {
    const reasons = open.map(({ name, left, problem }) =>
      `${name}: ${left ?? "unknown"} left. ${problem ?? ""}`.trim(),
    );
    throw new Problem(
      `${tenant} is not erased yet.\n  ${reasons.join("\n  ")}`,
      "Mend what it names, then run the same command again: it goes on.",
    );
  }
}

void program.parseAsync();
