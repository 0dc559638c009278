/**
 * Layer 5: every stack by real Terraform and real providers, against the stand-ins of the clouds: apply, a second plan without a change,
 * and destroy to nothing.
 */
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ECRClient, PutImageCommand } from "@aws-sdk/client-ecr";
import { CreateBucketCommand, ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { inDeploymentOrder, type SynthesizedStack } from "../../commands/support/synthesis";
import { filesOf } from "../../local/cloud-config";
import { clientOptions, terraformClouds } from "../../local/clouds";
import { loadSettings } from "../../modules/platform/settings";
import { RUNTIMES } from "../../userdata/worker/artifact";
import { run } from "../support/run";
import { type StandIns, startStandIns } from "../support/servers";
import { describeUnless } from "../support/tools";

interface Instance {
  readonly attributes: { readonly user_data?: string };
}

const TERRAFORM_MS = 300_000;
const STACKS_MS = 900_000;

const missing = process.env.NANOGRID_NO_PROVIDERS
  ? `no Terraform providers: ${process.env.NANOGRID_NO_PROVIDERS}`
  : undefined;

describeUnless(missing)("every stack, against the stand-ins", () => {
  const settings = loadSettings("local");
  const work = mkdtempSync(join(tmpdir(), "deployment-"));
  let standIns: StandIns;
  let env: NodeJS.ProcessEnv;
  let s3: S3Client;
  /** Producers before their consumers. */
  let order: string[];

  const terraform = (stack: string, ...args: string[]) =>
    run("terraform", [...args, "-no-color"], { cwd: join(work, "stacks", stack), env, timeoutMs: TERRAFORM_MS });

  beforeAll(async () => {
    standIns = await startStandIns(settings.accountId);
    const { ports } = standIns;
    env = { ...process.env, ...terraformClouds(ports, settings.region) };
    s3 = new S3Client(clientOptions(ports, settings.region));
    await s3.send(
      new CreateBucketCommand({
        Bucket: settings.state.bucket,
        CreateBucketConfiguration: { LocationConstraint: "ap-northeast-2" },
      }),
    );
    run("npx", ["tsx", "main.ts"], { env: { ...process.env, ENVIRONMENT: "local", CDKTF_OUTDIR: join(work, "out") } });
    cpSync(join(work, "out", "stacks"), join(work, "stacks"), { recursive: true });
    order = deploymentOrder(join(work, "out", "manifest.json"));
  }, 120_000);

  afterAll(async () => {
    await standIns?.stop();
    s3?.destroy();
    rmSync(work, { recursive: true, force: true });
  });

  const askedImages = () => {
    const { data } = JSON.parse(readFileSync(join(work, "stacks", "nanogrid-workers", "cdk.tf.json"), "utf8")) as {
      data: { aws_ecr_image: Record<string, AskedImage> };
    };
    return Object.values(data.aws_ecr_image);
  };

  const apply = (stack: string) => {
    terraform(stack, "init", "-input=false");
    expect(terraform(stack, "apply", "-auto-approve", "-input=false")).toContain("Apply complete!");
  };

  test(
    "applies what the workers need; without their sandbox images in the registry, they cannot be planned",
    () => {
      order.slice(0, order.indexOf("nanogrid-workers")).forEach(apply);
      terraform("nanogrid-workers", "init", "-input=false");
      expect(() => terraform("nanogrid-workers", "plan", "-input=false")).toThrow(
        /reading ECR Images: couldn't find resource/,
      );
    },
    STACKS_MS,
  );

  test(
    "applies the rest once the images are there",
    async () => {
      const ecr = new ECRClient(clientOptions(standIns.ports, settings.region));
      await Promise.all(askedImages().map((image) => ecr.send(new PutImageCommand(imageOf(image)))));
      ecr.destroy();
      order.slice(order.indexOf("nanogrid-workers")).forEach(apply);
    },
    STACKS_MS,
  );

  test(
    "plans no change once it is applied",
    () => {
      for (const stack of order) {
        // The exit status is 2, and the call fails with the plan, where there is a change.
        terraform(stack, "plan", "-detailed-exitcode", "-input=false");
      }
    },
    STACKS_MS,
  );

  test("lists resources by names that a stranger can read: no hash, no counter", () => {
    for (const stack of order) {
      const addresses = terraform(stack, "state", "list").trim().split("\n");
      expect(addresses.length).toBeGreaterThan(0);
      for (const address of addresses) {
        expect(address).toMatch(/^(data\.)?[a-z0-9_]+\.[a-z][a-z0-9_-]*$/);
        expect(address).not.toMatch(/[0-9A-F]{8}$/);
      }
    }
  });

  test("gives out the names of the specification", () => {
    const outputs = JSON.parse(terraform("nanogrid-data", "output", "-json")) as Record<string, { value: unknown }>;
    expect(outputs.functions_table?.value).toBe("NanoGridFunctions");
    expect(outputs.code_bucket?.value).toBe("nanogrid-code-bucket");
    expect(outputs.queue_url?.value).toMatch(/\/nanogrid-task-queue$/);
    expect(outputs.redis_host?.value).toBe("127.0.0.1");
  });

  test("hands workers the images by digest", () => {
    const state = terraform("nanogrid-workers", "state", "pull");
    const { resources } = JSON.parse(state) as { resources: { type: string; instances: Instance[] }[] };
    const [template] = resources
      .filter(({ type }) => type === "aws_launch_template")
      .flatMap(({ instances }) => instances);
    const environment = filesOf(template?.attributes.user_data ?? "").get("/etc/nanogrid/worker.env");
    for (const runtime of RUNTIMES) {
      const line = new RegExp(
        `^RUNTIME_IMAGE_${runtime.toUpperCase()}=\\S+/nanogrid/runtime-${runtime}@sha256:[0-9a-f]{64}$`,
        "m",
      );
      expect(environment).toMatch(line);
    }
  });

  test(
    "destroys to nothing",
    async () => {
      for (const stack of [...order].reverse()) {
        expect(terraform(stack, "destroy", "-auto-approve", "-input=false")).toContain("Destroy complete!");
        expect(terraform(stack, "state", "list").trim()).toBe("");
      }
      const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
      expect(Buckets.map(({ Name }) => Name)).toEqual([settings.state.bucket]);
    },
    STACKS_MS,
  );
});

/** What the workers' stack asks the registry for. */
interface AskedImage {
  readonly repository_name: string;
  readonly image_tag: string;
}

/** An image of one layer under the tag that the workers' stack asks for. */
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

/** NanoGrid's stacks, each after those it reads. */
function deploymentOrder(manifestFile: string): string[] {
  const { stacks } = JSON.parse(readFileSync(manifestFile, "utf8")) as { stacks: Record<string, SynthesizedStack> };
  const names = inDeploymentOrder(Object.values(stacks)).map(({ name }) => name);
  return names.filter((name) => name !== "state-backend");
}
