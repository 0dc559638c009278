/** The bills of materials of what is shipped, in CycloneDX, each made by its ecosystem's own tool. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RUNTIMES, type Runtime, runtimeImage } from "../../../userdata/worker/artifact";
import { hasImage } from "../registry";
import { shell, which } from "../shell";
import { debianComponents } from "./debian";

const TOOL_MS = 120_000;

/** A CycloneDX document, as far as it is looked at here. */
export interface Bom {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: string;
  readonly version: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly components: readonly BomComponent[];
  readonly [key: string]: unknown;
}

/** A part of what is shipped. */
export interface BomComponent {
  readonly type: string;
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
  readonly [key: string]: unknown;
}

/**
 * npm packages of a workspace. Workspaces have no development dependencies, those are the root's; and `--omit dev` would leave out what
 * the root develops with and a workspace ships.
 */
export async function npmBom(workspace: string): Promise<Bom> {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only", "--workspace", workspace];
  const printed = await shell("npm", args, {
    env: process.env,
    timeoutMs: TOOL_MS,
    quiet: true,
    remedy: "package-lock.json has to fit package.json: npm install",
  });
  const { name, version } = JSON.parse(readFileSync(join(workspace, "package.json"), "utf8")) as {
    name: string;
    version: string;
  };
  const bom = parsed(printed);
  // npm names the root of the workspaces, by its folder.
  return { ...bom, metadata: { ...bom.metadata, component: { type: "application", name, version } } };
}

/**
 * Python packages of a lock.
 *
 * @param python interpreter with cyclonedx-bom
 */
export async function pythonBom(python: string, lock: string): Promise<Bom> {
  const args = ["-m", "cyclonedx_py", "requirements", lock, "--output-format", "JSON", "--output-reproducible"];
  return parsed(await shell(python, args, { env: process.env, timeoutMs: TOOL_MS, quiet: true }));
}

/**
 * A sandbox image: its base, its own files as one part, and Debian's packages where this machine's engine has the image.
 *
 * @returns the document, and whether Debian's packages are in it
 */
export async function imageBom(project: string, runtime: Runtime): Promise<{ bom: Bom; complete: boolean }> {
  const image = runtimeImage(runtime);
  const [name = "", tag = ""] = image.split(":");
  const status = await dpkgStatus(image);
  const base = baseOf(readFileSync(join(project, "userdata", "worker", "runtimes", runtime, "Dockerfile"), "utf8"));
  return {
    bom: {
      bomFormat: "CycloneDX",
      specVersion: "1.6",
      version: 1,
      metadata: { component: { type: "container", name, version: tag, "bom-ref": image } },
      components: [base, ...debianComponents(status ?? "")],
    },
    complete: status !== undefined,
  };
}

/** The runtimes whose images are shipped. */
export const IMAGE_RUNTIMES = RUNTIMES;

/** The image that a Dockerfile begins with: its ARG BASE. */
function baseOf(dockerfile: string): BomComponent {
  const [, reference = ""] = /^ARG BASE=(\S+)$/m.exec(dockerfile) ?? [];
  const [, repository = reference, version = "latest"] = /^(.+):([\w.-]+)$/.exec(reference) ?? [];
  const name = repository.split("/").at(-1) ?? repository;
  const purl = `pkg:docker/${name}@${version}?repository_url=${repository.slice(0, -name.length - 1)}`;
  return { type: "container", name: repository, version, purl };
}

/** What dpkg says is installed in an image; undefined without an engine that has it. */
async function dpkgStatus(image: string): Promise<string | undefined> {
  const program = which("docker", process.env);
  if (program === undefined || !(await hasImage({ program, env: process.env }, image))) {
    return undefined;
  }
  const read = ["run", "--rm", "--network", "none", "--entrypoint", "/bin/cat", image, "/var/lib/dpkg/status"];
  return await shell(program, read, { env: process.env, timeoutMs: TOOL_MS, quiet: true });
}

function parsed(text: string): Bom {
  return JSON.parse(text) as Bom;
}
