/**
 * Resolves a Node.js function's dependencies with npm, in the sandbox, and leaves them in /output as a zip of `node_modules`.
 *
 * Beside them the zip has `packages.json`: name and version of each. What a package's install scripts do, they do here,
 * without credentials, and to no harm but their own function's.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { crc32, deflateRawSync } from "node:zlib";

const SOURCE = "/source";
const WORK = "/tmp/build";
const MODULES = join(WORK, "node_modules");
const CERTIFICATES = "/tmp/certificates.pem";
const RESULT = "/output/dependencies.zip";
const NPM = "/usr/local/lib/node_modules/npm/bin/npm-cli.js";
/** Nothing else of the function's: no settings of npm's, and no code that its own scripts could run. */
const MANIFEST = ["package.json", "package-lock.json", "npm-shrinkwrap.json"];
const LAST_LINES = 15;
const LAST_CHARACTERS = 4_000;
const DRAIN_MS = 2_000;
const SETTINGS = {
  npm_config_audit: "false",
  npm_config_cache: "/tmp/npm-cache",
  npm_config_fetch_retries: "4",
  npm_config_fetch_timeout: "20000",
  npm_config_fund: "false",
  npm_config_globalconfig: "/tmp/none",
  npm_config_omit: "dev",
  npm_config_progress: "false",
  npm_config_update_notifier: "false",
  npm_config_userconfig: "/dev/null",
};

/** npm gave up; its last lines are the message. */
class Unresolved extends Error {
  name = "Unresolved";
}

/**
 * Installs what /source/package.json asks for, from the registry at `index_url`. `certificates`, in PEM, are what it is trusted
 * by besides the publicly known ones; or null.
 */
export async function handler(event) {
  if (event.certificates) {
    fs.writeFileSync(CERTIFICATES, event.certificates);
    SETTINGS.NODE_EXTRA_CA_CERTS = CERTIFICATES;
  }
  fs.mkdirSync(WORK);
  for (const name of MANIFEST.filter((name) => fs.existsSync(join(SOURCE, name)))) {
    fs.copyFileSync(join(SOURCE, name), join(WORK, name));
  }
  await install(event.index_url);
  fs.mkdirSync(MODULES, { recursive: true });
  const list = Buffer.from(JSON.stringify(packages()));
  const zip = new Zip(RESULT);
  addFolder(zip, "node_modules");
  zip.add("packages.json", list, 0o644);
  zip.close();
}

/** Runs npm, which prints to the log. */
async function install(registry) {
  const npm = spawn(process.execPath, [NPM, "install", "--registry", registry], {
    cwd: WORK,
    env: { ...process.env, ...SETTINGS },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let last = "";
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      process.stdout.write(text);
      last = (last + text).slice(-LAST_CHARACTERS).split("\n").slice(-LAST_LINES).join("\n");
    });
  }
  const closed = new Promise((resolve) => npm.once("close", resolve));
  const [code, signal] = await new Promise((resolve) => npm.once("exit", (...end) => resolve(end)));
  // What a build leaves running may keep the pipes open for ever.
  await Promise.race([closed, setTimeout(DRAIN_MS)]);
  if (signal === "SIGKILL") {
    throw new Unresolved(`${last}npm was killed: the build took more memory than it may have.`);
  }
  if (code !== 0) {
    throw new Unresolved(last.trim() || `npm ended with ${signal ?? `code ${code}`}`);
  }
}

/** Names and versions, as npm has noted them. */
function packages() {
  const lock = join(MODULES, ".package-lock.json");
  if (!fs.existsSync(lock)) {
    return [];
  }
  const entries = Object.entries(JSON.parse(fs.readFileSync(lock, "utf8")).packages);
  const nameOf = (path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
  return entries.map(([path, { version }]) => ({ name: nameOf(path), version: version ?? "" }));
}

/** Adds regular files in the order of their names. Links are left out: npm makes them for commands only. */
function addFolder(zip, folder) {
  const entries = fs.readdirSync(join(WORK, folder), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      addFolder(zip, path);
    } else if (entry.isFile()) {
      const isExecutable = fs.statSync(join(WORK, path)).mode & 0o100;
      zip.add(path, fs.readFileSync(join(WORK, path)), isExecutable ? 0o755 : 0o644);
    }
  }
}

/** Writes a zip without times, so that its bytes depend on its files alone. Node.js has nothing that does. */
class Zip {
  static #MAX_ENTRIES = 0xffff;
  static #UTF8 = 0x800;
  static #DEFLATED = 8;
  static #EARLIEST_DATE = 0x21;
  static #UNIX = 3 << 8;

  #fd;
  #offset = 0;
  #directory = [];

  constructor(path) {
    this.#fd = fs.openSync(path, "wx");
  }

  /** Adds a file with its permissions. */
  add(name, content, mode) {
    const bytes = Buffer.from(name);
    const packed = deflateRawSync(content);
    // What both headers have: version, flags, method, time, date, checksum, sizes, length of the name, no extra field.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(Zip.#UTF8, 2);
    common.writeUInt16LE(Zip.#DEFLATED, 4);
    common.writeUInt16LE(Zip.#EARLIEST_DATE, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(bytes.length, 22);
    const central = Buffer.alloc(14);
    central.writeUInt32LE((0o100000 | mode) * 0x10000, 6);
    central.writeUInt32LE(this.#offset, 10);
    const madeBy = Buffer.alloc(2);
    madeBy.writeUInt16LE(Zip.#UNIX | 20);
    this.#directory.push(Buffer.concat([Buffer.from("PK\x01\x02"), madeBy, common, central, bytes]));
    this.#write(Buffer.concat([Buffer.from("PK\x03\x04"), common, bytes]));
    this.#write(packed);
  }

  /** Ends the zip with its directory. */
  close() {
    const count = this.#directory.length;
    if (count > Zip.#MAX_ENTRIES) {
      throw new Unresolved(`The dependencies have ${count} files; ${Zip.#MAX_ENTRIES} are allowed.`);
    }
    const directory = Buffer.concat(this.#directory);
    const end = Buffer.alloc(22);
    end.write("PK\x05\x06", 0, "latin1");
    end.writeUInt16LE(count, 8);
    end.writeUInt16LE(count, 10);
    end.writeUInt32LE(directory.length, 12);
    end.writeUInt32LE(this.#offset, 16);
    this.#write(Buffer.concat([directory, end]));
    fs.closeSync(this.#fd);
  }

  #write(data) {
    for (let at = 0; at < data.length; ) {
      at += fs.writeSync(this.#fd, data, at);
    }
    this.#offset += data.length;
  }
}
