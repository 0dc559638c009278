/** One execution environment: a runtime's process, frozen between invocations, cut when its time is over, as Lambda does it. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { RuntimeApi, type Said } from "./runtime-api";

/** Longest that a runtime may take before it asks for its first invocation, in milliseconds. */
const INIT_MS = 10_000;

/** What starts a runtime. */
export interface EnvironmentProps {
  /** Program and arguments of the runtime interface client. */
  readonly command: readonly [string, ...string[]];
  /** Folder of the function's code. */
  readonly folder: string;
  /** All of its environment but the address of the Runtime API. */
  readonly env: Readonly<Record<string, string>>;
  readonly functionArn: string;
  /** Longest that an invocation may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Gets what the process writes, as it comes. */
  readonly onOutput: (text: string) => void;
}

/** What an invocation came to. */
export interface Invocation {
  readonly requestId: string;
  /** What the function answered, or the error's document, as JSON. */
  readonly payload: string;
  /** Set when the function failed, as the header X-Amz-Function-Error has it. */
  readonly functionError?: "Unhandled";
  /** How long the environment took to start, in milliseconds, for the first invocation of one. */
  readonly initMs?: number;
  /** How long the invocation took, without the start, in milliseconds. */
  readonly durationMs: number;
}

/** A runtime that is no longer of use. */
interface Failure {
  readonly kind: "failure";
  readonly errorType: string;
  readonly errorMessage: string;
}

type Heard = Said | Failure;

/** What was said, in order: taken one at a time. */
class Mailbox {
  private readonly held: Heard[] = [];
  private taker: ((heard: Heard) => void) | undefined;

  put(heard: Heard): void {
    const taker = this.taker;
    this.taker = undefined;
    taker ? taker(heard) : this.held.push(heard);
  }

  /** The next, or a failure when there is none in time. */
  async take(limitMs: number, tooLate: string): Promise<Heard> {
    const held = this.held.shift();
    if (held) {
      return held;
    }
    let timer: NodeJS.Timeout | undefined;
    const heard = await new Promise<Heard>((resolve) => {
      this.taker = resolve;
      timer = setTimeout(
        () => resolve({ kind: "failure", errorType: "Sandbox.Timedout", errorMessage: tooLate }),
        limitMs,
      );
    });
    clearTimeout(timer);
    return heard;
  }
}

/** A started environment. */
export class Environment {
  private invoked = false;
  private gone = false;

  private constructor(
    private readonly props: EnvironmentProps,
    private readonly api: RuntimeApi,
    private readonly child: ChildProcess,
    private readonly mailbox: Mailbox,
    /** How long it took until the first invocation was asked for, in milliseconds. */
    private readonly initMs: number,
  ) {}

  /**
   * Starts a runtime and waits until it asks for work.
   *
   * @returns the environment, or the invocation's error, as JSON, when the runtime does not start
   */
  static async start(props: EnvironmentProps): Promise<Environment | { readonly error: string }> {
    const startedAt = performance.now();
    const mailbox = new Mailbox();
    const api = await RuntimeApi.start((said) => mailbox.put(said));
    const child = launch(props, api.address, mailbox);
    const heard = await mailbox.take(INIT_MS, `Init phase timed out after ${INIT_MS / 1_000} seconds`);
    if (heard.kind !== "ready") {
      await end(child, api);
      return { error: heard.kind === "init-error" ? heard.payload : errorDocument(heard) };
    }
    child.kill("SIGSTOP");
    return new Environment(props, api, child, mailbox, performance.now() - startedAt);
  }

  /** Whether it can take nothing more. */
  get dead(): boolean {
    return this.gone || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Runs one invocation. Ends the environment where Lambda would. */
  async invoke(payload: string): Promise<Invocation> {
    const { timeoutMs, functionArn } = this.props;
    const requestId = randomUUID();
    const init = this.invoked ? {} : { initMs: this.initMs };
    this.invoked = true;
    const startedAt = performance.now();
    this.child.kill("SIGCONT");
    this.api.send({ requestId, payload, deadlineMs: Date.now() + timeoutMs, traceId: traceId(), functionArn });
    const heard = await this.mailbox.take(timeoutMs, `Task timed out after ${(timeoutMs / 1_000).toFixed(2)} seconds`);
    const result = { requestId, durationMs: performance.now() - startedAt, ...init };
    if (heard.kind === "response" || heard.kind === "error") {
      await this.freeze();
      return { ...result, payload: heard.payload, ...(heard.kind === "error" ? { functionError: "Unhandled" } : {}) };
    }
    await this.stop();
    return { ...result, payload: errorDocument(heard, requestId), functionError: "Unhandled" };
  }

  /** Ends the process at once, as Lambda ends an environment that it no longer needs. */
  async stop(): Promise<void> {
    this.gone = true;
    await end(this.child, this.api);
  }

  /** Lets the runtime come to its next invocation, then lets it do nothing until there is one. */
  private async freeze(): Promise<void> {
    const heard = await this.mailbox.take(INIT_MS, "The runtime asked for no further invocation");
    if (heard.kind === "ready") {
      this.child.kill("SIGSTOP");
    } else {
      await this.stop();
    }
  }
}

function launch({ command, folder, env, onOutput }: EnvironmentProps, address: string, mailbox: Mailbox): ChildProcess {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...env, AWS_LAMBDA_RUNTIME_API: address },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", onOutput);
  }
  child.once("error", (error) => mailbox.put(exited(`${program} cannot be started: ${error.message}`)));
  child.once("exit", (status, signal) => mailbox.put(exited(signal ? `signal: ${signal}` : `exit status ${status}`)));
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  return child;
}

function traceId(): string {
  return `Root=1-${Math.floor(Date.now() / 1_000).toString(16)}-${randomBytes(12).toString("hex")};Sampled=0`;
}

function exited(how: string): Failure {
  return { kind: "failure", errorType: "Runtime.ExitError", errorMessage: `Runtime exited with error: ${how}` };
}

/** The document of an error that the runtime did not write itself. */
function errorDocument(heard: Heard, requestId?: string): string {
  const prefix = requestId === undefined ? "" : `RequestId: ${requestId} Error: `;
  const { errorType, errorMessage } =
    heard.kind === "failure"
      ? heard
      : { errorType: "Runtime.Unknown", errorMessage: `The runtime said ${heard.kind}.` };
  return JSON.stringify({ errorType, errorMessage: `${prefix}${errorMessage}` });
}

async function end(child: ChildProcess, api: RuntimeApi): Promise<void> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }
  await api.close();
}
