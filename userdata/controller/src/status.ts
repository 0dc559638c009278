/** The state of the queue and of the workers. */
import { z } from "zod";
import type { Aws } from "./aws";
import { keptFor } from "./fresh";
import type { Logger } from "./log";
import { countMessages } from "./queue";
import type { JobEvents } from "./redis";
import type { StatusView } from "./schemas";
import type { Settings } from "./settings";

const KEPT_MS = 2_000;
/** Workers write every 15 s: who has not for a minute is gone. */
const SILENT_MS = 60_000;

const count = z.int().min(0);
const entry = z.object({
  worker_id: z.string(),
  slots: count,
  busy: count,
  warm: count,
  runtimes: z.array(z.string()),
  version: z.string(),
  started_at: z.string(),
  updated_at: z.string(),
});

type Workers = StatusView["workers"];

/** A function that says how things are; asked often, it looks every two seconds. */
export function createStatus(
  { sqs }: Aws,
  events: JobEvents,
  { queueUrl, deadLetterQueueUrl }: Settings,
  log: Logger,
): () => Promise<StatusView> {
  async function workers(): Promise<Workers> {
    try {
      return Object.values(await events.workers())
        .flatMap((text) => parseEntry(text))
        .filter(({ updatedAt }) => Date.now() - Date.parse(updatedAt) <= SILENT_MS)
        .sort((one, other) => one.workerId.localeCompare(other.workerId));
    } catch (err) {
      log.warn({ err }, "Redis: the workers were not read");
      return null;
    }
  }

  return keptFor(KEPT_MS, async () => {
    const deadLetters = deadLetterQueueUrl ? countMessages(sqs, deadLetterQueueUrl) : undefined;
    const [queue, dead, active] = await Promise.all([countMessages(sqs, queueUrl), deadLetters, workers()]);
    return { queue, deadLetters: dead?.visible ?? null, workers: active };
  });
}

/** A worker's entry; none when it is not as it must be, since a newer worker may write others. */
function parseEntry(text: string): NonNullable<Workers> {
  try {
    const { worker_id, started_at, updated_at, ...rest } = entry.parse(JSON.parse(text));
    return [{ workerId: worker_id, ...rest, startedAt: started_at, updatedAt: updated_at }];
  } catch {
    return [];
  }
}
