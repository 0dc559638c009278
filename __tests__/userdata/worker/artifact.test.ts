/** The worker's zip, and the tags of its sandbox images. */
import { readFileSync } from "node:fs";
import { unzipSync } from "fflate";
import {
  RUNTIMES,
  runtimeImage,
  runtimeRepository,
  runtimeTag,
  workerArtifact,
} from "../../../userdata/worker/artifact";
import { run } from "../../support/run";
import { has, testUnless } from "../../support/tools";

const BUILD = "userdata/worker/runtimes/build";

describe("sandbox images", () => {
  test.each(RUNTIMES)("%s: the build names the image as the artifact does", (runtime) => {
    expect(runtimeTag(runtime)).toMatch(/^[0-9a-f]{16}$/);
    expect(runtimeImage(runtime)).toBe(`${runtimeRepository(runtime)}:${runtimeTag(runtime)}`);
    expect(run(BUILD, ["--runtime", runtime, "--print-tag"]).trim()).toBe(runtimeImage(runtime));
  });

  test("each runtime has a tag of its own", () => {
    expect(new Set(RUNTIMES.map(runtimeTag)).size).toBe(RUNTIMES.length);
  });

  test.each([
    [[], "--runtime is missing: python or node"],
    [["--runtime", "ruby"], "--runtime: expected python or node, got ruby"],
    [["--runtime"], "--runtime: expected a name after it"],
    [["--tags", "x"], "unknown argument: --tags. Try --help."],
  ])("the build refuses %j in a sentence", (args, says) => {
    expect(() => run(BUILD, args)).toThrow(says);
  });

  test("the build explains itself", () => {
    expect(run(BUILD, ["--help"])).toContain("Usage: build --runtime python|node [--tag TAG]");
  });

  testUnless(has("shellcheck") ? undefined : "shellcheck is not on PATH: apt-get install shellcheck")(
    "shellcheck has nothing to say about the build",
    () => {
      run("shellcheck", [BUILD]);
    },
  );
});

describe("the worker's zip", () => {
  const paths = Object.keys(unzipSync(readFileSync(workerArtifact().file)));

  test.each([
    "nanogrid_worker/__main__.py",
    "nanogrid_worker/sandbox/builders/python/main.py",
    "nanogrid_worker/sandbox/builders/node/main.mjs",
    "runtimes/build",
    "runtimes/python/runner.py",
    "runtimes/node/runner.mjs",
    "runtimes/node/child.mjs",
    "egress-network",
    "nanogrid-egress.service",
    "worker.service",
    "requirements.lock",
  ])("has %s", (path) => {
    expect(paths).toContain(path);
  });

  test("has nothing that only development needs", () => {
    expect(paths.filter((path) => /requirements-dev|__pycache__|\.pyc$|\.ts$|\.tftpl$/.test(path))).toEqual([]);
  });
});
