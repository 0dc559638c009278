/**
 * `ENVIRONMENT=dev npm run restore-drill -- table|bucket|archive`: restores for practice, beside the originals, and leaves nothing behind.
 * `--help` says more.
 */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { Command, InvalidArgumentError } from "commander";
import { readProfile } from "../cli/src/config";
import { Failure } from "../cli/src/failure";
import { wholeNumber } from "./support/arguments";
import { drillArchive } from "./support/drills/archive-drill";
import { drillBucket } from "./support/drills/bucket-drill";
import { Drill, total } from "./support/drills/drill";
import { drillTable } from "./support/drills/table-drill";
import { archiveBucketName, bucketNames, TABLES } from "./support/names";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "./support/operator";
import { Problem } from "./support/problem";
import { storage } from "./support/tenant-holdings";

interface TableFlags extends CommonFlags {
  readonly sample: number;
  readonly at?: Date;
}

interface ArchiveFlags extends CommonFlags {
  readonly tenant: string;
  readonly function?: string;
  readonly handler: string;
  readonly profile?: string;
}

const program = new Command("npm run restore-drill --")
  .description(
    "Restores for practice in the environment that ENVIRONMENT names (dev without it): beside the originals, which are only read.",
  )
  .addHelpText(
    "after",
    `
Examples:
  npm run restore-drill -- table
  npm run restore-drill -- table NanoGridJobs --at 2026-01-31T12:00:00Z
  npm run restore-drill -- bucket
  NANOGRID_URL=https://… NANOGRID_API_KEY=… npm run restore-drill -- archive --tenant acme

What is made is named restore-drill-…, and deleted at the end, also after an error or Ctrl-C. docs/operations/restore.md: restoring in earnest.`,
  );

withCommonFlags(program.command("table"))
  .description(
    "Restores a table to a point in time into a new table, compares items, deletes it. AWS takes 20 minutes and more.",
  )
  .argument("[table]", "name of the table", TABLES.functions)
  .option("--sample <items>", "how many items are compared", wholeNumber(1), 500)
  .option("--at <time>", "the moment (default: the latest that can be restored)", moment)
  .action((table: string, flags: TableFlags) =>
    run(flags, (drill, { config }) => {
      const tables = new DynamoDBClient(config);
      const items = DynamoDBDocumentClient.from(tables);
      return drillTable(drill, { tables, items, table, sample: flags.sample, ...(flags.at ? { at: flags.at } : {}) });
    }),
  );

withCommonFlags(program.command("bucket"))
  .description("Writes an object, overwrites and deletes it, brings it back twice, and removes every version of it.")
  .argument("[bucket]", "name of the bucket (default: that of the functions' code)")
  .action((bucket: string | undefined, flags: CommonFlags) =>
    run(flags, (drill, { config, settings }) =>
      drillBucket(
        drill,
        new S3Client({ ...config, forcePathStyle: settings.standIns }),
        bucket ?? bucketNames(settings).code,
      ),
    ),
  );

withCommonFlags(program.command("archive"))
  .description("Brings an archived function back into the service as a new one, compares its code, and deletes it.")
  .option("--tenant <name>", "whose function", "default")
  .option("--function <id>", "which (default: the one archived last)")
  .option("--handler <module.function>", "its handler: the archive does not keep it", "main.handler")
  .option(
    "--profile <name>",
    "profile of nanogrid login (default: NANOGRID_URL and NANOGRID_API_KEY, else its default)",
  )
  .action((flags: ArchiveFlags) => run(flags, (drill, operator) => archive(drill, operator, flags)));

async function archive(drill: Drill, { settings }: Operator, flags: ArchiveFlags) {
  if (!settings.nanogrid.archive.enabled) {
    throw new Problem(`Environment "${settings.environment}" has no archive.`, "Choose another ENVIRONMENT.");
  }
  const { url, key } = serviceOf(flags.profile);
  const bucket = storage(settings.google.project, settings.standIns).bucket(archiveBucketName(settings));
  return await drillArchive(drill, {
    bucket,
    tenant: flags.tenant,
    handler: flags.handler,
    url,
    key,
    ...(flags.function ? { functionId: flags.function } : {}),
  });
}

function serviceOf(profile: string | undefined): { readonly url: string; readonly key: string } {
  try {
    return readProfile(profile, process.env);
  } catch (error) {
    throw error instanceof Failure ? new Problem(error.what, error.remedy) : error;
  }
}

/** Runs a drill; Ctrl-C ends it after it has cleaned up. */
function run<T extends object>(
  flags: CommonFlags,
  body: (drill: Drill, operator: Operator) => Promise<T>,
): Promise<void> {
  return asOperator(flags, async (operator) => {
    const stop = new AbortController();
    const interrupt = () => stop.abort(new Problem("The drill was interrupted.", "It has cleaned up. Run it again."));
    process.once("SIGINT", interrupt);
    const drill = new Drill(operator.say, stop.signal);
    try {
      const result = await body(drill, operator);
      operator.show({ ...result, steps: drill.steps, seconds: total(drill.steps) }, () =>
        [
          ...Object.entries(result).map(([name, value]) => `${name}: ${value}`),
          `Restored, compared and cleaned up in ${total(drill.steps).toFixed(1)} s.`,
        ].join("\n"),
      );
    } finally {
      process.off("SIGINT", interrupt);
    }
  });
}

function moment(text: string): Date {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError("Expected a time such as 2026-01-31T12:00:00Z.");
  }
  return date;
}

void program.parseAsync();
