/** The subcommand that looks at the GPUs. */
import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { ECSClient } from "@aws-sdk/client-ecs";
import type { Command } from "commander";
import { duration } from "../arguments";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "../operator";
import { gpuText, gpuUse } from "./gpu";

/** Adds `gpu`. */
export function addGpu(parent: Command): void {
  withCommonFlags(parent.command("gpu"))
    .description("Prints GPU use, GPU memory and waiting requests, as each task's sidecar publishes them.")
    .option("--since <duration>", "how far back, such as 30m, 6h, 1d", duration, 3_600)
    .action((flags: CommonFlags & { since: number }) => asOperator(flags, (operator) => gpu(operator, flags.since)));
}

async function gpu({ config, show }: Operator, since: number): Promise<void> {
  const use = await gpuUse(new ECSClient(config), new CloudWatchClient(config), since);
  show(use, () => gpuText(use));
}
