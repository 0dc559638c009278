/** The images of the Music pipeline: build contexts, Dockerfiles, and what programs and their descriptions agree on. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { BACK, backContext, backImage } from "../../containers/music/back/image";
import { FIRST_STAGE, firstStageContext, firstStageImage } from "../../containers/music/first-stage/image";
import { FRONT, frontContext, frontImage } from "../../containers/music/front/image";
import {
  PIPELINE_ENVIRONMENT,
  PIPELINE_FILE,
  pipelineContext,
  pipelineImage,
} from "../../containers/music/pipeline/image";
import { MUSIC_DRAIN_SECONDS, MUSIC_METRICS, MUSIC_PATHS } from "../../containers/music/program";
import { SECOND_STAGE, secondStageContext, secondStageImage } from "../../containers/music/second-stage/image";
import type { ArtifactFile } from "../../modules/platform/artifact";
import { type ImageSource, imageTag } from "../../modules/platform/image-source";

const IMAGES: [string, () => readonly ArtifactFile[], () => ImageSource, string[]][] = [
  ["front", frontContext, frontImage, ["server.mjs", "page/index.html"]],
  [
    "back",
    backContext,
    backImage,
    ["requirements.lock", "program/music_back/__main__.py", "program/music_pipeline/music.yaml"],
  ],
  ["pipeline", pipelineContext, pipelineImage, ["requirements.lock", "program/music_pipeline/steps.py"]],
  ["first-stage", firstStageContext, firstStageImage, ["requirements-gpu.lock", "program/first_stage/whisper.py"]],
  [
    "second-stage",
    secondStageContext,
    secondStageImage,
    ["requirements-gpu.lock", "program/second_stage/chorales.json.gz"],
  ],
];

describe.each(IMAGES)("the image of %s", (name, context, image, wanted) => {
  const files = context();
  const paths = files.map(({ path }) => path);
  const dockerfile = Buffer.from(files.find(({ path }) => path === "Dockerfile")?.content ?? []).toString();
  const instructions = dockerfile
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n\s*/g, "")
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(/ +(.*)/s) as [string, string]);
  const values = (name: string) => instructions.filter(([each]) => each === name).map(([, value]) => value);

  test("has what it runs, and nothing that only development needs", () => {
    expect(paths).toEqual(expect.arrayContaining(wanted));
    expect(
      paths.filter((path) => /\.in$|-dev|-local|__pycache__|\.pyc$|\.ts$|pyproject|(^|\/)\.|README/.test(path)),
    ).toEqual([]);
  });

  test("copies all of its context, and nothing else", () => {
    const sources = values("COPY").flatMap((value) => value.split(" ").slice(0, -1));
    const isBelow = (path: string, source: string) => path === source || path.startsWith(`${source}/`);
    expect(sources.filter((source) => !paths.some((path) => isBelow(path, source)))).toEqual([]);
    const copied = paths.filter((path) => sources.some((source) => isBelow(path, source)));
    expect([...copied, "Dockerfile"].sort()).toEqual([...paths].sort());
  });

  test("runs as nobody special, on a pinned base, with packages of known hashes, and holds no secret", () => {
    expect(values("USER")).toEqual(["1000:1000"]);
    expect(values("ARG")[0]).toMatch(/^[A-Z]+_IMAGE=\S+:\d+\.\d+\S*$/);
    expect(values("FROM")).toEqual([`\${${values("ARG")[0]?.split("=")[0]}}`]);
    for (const install of values("RUN").filter((run) => run.includes("pip install"))) {
      for (const each of install.split("pip install").slice(1)) {
        expect(each).toContain("--require-hashes --no-deps");
        expect(each).toContain("--only-binary=:all:");
      }
    }
    expect(dockerfile).not.toMatch(/password|secret|token|AKIA/i);
  });

  test("has a tag that changes with every file of it, and with nothing else", () => {
    const { tag, context: folder } = image();
    expect(image()).toEqual({ tag, context: folder, dockerfile: "Dockerfile" });
    expect(folder).toMatch(new RegExp(`music-${name}-${tag}$`));
    expect(imageTag([...files].reverse())).toBe(tag);
    for (const [index, file] of files.entries()) {
      const others = files.filter((_, other) => other !== index);
      expect(imageTag([...others, { ...file, content: Buffer.concat([file.content, Buffer.from(" ")]) }])).not.toBe(
        tag,
      );
      expect(imageTag(others)).not.toBe(tag);
    }
  });
});

test.each([
  ["music_back", ["back"]],
  ["music_pipeline", ["back", "pipeline"]],
  ["first_stage", ["first-stage"]],
  ["second_stage", ["second-stage"]],
  ["music_common", ["back", "pipeline", "first-stage", "second-stage"]],
])("a change of %s makes new images of %j, and of nothing else", (folder, names) => {
  const having = IMAGES.filter(([, context]) => context().some(({ path }) => path.startsWith(`program/${folder}/`)));
  expect(having.map(([name]) => name)).toEqual(names);
});

describe("what programs and their descriptions agree on", () => {
  const python = (path: string) => readFileSync(`containers/music/${path}`, "utf8");
  const settings = {
    back: python("back/music_back/settings.py"),
    first: python("first-stage/first_stage/__main__.py"),
    second: python("second-stage/second_stage/__main__.py"),
    common: python("common/music_common/settings.py"),
  };

  test("ports", () => {
    expect(settings.back).toContain(`music_port: int = Field(${BACK.port},`);
    expect(settings.first).toContain(`music_port: int = Field(${FIRST_STAGE.port},`);
    expect(settings.second).toContain(`music_port: int = Field(${SECOND_STAGE.port},`);
    expect([FRONT.port, BACK.port, FIRST_STAGE.port, SECOND_STAGE.port]).toEqual([8080, 8000, 8001, 8002]);
    expect(BACK.environment.MUSIC_FIRST_STAGE).toBe(`http://${FIRST_STAGE.name}:${FIRST_STAGE.port}`);
    expect(BACK.environment.MUSIC_SECOND_STAGE).toBe(`http://${SECOND_STAGE.name}:${SECOND_STAGE.port}`);
    expect(FRONT.environment.MUSIC_BACK).toBe(`http://${BACK.name}:${BACK.port}`);
  });

  test.each([
    [BACK, settings.back],
    [FIRST_STAGE, settings.first],
    [SECOND_STAGE, settings.second],
  ])("every variable of $name is one that it reads", ({ environment, secrets }, source) => {
    for (const name of [...Object.keys(environment), ...secrets]) {
      expect(source).toContain(`${name.toLowerCase()}: `);
    }
  });

  test("the time to drain, the paths and the metrics", () => {
    expect(settings.common).toContain(`music_drain_seconds: int = Field(${MUSIC_DRAIN_SECONDS},`);
    const sources = ["app.py", "work.py", "gpu.py"].map((name) => python(`common/music_common/${name}`)).join("");
    const all = sources + python("back/music_back/dispatcher.py");
    for (const name of [...Object.values(MUSIC_PATHS), ...Object.values(MUSIC_METRICS)]) {
      expect(all).toContain(`"${name.replace(/_total$/, "")}`);
    }
  });

  test("how long a step tries", () => {
    const steps = python("pipeline/music_pipeline/steps.py");
    for (const [name, value] of Object.entries(PIPELINE_ENVIRONMENT)) {
      expect(steps).toContain(`"${name}"`);
      expect(steps).toContain(`: float = ${value}\n`);
    }
  });

  test("as many candidates are made side by side as the back lets a run ask for", () => {
    const pipeline = parse(readFileSync(PIPELINE_FILE, "utf8"));
    const { parallelismLimit } = pipeline.root.dag.tasks["for-loop-1"].iteratorPolicy;
    expect(String(parallelismLimit)).toBe(BACK.environment.MUSIC_GPU_QUOTA);
    expect(settings.back).toContain(
      `music_gpu_quota: int = Field(\n        ${parallelismLimit},`.replace("\n        ", ""),
    );
  });
});
