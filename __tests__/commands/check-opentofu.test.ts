/** `npm run check:opentofu`: the real OpenTofu, where there is one. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../../commands/support/fresh-synthesis";
import { providersForOpenTofu } from "../../commands/support/opentofu/mirror";
import { openTofuAtHand } from "../../commands/support/opentofu/program";
import { describeUnless } from "../support/tools";

/** Eight stacks take two minutes on two cores. */
const ALL_MS = 600_000;
const MISSING = "OpenTofu: there is none yet, and building it takes minutes. Once: npm run check:opentofu";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "check-opentofu-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function check(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["--import", "tsx", "commands/check-opentofu.ts", ...args], {
    env: { ...process.env, ENVIRONMENT: "dev" },
    encoding: "utf8",
    timeout: ALL_MS,
  });
}

/** A `cdktf.out` with one stack that needs no provider but the built-in one. */
function outputWith(resource: object): string {
  const output = join(folder, "cdktf.out");
  mkdirSync(join(output, "stacks", "alone"), { recursive: true });
  writeFileSync(join(output, "manifest.json"), JSON.stringify({ stacks: { alone: {} } }));
  writeFileSync(join(output, "stacks", "alone", "cdk.tf.json"), JSON.stringify({ resource }));
  return output;
}

describeUnless(openTofuAtHand(cacheFolder(process.env), process.env) ? undefined : MISSING)("OpenTofu", () => {
  test(
    "finds every stack valid, but for those whose provider the mirror lacks, which it says",
    () => {
      const { status, stdout, stderr } = check("--json");
      expect(status === 0 ? "valid" : stdout + stderr).toBe("valid");
      const verdicts = JSON.parse(stdout) as { stack: string; valid?: boolean; missing?: string[] }[];
      expect(verdicts.length).toBeGreaterThanOrEqual(8);
      const others = verdicts.filter(({ valid }) => !valid);
      expect(others.filter(({ stack }) => stack !== "inference-network")).toEqual([]);
      expect(others.flatMap(({ missing = ["nothing"] }) => missing)).toEqual(others.map(() => "mongodb/mongodbatlas"));
    },
    ALL_MS,
  );

  test(
    "finds fault with a stack that has an argument that does not exist, and says which",
    () => {
      const { status, stdout } = check("--from", outputWith({ terraform_data: { thing: { imput: "typo" } } }));
      expect(status).toBe(1);
      expect(stdout).toContain("not valid");
      expect(stdout).toMatch(/alone: error: .*imput/s);
    },
    ALL_MS,
  );
});

test("a mirror that was made for Terraform serves OpenTofu under its own registry's address", () => {
  const provider = join("registry.terraform.io", "hashicorp", "aws", "6.47.1", "linux_amd64");
  const mirror = join(folder, "mirror-of-terraform");
  cpSync(join("docs", "images"), join(mirror, provider), { recursive: true });
  const configuration = join(folder, "terraformrc");
  writeFileSync(configuration, `provider_installation {\n  filesystem_mirror {\n    path = "${mirror}"\n  }\n}\n`);
  const { TF_CLI_CONFIG_FILE = "" } = providersForOpenTofu(folder, { TF_CLI_CONFIG_FILE: configuration });
  const [, path = ""] = /path = "(.+)"/.exec(readFileSync(TF_CLI_CONFIG_FILE, "utf8")) ?? [];
  const [, ...below] = provider.split("/");
  expect(readFileSync(join(path, "registry.opentofu.org", ...below, "stacks.svg"), "utf8")).toContain("<svg");
});
