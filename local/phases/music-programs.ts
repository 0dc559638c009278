/** The Music pipeline's programs in the background: its four services with their small models, and a stand-in of Kubeflow Pipelines. */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { frontFiles } from "../../containers/music/front/build";
import type { Needs, Outcome, Report } from "../phase";
import type { Places } from "../places";
import { LOOPBACK, requireFreePort } from "../ports";
import { answersOk, type ServiceSpec, startService, stopService } from "../services";

/** Programs that run. */
export interface MusicPrograms {
  /** Where the front answers; the page is at its root. */
  readonly url: string;
}

/** Names of the programs among the services, in the order in which they stop. */
export const MUSIC_SERVICES = [
  "music-front",
  "music-back",
  "music-pipelines",
  "music-first-stage",
  "music-second-stage",
] as const;

/** Ports of the programs: those of their containers, and that of Kubeflow Pipelines' API. */
export const MUSIC_LOCAL_PORTS = { front: 8080, back: 8000, first: 8001, second: 8002, pipelines: 8888 } as const;

const READY_MS = 60_000;
const STOP_MS = 15_000;
const PACKAGES = ["common", "back", "first-stage", "second-stage", "pipeline"];

/** What the programs are started with. */
export interface MusicSetup {
  /** The checkout. */
  readonly project: string;
  /** Python with the programs' packages. */
  readonly python: string;
  /** Folder for the volume and all else that is made. */
  readonly folder: string;
  readonly ports: Readonly<Record<keyof typeof MUSIC_LOCAL_PORTS, number>>;
  /** The environment to build on. */
  readonly env: NodeJS.ProcessEnv;
}

/** The programs, each to be started when those before it answer. Lays out the front's files. */
export function musicServices({ env, folder, ports, project, python }: MusicSetup): ServiceSpec[] {
  const data = join(folder, "data");
  const front = join(folder, "front");
  mkdirSync(data, { recursive: true });
  rmSync(front, { recursive: true, force: true });
  for (const { content, path } of frontFiles()) {
    mkdirSync(dirname(join(front, path)), { recursive: true });
    writeFileSync(join(front, path), content);
  }
  const sessionKey = randomBytes(32).toString("hex");
  const urlOf = (name: keyof typeof ports) => `http://${LOOPBACK}:${ports[name]}`;
  const paths = PACKAGES.map((name) => join(project, "containers", "music", name));
  const common = {
    ...env,
    MUSIC_DATA: data,
    MUSIC_HOST: LOOPBACK,
    PYTHONPATH: [...paths, join(project, "local", "kubeflow")].join(delimiter),
    PYTHONUNBUFFERED: "1",
  };
  const service = (
    name: (typeof MUSIC_SERVICES)[number],
    [command, ...args]: readonly [string, ...string[]],
    own: Readonly<Record<string, string>>,
    probe: string,
  ): ServiceSpec => ({
    name,
    command,
    args,
    cwd: folder,
    env: { ...common, ...own },
    fingerprint: "",
    ready: () => answersOk(probe),
    readyMs: READY_MS,
  });
  return [
    service(
      "music-first-stage",
      [python, "-m", "first_stage"],
      { MUSIC_PORT: String(ports.first), MUSIC_TRANSCRIBER: "sphinx", MUSIC_CLASSIFIER: "vader" },
      `${urlOf("first")}/readyz`,
    ),
    service(
      "music-second-stage",
      [python, "-m", "second_stage"],
      { MUSIC_PORT: String(ports.second), MUSIC_GENERATOR: "small" },
      `${urlOf("second")}/readyz`,
    ),
    service(
      "music-pipelines",
      [python, "-m", "kubeflow_standin"],
      { KUBEFLOW_PORT: String(ports.pipelines), KUBEFLOW_FOLDER: join(folder, "pipelines") },
      `${urlOf("pipelines")}/apis/v2beta1/healthz`,
    ),
    service(
      "music-back",
      [python, "-m", "music_back"],
      {
        MUSIC_PORT: String(ports.back),
        MUSIC_SESSION_KEY: sessionKey,
        MUSIC_KUBEFLOW: urlOf("pipelines"),
        MUSIC_PIPELINE_FILE: join(project, "containers", "music", "pipeline", "music_pipeline", "music.yaml"),
        MUSIC_FIRST_STAGE: urlOf("first"),
        MUSIC_SECOND_STAGE: urlOf("second"),
        MUSIC_POLL_SECONDS: "0.5",
      },
      `${urlOf("back")}/readyz`,
    ),
    service(
      "music-front",
      [process.execPath, join(front, "server.mjs")],
      {
        MUSIC_PORT: String(ports.front),
        MUSIC_BACK: urlOf("back"),
        MUSIC_SESSION_KEY: sessionKey,
        MUSIC_PAGE: join(front, "page"),
        MUSIC_SECURE_COOKIE: "false",
      },
      `${urlOf("front")}/readyz`,
    ),
  ];
}

/** Starts all of them, on loopback. */
export async function startMusic(
  { env, places, pythons, signal }: Needs<"pythons">,
  report: Report,
): Promise<Outcome<MusicPrograms>> {
  await stopMusic(places);
  for (const port of Object.values(MUSIC_LOCAL_PORTS)) {
    await requireFreePort(port, "the Music pipeline", "end what uses it");
  }
  const setup = {
    project: places.project,
    python: pythons.music,
    folder: join(places.run, "music"),
    ports: MUSIC_LOCAL_PORTS,
    env,
  };
  for (const spec of musicServices(setup)) {
    report.say(`${spec.name}: starting`);
    await startService(places, spec, signal);
  }
  const url = `http://${LOOPBACK}:${MUSIC_LOCAL_PORTS.front}`;
  return { value: { url }, summary: url };
}

/** Ends them. */
export async function stopMusic(places: Places): Promise<void> {
  for (const name of MUSIC_SERVICES) {
    await stopService(places, name, STOP_MS);
  }
}
