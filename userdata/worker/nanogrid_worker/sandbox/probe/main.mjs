// What a function finds in its sandbox; the worker asks before its first job, and may not like the answer.
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";

const CONNECT_TIMEOUT_MS = 2000;

/** Reports this process's protections as the kernel sees them, and which addresses of the event it reaches. */
export async function handler(event) {
  const lines = readFileSync("/proc/self/status", "utf8").split("\n");
  const status = Object.fromEntries(lines.map((line) => line.split(/:\s*/, 2)));
  const reached = await Promise.all(event.connect.map(([host, port]) => reaches(host, port)));
  return {
    uid: process.getuid(),
    gid: process.getgid(),
    groups: process.getgroups(),
    capabilities: Object.fromEntries(["CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => [name, status[name]])),
    no_new_privileges: status.NoNewPrivs,
    seccomp: status.Seccomp,
    uid_map: readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/),
    interfaces: readdirSync("/sys/class/net").sort(),
    reached: event.connect.filter((_, index) => reached[index]).map(([host, port]) => `${host} port ${port}`),
    writable: ["/", "/function", "/dependencies", "/run/nanogrid", "/opt", "/etc"].filter(isWritable),
    environment: Object.keys(process.env).sort(),
    opened: ["/proc/1/environ", `/proc/${process.ppid}/environ`].filter(canRead),
  };
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function canRead(file) {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

/** Whether a connection can be made. */
function reaches(host, port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}
