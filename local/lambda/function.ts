/** A function on this machine: its bundle under AWS's runtime interface client, an environment for each concurrent invocation. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";
import { Environment, type Invocation } from "./environment";

export type { Invocation } from "./environment";

/** A function and how it runs. */
export interface FunctionProps {
  readonly name: string;
  /** Zip of its code. */
  readonly zip: string;
  /** File and export, such as `handler.handler`. */
  readonly handler: string;
  /** Program and arguments of the runtime interface client. */
  readonly command: readonly [string, ...string[]];
  /** Name of the runtime as Lambda writes it, such as `nodejs22.x`. */
  readonly runtime: string;
  readonly region: string;
  /** AWS account id. */
  readonly account: string;
  /** Its own environment variables, and the credentials of its role. */
  readonly environment: Readonly<Record<string, string>>;
  /** Longest that an invocation may take, in seconds. @default 3 */
  readonly timeoutS?: number;
  /** What it is told to have, in MiB; nothing here holds it to that. @default 128 */
  readonly memoryMb?: number;
  /** Most invocations at a time. @default 10 */
  readonly concurrency?: number;
  /** Gets what it writes, as it comes. @default - thrown away */
  readonly onOutput?: (text: string) => void;
}

/** Whatever can be invoked with an event. */
export interface Invocable {
  /** @throws ThrottledError when all environments are busy */
  invoke(event: unknown): Promise<Invocation>;
}

/** More invocations at a time than the function's concurrency: Lambda answers 429. */
export class ThrottledError extends Error {
  constructor(name: string, concurrency: number) {
    super(`${name}: all ${concurrency} environments are busy. Raise its reserved concurrency, or try again.`);
    this.name = "TooManyRequestsException";
  }
}

export class LocalFunction implements Invocable {
  private readonly folder: string;
  private readonly environments = new Set<Environment>();
  private readonly idle: Environment[] = [];
  private readonly running = new Set<Promise<Invocation>>();
  private closed = false;

  /** Unpacks the function. Nothing runs until it is invoked. */
  constructor(private readonly props: FunctionProps) {
    this.folder = mkdtempSync(join(tmpdir(), `lambda-${props.name}-`));
    for (const [path, content] of Object.entries(unzipSync(readFileSync(props.zip)))) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), content);
    }
  }

  async invoke(event: unknown): Promise<Invocation> {
    const { name, concurrency = 10 } = this.props;
    if (this.running.size >= concurrency) {
      throw new ThrottledError(name, concurrency);
    }
    const running = this.run(JSON.stringify(event));
    this.running.add(running);
    try {
      return await running;
    } finally {
      this.running.delete(running);
    }
  }

  /** Ends its environments, with what runs in them, and removes its folder. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.environments].map((environment) => environment.stop()));
    await Promise.allSettled(this.running);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async run(payload: string): Promise<Invocation> {
    const startedAt = performance.now();
    const environment = (await this.warm()) ?? (await Environment.start(this.environmentProps()));
    if (!(environment instanceof Environment)) {
      const durationMs = performance.now() - startedAt;
      return { requestId: "", payload: environment.error, functionError: "Unhandled", durationMs };
    }
    if (this.closed) {
      await environment.stop();
      throw new Error(`${this.props.name}: it was closed.`);
    }
    this.environments.add(environment);
    const invocation = await environment.invoke(payload);
    if (environment.dead) {
      this.environments.delete(environment);
    } else {
      this.idle.push(environment);
    }
    return invocation;
  }

  /** The environment that was used last and still lives. */
  private async warm(): Promise<Environment | undefined> {
    for (let environment = this.idle.pop(); environment; environment = this.idle.pop()) {
      if (!environment.dead) {
        return environment;
      }
      this.environments.delete(environment);
      await environment.stop();
    }
    return undefined;
  }

  private environmentProps() {
    const { name, handler, command, runtime, region, account, environment, timeoutS = 3, memoryMb = 128 } = this.props;
    return {
      command,
      folder: this.folder,
      functionArn: `arn:aws:lambda:${region}:${account}:function:${name}`,
      timeoutMs: timeoutS * 1_000,
      onOutput: this.props.onOutput ?? (() => undefined),
      // What Lambda sets: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
      env: {
        PATH: process.env.PATH ?? "/usr/bin:/bin",
        LANG: "en_US.UTF-8",
        TZ: ":UTC",
        AWS_REGION: region,
        AWS_DEFAULT_REGION: region,
        AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}`,
        AWS_LAMBDA_FUNCTION_NAME: name,
        AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
        AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
        AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
        AWS_LAMBDA_LOG_STREAM_NAME: "local",
        LAMBDA_TASK_ROOT: this.folder,
        _HANDLER: handler,
        ...environment,
      },
    };
  }
}
