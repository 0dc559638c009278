/** Where the embedded default keeps what it makes. All of it goes with `npm run local:down`. */
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Folders and files of one checkout. */
export interface Places {
  /** The checkout. */
  readonly project: string;
  /** Everything that is made here. */
  readonly home: string;
  /** One log file per program and phase. */
  readonly logs: string;
  /** Records of running processes, and the folders that they run in. */
  readonly run: string;
  /** Python environments. */
  readonly venvs: string;
  /** Programs fetched for this checkout. */
  readonly bin: string;
  /** Data of a container engine of our own. */
  readonly docker: string;
  /** Sockets: a short path outside of the checkout, since a unix socket's may have 107 characters only. */
  readonly sockets: string;
  /** What CDKTF synthesizes. */
  readonly output: string;
  /** First states of `state-backend`, before they move into their bucket. */
  readonly bootstrap: string;
}

/** @param project the checkout; default: the working directory */
export function placesOf(project = process.cwd()): Places {
  const root = resolve(project);
  const home = join(root, ".local");
  const short = createHash("sha256").update(root).digest("hex").slice(0, 10);
  return {
    project: root,
    home,
    logs: join(home, "logs"),
    run: join(home, "run"),
    venvs: join(home, "venv"),
    bin: join(home, "bin"),
    docker: join(home, "docker"),
    sockets: join(tmpdir(), `nanogrid-${short}`),
    output: join(root, "cdktf.out"),
    bootstrap: join(root, ".state-backend"),
  };
}

/** Folder of a synthesized stack. */
export function stackFolder(places: Places, stack: string): string {
  return join(places.output, "stacks", stack);
}

/** File with the admin key that `npm start` makes. */
export function keyFile(places: Places): string {
  return join(places.home, "api-key");
}

/** Log file of a program or phase. */
export function logOf(places: Places, name: string): string {
  return join(places.logs, `${name}.log`);
}
