/**
 * Layer 4: what instances run at first boot, rendered by real Terraform from the expressions that the stacks emit, and checked by the
 * tools that will read it.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { filesOf, parseEnvironment } from "../../local/cloud-config";
import { run } from "../support/run";
import { describeUnless, has, testUnless } from "../support/tools";

/** EC2's limit for user data, before base64. */
const EC2_USER_DATA_BYTES = 16_384;

/** Prints the variables that the worker's program knows, and those that it cannot do without. */
const FIELDS = `
import json
from nanogrid_worker.settings import Settings
fields = Settings.model_fields
print(json.dumps({
    "names": [name.upper() for name in fields],
    "required": [name.upper() for name, field in fields.items() if field.is_required()],
}))
`;

function workerPython(): string {
  return process.env.NANOGRID_WORKER_DEV_PYTHON ?? ".local/venv/worker-dev/bin/python";
}

interface Role {
  readonly name: string;
  readonly stack: string;
  /** Where the stack's JSON holds the user data. */
  readonly resource: readonly [type: string, name: string, attribute: string];
}

/** The other way round of what the worker's template decides by settings. */
const HARDENED = {
  accountId: "111122223333",
  owner: "test",
  nanogrid: {
    workers: {
      egress: { enabled: false },
      gvisor: { enabled: true, version: "20260914.0", sha512: "0123456789abcdef".repeat(8) },
    },
  },
};

const ROLES: readonly Role[] = [
  { name: "controller", stack: "nanogrid-controllers", resource: ["aws_launch_template", "template", "user_data"] },
  { name: "worker", stack: "nanogrid-workers", resource: ["aws_launch_template", "template", "user_data"] },
  { name: "ai-node", stack: "nanogrid-ai", resource: ["aws_instance", "node", "user_data_base64"] },
];

describeUnless(has("terraform") ? undefined : "Terraform is not on PATH")("cloud-init", () => {
  const work = mkdtempSync(join(tmpdir(), "cloud-init-"));
  const userData = new Map<string, Buffer>();

  beforeAll(() => {
    const output = join(work, "out");
    run("npx", ["tsx", "main.ts"], { env: { ...process.env, ENVIRONMENT: "dev", CDKTF_OUTDIR: output } });
    const context = JSON.stringify({ environments: { dev: HARDENED } });
    const hardened = join(work, "hardened");
    run("npx", ["tsx", "main.ts"], {
      env: { ...process.env, ENVIRONMENT: "dev", CDKTF_OUTDIR: hardened, CDKTF_CONTEXT_JSON: context },
    });
    const rendered = {
      ...render(ROLES, output, join(work, "render")),
      "worker-with-gvisor":
        render(
          ROLES.filter(({ name }) => name === "worker"),
          hardened,
          join(work, "render-hardened"),
        ).worker ?? "",
    };
    for (const [name, base64] of Object.entries(rendered)) {
      userData.set(name, Buffer.from(base64, "base64"));
    }
  }, 120_000);

  afterAll(() => rmSync(work, { recursive: true, force: true }));

  describe.each(ROLES)("$name", ({ name }) => {
    const compressed = () => userData.get(name) ?? Buffer.alloc(0);
    const document = () => gunzipSync(compressed()).toString("utf8");
    const files = () => filesOf(compressed().toString("base64"));
    const scripts = () => [...files().values()].filter((content) => content.startsWith("#!"));

    test("fits into EC2's 16 KiB of user data", () => {
      expect(compressed().length).toBeGreaterThan(0);
      expect(compressed().length).toBeLessThanOrEqual(EC2_USER_DATA_BYTES);
    });

    test("is a cloud-config without a Terraform expression left in it", () => {
      expect(document()).toMatch(/^#cloud-config\n/);
      expect(document()).not.toMatch(/%\{|TfToken|\$\$\{/);
    });

    test("has no variable of the environment without a name or with a line break in it", () => {
      const environments = [...files()].filter(([path]) => path.endsWith(".env"));
      for (const line of environments.flatMap(([, content]) => content.trim().split("\n"))) {
        expect(line).toMatch(/^[A-Z][A-Z0-9_]*=\S*$/);
      }
    });

    test("has scripts that bash parses", () => {
      expect(scripts().length).toBeGreaterThan(0);
      for (const content of scripts()) {
        run("bash", ["-n"], { input: content });
      }
    });

    testUnless(has("shellcheck") ? undefined : "shellcheck is not on PATH: apt-get install shellcheck")(
      "has scripts that shellcheck has nothing to say about",
      () => {
        for (const content of scripts()) {
          run("shellcheck", ["--shell=bash", "-"], { input: content });
        }
      },
    );

    testUnless(has("cloud-init") ? undefined : "cloud-init is not on PATH: apt-get install cloud-init")(
      "satisfies cloud-init's schema",
      () => {
        const file = join(work, `${name}.yaml`);
        writeFileSync(file, document());
        expect(run("cloud-init", ["schema", "--config-file", file])).toContain("Valid cloud-config");
      },
    );

    testUnless(has("systemd-analyze") ? undefined : "systemd-analyze is not on PATH")(
      "has units that systemd accepts",
      () => {
        const folder = join(work, `${name}-units`);
        mkdirSync(folder, { recursive: true });
        const units = [...files(), ...shippedUnits(name)].filter(([path]) => /\.(service|timer)$/.test(path));
        const paths = units.map(([path, content]) => {
          const file = join(folder, basename(path));
          writeFileSync(file, withPresentPrograms(content));
          return file;
        });
        expect(units.length).toBeGreaterThan(0);
        run("systemd-analyze", ["verify", "--man=no", ...paths], {
          env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` },
        });
      },
    );
  });

  describe("a worker", () => {
    const files = () => filesOf((userData.get("worker") ?? Buffer.alloc(0)).toString("base64"));
    const install = () => files().get("/usr/local/sbin/nanogrid-install") ?? "";
    const withGvisor = () => filesOf((userData.get("worker-with-gvisor") ?? Buffer.alloc(0)).toString("base64"));

    test("maps users, caps logs and keeps containers through a restart of its engine", () => {
      expect(JSON.parse(files().get("/etc/docker/daemon.json") ?? "")).toEqual({
        "userns-remap": "default",
        "live-restore": true,
        "no-new-privileges": true,
        icc: false,
        "userland-proxy": false,
        "log-driver": "local",
        "log-opts": { "max-size": "10m", "max-file": "2" },
      });
    });

    test("pulls both images with a token that is gone after, and builds none", () => {
      expect(install()).toContain('for image in "sample-image_uri" "sample-image_uri"; do');
      expect(install()).toContain('export DOCKER_CONFIG="$work/docker"');
      expect(install()).not.toContain("runtimes/");
    });

    test("has the network of functions before its agent starts, and none where the settings say so", () => {
      const script = install();
      const [egress, agent] = ["nanogrid-egress.service", "worker.service"].map((unit) =>
        script.indexOf(`systemctl enable --now ${unit}`),
      );
      expect(egress).toBeGreaterThan(0);
      expect(agent).toBeGreaterThan(egress ?? 0);
      const closed = withGvisor();
      expect(closed.get("/usr/local/sbin/nanogrid-install")).not.toContain("enable --now nanogrid-egress");
      expect(parseEnvironment(closed.get("/etc/nanogrid/worker.env") ?? "").EGRESS_NETWORK).toBe("");
    });

    test("gets gVisor where the settings say so, checked before it is installed", () => {
      const script = withGvisor().get("/usr/local/sbin/nanogrid-install") ?? "";
      expect(script).toMatch(/releases\/release\/20260914\.0\/x86_64\/runsc"\n\s*echo "(0123456789abcdef){8} /);
      expect(script.indexOf("sha512sum --check")).toBeLessThan(script.indexOf("install -m 0755"));
      expect(JSON.parse(withGvisor().get("/etc/docker/daemon.json") ?? "").runtimes).toEqual({
        runsc: { path: "/usr/local/bin/runsc" },
      });
      expect(parseEnvironment(withGvisor().get("/etc/nanogrid/worker.env") ?? "").SANDBOX_RUNTIME).toBe("runsc");
      expect(install()).not.toContain("runsc");
    });

    test("is told in its environment all that its program asks for", () => {
      const environment = parseEnvironment(files().get("/etc/nanogrid/worker.env") ?? "");
      const known = run(workerPython(), ["-c", FIELDS], { env: { ...process.env, PYTHONPATH: "userdata/worker" } });
      const { names, required } = JSON.parse(known) as { names: string[]; required: string[] };
      expect(required.filter((name) => environment[name] === undefined)).toEqual([]);
      const forOthers = ["EGRESS_ALLOWED_CIDRS"];
      expect(Object.keys(environment).filter((name) => ![...names, ...forOthers].includes(name))).toEqual([]);
    });
  });

  test("a worker's agent gets every name that its specification lists", () => {
    const files = filesOf((userData.get("worker") ?? Buffer.alloc(0)).toString("base64"));
    const environment = parseEnvironment(files.get("/etc/nanogrid/worker.env") ?? "");
    expect(Object.keys(environment)).toEqual(
      expect.arrayContaining([
        "S3_CODE_BUCKET",
        "S3_USER_DATA_BUCKET",
        "SQS_QUEUE_URL",
        "REDIS_HOST",
        "REDIS_PORT",
        "AI_ENDPOINT",
        "GCP_BUCKET_NAME",
        "GOOGLE_APPLICATION_CREDENTIALS",
      ]),
    );
    expect(environment.AI_ENDPOINT).toBe("http://10.0.20.100:11434");
    expect(environment.GOOGLE_APPLICATION_CREDENTIALS).toBe("/etc/ncp-test-465906-417c34e96c23.json");
    expect(environment.REDIS_PORT).toBe("sample-redis_port");
  });
});

/** Evaluates each role's user data expression in a configuration of its own; needs no provider. */
function render(roles: readonly Role[], output: string, folder: string): Record<string, string> {
  mkdirSync(folder, { recursive: true });
  const locals = roles.map(({ name, stack, resource: [type, resource, attribute] }) => {
    const path = join(output, "stacks", stack);
    const json = JSON.parse(readFileSync(join(path, "cdk.tf.json"), "utf8"));
    const expression = json.resource[type][resource][attribute] as string;
    return [name, withSamples(expression).replaceAll('templatefile("', `templatefile("${path}/`)] as const;
  });
  const configuration = {
    resource: { terraform_data: Object.fromEntries(locals.map(([name, input]) => [name, { input }])) },
    output: Object.fromEntries(locals.map(([name]) => [name, { value: `\${terraform_data.${name}.output}` }])),
  };
  writeFileSync(join(folder, "main.tf.json"), JSON.stringify(configuration));
  const env = { ...process.env, CHECKPOINT_DISABLE: "1", TF_CLI_CONFIG_FILE: "" };
  run("terraform", ["init", "-input=false", "-no-color"], { cwd: folder, env });
  run("terraform", ["apply", "-auto-approve", "-input=false", "-no-color"], { cwd: folder, env });
  const outputs = JSON.parse(run("terraform", ["output", "-json"], { cwd: folder, env })) as Record<
    string,
    { value: string }
  >;
  return Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value]));
}

/** Puts a sample in the place of what only another state or a resource knows: `sample-<its last name>`. */
function withSamples(expression: string): string {
  return expression.replaceAll(
    /= ((?:data\.|aws_)[\w.-]+)/g,
    (_, reference: string) => `= "sample-${reference.split(".").at(-1)}"`,
  );
}

/** Units that travel with a program instead of its cloud-init. */
function shippedUnits(name: string): [path: string, content: string][] {
  const units = name === "worker" ? ["worker.service", "nanogrid-egress.service"] : [];
  return units.map((unit) => [unit, readFileSync(`userdata/worker/${unit}`, "utf8")]);
}

/** systemd's verifier wants every program to exist; on this machine the instances' own do not. */
function withPresentPrograms(unit: string): string {
  return unit.replaceAll(/^(Exec\w+=[-+!@:]*)(\S+)/gm, "$1/bin/true");
}
