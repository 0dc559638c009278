/** Checks of uploaded zips that need no server. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strToU8, zipSync } from "fflate";
import { namesDependencies } from "../../../userdata/controller/src/dependencies";
import { checkZip, moduleFiles } from "../../../userdata/controller/src/zip";

const folder = mkdtempSync(join(tmpdir(), "nanogrid-zip-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(bytes: Uint8Array): string {
  const path = join(folder, "test.zip");
  writeFileSync(path, bytes);
  return path;
}

const limits = { unpackedBytes: 1_000_000, entries: 10 };

test("zip: a sound one gives the names of its files", async () => {
  const zip = zipSync({ "main.py": strToU8("x"), lib: { "__init__.py": strToU8("") }, empty: {} });
  expect((await checkZip(file(zip))).files).toEqual(new Set(["main.py", "lib/__init__.py"]));
});

test("zip: one that unpacks to more than the limit is refused, however small it is", async () => {
  const zip = zipSync({ "main.py": new Uint8Array(600_000), "b.bin": new Uint8Array(600_000) }, { level: 9 });
  expect(zip.length).toBeLessThan(5_000);
  await expect(checkZip(file(zip), limits)).rejects.toThrow("unpacks to over 1000000 bytes");
});

test("zip: one that hides how much it unpacks to is refused while it is read", async () => {
  const zip = Buffer.from(zipSync({ "main.py": new Uint8Array(2_000_000) }, { level: 9 }));
  // The size stands 24 bytes into the entry of the central directory.
  zip.writeUInt32LE(1_000, zip.indexOf(Buffer.from("PK\x01\x02", "latin1")) + 24);
  await expect(checkZip(file(zip), limits)).rejects.toThrow("too many bytes in the stream");
});

test("zip: one with too many entries is refused before they are read", async () => {
  const zip = zipSync(Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`f${n}.py`, strToU8("x")])));
  await expect(checkZip(file(zip), limits)).rejects.toThrow("11 entries; at most 10");
});

test("zip: one that names a file twice is refused", async () => {
  const zip = Buffer.from(zipSync({ "aaaa.py": strToU8("x"), "bbbb.py": strToU8("y") }));
  for (let at = zip.indexOf("bbbb.py"); at >= 0; at = zip.indexOf("bbbb.py")) {
    zip.write("aaaa.py", at);
  }
  await expect(checkZip(file(zip), limits)).rejects.toThrow('"aaaa.py" twice');
});

test("zip: a file that is also a folder is refused", async () => {
  const zip = Buffer.from(zipSync({ "main.py": strToU8("x"), "main.pyx": strToU8("y") }));
  for (let at = zip.indexOf("main.pyx"); at >= 0; at = zip.indexOf("main.pyx")) {
    zip.write("main.py/", at);
  }
  await expect(checkZip(file(zip), limits)).rejects.toThrow(/both as a file and as a folder|sound zip/);
});

test.each([
  ["text", strToU8("this is not a zip at all")],
  ["nothing", new Uint8Array()],
  ["half of a zip", zipSync({ "main.py": new Uint8Array(10_000) }, { level: 0 }).subarray(0, 5_000)],
])("zip: %s is refused as no sound zip", async (_what, bytes) => {
  await expect(checkZip(file(bytes))).rejects.toThrow("not a sound zip");
});

test("zip: damaged content is refused", async () => {
  const zip = Buffer.from(zipSync({ "main.py": strToU8("abc".repeat(10_000)) }));
  zip.fill(0xff, 40, 60);
  await expect(checkZip(file(zip))).rejects.toThrow("not a sound zip");
});

test("zip: the file that is wanted comes whole, unless it is too large", async () => {
  const text = "requests==2.32.0\n".repeat(20_000);
  const zip = zipSync({ "requirements.txt": strToU8(text), "main.py": strToU8("x") });
  expect((await checkZip(file(zip), { keep: "requirements.txt" })).kept?.toString()).toBe(text);
  expect((await checkZip(file(zip), { keep: "package.json" })).kept).toBeUndefined();
  const huge = zipSync({ "requirements.txt": new Uint8Array(1024 * 1024 + 1) });
  await expect(checkZip(file(huge), { keep: "requirements.txt" })).rejects.toThrow("over 1048576 bytes");
});

test.each<["python" | "node", string, boolean]>([
  ["python", "", false],
  ["python", "# nothing yet\n\n  \n", false],
  ["python", "--index-url https://example.org\n", false],
  ["python", "# web\r\nrequests==2.32.0\r\n", true],
  ["python", "-r more.txt\n", true],
  ["python", "-e ./lib\n", true],
  ["node", "{}", false],
  ["node", '{"type": "module", "dependencies": {}, "devDependencies": {"jest": "30"}}', false],
  ["node", '{"dependencies": {"left-pad": "1.3.0"}}', true],
  ["node", '{"optionalDependencies": {"fsevents": "2"}}', true],
])("dependencies: %s's file %j names any: %s", (runtime, text, expected) => {
  expect(namesDependencies(runtime, Buffer.from(text))).toBe(expected);
});

test.each<["python" | "node", Buffer, string]>([
  ["python", Buffer.from([0xff, 0xfe]), "requirements.txt is not UTF-8"],
  ["node", Buffer.from("{"), "package.json is not a JSON object"],
  ["node", Buffer.from("[]"), "package.json is not a JSON object"],
  ["node", Buffer.from('{"dependencies": "all"}'), "package.json is not a JSON object"],
])("dependencies: %s's file that cannot be read is refused", (runtime, content, reason) => {
  expect(() => namesDependencies(runtime, content)).toThrow(reason);
});

test("zip: a handler's module is a file or a package", () => {
  expect(moduleFiles("python", "main.handler")).toEqual(["main.py", "main/__init__.py"]);
  expect(moduleFiles("python", "a.b.run")).toEqual(["a/b.py", "a/b/__init__.py"]);
  expect(moduleFiles("node", "a.run")).toEqual(["a.mjs", "a.cjs", "a.js", "a/index.mjs", "a/index.cjs", "a/index.js"]);
});
