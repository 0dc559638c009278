/**
 * constructs/container-image.ts by real Terraform and a real engine: an image is built and pushed when its sources are new, not again when
 * nothing has changed, and again when one has. ECR is the stand-in, which takes the manifest of what the engine has built.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CreateRepositoryCommand, DescribeImagesCommand, ECRClient } from "@aws-sdk/client-ecr";
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { App, LocalBackend, TerraformOutput, TerraformStack } from "cdktf";
import { ContainerImage } from "../../constructs/container-image";
import { clientOptions, terraformClouds } from "../../local/clouds";
import { filesBelow, hashOf } from "../../modules/platform/artifact";
import { loadSettings } from "../../modules/platform/settings";
import { run } from "../support/run";
import { type StandIns, startStandIns } from "../support/servers";
import { describeUnless } from "../support/tools";

const BUILD_MS = 180_000;
const REPOSITORY = "deepdenoising-triton";
const URL = `registry.example/${REPOSITORY}`;
/** Terraform runs three folders below the project, as it does in cdktf.out/stacks/<stack>. */
const CACHE = join("node_modules", ".cache");

const missing =
  (process.env.DOCKER_HOST ? undefined : "no Docker engine: set DOCKER_HOST") ??
  (process.env.NANOGRID_NO_PROVIDERS ? `no Terraform providers: ${process.env.NANOGRID_NO_PROVIDERS}` : undefined);

describeUnless(missing)("a container image, by a deployment", () => {
  const settings = loadSettings("local");
  mkdirSync(CACHE, { recursive: true });
  const stack = mkdtempSync(join(CACHE, "container-image-"));
  const sources = join(stack, "sources");
  let standIns: StandIns;
  let ecr: ECRClient;
  let env: NodeJS.ProcessEnv;

  const source = (name: string, text: string) => writeFileSync(join(sources, name), text);
  const terraform = (...args: string[]) =>
    run("terraform", [...args, "-no-color"], { cwd: stack, env, timeoutMs: BUILD_MS });
  const apply = () => terraform("apply", "-auto-approve", "-input=false");

  /** Synthesizes what the sources ask for, and puts it where Terraform runs. @returns the image's tag */
  const synthesize = (repository = REPOSITORY): string => {
    const tag = hashOf(filesBelow(sources)).slice(0, 16);
    const out = join(stack, "out");
    const app = new App({ outdir: out });
    const made = new TerraformStack(app, "images");
    new LocalBackend(made, { path: "terraform.tfstate" });
    const image = new ContainerImage(made, "image", {
      environment: "local",
      repository,
      repositoryUrl: URL,
      tag,
      context: sources,
      dockerfile: "Dockerfile",
      platform: "linux/arm64",
    });
    new AwsProvider(made, "aws", { region: settings.region, skipCredentialsValidation: true });
    made.addOverride("terraform.required_providers.aws.version", "~> 6.47");
    new TerraformOutput(made, "uri", { value: image.uri }).overrideLogicalId("uri");
    new TerraformOutput(made, "digest", { value: image.uriByDigest() }).overrideLogicalId("digest");
    app.synth();
    cpSync(join(out, "stacks", "images"), stack, { recursive: true });
    return tag;
  };
  const pushed = async () => {
    const { imageDetails = [] } = await ecr.send(new DescribeImagesCommand({ repositoryName: REPOSITORY }));
    return imageDetails.flatMap(({ imageTags = [] }) => imageTags).sort();
  };

  beforeAll(async () => {
    mkdirSync(sources);
    source("Dockerfile", "FROM scratch\nCOPY model /model\n");
    source("model", "first");
    standIns = await startStandIns(settings.accountId);
    ecr = new ECRClient(clientOptions(standIns.ports, settings.region));
    env = { ...process.env, ...terraformClouds(standIns.ports, settings.region) };
    synthesize();
    terraform("init", "-input=false");
  }, BUILD_MS);

  afterAll(async () => {
    ecr?.destroy();
    await standIns?.stop();
    rmSync(stack, { recursive: true, force: true });
  });

  test(
    "without its repository it is not built, and the person who deploys reads what to do",
    () => {
      expect(apply).toThrow(
        /There is no repository deepdenoising-triton for the image\.[\s\S]*ENVIRONMENT=local npx cdktf deploy/,
      );
    },
    BUILD_MS,
  );

  test(
    "is built and pushed under the hash of its sources by the next deployment, and its name comes after that",
    async () => {
      await ecr.send(new CreateRepositoryCommand({ repositoryName: REPOSITORY }));
      const tag = synthesize();
      expect(apply()).toContain(`${REPOSITORY}:${tag} is pushed: sha256:`);
      expect(await pushed()).toEqual([tag]);
      expect(terraform("output", "-raw", "uri")).toBe(`${URL}:${tag}`);
      const { imageDetails = [] } = await ecr.send(new DescribeImagesCommand({ repositoryName: REPOSITORY }));
      expect(terraform("output", "-raw", "digest")).toBe(`${URL}@${imageDetails[0]?.imageDigest}`);
    },
    BUILD_MS,
  );

  test(
    "is not built again when nothing has changed",
    () => {
      synthesize();
      expect(terraform("plan", "-detailed-exitcode", "-input=false")).toContain("No changes.");
    },
    BUILD_MS,
  );

  test(
    "is built again when a source has changed, and the one before stays",
    async () => {
      const [first] = await pushed();
      source("model", "second");
      const second = synthesize();
      expect(apply()).toContain(`${REPOSITORY}:${second} is pushed: sha256:`);
      expect(await pushed()).toEqual([first, second].sort());
    },
    BUILD_MS,
  );

  test(
    "that the repository has already is taken as it is: no engine is asked",
    async () => {
      source("model", "first");
      const first = synthesize();
      env = { ...env, DOCKER_HOST: "tcp://127.0.0.1:1" };
      expect(apply()).toContain(`${REPOSITORY}:${first} is there: sha256:`);
      expect(await pushed()).toHaveLength(2);
    },
    BUILD_MS,
  );

  test("leaves no credentials in its state", () => {
    const state = readFileSync(join(stack, "terraform.tfstate"), "utf8");
    expect(state).toContain("triggers_replace");
    expect(state).not.toMatch(/AWS_[A-Z]/);
    expect(state).not.toMatch(/token|password|authorization/i);
  });
});
