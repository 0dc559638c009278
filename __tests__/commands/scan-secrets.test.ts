/** `npm run scan-secrets`: planted keys are found wherever they are, and never printed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { strToU8, zipSync } from "fflate";
import { removeScratch, SETUP_MS, scratchFolder } from "../local/scratch";

afterAll(removeScratch);

/** Made from parts, so that this file has none of them. */
const PLANTED = {
  "aws secret": `${"aws_secret_access_key"} = "${"wJalrXUtnFEMI0K7MDENG".padEnd(40, "bPxRfiCYzQ")}"`,
  "github token": `ghp_${"0123456789abcdefABCDEF".padEnd(36, "Xy7")}`,
  "private key": `-----BEGIN RSA ${"PRIVATE"} KEY-----\n${"MIIEpAIBAAKCAQEA".repeat(8)}\n-----END RSA ${"PRIVATE"} KEY-----`,
  "nanogrid key": `ng_${"Zm9vYmFyYmF6cXV4".padEnd(43, "Q1")}`,
} as const;

function scan(...args: string[]) {
  const run = spawnSync(process.execPath, ["--import", "tsx", "commands/scan-secrets.ts", ...args], {
    encoding: "utf8",
    timeout: SETUP_MS,
  });
  return { code: run.status, text: `${run.stdout}${run.stderr}` };
}

function planted(name: string, content: string | Uint8Array): string {
  const file = join(scratchFolder(), name);
  writeFileSync(file, content);
  return file;
}

describe("scan-secrets", () => {
  test.each(Object.entries(PLANTED))(
    "a planted %s in a log is found with its line, and is not printed",
    (_, secret) => {
      const file = planted("worker.log", `first line\n{"message": "see"}\n${secret}\n`);
      const { code, text } = scan(file);
      expect(code).toBe(1);
      expect(text).toContain(`${file}:3:`);
      for (const part of secret.split(/[\n"= ]+/).filter((each) => each.length > 15 && !each.startsWith("aws_"))) {
        expect(text).not.toContain(part);
      }
    },
    SETUP_MS,
  );

  test(
    "one in JSON within the JSON of a state is found, and one in a Terraform plan, which is an archive",
    () => {
      const inner = JSON.stringify({
        credentials: PLANTED["aws secret"].split('"')[1],
        aws_secret_access_key: PLANTED["aws secret"].split('"')[1],
      });
      const state = JSON.stringify({ resources: [{ attributes: { secret_string: inner } }] });
      const tfstate = planted("data.tfstate", state);
      const tfplan = planted("data.tfplan", zipSync({ tfstate: strToU8(state) }));
      expect(scan(tfstate)).toMatchObject({ code: 1, text: expect.stringContaining(`${tfstate}:1:`) });
      expect(scan(tfplan)).toMatchObject({ code: 1, text: expect.stringContaining(`${tfplan}!tfstate:1:`) });
    },
    SETUP_MS,
  );

  test(
    "a folder without any passes, as does the tree of this checkout",
    () => {
      const folder = scratchFolder();
      mkdirSync(join(folder, "logs"));
      writeFileSync(join(folder, "logs", "a.log"), "nothing here\n");
      expect(scan(folder)).toMatchObject({ code: 0, text: expect.stringContaining("No secret in 1 files") });
      expect(scan()).toMatchObject({ code: 0 });
    },
    SETUP_MS,
  );

  test(
    "a path that is not there is an error, not a clean scan",
    () => {
      expect(scan("no-such-folder")).toMatchObject({ code: 1, text: expect.stringContaining("cannot be read") });
    },
    SETUP_MS,
  );
});
