/** What the permission tests rest on: every environment gives the same permissions, exceptions are reviewed, and Google's side is exact. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../support/run";
import { ENVIRONMENTS, expr, Synthesis, VARIANTS } from "../support/synth";
import { awsCallsOf, BOOT_CALLS } from "./boot";
import { type Emitted, readEmitted } from "./emitted";
import { exceptionFor, grantsOf, UNEXERCISED } from "./exceptions";

const SYNTH_MS = 180_000;
/** The environment that has every stack. */
const WITH_EVERYTHING = "options";
const folder = mkdtempSync(join(tmpdir(), "permissions-"));
const emitted = new Map<string, Emitted>();

beforeAll(async () => {
  const { context } = JSON.parse(readFileSync("cdktf.json", "utf8")) as { context: { environments: object } };
  const environments = { ...context.environments, ...VARIANTS };
  for (const environment of [...ENVIRONMENTS, WITH_EVERYTHING]) {
    const out = join(folder, environment);
    const CDKTF_CONTEXT_JSON = JSON.stringify({ ...context, environments });
    run(process.execPath, ["--import", "tsx", "main.ts"], {
      env: { ...process.env, ENVIRONMENT: environment, CDKTF_OUTDIR: out, CDKTF_CONTEXT_JSON },
    });
    emitted.set(environment, await readEmitted(out));
  }
}, SYNTH_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Statements of every role, without what differs from account to account. */
function permissionsOf(environment: string): string[] {
  const { roles = [], place } = emitted.get(environment) ?? {};
  const account = new RegExp(place?.accountId ?? "", "g");
  return roles
    .filter(({ stack }) => !UNEXERCISED.some((each) => each.stack === stack && each.sid === undefined))
    .flatMap(({ name, statements }) => statements.map((statement) => `${name} ${JSON.stringify(statement)}`))
    .map((text) => text.replace(account, "account"))
    .sort();
}

test.each(ENVIRONMENTS.filter((each) => each !== "local"))(
  "the roles of %s may do exactly what those of the stand-ins may, where it is shown to be needed",
  (environment) => {
    expect(permissionsOf("local").length).toBeGreaterThan(20);
    expect(permissionsOf(environment)).toEqual(permissionsOf("local"));
  },
);

test("every exception has a reason, and is about something that is emitted", () => {
  const grants = grantsOf(emitted.get(WITH_EVERYTHING)?.roles ?? []);
  const used = new Set(grants.map(exceptionFor));
  for (const exception of UNEXERCISED) {
    expect([exception.sid ?? exception.stack, used.has(exception)]).toEqual([exception.sid ?? exception.stack, true]);
    expect(exception.reason).toMatch(/^[A-Z].{40,}\.$/s);
  }
});

test("the boot scripts call AWS as the boot in these tests does, and in no other way", () => {
  const templates = ["ai-node", "controller", "worker"].map((each) => `userdata/${each}/cloud-init.yaml.tftpl`);
  expect([...new Set(templates.flatMap(awsCallsOf))].sort()).toEqual(BOOT_CALLS);
});

describe.each(ENVIRONMENTS)("Google Cloud in %s", (environment) => {
  const archive = () =>
    new Synthesis(readFileSync(join(folder, environment, "stacks/nanogrid-archive/cdk.tf.json"), "utf8"));

  test("the archive's account may create objects in its bucket, and nothing else anywhere", () => {
    const { bucket, role, member } = archive().resource("google_storage_bucket_iam_member");
    expect(role).toBe("roles/storage.objectCreator");
    expect(bucket).toMatch(/^\$\{google_storage_bucket\.bucket\.name\}$/);
    expect(member).toBe(expr("google_service_account.workers_service-account.member"));
    const granting = archive()
      .resources()
      .filter(({ type }) => /_iam_(member|binding|policy)$/.test(type));
    expect(granting.map(({ type }) => type).sort()).toEqual([
      "google_service_account_iam_member",
      "google_storage_bucket_iam_member",
    ]);
  });

  test("only the workers' role of the environment's AWS account may be that account, and no key of it exists", () => {
    const { role, member } = archive().resource("google_service_account_iam_member");
    const { accountId } = emitted.get(environment)?.place ?? {};
    expect(role).toBe("roles/iam.workloadIdentityUser");
    expect(member).toMatch(
      new RegExp(`/attribute\\.aws_role/arn:aws:sts::${accountId}:assumed-role/nanogrid_worker_role$`),
    );
    expect(archive().resource("google_iam_workload_identity_pool_provider").aws).toEqual({ account_id: accountId });
    expect(archive().resources("google_service_account_key")).toEqual([]);
  });
});
