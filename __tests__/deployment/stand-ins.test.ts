/**
 * Layer 5: every stack by real Terraform and real providers, against the stand-ins of the clouds: apply, a second plan without a change,
 * and destroy to nothing. Layer 6: checkov, offline, on the plans of every stack, with data protected as in prod; nothing is found without a
 * reason in the code, and no reason is written for nothing.
 */
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import {
  type CheckovFinding,
  checkPlans,
  checkSynthesis,
  unusedExceptions,
  withoutExceptions,
} from "../../commands/support/policy/checkov";
import { filesOf } from "../../local/cloud-config";
import { clientOptions } from "../../local/clouds";
import { RUNTIMES } from "../../userdata/worker/artifact";
import { Deployment, deployable, type Synthesis, sectionOf } from "../support/deployment";
import { describeUnless, testUnless } from "../support/tools";

interface Instance {
  readonly attributes: { readonly user_data?: string };
}

const STACKS_MS = 900_000;
const CHECKOV_MS = 300_000;
const STATE_STACK = "state-backend";

const missing = process.env.NANOGRID_NO_PROVIDERS
  ? `no Terraform providers: ${process.env.NANOGRID_NO_PROVIDERS}`
  : undefined;
const python = process.env.NANOGRID_CHECKOV_PYTHON ?? "";

describeUnless(missing)("every stack, against the stand-ins", () => {
  const section = deployable(sectionOf("local"));
  /** Plans of each stack before it was applied, with its data protected. */
  const plans = new Map<string, string>();
  let deployment: Deployment;
  let protecting: Synthesis;
  let s3: S3Client;
  /** Producers before their consumers. */
  let order: string[];

  const terraform = (stack: string, ...args: string[]) => deployment.terraform(stack, ...args);

  beforeAll(async () => {
    deployment = await Deployment.start(section);
    protecting = deployment.synthesizeAs({ ...section, protectData: true });
    s3 = new S3Client(clientOptions(deployment.standIns.ports, deployment.settings.region));
    order = deployment.stacks.filter((name) => name !== STATE_STACK);
  }, 120_000);

  afterAll(async () => {
    await deployment?.stop();
    s3?.destroy();
  });

  const applyEach = async (stacks: readonly string[]) => {
    for (const stack of stacks) {
      plans.set(stack, await deployment.planAndApply(stack, protecting));
    }
  };

  test(
    "applies what the workers need; without their sandbox images in the registry, they cannot be planned",
    async () => {
      await applyEach(order.slice(0, order.indexOf("nanogrid-workers")));
      await expect(terraform("nanogrid-workers", "plan", "-input=false")).rejects.toThrow(
        /reading ECR Images: couldn't find resource/,
      );
    },
    STACKS_MS,
  );

  test(
    "applies the rest once the images are there",
    () => applyEach(order.slice(order.indexOf("nanogrid-workers"))),
    STACKS_MS,
  );

  test(
    "plans no change once it is applied",
    async () => {
      for (const stack of order) {
        // The exit status is 2, and the call fails with the plan, where there is a change.
        await terraform(stack, "plan", "-detailed-exitcode", "-input=false");
      }
    },
    STACKS_MS,
  );

  test("lists resources by names that a stranger can read: no hash, no counter", async () => {
    for (const stack of order) {
      const addresses = (await terraform(stack, "state", "list")).trim().split("\n");
      expect(addresses.length).toBeGreaterThan(0);
      for (const address of addresses) {
        expect(address).toMatch(/^(data\.)?[a-z0-9_]+\.[a-z][a-z0-9_-]*$/);
        expect(address).not.toMatch(/[0-9A-F]{8}$/);
      }
    }
  });

  const outputsOf = async (stack: string) =>
    JSON.parse(await terraform(stack, "output", "-json")) as Record<string, { value: unknown } | undefined>;

  test("gives out the names of the specification", async () => {
    const outputs = await outputsOf("nanogrid-data");
    expect(outputs.functions_table?.value).toBe("NanoGridFunctions");
    expect(outputs.code_bucket?.value).toBe("nanogrid-code-bucket");
    expect(outputs.queue_url?.value).toMatch(/\/nanogrid-task-queue$/);
    expect(outputs.redis_host?.value).toBe("127.0.0.1");
  });

  test("gives out what Denoise's commands and programs go by", async () => {
    const storage = await outputsOf("denoise-storage");
    expect(storage.in_bucket?.value).toBe("ddn-in-bucket");
    expect(storage.repository_url?.value).toMatch(/\/deepdenoising-triton$/);
    const service = await outputsOf("denoise-service");
    expect(service.cluster_name?.value).toBe("ddn-cluster");
    expect(service.capacity_groups?.value).toEqual(["ddn-gpu-on-demand"]);
    const api = await outputsOf("denoise-api");
    expect(api.presign_function_name?.value).toBe("ddn-presign-lambda");
    expect(api.api_url?.value).toMatch(/^https:\/\//);
  });

  testUnless(process.env.NANOGRID_NO_ATLAS_PROVIDER)(
    "gives out the database's address without credentials",
    async () => {
      const outputs = await outputsOf("inference-network");
      expect(outputs.database_uri?.value).toMatch(/^mongodb\+srv:\/\/[\w.-]+\.mongodb\.net$/);
      expect(outputs.database_name?.value).toBe("shop");
    },
  );

  test("gives out where the ML function is, and who may call it, under the names of its specification", async () => {
    const outputs = await outputsOf("ml-function");
    expect(outputs.EndpointUrl?.value).toMatch(/^https:\/\/\w+\.lambda-url\.ap-northeast-2\.on\.aws/);
    expect(outputs.fnUrlRoleArn?.value).toMatch(/^arn:aws:iam::\d{12}:role\/ml-function-url-role$/);
    expect(outputs.image_uri?.value).toMatch(/\/ml-xgboost@sha256:[0-9a-f]{64}$/);
  });

  test("hands workers the images by digest", async () => {
    const state = await terraform("nanogrid-workers", "state", "pull");
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

  describeUnless(python === "" ? "no checkov: the test machine's setup makes its environment" : undefined)(
    "checkov on the plans",
    () => {
      const options = { python, env: process.env };
      let found: CheckovFinding[];

      beforeAll(async () => {
        plans.set(STATE_STACK, await deployment.planAndApply(STATE_STACK, protecting));
        found = await checkPlans(plans, options);
      }, CHECKOV_MS);

      test("finds nothing without a written reason", () => {
        expect(found.length).toBeGreaterThan(20);
        expect(withoutExceptions(found, protecting.judged.exceptions)).toEqual([]);
      });

      test(
        "no exception from a check is written for nothing",
        async () => {
          const both = [...found, ...(await checkSynthesis(protecting.judged.stacks, options))];
          expect(unusedExceptions(both, protecting.judged.exceptions)).toEqual([]);
        },
        CHECKOV_MS,
      );
    },
  );

  test(
    "destroys to nothing",
    async () => {
      for (const stack of [...order].reverse()) {
        // A plan of each has just read it.
        const flags = ["-auto-approve", "-input=false", "-refresh=false"];
        expect(await terraform(stack, "destroy", ...flags)).toContain("Destroy complete!");
        expect((await terraform(stack, "state", "list")).trim()).toBe("");
      }
      const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
      expect(Buckets.map(({ Name }) => Name)).toEqual([deployment.settings.state.bucket]);
    },
    STACKS_MS,
  );
});
