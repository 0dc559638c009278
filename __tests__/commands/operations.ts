/** What tests of the operators' commands share: the stand-ins, with what a deployment leaves there, and a shell that leads to them. */
import { execFile } from "node:child_process";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { AutoScalingClient, CreateAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { CreateLaunchTemplateCommand, EC2Client } from "@aws-sdk/client-ec2";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { DEAD_LETTER_QUEUE, type Program, QUEUE } from "../../commands/support/names";
import { queueUrl } from "../../commands/support/queue";
import { clientOptions, programClouds, withoutAccounts } from "../../local/clouds";
import { loadSettings } from "../../modules/platform/settings";
import { PROJECT } from "../local/scratch";
import { type StandIns, startStandIns } from "../support/servers";

/** Longest that a command, or a test of some, may take on a busy machine. */
export const COMMAND_MS = 90_000;
const LOCAL = loadSettings("local");

/** The account of the environment `local`, which is the stand-ins'. */
export const ACCOUNT = LOCAL.accountId;
export const REGION = LOCAL.region;

/** How a command ended, and what it printed. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Stand-ins and a shell that leads to them. */
export class Cloud {
  private constructor(
    private readonly standIns: StandIns,
    readonly env: NodeJS.ProcessEnv,
  ) {}

  static async start(): Promise<Cloud> {
    const standIns = await startStandIns(ACCOUNT);
    const env = { ...withoutAccounts(process.env), ENVIRONMENT: "local", ...programClouds(standIns.ports, REGION) };
    return new Cloud(standIns, env);
  }

  /** Options of AWS clients for the stand-in. */
  get options() {
    return clientOptions(this.standIns.ports, REGION);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.standIns.ports.aws}`;
  }

  get google(): string {
    return `http://127.0.0.1:${this.standIns.ports.gcp}`;
  }

  /** Runs `npm run <command> -- <args>`, without a terminal. */
  run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        ["--import", "tsx", `commands/${command}.ts`, ...args],
        { cwd: PROJECT, env: { ...this.env, ...env }, timeout: COMMAND_MS, maxBuffer: 16 * 1024 ** 2 },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
    });
  }

  /** Makes a group of instances, as its stack does. */
  async createGroup(program: Program, size: { min: number; desired: number; max: number }): Promise<AutoScalingClient> {
    const name = program.group;
    await new EC2Client(this.options).send(
      new CreateLaunchTemplateCommand({
        LaunchTemplateName: name,
        LaunchTemplateData: { ImageId: "ami-12c6146b", InstanceType: "t3.small" },
      }),
    );
    const client = new AutoScalingClient(this.options);
    await client.send(
      new CreateAutoScalingGroupCommand({
        AutoScalingGroupName: name,
        LaunchTemplate: { LaunchTemplateName: name },
        AvailabilityZones: [`${REGION}a`, `${REGION}c`],
        MinSize: size.min,
        DesiredCapacity: size.desired,
        MaxSize: size.max,
      }),
    );
    return client;
  }

  /** Makes the queue and its dead-letter queue. */
  async createQueues(): Promise<SQSClient> {
    const sqs = new SQSClient(this.options);
    await sqs.send(new CreateQueueCommand({ QueueName: DEAD_LETTER_QUEUE }));
    await sqs.send(new CreateQueueCommand({ QueueName: QUEUE }));
    return sqs;
  }

  stop(): Promise<void> {
    return this.standIns.stop();
  }
}

/** A job's message, as the controller sends it, with the fields that commands read. */
export function messageOf(tenant: string, jobId: string): string {
  return JSON.stringify({
    schema: 1,
    kind: "run",
    job_id: jobId,
    tenant,
    function_id: "fn_01JD8Q4YB3R6Z7K2M5N8P0QWER",
    enqueued_at: "2026-01-02T03:04:05.678Z",
    input: { password: "of the user" },
  });
}

/** Sends bodies to a queue. */
export async function send(sqs: SQSClient, queue: string, bodies: readonly string[]): Promise<void> {
  const QueueUrl = await queueUrl(sqs, queue);
  for (const MessageBody of bodies) {
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));
  }
}

/** How many messages of a queue can be received now. */
export async function visible(sqs: SQSClient, queue: string): Promise<number> {
  const QueueUrl = await queueUrl(sqs, queue);
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["ApproximateNumberOfMessages"] }),
  );
  return Number(Attributes?.ApproximateNumberOfMessages);
}

/**
 * AWS with message moves, which moto lacks: this answers StartMessageMoveTask, by really moving what moto holds, and
 * ListMessageMoveTasks, and passes all else on.
 */
export async function startMessageMoves(cloud: Cloud): Promise<{ endpoint: string; stop(): Promise<void> }> {
  const sqs = new SQSClient(cloud.options);
  const tasks: object[] = [];
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const operation = String(request.headers["x-amz-target"]).split(".")[1];
    if (operation === "StartMessageMoveTask") {
      const { SourceArn } = JSON.parse(body.toString()) as { SourceArn: string };
      const moved = await move(sqs, SourceArn.split(":").at(-1) ?? "", QUEUE);
      const counts = { ApproximateNumberOfMessagesMoved: moved, ApproximateNumberOfMessagesToMove: moved };
      tasks.unshift({ Status: "COMPLETED", SourceArn, ...counts });
      response.end(JSON.stringify({ TaskHandle: "handle" }));
    } else if (operation === "ListMessageMoveTasks") {
      response.end(JSON.stringify({ Results: tasks.slice(0, 1) }));
    } else {
      const { host: _, ...headers } = request.headers as Record<string, string>;
      const answer = await fetch(cloud.endpoint + request.url, { method: "POST", headers, body: new Uint8Array(body) });
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      response.end(Buffer.from(await answer.arrayBuffer()));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { endpoint: `http://127.0.0.1:${port}`, stop: () => close(server) };
}

async function move(sqs: SQSClient, from: string, to: string): Promise<number> {
  const [source, target] = [await queueUrl(sqs, from), await queueUrl(sqs, to)];
  for (let moved = 0; ; moved++) {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: source }));
    const [message] = Messages;
    if (!message) {
      return moved;
    }
    await sqs.send(new SendMessageCommand({ QueueUrl: target, MessageBody: message.Body }));
    await sqs.send(new DeleteMessageCommand({ QueueUrl: source, ReceiptHandle: message.ReceiptHandle }));
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
