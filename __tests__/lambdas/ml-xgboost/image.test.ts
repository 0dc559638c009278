/**
 * The image of ML-XGBoost: its build context and its Dockerfile, and a build by a real engine. AWS's base cannot be had without its registry:
 * a stand-in of it has Python, AWS's runtime interface client and its entry point, and gets the packages from a folder. The image is built
 * for the machine's own platform, and called as Lambda calls it.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contextFiles, ML_HANDLER, mlXgboostImage } from "../../../lambdas/ml-xgboost/image";
import { RuntimeApi, type Said } from "../../../local/lambda/runtime-api";
import { imageTag } from "../../../modules/platform/image-source";
import { run } from "../../support/run";
import { until } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { eventOf } from "./function";

const BUILD_MS = 300_000;
const FOLDER = "lambdas/ml-xgboost";
const DOCKERFILE = readFileSync(join(FOLDER, "Dockerfile"), "utf8");
const files = contextFiles();
const paths = files.map(({ path }) => path);

describe("the build context of ML-XGBoost", () => {
  test.each(["Dockerfile", "requirements.lock", "ml_xgboost/handler.py", "model/model.ubj", "model/card.json"])(
    "has %s",
    (path) => expect(paths).toContain(path),
  );

  test("has neither the training nor what only development needs", () => {
    expect(
      paths.filter((path) => /training|requirements-dev|\.in$|__pycache__|\.pyc$|\.ts$|pyproject/.test(path)),
    ).toEqual([]);
  });

  test("the tag is that of its content, and changes with the model", () => {
    expect(mlXgboostImage().tag).toBe(imageTag(files));
    const others = files.map((file) =>
      file.path === "model/model.ubj" ? { ...file, content: file.content.slice(1) } : file,
    );
    expect(imageTag(others)).not.toBe(imageTag(files));
  });

  test("the Dockerfile names the handler that the stack's function and the tests run", () => {
    expect(DOCKERFILE.trimEnd().split("\n").at(-1)).toBe(`CMD ["${ML_HANDLER}"]`);
  });

  test("no step of the last stage runs a command: any machine builds it for arm64", () => {
    const [, last = ""] = DOCKERFILE.split(/^FROM (?!--platform)/m);
    expect(last).not.toMatch(/^RUN /m);
    expect(DOCKERFILE).toMatch(/^ARG WHEELS=manylinux_2_28_aarch64$/m);
  });
});

const missing = process.env.DOCKER_HOST ? undefined : "no Docker engine: set DOCKER_HOST";

describeUnless(missing)("the image of ML-XGBoost, by an engine", () => {
  const work = mkdtempSync(join(tmpdir(), "ml-image-"));
  const [base, packages, image, container] = ["base", "packages", "image", "container"].map(
    (kind) => `ml-xgboost-test-${kind}-${process.pid}`,
  );
  const said: Said[] = [];
  let api: RuntimeApi;
  const docker = (...args: string[]) => run("docker", args, { timeoutMs: BUILD_MS });

  beforeAll(async () => {
    buildBase(base as string, join(work, "base"));
    const { context } = mlXgboostImage();
    const wheels = `manylinux_2_28_${process.arch === "arm64" ? "aarch64" : "x86_64"}`;
    const args = ["--build-arg", `PYTHON_IMAGE=${base}`, "--build-arg", `WHEELS=${wheels}`];
    // The first stage by a name of its own, so that it can be removed.
    docker("build", ...args, "--target", "packages", "--tag", packages as string, context);
    docker("build", ...args, "--tag", image as string, context);
    api = await RuntimeApi.start((each) => said.push(each));
    const address = `AWS_LAMBDA_RUNTIME_API=${api.address}`;
    // Lambda's file system is read-only but for /tmp, and its user owns nothing.
    const lambda = ["--network", "host", "--read-only", "--user", "993:990", "--env", address];
    docker("run", "--detach", "--name", container as string, ...lambda, image as string);
    await until("the function asks for work", () => said.some(({ kind }) => kind !== "response"), 60_000);
  }, BUILD_MS);
  afterAll(async () => {
    for (const [kind, name] of [
      ["container", container],
      ["image", image],
      ["image", packages],
      ["image", base],
    ] as const) {
      try {
        docker(kind, "rm", "--force", name as string);
      } catch (error) {
        process.stderr.write(`${String(error)}\n`);
      }
    }
    await api?.close();
    rmSync(work, { recursive: true, force: true });
  });

  test("starts without an error, as a user that may write nothing, and answers with the version of its model", async () => {
    expect(said).toEqual([{ kind: "ready" }]);
    const payload = JSON.stringify(eventOf({ method: "GET" }));
    api.send({ requestId: "r", payload, deadlineMs: Date.now() + 30_000, traceId: "t", functionArn: "arn" });
    await until("it answers", () => said.some(({ kind }) => kind === "response"), 30_000);
    const answer = said.find((each) => each.kind === "response");
    const { body, statusCode } = JSON.parse(answer && "payload" in answer ? answer.payload : "{}");
    const card = JSON.parse(readFileSync(join(FOLDER, "model", "card.json"), "utf8"));
    expect([statusCode, JSON.parse(body).version]).toEqual([200, card.version]);
  });

  test("has the handler compiled, the shared library, and neither NumPy nor pip's leftovers", () => {
    const list = (folder: string) =>
      docker("run", "--rm", "--entrypoint", "find", image as string, folder, "-maxdepth", "2").split("\n");
    const task = list("/var/task");
    expect(task).toContain("/var/task/xgboost/lib");
    expect(task.some((path) => /ml_xgboost\/__pycache__$/.test(path))).toBe(true);
    expect(task.filter((path) => /numpy|scipy/.test(path))).toEqual([]);
  });
});

/** What AWS's image has, as far as the Dockerfile and the function rest on it. */
function buildBase(tag: string, folder: string): void {
  const runtime = "userdata/worker/runtimes/build";
  // Its base is Python, from a registry or made of Debian's packages.
  run("bash", [runtime, "--runtime", "python"], { timeoutMs: BUILD_MS });
  const from = run("bash", [runtime, "--runtime", "python", "--print-tag"]).trim();
  mkdirSync(join(folder, "wheels"), { recursive: true });
  const python = process.env.NANOGRID_ML_XGBOOST_DEV_PYTHON ?? "";
  const lock = readFileSync(join(FOLDER, "requirements-dev.lock"), "utf8");
  const wanted = ["awslambdaric", "simplejson", "snapshot-restore-py", "xgboost-cpu"].map(
    (name) => new RegExp(`^${name}==(?:.*\\\\\\n)+.*$`, "m").exec(lock)?.[0] ?? name,
  );
  writeFileSync(join(folder, "wanted.lock"), wanted.join("\n"));
  const flags = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--quiet"];
  execFileSync(
    python,
    ["-m", "pip", "download", ...flags, "--dest", join(folder, "wheels"), "--requirement", join(folder, "wanted.lock")],
    {
      timeout: BUILD_MS,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  writeFileSync(join(folder, "pip.conf"), "[global]\nno-index = true\nfind-links = /wheels\n");
  writeFileSync(
    join(folder, "Dockerfile"),
    [
      `FROM ${from}`,
      "USER 0",
      "COPY wheels /wheels",
      "COPY pip.conf /etc/pip.conf",
      "RUN python3 -m pip install --quiet --target /opt/runtime awslambdaric",
      "ENV PYTHONPATH=/opt/runtime",
      "WORKDIR /var/task",
      'ENTRYPOINT ["python3", "-m", "awslambdaric"]',
    ].join("\n"),
  );
  run("docker", ["build", "--quiet", "--tag", tag, folder], { timeoutMs: BUILD_MS });
}
