/** Whether a port on loopback is free, and who holds it when it is not. */
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { Problem } from "../commands/support/problem";

/** Where everything local listens: nobody outside of this machine can reach it. */
export const LOOPBACK = "127.0.0.1";

/** A port on loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/**
 * @param port TCP port on loopback
 * @param purpose what wants to listen there
 * @param remedy how to choose another port
 * @throws Problem that names the port and, where it can be known, its holder
 */
export async function requireFreePort(port: number, purpose: string, remedy: string): Promise<void> {
  const refusal = await tryToListen(port);
  if (refusal === "EADDRINUSE") {
    const holder = holderOf(port);
    const who = holder === undefined ? "another program" : `${holder.command} (pid ${holder.pid})`;
    throw new Problem(`Port ${port} on ${LOOPBACK}, for ${purpose}, is taken by ${who}.`, `Stop it, or ${remedy}.`);
  }
  if (refusal !== undefined) {
    throw new Problem(
      `Port ${port} on ${LOOPBACK}, for ${purpose}, cannot be opened: ${refusal}.`,
      `Choose another: ${remedy}.`,
    );
  }
}

function tryToListen(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** The process that listens on a port, from Linux' /proc; undefined elsewhere or where it is another user's. */
function holderOf(port: number): { pid: number; command: string } | undefined {
  const socket = listeningSocket(port);
  if (socket === undefined) {
    return undefined;
  }
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name))) {
    const holds = namesIn(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === `socket:[${socket}]`);
    if (holds) {
      const command = textOf(`/proc/${pid}/cmdline`).split("\0").filter(Boolean).join(" ");
      return { pid: Number(pid), command: command.length > 80 ? `${command.slice(0, 80)}…` : command };
    }
  }
  return undefined;
}

/** The inode of the listening socket: columns `local_address`, `st` (0A is LISTEN) and `inode` of /proc/net/tcp. */
function listeningSocket(port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return ["/proc/net/tcp", "/proc/net/tcp6"]
    .flatMap((file) => textOf(file).split("\n").slice(1))
    .map((line) => line.trim().split(/\s+/))
    .find((columns) => columns[1]?.endsWith(suffix) && columns[3] === "0A")?.[9];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
