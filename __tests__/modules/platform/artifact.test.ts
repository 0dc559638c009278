import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { type ArtifactFile, buildArtifact, filesBelow, hashOf, packFiles } from "../../../modules/platform/artifact";

const text = (content: string) => new TextEncoder().encode(content);

const FILES: readonly ArtifactFile[] = [
  { path: "b/run.sh", content: text("#!/bin/sh\n"), executable: true },
  { path: "a.txt", content: text("a") },
  { path: "B.txt", content: text("capital") },
  { path: "é.txt", content: text("accent") },
];

/** The same files but for one byte, one path or one executable bit. */
const VARIANTS: readonly (readonly ArtifactFile[])[] = [
  [...FILES.slice(1), { path: "b/run.sh", content: text("#!/bin/sh\n#"), executable: true }],
  [...FILES.slice(1), { path: "c/run.sh", content: text("#!/bin/sh\n"), executable: true }],
  [...FILES.slice(1), { path: "b/run.sh", content: text("#!/bin/sh\n"), executable: false }],
];

const pack = (files: readonly ArtifactFile[]) => Buffer.from(packFiles(files));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Mode of each entry, from the central directory: the upper half of the external attributes. */
function modesOf(zip: Buffer): Record<string, string> {
  const modes: Record<string, string> = {};
  for (let at = zip.indexOf("PK\x01\x02"); at >= 0; at = zip.indexOf("PK\x01\x02", at + 4)) {
    const name = zip.subarray(at + 46, at + 46 + zip.readUInt16LE(at + 28)).toString("utf8");
    modes[name] = zip.readUInt16LE(at + 40).toString(8);
  }
  return modes;
}

describe("packFiles", () => {
  test("gives the same bytes again, whatever the order of the files", () => {
    expect(pack([...FILES].reverse()).equals(pack(FILES))).toBe(true);
  });

  test("holds the files under their paths", () => {
    const unpacked = Object.entries(unzipSync(pack(FILES))).map(([path, bytes]) => [
      path,
      Buffer.from(bytes).toString(),
    ]);
    expect(Object.fromEntries(unpacked)).toEqual({
      "a.txt": "a",
      "B.txt": "capital",
      "b/run.sh": "#!/bin/sh\n",
      "é.txt": "accent",
    });
  });

  test("modes are 644, and 755 for what is executable", () => {
    expect(modesOf(pack(FILES))).toEqual({
      "a.txt": "100644",
      "B.txt": "100644",
      "b/run.sh": "100755",
      "é.txt": "100644",
    });
  });

  test("one changed byte, path or executable bit changes the bytes", () => {
    const hashes = [FILES, ...VARIANTS].map((files) => sha256(pack(files)));
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test("gives the same bytes in every time zone", () => {
    const program =
      'const { packFiles } = require("./modules/platform/artifact");' +
      'process.stdout.write(packFiles([{ path: "a", content: new Uint8Array([1]) }]));';
    const inZone = (TZ: string) =>
      execFileSync(process.execPath, ["--import", "tsx", "-e", program], {
        env: { ...process.env, TZ },
        timeout: 20_000,
      });
    const zones = ["Pacific/Auckland", "Pacific/Honolulu", "Asia/Seoul"].map(inZone);
    expect(new Set(zones.map(sha256)).size).toBe(1);
    expect(unzipSync(zones[0] ?? new Uint8Array())).toHaveProperty("a");
  });
});

describe("buildArtifact", () => {
  const home = process.cwd();
  let work: string;

  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), "artifacts-"));
    process.chdir(work);
  });

  afterEach(() => {
    process.chdir(home);
    rmSync(work, { recursive: true, force: true });
  });

  test("gives a zip that is named by its own hash", () => {
    const artifact = buildArtifact("program", FILES, () => FILES);
    const zip = readFileSync(artifact.file);
    expect(artifact).toEqual({ program: "program", file: artifact.file, sha256: sha256(zip) });
    expect(artifact.file).toContain(`program-${artifact.sha256}.zip`);
    expect(zip.equals(pack(FILES))).toBe(true);
  });

  test("builds nothing while its inputs are the same", () => {
    const build = jest.fn(() => FILES);
    const first = buildArtifact("program", FILES, build);
    expect(buildArtifact("program", [...FILES].reverse(), build)).toEqual(first);
    expect(build).toHaveBeenCalledTimes(1);
  });

  test.each([
    ["byte", VARIANTS[0]],
    ["path", VARIANTS[1]],
    ["executable bit", VARIANTS[2]],
  ])("builds again after one %s of its inputs changed", (_, changed = []) => {
    const before = buildArtifact("program", FILES, () => FILES);
    const after = buildArtifact("program", changed, () => changed);
    expect(after.sha256).not.toBe(before.sha256);
    expect(readFileSync(after.file).equals(pack(changed))).toBe(true);
  });

  test("builds again when the zip is gone", () => {
    const first = buildArtifact("program", FILES, () => FILES);
    rmSync(first.file);
    expect(readFileSync(buildArtifact("program", FILES, () => FILES).file).equals(pack(FILES))).toBe(true);
  });

  test("two programs with the same inputs are two artifacts", () => {
    const one = buildArtifact("one", FILES, () => FILES);
    const other = buildArtifact("other", FILES, () => FILES.slice(1));
    expect(other.sha256).not.toBe(one.sha256);
  });
});

describe("filesBelow", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "files-below-"));
    mkdirSync(join(folder, "deep", "er"), { recursive: true });
    writeFileSync(join(folder, "top.txt"), "top");
    writeFileSync(join(folder, "deep", "er", "run.sh"), "#!/bin/sh\n");
    chmodSync(join(folder, "deep", "er", "run.sh"), 0o755);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("finds files at any depth, by paths with slashes, and knows which are executable", () => {
    const found = filesBelow(folder).map(({ path, executable }) => [path, executable]);
    expect(found.sort()).toEqual([
      ["deep/er/run.sh", true],
      ["top.txt", false],
    ]);
  });

  test("leaves out what does not belong", () => {
    expect(filesBelow(folder, (path) => path.startsWith("deep/")).map(({ path }) => path)).toEqual(["deep/er/run.sh"]);
  });

  test("packs to the same bytes after a checkout at another time under another umask", () => {
    const before = pack(filesBelow(folder));
    utimesSync(join(folder, "top.txt"), 1_000_000_000, 1_000_000_000);
    utimesSync(join(folder, "deep", "er", "run.sh"), 2_000_000_000, 2_000_000_000);
    for (const [plain, executable] of [
      [0o600, 0o700],
      [0o664, 0o775],
    ] as const) {
      chmodSync(join(folder, "top.txt"), plain);
      chmodSync(join(folder, "deep", "er", "run.sh"), executable);
      expect(pack(filesBelow(folder)).equals(before)).toBe(true);
    }
  });
});

describe("hashOf", () => {
  test("depends on paths, bytes and executable bits, and not on the order", () => {
    const hashes = [FILES, ...VARIANTS].map(hashOf);
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashOf([...FILES].reverse())).toBe(hashes[0]);
  });

  test("content that moves from one file to its neighbour changes it", () => {
    const split = (first: string, second: string) =>
      hashOf([
        { path: "a", content: text(first) },
        { path: "b", content: text(second) },
      ]);
    expect(split("xy", "z")).not.toBe(split("x", "yz"));
  });
});
