/** Every stack by real Terraform and real providers against the stand-ins of the clouds, for tests that want what Terraform makes of it. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ECRClient, PutImageCommand } from "@aws-sdk/client-ecr";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { type JudgedEnvironment, readVerdicts } from "../../commands/support/policy/verdicts";
import { inDeploymentOrder, type SynthesizedStack } from "../../commands/support/synthesis";
import type { State } from "../../commands/support/terraform";
import { type AtlasProvider, startAtlasProvider } from "../../local/atlas-provider/program";
import { clientOptions, terraformClouds } from "../../local/clouds";
import { parseSettings, type Settings } from "../../modules/platform/settings";
import { run, runBeside } from "./run";
import { type RunningProvider, type StandIns, startProvider, startStandIns } from "./servers";
import { Synthesis as StackSynthesis } from "./synth";

const TERRAFORM_MS = 300_000;
/** The stack whose bucket stands in for itself: the test makes it. */
const STATE_STACK = "state-backend";
const ENVIRONMENT = "deployed";
/** Where a stack has its files. */
const ASSETS = "assets";

/** An environment's section of cdktf.json. */
export function sectionOf(environment: string): object {
  const { context } = JSON.parse(readFileSync("cdktf.json", "utf8")) as {
    context: { environments: Record<string, object> };
  };
  return context.environments[environment] ?? {};
}

/**
 * An environment's section with only those stacks that can be deployed here: without the stand-in of the Atlas provider, none of the
 * inference cluster.
 */
export function deployable<S extends object>(section: S): S {
  const missing = process.env.NANOGRID_NO_ATLAS_PROVIDER;
  if (missing === undefined) {
    return section;
  }
  console.warn(`left out: the inference cluster: ${missing}`);
  return { ...section, inference: { enabled: false } };
}

/** The stand-in of the Atlas provider for stand-ins that run; nothing where it cannot be had. */
export async function attachAtlasProvider(standIns: StandIns): Promise<AtlasProvider> {
  const program = process.env.NANOGRID_ATLAS_PROVIDER;
  return program === undefined
    ? { env: {}, stop: () => Promise.resolve() }
    : await startAtlasProvider(program, standIns.ports.aws);
}

/** What a stack asks the registry of images for. */
interface AskedImage {
  readonly repository_name: string;
  readonly image_tag: string;
}

/** What the app makes of an environment. */
export interface Synthesis {
  /** Folder with one of each stack, in which Terraform runs. */
  readonly stacks: string;
  /** The stacks, producers before their consumers. */
  readonly order: readonly string[];
  /** What was synthesized, and the exceptions that are written in it. */
  readonly judged: JudgedEnvironment;
}

/** One environment on stand-ins of its own. Terraform works on one stack at a time. */
export class Deployment {
  private provider: RunningProvider | undefined;
  /** Folders in which Terraform was prepared. */
  private readonly prepared = new Set<string>();

  private constructor(
    private readonly work: string,
    /** The stand-ins that it is on. */
    readonly standIns: StandIns,
    private readonly atlas: AtlasProvider,
    /** Leads Terraform to them. */
    readonly env: NodeJS.ProcessEnv,
    readonly settings: Settings,
    private readonly synthesis: Synthesis,
  ) {}

  /**
   * Starts empty stand-ins and synthesizes.
   *
   * @param wanted the environment's section of cdktf.json
   * @param authorizer URL of what is asked about each request of a role; without one, no IAM is enforced
   * @param more environment variables for Terraform, such as KUBE_CONFIG_PATH
   */
  static async start(wanted: object, authorizer?: string, more: NodeJS.ProcessEnv = {}): Promise<Deployment> {
    const section = deployable(wanted);
    const settings = parseSettings({ [ENVIRONMENT]: section }, ENVIRONMENT);
    const standIns = await startStandIns(settings.accountId, authorizer);
    const atlas = await attachAtlasProvider(standIns);
    const work = mkdtempSync(join(tmpdir(), "deployment-"));
    try {
      const env = { ...process.env, ...terraformClouds(standIns.ports, settings.region), ...more };
      const synthesis = synthesize(section, join(work, "own"));
      const deployment = new Deployment(work, standIns, atlas, env, settings, synthesis);
      await deployment.makeStateBucket();
      return deployment;
    } catch (error) {
      await atlas.stop();
      await standIns.stop();
      rmSync(work, { recursive: true, force: true });
      throw error;
    }
  }

  /** The stacks, producers before their consumers. */
  get stacks(): readonly string[] {
    return this.synthesis.order;
  }

  /** What was synthesized, and the exceptions that are written in it. */
  get judged(): JudgedEnvironment {
    return this.synthesis.judged;
  }

  /** The same environment with other settings, for plans of what is not applied. */
  synthesizeAs(section: object): Synthesis {
    return synthesize(section, mkdtempSync(join(this.work, "other-")));
  }

  /** Applies a stack. @returns what Terraform says */
  async apply(stack: string): Promise<string> {
    await this.pushImages(stack);
    return this.terraform(stack, "apply", "-auto-approve", "-input=false");
  }

  /**
   * The plan of a stack as JSON, made before the stack is applied, so that it has every resource. Applies it but for the state bucket's.
   *
   * @param planned what is planned instead of that which is applied
   */
  async planAndApply(stack: string, planned: Synthesis = this.synthesis): Promise<string> {
    await this.pushImages(stack);
    const folder = join(planned.stacks, stack);
    await this.terraformIn(folder, "plan", "-input=false", "-out=plan", "-lock=false");
    const plan = await this.terraformIn(folder, "show", "-json", "plan");
    if (stack !== STATE_STACK) {
      const what = planned === this.synthesis ? ["plan"] : ["-auto-approve"];
      await this.terraform(stack, "apply", "-input=false", ...what);
    }
    return plan;
  }

  /** Applies some resources of a stack, and its outputs that need no others. What is left out is validated. */
  async applyOnly(stack: string, addresses: readonly string[]): Promise<void> {
    await this.terraform(stack, "validate");
    const targets = addresses.map((address) => `-target=${address}`);
    await this.terraform(stack, "apply", "-auto-approve", "-input=false", ...targets);
  }

  /** Whether a stack that was applied, or some resources of it, plans no change: else the call fails with the plan. */
  async assertUnchanged(stack: string, addresses: readonly string[] = []): Promise<void> {
    const targets = addresses.map((address) => `-target=${address}`);
    await this.terraform(stack, "plan", "-detailed-exitcode", "-input=false", ...targets);
  }

  /**
   * Destroys a stack, or some resources of it.
   *
   * @returns the addresses of resources that are left in its state
   */
  async destroy(stack: string, addresses: readonly string[] = []): Promise<readonly string[]> {
    const targets = addresses.map((address) => `-target=${address}`);
    await this.terraform(stack, "destroy", "-auto-approve", "-input=false", ...targets);
    const left = await this.terraform(stack, "state", "list");
    return left.split("\n").filter((address) => address !== "" && !address.startsWith("data."));
  }

  /** What was synthesized for a stack. */
  json(stack: string): StackSynthesis {
    return new StackSynthesis(readFileSync(join(this.synthesis.stacks, stack, "cdk.tf.json"), "utf8"));
  }

  /** The state of a stack that was applied. */
  state(stack: string): State {
    const cwd = join(this.synthesis.stacks, stack);
    return JSON.parse(run("terraform", ["state", "pull"], { cwd, env: this.env, timeoutMs: TERRAFORM_MS })) as State;
  }

  /** Runs Terraform in a stack, which it prepares the first time. @returns its output */
  terraform(stack: string, ...args: string[]): Promise<string> {
    return this.terraformIn(join(this.synthesis.stacks, stack), ...args);
  }

  /** Ends the stand-ins, and with them all that was made. */
  async stop(): Promise<void> {
    await this.provider?.stop();
    await this.atlas.stop();
    await this.standIns.stop();
    rmSync(this.work, { recursive: true, force: true });
  }

  /** Puts the images that a stack asks for into the registry: without them it cannot be planned. */
  async pushImages(stack: string): Promise<void> {
    const { data } = stackIn(join(this.synthesis.stacks, stack));
    const ecr = new ECRClient(clientOptions(this.standIns.ports, this.settings.region));
    for (const image of Object.values(data?.aws_ecr_image ?? {})) {
      await ecr.send(new PutImageCommand(imageOf(image)));
    }
    ecr.destroy();
  }

  private async makeStateBucket(): Promise<void> {
    const s3 = new S3Client(clientOptions(this.standIns.ports, this.settings.region));
    const LocationConstraint = "ap-northeast-2";
    const { bucket } = this.settings.state;
    await s3.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint } }));
    s3.destroy();
  }

  private async terraformIn(folder: string, ...args: string[]): Promise<string> {
    if (!this.prepared.has(folder)) {
      await terraform(folder, { ...this.env, ...this.atlas.env }, "init", "-input=false");
      const assets = join(folder, ASSETS);
      if (existsSync(assets)) {
        cpSync(assets, join(this.work, ASSETS), { recursive: true });
      }
      this.prepared.add(folder);
    }
    try {
      return await terraform(folder, { ...this.env, ...(await this.attached(folder)) }, ...args);
    } catch (error) {
      throw new Error(`${(error as Error).message}\nThe stand-ins answered last:\n${this.standIns.said()}`);
    }
  }

  /** What attaches Terraform to the stand-in of Atlas, and to the one AWS provider of this deployment, where a stack configures it once. */
  private async attached(folder: string): Promise<NodeJS.ProcessEnv> {
    if (stackIn(folder).provider?.aws?.length !== 1) {
      return this.atlas.env;
    }
    // It reads assets from where it runs, by paths that hold their hashes.
    this.provider ??= await startProvider(installedProvider(folder), { cwd: this.work, env: this.env });
    const both = [this.atlas.env, this.provider.env].map(
      ({ TF_REATTACH_PROVIDERS = "{}" }) => JSON.parse(TF_REATTACH_PROVIDERS) as object,
    );
    return { TF_REATTACH_PROVIDERS: JSON.stringify(Object.assign({}, ...both)) };
  }
}

/** The parts of a synthesized stack that are read here. */
interface StackJson {
  readonly data?: { readonly aws_ecr_image?: Readonly<Record<string, AskedImage>> };
  readonly provider?: { readonly aws?: readonly unknown[] };
}

function stackIn(folder: string): StackJson {
  return JSON.parse(readFileSync(join(folder, "cdk.tf.json"), "utf8")) as StackJson;
}

/** The AWS provider's program that `terraform init` has installed in a stack's folder. */
export function installedProvider(folder: string): string {
  const versions = join(folder, ".terraform", "providers", "registry.terraform.io", "hashicorp", "aws");
  const [version = ""] = readdirSync(versions);
  const [platform = ""] = readdirSync(join(versions, version));
  const programs = readdirSync(join(versions, version, platform));
  const program = programs.find((name) => name.startsWith("terraform-provider-aws"));
  return join(versions, version, platform, program ?? "");
}

function terraform(cwd: string, env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const isData = args.includes("-json") || args[0] === "state";
  return runBeside("terraform", isData ? args : [...args, "-no-color"], { cwd, env, timeoutMs: TERRAFORM_MS });
}

/** Synthesizes into `work`, and copies the stacks to where Terraform runs in them. */
function synthesize(section: object, work: string): Synthesis {
  const context = JSON.stringify({ environments: { [ENVIRONMENT]: section } });
  const out = join(work, "out");
  mkdirSync(out, { recursive: true });
  run(process.execPath, ["--import", "tsx", "main.ts"], {
    env: { ...process.env, ENVIRONMENT, CDKTF_OUTDIR: out, CDKTF_CONTEXT_JSON: context },
  });
  cpSync(join(out, "stacks"), join(work, "stacks"), { recursive: true });
  const { stacks } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8")) as {
    stacks: Record<string, SynthesizedStack>;
  };
  const order = inDeploymentOrder(Object.values(stacks)).map(({ name }) => name);
  return { stacks: join(work, "stacks"), order, judged: readVerdicts(out, ENVIRONMENT) };
}

/** An image of one layer under the tag that a stack asks for. */
function imageOf({ repository_name: repositoryName, image_tag: imageTag }: AskedImage) {
  const imageManifestMediaType = "application/vnd.docker.distribution.manifest.v2+json";
  const part = { digest: `sha256:${createHash("sha256").update(repositoryName).digest("hex")}`, size: 1 };
  const imageManifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: imageManifestMediaType,
    config: part,
    layers: [part],
  });
  return { repositoryName, imageTag, imageManifest, imageManifestMediaType };
}
