/**
 * Delivery as an engineer and CI do it, with real Terraform against the stand-ins: plan, look, apply exactly that plan, plan nothing more,
 * change a setting on a branch, find what was changed behind Terraform's back, refuse to lose data, bring back a state.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient, UpdateContinuousBackupsCommand } from "@aws-sdk/client-dynamodb";
import {
  CreateBucketCommand,
  DeleteBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { stateKey } from "../../commands/support/state-bucket";
import { clientOptions, terraformClouds, withoutAccounts } from "../../local/clouds";
import { loadSettings } from "../../modules/platform/settings";
import { removeScratch, scratchCheckout } from "../local/scratch";
import { installedProvider } from "../support/deployment";
import { run } from "../support/run";
import { type RunningProvider, type StandIns, startProvider, startStandIns } from "../support/servers";
import { describeUnless } from "../support/tools";

/** Two stacks, the second reads the first, so that a plan takes seconds and not minutes. */
const MAIN = `
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { App } from "cdktf";
import { PrivateBucket } from "./constructs/private-bucket";
import { Table } from "./constructs/table";
import { contract } from "./modules/platform/contract";
import { PlatformStack } from "./modules/platform/platform-stack";
import { readSettings, type Settings } from "./modules/platform/settings";

const store = contract("store", { bucket: "Bucket of the papers" });

class Store extends PlatformStack {
  constructor(app: App, settings: Settings) {
    super(app, store.stack, settings);
    const { bucketSuffix } = settings.nanogrid.data;
    const name = bucketSuffix ? "papers-" + bucketSuffix : "papers";
    const bucket = new PrivateBucket(this, "papers", { name, versioned: true, protect: false });
    new Table(this, "index", { name: "Index", key: { partition: "id" }, protect: false });
    this.publish(store, { bucket: bucket.name });
  }
}

class Reader extends PlatformStack {
  constructor(app: App, settings: Settings) {
    super(app, "reader", settings);
    new CloudwatchLogGroup(this, "log", { name: "/reader/" + this.read(store).bucket, retentionInDays: 30 });
  }
}

const app = new App();
const settings = readSettings(app);
new Store(app, settings);
new Reader(app, settings);
app.synth();
`;

const STEP_MS = 300_000;

const missing = process.env.NANOGRID_NO_PROVIDERS
  ? `no Terraform providers: ${process.env.NANOGRID_NO_PROVIDERS}`
  : undefined;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describeUnless(missing)("delivery", () => {
  const settings = loadSettings("local");
  const plans = mkdtempSync(join(tmpdir(), "delivery-"));
  let checkout: string;
  let standIns: StandIns;
  let env: NodeJS.ProcessEnv;
  let s3: S3Client;
  let provider: RunningProvider | undefined;

  const git = (...args: string[]) =>
    run("git", ["-c", "user.name=test", "-c", "user.email=test@example.com", ...args], { cwd: checkout });
  const command = (name: string, ...args: string[]) =>
    new Promise<Ended>((resolve) => {
      execFile(
        process.execPath,
        ["--import", "tsx", `commands/${name}.ts`, ...args],
        { cwd: checkout, env, timeout: STEP_MS, maxBuffer: 16 * 1024 ** 2 },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
    });
  const succeed = async (name: string, ...args: string[]) => {
    const ended = await command(name, ...args);
    expect(ended).toMatchObject({ code: 0 });
    return ended.stdout;
  };
  const folder = (name: string) => join(plans, name);
  const comment = (name: string) => readFileSync(join(folder(name), "comment.md"), "utf8");
  /** Changes settings of the environment `local`, and commits that. */
  const change = (changes: object, message: string) => {
    const file = join(checkout, "cdktf.json");
    const config = JSON.parse(readFileSync(file, "utf8")) as { context: { environments: { local: object } } };
    Object.assign(config.context.environments.local, changes);
    writeFileSync(file, JSON.stringify(config, null, 2));
    git("commit", "--quiet", "--all", "--message", message);
  };

  beforeAll(async () => {
    checkout = scratchCheckout();
    writeFileSync(join(checkout, "main.ts"), MAIN);
    writeFileSync(join(checkout, ".gitignore"), "node_modules\ncdktf.out\n");
    git("init", "--quiet", "--initial-branch=main");
    git("add", "--all");
    git("commit", "--quiet", "--message", "Begin");
    standIns = await startStandIns(settings.accountId);
    env = {
      ...withoutAccounts(process.env),
      ...terraformClouds(standIns.ports, settings.region),
      ENVIRONMENT: "local",
    };
    s3 = new S3Client(clientOptions(standIns.ports, settings.region));
    const Bucket = settings.state.bucket;
    const LocationConstraint = "ap-northeast-2";
    await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint } }));
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  }, STEP_MS);

  afterAll(async () => {
    await provider?.stop();
    await standIns?.stop();
    s3?.destroy();
    rmSync(plans, { recursive: true, force: true });
    removeScratch();
  });

  test(
    "a first plan tells what can only be planned later, and is applied as it is",
    async () => {
      const text = await succeed("diff", "--out", folder("first"));
      expect(text).toMatch(/^store: 8 to add, 1 outputs$/m);
      expect(text).toMatch(/^reader: can be planned after store$/m);

      expect(await succeed("apply", "--plans", folder("first"))).toMatch(/^Applied: store\nPlan next: .* reader /);
      expect(await succeed("diff", "--out", folder("second"))).toMatch(/^reader: 1 to add$/m);
      await succeed("apply", "--plans", folder("second"));

      // From here on Terraform finds its provider at work already: that saves half of each of its runs.
      const program = installedProvider(join(checkout, "cdktf.out", "stacks", "store"));
      provider = await startProvider(program, { cwd: checkout, env });
      Object.assign(env, provider.env);
    },
    STEP_MS,
  );

  test(
    "a plan of another commit is refused, before Terraform is asked",
    async () => {
      git("commit", "--quiet", "--allow-empty", "--message", "Something else");

      const ended = await command("apply", "--plans", folder("second"));

      expect(ended).toMatchObject({ code: 1 });
      expect(ended.stderr).toMatch(/These plans are for commit [0-9a-f]{40}, and this is [0-9a-f]{40}/);
    },
    STEP_MS,
  );

  test(
    "a setting changed on a branch: the waves, the comment that would be posted, the saved plan applied, and nothing left",
    async () => {
      git("checkout", "--quiet", "-b", "change");
      change({ owner: "papers-team" }, "Another owner");

      expect(JSON.parse(await succeed("diff", "--waves", "--changed-since", "main"))).toEqual([["store"], ["reader"]]);
      const against = await succeed("diff", "--against", "main");
      expect(against).toMatch(/^ {2}~ provider\.aws$/m);
      expect(against).toContain('default_tags[0].tags.owner: "local" → "papers-team"');

      const url = "https://example.com/plans";
      const planned = await command("diff", "--detailed-exitcode", "--out", folder("branch"), "--plan-url", url);
      expect(planned).toMatchObject({ code: 2 });
      const [marker, , title] = comment("branch").split("\n");
      expect(marker).toBe("<!-- nanogrid-cloud diff: local -->");
      expect(title).toBe("### Diff of `local`: 3 to change");
      expect(comment("branch")).toContain("| store | 0 | 0 | 0 | 2 |  |");
      expect(comment("branch")).toContain("<details><summary>store: 2 to change</summary>");
      expect(comment("branch")).toContain(`[Full plan](${url})`);
      expect(planned.stdout).toContain('tags_all.owner: "local" → "papers-team"');

      await succeed("apply", "--plans", folder("branch"));
      await succeed("diff", "--detailed-exitcode");
    },
    STEP_MS,
  );

  test(
    "a plan whose state has changed since is refused with what to do",
    async () => {
      const ended = await command("apply", "--plans", folder("branch"), "reader");

      expect(ended).toMatchObject({ code: 1 });
      expect(ended.stderr).toMatch(/reader: Saved plan is stale\.\n {2}The state has changed since the plan was made/);
    },
    STEP_MS,
  );

  test(
    "what is changed behind Terraform's back is found, by stack and attribute, and what is not is not",
    async () => {
      const dynamo = new DynamoDBClient(clientOptions(standIns.ports, settings.region));
      await dynamo.send(
        new UpdateContinuousBackupsCommand({
          TableName: "Index",
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: false },
        }),
      );
      dynamo.destroy();
      await s3.send(new DeleteBucketPolicyCommand({ Bucket: "papers" }));

      // One stack at a time: the provider that runs on has one configuration.
      const ended = await command("drift", "--out", folder("drift"), "--parallel", "1");

      const { stdout } = ended;
      expect(ended).toMatchObject({ code: 2 });
      expect(stdout).toMatch(/^store: 2 resources have drifted$/m);
      expect(stdout).toContain("  - aws_s3_bucket_policy.papers_policy  DELETED");
      expect(stdout).toMatch(/~ aws_dynamodb_table\.index\n {6}point_in_time_recovery\[0\]\.enabled: true → false/);
      expect(stdout).toMatch(/^reader: as its state says$/m);
      expect(readFileSync(join(folder("drift"), "drift.md"), "utf8")).toMatch(
        /^<!-- nanogrid-cloud drift: local -->\n\n### Drift of `local`: store$/m,
      );
    },
    STEP_MS,
  );

  test(
    "a plan that would destroy data is told first and loudest, and refused unless it is named",
    async () => {
      change({ nanogrid: { data: { bucketSuffix: "new", redis: { port: 6380 } } } }, "Another bucket");

      const planned = await command("diff", "--out", folder("loss"));
      expect(planned).toMatchObject({ code: 1 });
      expect(planned.stderr).toMatch(/This would destroy data: store: aws_s3_bucket\.papers \(objects\)/);
      expect(planned.stdout).toMatch(
        /^store: .*\n {2}-\/\+ aws_s3_bucket\.papers {2}REPLACED, and with it objects; bucket cannot change in place\n {6}bucket: "papers" → "papers-new"/m,
      );
      expect(planned.stdout).toMatch(/^reader: can be planned after store$/m);
      const [, , , , caution, , refused] = comment("loss").split("\n");
      expect(caution).toBe("> [!CAUTION]");
      expect(refused).toContain("this is not applied unless each is named");

      const applied = await command("apply", "--plans", folder("loss"));
      expect(applied).toMatchObject({ code: 1 });
      expect(applied.stderr).toContain("--allow-destroy aws_s3_bucket.papers");

      await succeed("apply", "--plans", folder("loss"), "--allow-destroy", "aws_s3_bucket.papers");
    },
    STEP_MS,
  );

  test(
    "the states are listed, a lock is told and freed, and a damaged state is brought back from a version",
    async () => {
      const Key = stateKey(settings, "store");
      const put = (key: string, Body: string) =>
        s3.send(new PutObjectCommand({ Bucket: settings.state.bucket, Key: key, Body }));
      const lock = {
        ID: "0f2a6bb2",
        Operation: "OperationTypeApply",
        Who: "me@there",
        Created: "2026-01-02T03:04:05Z",
      };
      await put(`${Key}.tflock`, JSON.stringify(lock));
      expect(await succeed("state")).toMatch(
        /^ {2}store .* by me@there \(OperationTypeApply\) since 2026-01-02T03:04:05Z +8 +1 /m,
      );
      const locked = await command("diff", "store", "--lock");
      expect(locked).toMatchObject({ code: 1 });
      expect(locked.stdout).toMatch(/Error acquiring the state lock, held by me@there\.\n.*stuck-lock\.md/);
      await succeed("state", "unlock", "store", "--id", lock.ID, "--yes");

      expect(await succeed("state", "store")).toMatch(/^aws_s3_bucket\.papers +papers-new$/m);
      expect(await succeed("state", "store", "aws_dynamodb_table.index")).toMatch(/^ {2}hash_key +"id"$/m);

      await put(Key, "{ broken");
      expect(await succeed("state")).toMatch(/^ {2}store .* damaged/m);
      const versions = JSON.parse(await succeed("state", "versions", "store", "--json")) as {
        id: string;
        serial?: number;
      }[];
      const [broken, last] = versions;
      expect(broken?.serial).toBeUndefined();
      await succeed("state", "restore", "store", "--version", last?.id ?? "", "--yes");

      expect(JSON.parse(await succeed("state", "--json"))).toContainEqual(
        expect.objectContaining({ stack: "store", resources: 8, serial: (last?.serial ?? 0) + 1 }),
      );
      expect(await succeed("diff", "store", "--detailed-exitcode")).toMatch(/^store: no changes$/m);
    },
    STEP_MS,
  );

  test(
    "what is there already is imported by a plan that can be read, and moves to another state, as the page says",
    async () => {
      const stacks = join(checkout, "cdktf.out", "stacks");
      const terraform = (...args: string[]) => run("terraform", args, { cwd: stacks, env, timeoutMs: STEP_MS });
      const addresses = async (stack: string) =>
        (JSON.parse(await succeed("state", stack, "--json")) as { resources: { address: string }[] }).resources.map(
          ({ address }) => address,
        );
      terraform("-chdir=store", "state", "rm", "aws_dynamodb_table.index");
      const file = join(stacks, "store", "import.tf");
      writeFileSync(file, 'import {\n  to = aws_dynamodb_table.index\n  id = "Index"\n}\n');

      const planned = await succeed("diff", "store", "--out", folder("import"));
      expect(planned).toMatch(/^store: .*1 to import/m);
      expect(planned).not.toMatch(/to (add|replace|destroy)/);
      await succeed("apply", "--plans", folder("import"));
      rmSync(file);
      expect(await addresses("store")).toContain("aws_dynamodb_table.index");

      writeFileSync(join(stacks, "from.tfstate"), terraform("-chdir=store", "state", "pull"));
      writeFileSync(join(stacks, "to.tfstate"), terraform("-chdir=reader", "state", "pull"));
      const address = "aws_dynamodb_table.index";
      terraform("state", "mv", "-state=from.tfstate", "-state-out=to.tfstate", address, address);
      terraform("-chdir=reader", "state", "push", join(stacks, "to.tfstate"));
      terraform("-chdir=store", "state", "push", join(stacks, "from.tfstate"));
      expect(await addresses("store")).not.toContain(address);
      expect(await addresses("reader")).toContain(address);
    },
    STEP_MS,
  );
});
