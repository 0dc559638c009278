/** Terraform in the folder of one synthesized stack. */
import { Problem } from "./problem";
import { type ShellOptions, type ShellResult, shellResult, which } from "./shell";

/** How Terraform is run. */
export type TerraformOptions = Pick<ShellOptions, "env" | "log" | "signal" | "onLine">;

/** What a state says about itself and what it holds. */
export interface State {
  /** Counts the changes of the state. */
  readonly serial: number;
  readonly outputs: Readonly<Record<string, { readonly value: unknown }>>;
  readonly resources: readonly StateResource[];
}

/** One resource of a state. */
export interface StateResource {
  readonly mode: "managed" | "data";
  readonly type: string;
  readonly name: string;
  readonly instances: readonly { readonly attributes: Readonly<Record<string, unknown>> }[];
}

/** Exit code of `plan -detailed-exitcode` when there is something to do. */
const CHANGES = 2;
const INIT_MS = 600_000;
const APPLY_MS = 1_800_000;
const READ_MS = 120_000;

/**
 * The terraform program: TERRAFORM_BINARY_NAME, as for the CDKTF CLI, or the one on PATH.
 *
 * @throws Problem when there is none
 */
export function terraformProgram(env: NodeJS.ProcessEnv): string {
  const program = env.TERRAFORM_BINARY_NAME ?? which("terraform", env);
  if (program === undefined) {
    throw new Problem(
      "terraform is not on PATH.",
      "Install Terraform >= 1.11 from https://developer.hashicorp.com/terraform/install.",
    );
  }
  return program;
}

/** One stack's Terraform. */
export class Terraform {
  /**
   * @param program the terraform program
   * @param folder the stack's folder
   * @param options environment, log file and signal
   */
  constructor(
    private readonly program: string,
    private readonly folder: string,
    private readonly options: TerraformOptions,
  ) {}

  /** `terraform init`, without questions. */
  async init(...flags: string[]): Promise<void> {
    await this.run(["init", "-no-color", "-input=false", ...flags], INIT_MS);
  }

  /** Plans into a file. @returns whether there is something to do */
  async plan(file: string, ...flags: string[]): Promise<boolean> {
    const args = ["plan", "-no-color", "-input=false", "-detailed-exitcode", `-out=${file}`, ...flags];
    return (await this.run(args, APPLY_MS, [0, CHANGES])).code === CHANGES;
  }

  /** A plan file in words, or as JSON with `-json`. Words leave secrets out, JSON does not. */
  async show(file: string, ...flags: string[]): Promise<string> {
    const how = { ...this.how(READ_MS), quiet: true };
    return (await shellResult(this.program, ["show", "-no-color", ...flags, file], how)).stdout;
  }

  /** Applies a plan file. */
  async apply(file: string, ...flags: string[]): Promise<void> {
    await this.run(["apply", "-no-color", "-input=false", ...flags, file], APPLY_MS);
  }

  /** Takes an existing resource into the state. */
  async import(address: string, id: string): Promise<void> {
    await this.run(["import", "-no-color", "-input=false", address, id], APPLY_MS);
  }

  /** The state as its backend holds it, or undefined before the first apply. */
  async state(): Promise<State | undefined> {
    const { stdout } = await shellResult(this.program, ["state", "pull"], { ...this.how(READ_MS), quiet: true });
    return stdout.trim() === "" ? undefined : (JSON.parse(stdout) as State);
  }

  private run(args: readonly string[], timeoutMs: number, accept?: readonly number[]): Promise<ShellResult> {
    return shellResult(this.program, args, this.how(timeoutMs), accept);
  }

  private how(timeoutMs: number): ShellOptions {
    return { ...this.options, cwd: this.folder, timeoutMs };
  }
}
