/** Stands in for a worker: it runs no code, and does with a job what the job's event asks for. */
import { createHash } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { strFromU8, unzipSync } from "fflate";
import { until } from "../support/servers";
import { type Message, success, type World } from "../userdata/controller/world";

/** What an event may ask for. */
export interface Play {
  /** Pieces of the log. */
  readonly say?: readonly string[];
  /** The message of an exception. */
  readonly fail?: string;
  /** Leaves the job running. */
  readonly hold?: boolean;
  /** Names and contents of output files. */
  readonly files?: Readonly<Record<string, string>>;
  /** What the function returns. */
  readonly output?: unknown;
  /** Further fields of the result. */
  readonly result?: object;
}

export class Player {
  private stopped = false;
  private playing: Promise<void> | undefined;

  constructor(private readonly world: World) {}

  start(): void {
    this.playing = this.loop();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.playing;
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      const message = await this.world.receive(1);
      if (message) {
        await this.play(message);
      }
    }
  }

  private async play(message: Message): Promise<void> {
    const { job_id: jobId, kind, code, input } = message.body;
    const asked = kind === "build" ? build(String(code)) : ((input as Play | null) ?? {});
    await this.world.claim(jobId);
    for (const text of asked.say ?? []) {
      await this.world.log(jobId, text);
    }
    if (!asked.hold) {
      await this.world.finish(jobId, await this.resultOf(message, asked));
    }
  }

  private async resultOf(message: Message, { say = [], fail, files = {}, output, result }: Play): Promise<string> {
    const done = JSON.parse(success(message, JSON.stringify(output ?? { got: message.body.input })));
    const failed = {
      status: "FAILED",
      output: null,
      exit_reason: { code: "exception", message: "The function raised an exception." },
      error: {
        type: "ValueError",
        message: fail,
        traceback: `Traceback (most recent call last):\nValueError: ${fail}\n`,
      },
    };
    const left = [];
    for (const [name, content] of Object.entries(files)) {
      left.push(await this.leave(message.body.job_id, name, content));
    }
    const more = { logs: say.join(""), files: left, ...(fail === undefined ? {} : failed), ...result };
    return JSON.stringify({ ...done, ...more });
  }

  private async leave(jobId: string, name: string, content: string) {
    const Key = `default/${jobId}/${name}`;
    const Bucket = this.world.env.S3_USER_DATA_BUCKET;
    await this.world.aws.s3.send(new PutObjectCommand({ Bucket, Key, Body: content }));
    const sha256 = createHash("sha256").update(content).digest("hex");
    return { name, bytes: Buffer.byteLength(content), sha256, key: Key };
  }
}

/** What resolving the dependencies of a zip does: a version with "broken" in it is not found. */
function build(zip: string): Play {
  const requirements = strFromU8(unzipSync(Buffer.from(zip, "base64"))["requirements.txt"] ?? new Uint8Array());
  const fail = requirements.includes("broken") ? "no such version" : undefined;
  return { say: [`Collecting ${requirements}`], fail };
}

/** Waits until a job has been taken. */
export async function untilRuns(world: World, jobId: string): Promise<void> {
  await until("the job runs", async () => {
    const { Item } = await world.aws.dynamo.send(new GetCommand({ TableName: world.env.JOBS_TABLE, Key: { jobId } }));
    return Item?.status === "PROCESSING";
  });
}
