/** The subcommand that makes the collections and the vector index: it calls the function that may, until searches can begin. */
import { setTimeout as sleep } from "node:timers/promises";
import { InvokeCommand, LambdaClient, ResourceNotFoundException } from "@aws-sdk/client-lambda";
import type { Command } from "commander";
import { z } from "zod";
import { FUNCTIONS } from "../../../modules/inference/names";
import { duration } from "../arguments";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "../operator";
import { Problem } from "../problem";

/** How long an index of Atlas may take by default, in seconds. */
const LIMIT_SECONDS = 1_800;
const PAUSE_MS = 5_000;
/** One call waits in the function for up to five minutes. */
const CALL_MS = 310_000;

const answer = z.object({
  created: z.array(z.string()),
  index: z.object({
    name: z.string(),
    change: z.enum(["created", "updated", "none"]),
    status: z.string(),
    queryable: z.boolean(),
  }),
});
const failure = z.object({ errorMessage: z.string() });

/** What the function says. */
export type Bootstrapped = z.output<typeof answer>;

/** Adds the subcommand. */
export function addBootstrap(parent: Command): void {
  withCommonFlags(parent.command("bootstrap"))
    .description(
      "Makes what is missing of collections and indexes, and waits until searches find something. Safe to repeat.",
    )
    .option("--timeout <duration>", "how long to wait, such as 10m or 1h", duration, LIMIT_SECONDS)
    .action((flags: CommonFlags & { timeout: number }) =>
      asOperator(flags, async (operator) => {
        const made = await bootstrap(operator, flags.timeout * 1_000);
        operator.show(made, () => bootstrapText(made));
      }),
    );
}

/**
 * Calls the function until the index can be searched.
 *
 * @throws Problem when the function fails, the index cannot be built, or the time is over
 */
export async function bootstrap(
  { config, say }: Pick<Operator, "config" | "say">,
  limitMs: number,
): Promise<Bootstrapped> {
  const lambda = new LambdaClient({
    ...config,
    requestHandler: { ...config.requestHandler, requestTimeout: CALL_MS },
  });
  const end = Date.now() + limitMs;
  try {
    for (;;) {
      const made = await call(lambda);
      if (made.index.queryable) {
        return made;
      }
      if (made.index.status === "FAILED" || Date.now() > end) {
        throw new Problem(
          `The index ${made.index.name} is ${made.index.status}, and cannot be searched.`,
          "docs/operations/inference-bootstrap.md says what each status means.",
        );
      }
      say(`${made.index.name} is ${made.index.status}: waiting`);
      await sleep(PAUSE_MS);
    }
  } finally {
    lambda.destroy();
  }
}

/** What was done, in words. */
export function bootstrapText({ created, index }: Bootstrapped): string {
  const collections = created.length > 0 ? `made ${created.join(" and ")}` : "all there";
  const change = { created: "made", updated: "changed", none: "as it was" }[index.change];
  return `Collections: ${collections}.\nIndex ${index.name}: ${change}, ${index.status}; searches can begin.`;
}

async function call(lambda: LambdaClient): Promise<Bootstrapped> {
  const command = new InvokeCommand({ FunctionName: FUNCTIONS.bootstrap, Payload: Buffer.from("{}") });
  const { FunctionError, Payload } = await lambda.send(command).catch((error: unknown) => {
    throw error instanceof ResourceNotFoundException
      ? new Problem(
          `There is no function ${FUNCTIONS.bootstrap} in this account and region.`,
          "Deploy inference-api, or choose another ENVIRONMENT.",
        )
      : error;
  });
  const document: unknown = JSON.parse(Buffer.from(Payload ?? []).toString() || "null");
  if (FunctionError) {
    const said = failure.safeParse(document);
    throw new Problem(
      `${FUNCTIONS.bootstrap} failed: ${said.success ? said.data.errorMessage : FunctionError}`,
      "docs/operations/inference-bootstrap.md says what to look at.",
    );
  }
  return answer.parse(document);
}
