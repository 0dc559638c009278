/** `npm run pr-comment -- --file comment.md`: the one comment of a pull request, created or updated in place. `--help` says more. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { wholeNumber } from "./support/arguments";
import { githubFrom, WORKFLOW_AUTHOR } from "./support/github/api";
import { pullRequestOf } from "./support/github/event";
import { writeComment } from "./support/github/marked";
import { runCommand } from "./support/problem";

interface Flags {
  readonly file: string;
  readonly pullRequest?: number;
  readonly author: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

const program = new Command("npm run pr-comment --")
  .description(
    "Creates the comment of a pull request, or updates the one of an earlier run, which its first line marks.",
  )
  .requiredOption("--file <file>", "the comment; its first line is its marker")
  .option("--pull-request <number>", "the pull request (default: that of GITHUB_EVENT_PATH)", wholeNumber(1))
  .option("--author <login>", "whose earlier comment is updated", WORKFLOW_AUTHOR)
  .option("--json", "print JSON, for programs")
  .option("--verbose", "print stack traces")
  .addHelpText(
    "after",
    `
It reads GITHUB_TOKEN (permission pull-requests: write), GITHUB_REPOSITORY and GITHUB_API_URL, as every workflow has them.

Examples:
  npm run diff -- --out plans && npm run pr-comment -- --file plans/comment.md
  npm run pr-comment -- --file plans/comment.md --pull-request 12 --author ada`,
  )
  .action(async ({ file, pullRequest, author, json, verbose }: Flags) => {
    await runCommand(async () => {
      const number = pullRequest ?? pullRequestOf(process.env);
      const written = await writeComment(githubFrom(process.env), number, readFileSync(file, "utf8"), { author });
      process.stdout.write(json ? `${JSON.stringify(written)}\n` : `Comment ${written.done}: ${written.url}\n`);
    }, verbose);
  });

void program.parseAsync();
