import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CreateBucketCommand, GetBucketVersioningCommand, type S3Client } from "@aws-sdk/client-s3";
import { createClients } from "../../commands/support/clients";
import { Problem } from "../../commands/support/problem";
import { which } from "../../commands/support/shell";
import { ensureStateBucket, objectExists, STATE_STACK, stateKey } from "../../commands/support/state-bucket";
import { synthesize } from "../../commands/support/synthesis";
import { Terraform } from "../../commands/support/terraform";
import { terraformClouds, withoutAccounts } from "../../local/clouds";
import { loadSettings, type Settings } from "../../modules/platform/settings";
import { removeScratch, SETUP_MS, scratchCheckout } from "../local/scratch";
import { type StandIns, startStandIns } from "../support/servers";

const RUN_MS = 180_000;

let standIns: StandIns | undefined;
let checkout: string;
let settings: Settings;
let env: NodeJS.ProcessEnv;
let s3: S3Client;

const terraform = which("terraform", process.env);

beforeAll(async () => {
  const reason = terraform === undefined ? "terraform is not on PATH" : process.env.NANOGRID_NO_PROVIDERS;
  if (reason !== undefined) {
    process.stderr.write(`state-backend: skipped, since ${reason}\n`);
    return;
  }
  settings = loadSettings("local");
  standIns = await startStandIns(settings.accountId);
  env = {
    ...withoutAccounts(process.env),
    ...terraformClouds(standIns.ports, settings.region),
    ENVIRONMENT: "local",
  };
  ({ s3 } = createClients(settings, env));
}, SETUP_MS);
afterAll(() => standIns?.stop());
beforeEach(async () => {
  if (standIns !== undefined) {
    await fetch(`http://127.0.0.1:${standIns.ports.aws}/moto-api/reset`, { method: "POST" });
    checkout = scratchCheckout();
    await synthesize({ project: checkout, environment: "local", env });
  }
});
afterEach(removeScratch);

/** A test that needs real Terraform and a real provider; the reason for leaving it out is printed once. */
function withTerraform(name: string, body: (program: string) => Promise<void>): void {
  test(
    name,
    async () => (standIns === undefined || terraform === undefined ? undefined : await body(terraform)),
    RUN_MS,
  );
}

function ensure(program: string, signal?: AbortSignal) {
  return ensureStateBucket({
    project: checkout,
    settings,
    terraform: program,
    how: { env, log: join(checkout, "terraform.log"), ...(signal ? { signal } : {}) },
    s3,
    approve: async () => false,
    say: () => undefined,
  });
}

withTerraform(
  "state-backend: the bucket is created, its state is in it, and a second run changes nothing",
  async (program) => {
    expect(await ensure(program)).toBe("created");

    expect(await objectExists(s3, settings.state.bucket, stateKey(settings, STATE_STACK))).toBe(true);
    const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket: settings.state.bucket }));
    expect(Status).toBe("Enabled");
    expect(readdirSync(join(checkout, ".state-backend"))).toEqual([]);
    expect(await ensure(program)).toBe("unchanged");
  },
);

withTerraform("state-backend: a run that stopped before the state moved is continued by the next", async (program) => {
  const folder = join(checkout, "cdktf.out", "stacks", STATE_STACK);
  const local = join(checkout, ".state-backend", "local.tfstate");
  mkdirSync(join(checkout, ".state-backend"));
  writeFileSync(
    join(folder, "backend_override.tf.json"),
    JSON.stringify({ terraform: { backend: { local: { path: local } } } }),
  );
  const interrupted = new Terraform(program, folder, { env });
  await interrupted.init();
  await interrupted.plan("plan");
  await interrupted.apply("plan");
  expect(existsSync(local)).toBe(true);

  expect(await ensure(program)).toBe("continued");

  expect(existsSync(local)).toBe(false);
  expect(await objectExists(s3, settings.state.bucket, stateKey(settings, STATE_STACK))).toBe(true);
});

withTerraform(
  "state-backend: a bucket of that name that is something else's is left alone, with what to do",
  async (program) => {
    const CreateBucketConfiguration = { LocationConstraint: settings.region as "ap-northeast-2" };
    await s3.send(new CreateBucketCommand({ Bucket: settings.state.bucket, CreateBucketConfiguration }));

    const refusal = await ensure(program).catch((error: unknown) => error);

    expect(refusal).toBeInstanceOf(Problem);
    expect((refusal as Problem).message).toMatch(
      /neither its state nor its tags say that it is this project's\. Set .*state\.bucket in cdktf\.json/,
    );
  },
);
