/** `nanogrid status`: queue and workers. */
import type { Command } from "commander";
import type { StatusView } from "../../../userdata/controller/page/client/types";
import { ago, duration } from "../../../userdata/controller/page/client/words";
import { apiCommand, type CommonOptions, connect } from "../context";
import { facts, json, print, table } from "../output";

export function statusCommand(): Command {
  return apiCommand({ usage: "status", summary: "Show the queue and the workers.", examples: ["status"] }).action(
    async (options: CommonOptions) => {
      const status = await connect(options).get<StatusView>("/v1/status");
      print(options.json ? json(status) : describe(status));
    },
  );
}

function describe({ queue, deadLetters, workers }: StatusView): string {
  const figures = facts([
    ["waiting", queue.visible],
    ["running", queue.inFlight],
    ["delayed", queue.delayed],
    ["dead letters", deadLetters ?? undefined],
  ]);
  if (workers === null) {
    return `${figures}\n\nThe workers are not known: Redis does not answer.`;
  }
  if (workers.length === 0) {
    return `${figures}\n\nNo worker has said anything for a minute.`;
  }
  const rows = workers.map((worker) => [
    worker.workerId,
    `${worker.busy} of ${worker.slots}`,
    worker.warm,
    worker.runtimes.join(","),
    worker.version,
    duration(Math.max(0, Date.now() - Date.parse(worker.startedAt))),
    ago(worker.updatedAt, Date.now()),
  ]);
  return `${figures}\n\n${table(["WORKER", "BUSY", "WARM", "RUNTIMES", "VERSION", "UP", "HEARD OF"], rows)}`;
}
