/** Terraform for many stacks: prepared once each, and its errors as sentences. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Problem } from "../problem";
import { shell } from "../shell";
import { Terraform, terraformProgram } from "../terraform";
import { Turns } from "./waves";

const VERSION_MS = 30_000;
/** How long Terraform waits for a lock that somebody else holds. */
export const LOCK_TIMEOUT = "-lock-timeout=20s";

/** How Terraform is run. */
export interface TerraformsOptions {
  /** The checkout, with a fresh synthesis in `cdktf.out`. */
  readonly project: string;
  /** The shell's environment, with credentials. */
  readonly env: NodeJS.ProcessEnv;
  /** What goes on, as the logs' names say: `diff`, `apply`, `drift`. */
  readonly purpose: string;
  readonly signal?: AbortSignal;
}

/** What Terraform's errors ask for. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/acquiring the state lock/, "Wait until that run is over; if it is gone for good: docs/operations/stuck-lock.md."],
  [
    /Saved plan is stale/,
    "The state has changed since the plan was made. Make a new one with npm run diff, and look at it.",
  ],
  [
    /Inconsistent dependency lock file/,
    "Run npm run locks where the Terraform registry answers, and commit what it writes.",
  ],
  [
    /No valid credential sources|ExpiredToken/,
    "Sign in (aws sso login), or set AWS_PROFILE; for the archive: gcloud auth application-default login.",
  ],
];

/** Every stack's Terraform. */
export class Terraforms {
  private readonly program: string;
  private readonly env: NodeJS.ProcessEnv;
  /** A shared folder of providers takes one writer at a time. */
  private readonly preparing = new Turns(1);

  /** @throws Problem when there is no terraform */
  constructor(private readonly options: TerraformsOptions) {
    const { env, project } = options;
    this.program = terraformProgram(env);
    this.env = { ...sharedProviders(project, env), ...env, CHECKPOINT_DISABLE: "1", TF_IN_AUTOMATION: "1" };
  }

  /** Version of Terraform, such as `1.11.4`. */
  async version(): Promise<string> {
    const text = await shell(this.program, ["version", "-json"], { env: this.env, timeoutMs: VERSION_MS });
    return (JSON.parse(text) as { terraform_version: string }).terraform_version;
  }

  /**
   * Works with one stack's Terraform, its backend and providers at hand.
   *
   * @throws Problem with what Terraform said, and its log
   */
  async with<T>(stack: string, work: (terraform: Terraform) => Promise<T>): Promise<T> {
    const { project, purpose, signal } = this.options;
    const log = join(project, "cdktf.out", "logs", `${purpose}-${stack}.log`);
    rmSync(log, { force: true });
    const said: string[] = [];
    const terraform = new Terraform(this.program, join(project, "cdktf.out", "stacks", stack), {
      env: this.env,
      log,
      onLine: (line) => said.push(line),
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      await this.preparing.take(() => terraform.init("-reconfigure"));
      return await work(terraform);
    } catch (error) {
      const errors = errorsIn(said);
      if (!(error instanceof Problem) || errors.length === 0) {
        throw error;
      }
      const remedy = REMEDIES.find(([pattern]) => pattern.test(errors.join("\n")))?.[1];
      throw new Problem(
        `${stack}: ${errors.join("; ")}.`,
        remedy ?? `Mend it, then run it again. All that Terraform said is in ${log}`,
        undefined,
        { cause: error },
      );
    }
  }
}

/** One copy of the providers for all stacks, where the person has not configured Terraform otherwise: aws alone is 700 MB. */
function sharedProviders(project: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (env.TF_CLI_CONFIG_FILE || existsSync(join(homedir(), ".terraformrc"))) {
    return {};
  }
  const folder = join(project, "node_modules", ".cache", "terraform-providers");
  mkdirSync(folder, { recursive: true });
  return { TF_PLUGIN_CACHE_DIR: folder };
}

/** Terraform's errors, each with the resource that it is about. */
export function errorsIn(lines: readonly string[]): string[] {
  const plain = lines.map((line) => line.replace(/^[╷│╵]\s?/, ""));
  return plain.flatMap((line, index) => {
    const title = /^\s*Error: (.+?)\.?$/.exec(line)?.[1];
    if (title === undefined) {
      return [];
    }
    const rest = plain.slice(index + 1);
    const end = rest.findIndex((each) => /^\s*Error: /.test(each));
    const block = end < 0 ? rest : rest.slice(0, end);
    const about = block.map((each) => /^\s*with (\S+),$/.exec(each)?.[1]).find((each) => each !== undefined);
    const who = block.map((each) => /^\s*Who:\s+(.+)$/.exec(each)?.[1]).find((each) => each !== undefined);
    return [`${title}${about === undefined ? "" : ` (${about})`}${who === undefined ? "" : `, held by ${who}`}`];
  });
}
