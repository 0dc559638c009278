/** `npm run drift-issue -- --report drift/drift.md`: the one issue of an environment's drift, open while there is some. `--help` says more. */
import { existsSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { loadSettings } from "../modules/platform/settings";
import { githubFrom, WORKFLOW_AUTHOR } from "./support/github/api";
import { closeIssue, writeIssue } from "./support/github/marked";
import { driftMarkerOf } from "./support/plans/drift";
import { runCommand } from "./support/problem";

const LABEL = "drift";

interface Flags {
  readonly report: string;
  readonly author: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

const program = new Command("npm run drift-issue --")
  .description(
    "Opens or updates the issue of the drift of the environment that ENVIRONMENT names; closes it when the report is not there.",
  )
  .requiredOption("--report <file>", "what npm run ci -- drift writes where there is drift, and only there")
  .option("--author <login>", "whose earlier issue is updated", WORKFLOW_AUTHOR)
  .option("--json", "print JSON, for programs")
  .option("--verbose", "print stack traces")
  .addHelpText(
    "after",
    `
It reads GITHUB_TOKEN (permission issues: write), GITHUB_REPOSITORY and GITHUB_API_URL, as every workflow has them. The issue has the
label "${LABEL}".

Example:
  npm run ci -- drift --out drift && npm run drift-issue -- --report drift/drift.md`,
  )
  .action(async ({ report, author, json, verbose }: Flags) => {
    await runCommand(async () => {
      const github = githubFrom(process.env);
      const { environment } = loadSettings();
      const written = existsSync(report)
        ? await writeIssue(
            github,
            { title: `Drift in ${environment}`, text: readFileSync(report, "utf8"), label: LABEL },
            { author },
          )
        : await closeIssue(github, driftMarkerOf(environment), LABEL, "The drift is gone: the last check found none.", {
            author,
          });
      process.stdout.write(json ? `${JSON.stringify(written)}\n` : `Issue: ${written.done} ${written.url ?? ""}\n`);
    }, verbose);
  });

void program.parseAsync();
