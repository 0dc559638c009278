/** The workflows of .github: what they may do, what they run, and what they trust. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { has, testUnless } from "./support/tools";

const FOLDER = join(".github", "workflows");
const ACTIONS = join(".github", "actions");
const ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";
const BIN = join(process.cwd(), ".local", "bin");
const INSTALL_MS = 600_000;

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
  readonly uses?: string;
  readonly steps?: readonly Step[];
  readonly environment?: string;
  readonly concurrency?: { readonly group: string; readonly "cancel-in-progress": unknown };
  readonly needs?: string | readonly string[];
  readonly if?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly concurrency?: { readonly group: string };
  readonly jobs: Readonly<Record<string, Job>>;
}

const workflows = Object.fromEntries(
  readdirSync(FOLDER).map((file) => [file, parse(readFileSync(join(FOLDER, file), "utf8")) as Workflow]),
);
const jobs = Object.entries(workflows).flatMap(([file, { jobs: each }]) =>
  Object.entries(each).map(([name, job]) => ({ at: `${file} ${name}`, file, name, job })),
);
const steps = [
  ...jobs.flatMap(({ at, job }) => (job.steps ?? []).map((step) => ({ at, step }))),
  ...readdirSync(ACTIONS).flatMap((name) => {
    const { runs } = parse(readFileSync(join(ACTIONS, name, "action.yml"), "utf8")) as { runs: { steps: Step[] } };
    return runs.steps.map((step) => ({ at: name, step }));
  }),
];
const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };

/** An expression of GitHub's. */
function expression(text: string): string {
  return `\${{ ${text} }}`;
}

function workflow(file: string): Workflow {
  const found = workflows[file];
  if (found === undefined) {
    throw new Error(`there is no ${file} (there are: ${Object.keys(workflows).join(", ")})`);
  }
  return found;
}

describe("workflows", () => {
  test("every action is of this repository, or pinned by its commit with the version beside it", () => {
    const files = [...readdirSync(FOLDER).map((file) => join(FOLDER, file)), join(ACTIONS, "setup", "action.yml")];
    const uses = files.flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/\buses: (.+)$/gm)].map(([, use = ""]) => use),
    );
    expect(uses.length).toBeGreaterThan(20);
    for (const use of uses.filter((each) => !each.startsWith("./"))) {
      expect(use).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
    for (const use of uses.filter((each) => each.startsWith("./"))) {
      expect([use, existsSync(use)]).toEqual([use, true]);
    }
    const versions = new Map<string, Set<string>>();
    for (const use of uses.filter((each) => each.includes("@"))) {
      const [action = "", version = ""] = use.split("@");
      versions.set(action, (versions.get(action) ?? new Set()).add(version));
    }
    expect([...versions].filter(([, each]) => each.size > 1)).toEqual([]);
  });

  test("a workflow permits nothing, and each job names what it needs", () => {
    for (const [file, { permissions }] of Object.entries(workflows)) {
      expect([file, permissions]).toEqual([file, {}]);
    }
    for (const { at, job } of jobs) {
      expect([at, job.permissions?.contents]).toEqual([at, "read"]);
      const { contents, ...more } = job.permissions ?? {};
      expect([at, Object.keys(more).filter((each) => !["id-token", "pull-requests", "issues"].includes(each))]).toEqual(
        [at, []],
      );
    }
  });

  test("every job ends by itself, and every workflow that is started by an event keeps out of its own way", () => {
    for (const { at, job } of jobs) {
      expect([at, (job["timeout-minutes"] ?? 0) > 0 || job.uses !== undefined]).toEqual([at, true]);
    }
    const started = Object.entries(workflows).filter(([, { on }]) => !("workflow_call" in on));
    for (const [file, each] of started) {
      const inJob = Object.values(each.jobs).some(({ concurrency }) => concurrency !== undefined);
      expect([file, each.concurrency !== undefined || inJob]).toEqual([file, true]);
    }
  });

  test("every step runs one npm script that a person can run too", () => {
    const runs = steps.flatMap(({ at, step }) => (step.run === undefined ? [] : [[at, step.run] as const]));
    expect(runs.length).toBeGreaterThan(10);
    for (const [at, run] of runs) {
      const [, name = ""] = /^npm (?:run )?([\w:-]+)(?: -- [^\n;&|`]*)?$/.exec(run) ?? [];
      expect([at, run, name === "ci" || name in scripts]).toEqual([at, run, true]);
    }
  });

  test("no expression is in what a shell reads: values come as variables", () => {
    for (const { at, step } of steps) {
      expect([at, step.run?.includes("${{")]).not.toEqual([at, true]);
    }
  });

  test("no checkout leaves a token behind for what runs after it", () => {
    for (const { at, step } of steps.filter(({ step: { uses } }) => uses?.startsWith("actions/checkout@"))) {
      expect([at, step.with?.["persist-credentials"]]).toEqual([at, false]);
    }
  });

  test("no workflow runs a pull request's code with the rights of main", () => {
    for (const [file, { on }] of Object.entries(workflows)) {
      expect([file, Object.keys(on)]).not.toEqual([file, expect.arrayContaining(["pull_request_target"])]);
      expect([file, Object.keys(on)]).not.toEqual([file, expect.arrayContaining(["workflow_run"])]);
    }
  });
});

describe("checks.yml", () => {
  test("Lambda's runtime is kept between runs, for the lock that it was built from, where the tests look for it", () => {
    const cache = workflow("checks.yml").jobs.test?.steps?.find(({ uses }) => uses?.startsWith("actions/cache@"));
    const lock = join("local", "lambda", "runtime", "package-lock.json");
    expect(existsSync(lock)).toBe(true);
    expect(cache?.with?.key).toContain(expression(`hashFiles('${lock}')`));
    expect(readFileSync(join("local", "lambda", "node-runtime.ts"), "utf8")).toMatch(/`lambda-runtime-\$\{hash\}`/);
    expect(cache?.with?.path).toBe(".local/lambda-runtime-*");
  });
});

test("dependabot looks at every lock of npm's", () => {
  const { updates } = parse(readFileSync(join(".github", "dependabot.yml"), "utf8")) as {
    updates: { "package-ecosystem": string; directories?: string[] }[];
  };
  const locks = execFileSync("git", ["ls-files", "--cached", "--", "package-lock.json", "*/package-lock.json"], {
    encoding: "utf8",
  });
  const folders = locks
    .trim()
    .split("\n")
    .map((lock) => `/${dirname(lock)}`.replace(/^\/\.$/, "/"));
  const npm = updates.find((each) => each["package-ecosystem"] === "npm");
  expect(npm?.directories?.toSorted()).toEqual(folders.toSorted());
});

describe("diff.yml", () => {
  const { plan, comment, fork } = workflow("diff.yml").jobs;

  test("the job with credentials of the cloud cannot write to the pull request, and the one that writes has none", () => {
    expect(plan?.permissions).toEqual({ contents: "read", "id-token": "write" });
    expect(comment?.permissions).toEqual({ contents: "read", "pull-requests": "write" });
  });

  test("a fork gets neither: it gets the comparison that needs no cloud", () => {
    expect(fork?.permissions).toEqual({ contents: "read" });
    expect(fork?.if).toContain("head.repo.full_name != github.repository");
    expect(plan?.if).toContain("head.repo.full_name == github.repository");
    expect(fork?.steps?.at(-1)?.run).toBe("npm run diff -- --against HEAD^1");
  });

  test("plan files, which hold states, are not among what is uploaded", () => {
    const upload = plan?.steps?.find(({ uses }) => uses?.startsWith("actions/upload-artifact@"));
    expect(upload?.with?.path).toBe("plans\n!plans/*.tfplan\n");
  });
});

describe("deploy", () => {
  const { deploy } = workflow("deploy.yml").jobs;
  const { waves, ...each } = workflow("deploy-environment.yml").jobs;
  const { plan, apply } = workflow("deploy-wave.yml").jobs;

  test("one deployment at a time in an environment, never cancelled in the middle", () => {
    expect(deploy?.concurrency).toEqual({
      group: `deploy-${expression("matrix.environment")}`,
      "cancel-in-progress": false,
    });
  });

  test("a wave waits for the one before it, and is planned only then", () => {
    const names = Object.keys(each);
    expect(names).toEqual(names.map((_, index) => `wave-${index + 1}`));
    names.forEach((name, index) => {
      expect([name, each[name]?.needs]).toEqual([name, index === 0 ? "waves" : ["waves", `wave-${index}`]]);
      expect([name, each[name]?.with?.wave]).toEqual([name, index + 1]);
      expect([name, each[name]?.if]).toEqual([name, `fromJSON(needs.waves.outputs.waves) >= ${index + 1}`]);
    });
    expect(waves?.steps?.at(-1)?.run).toBe(`npm run ci -- waves --of ${names.length}`);
    expect(plan?.steps?.find(({ run }) => run?.includes("ci -- plan"))?.run).toContain(`--of ${names.length} `);
  });

  test("only the job that applies is in the environment, whose approval it waits for; it applies what was stored", () => {
    expect(plan?.environment).toBeUndefined();
    expect(apply?.environment).toBe(expression("inputs.environment"));
    const stored = plan?.steps?.find(({ uses }) => uses?.startsWith("actions/upload-artifact@"))?.with?.name;
    const fetched = apply?.steps?.find(({ uses }) => uses?.startsWith("actions/download-artifact@"))?.with?.name;
    expect(fetched).toBe(stored);
    expect(apply?.steps?.at(-1)?.run).toContain("npm run ci -- apply --plans plans");
  });
});

testUnless(
  !has("go")
    ? "actionlint needs Go, and there is none"
    : has("shellcheck")
      ? undefined
      : "actionlint looks at scripts with shellcheck, and there is none",
)(
  "actionlint finds nothing, with shellcheck on every script",
  () => {
    const program = join(BIN, "actionlint");
    if (!existsSync(program)) {
      execFileSync("go", ["install", ACTIONLINT], {
        env: { ...process.env, GOBIN: BIN },
        timeout: INSTALL_MS,
        stdio: "pipe",
      });
    }
    const found = execFileSync(program, ["-oneline", "-shellcheck=shellcheck", "-pyflakes="], { encoding: "utf8" });
    expect(found).toBe("");
  },
  INSTALL_MS,
);
