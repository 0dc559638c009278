/** `npm run ml:predict -- examples/wine.csv`: predictions of the ML function for the rows of a file. `--help` says more. */
import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { MlClient } from "./support/ml/client";
import { predictedText, predictFile } from "./support/ml/predict";
import { asOperator, type CommonFlags, withCommonFlags } from "./support/operator";

const BATCH_ROWS = 200;

interface Flags extends CommonFlags {
  readonly url?: string;
  readonly role?: string;
  readonly batch: number;
}

const program = withCommonFlags(new Command("npm run ml:predict --"))
  .description(
    "Asks the ML function of the environment that ENVIRONMENT names (dev without it) for the class of each row of a CSV file.",
  )
  .argument("<file>", "CSV file whose header names the model's features; other columns are left out")
  .option("--url <url>", "URL of the function (default: of the function that is deployed)")
  .option("--role <arn>", "role that is assumed to call it (default: the stack's own, ml-function-url-role)")
  .option("--batch <rows>", "most rows of one request", rows, BATCH_ROWS)
  .addHelpText(
    "after",
    `
Rows that the model cannot take are listed by line and column; the others are predicted all the same. The exit code is 1 then.

Examples:
  npm run ml:predict -- examples/wine.csv
  npm run ml:predict -- examples/wine.csv --json | jq '.predictions[].class'

It assumes the role with your AWS credentials, and signs each request for it. docs/ml-function.md says what the function answers.`,
  )
  .action((file: string, flags: Flags) =>
    asOperator(flags, async ({ config, say, settings, show }) => {
      const { role, url } = flags;
      const client = await MlClient.open({ config, accountId: settings.accountId, url, roleArn: role, say });
      // npm runs scripts in the project's folder, and says where it was called.
      const predicted = await predictFile(client, resolve(process.env.INIT_CWD ?? ".", file), flags.batch);
      show(predicted, () => predictedText(file, predicted));
      if (predicted.errors.length > 0) {
        process.exitCode = 1;
      }
    }),
  );

function rows(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError("expected a whole number of 1 or more.");
  }
  return value;
}

void program.parseAsync();
