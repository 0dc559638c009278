import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { strToU8, zipSync } from "fflate";
import { fetchTerraform } from "../../local/terraform-download";
import { removeScratch, scratchFolder } from "./scratch";

const NEVER = new AbortController().signal;
const PROGRAM = "#!/bin/sh\necho Terraform v1.11.4\n";

let releases: Server;
let sumOf: (zip: Uint8Array) => string;

beforeEach(async () => {
  sumOf = (zip) => createHash("sha256").update(zip).digest("hex");
  const zip = zipSync({ "LICENSE.txt": strToU8("MPL"), terraform: strToU8(PROGRAM) });
  releases = createServer((request, response) => {
    const [, version, file = ""] = request.url?.split("/") ?? [];
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    const archive = `terraform_${version}_${process.platform}_${architecture}.zip`;
    const files: Record<string, Uint8Array> = {
      [archive]: zip,
      [`terraform_${version}_SHA256SUMS`]: strToU8(
        `${"0".repeat(64)}  terraform_other.zip\n${sumOf(zip)}  ${archive}\n`,
      ),
    };
    const content = files[file];
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  await new Promise<void>((resolve) => releases.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  releases.close();
  removeScratch();
});

function url(): string {
  return `http://127.0.0.1:${(releases.address() as AddressInfo).port}`;
}

test("terraform: the release for this platform is fetched, checked, and can be run", async () => {
  const target = join(scratchFolder(), "bin", "terraform");

  await fetchTerraform(target, NEVER, url());

  expect(execFileSync(target, { encoding: "utf8" })).toBe("Terraform v1.11.4\n");
});

test("terraform: a release whose checksum differs from the published one is not kept", async () => {
  const target = join(scratchFolder(), "bin", "terraform");
  sumOf = () => "f".repeat(64);

  await expect(fetchTerraform(target, NEVER, url())).rejects.toThrow(/has the checksum [0-9a-f]{64}, expected f{64}/);

  expect(existsSync(target)).toBe(false);
});

test("terraform: where releases cannot be reached, the host is named", async () => {
  const gone = url();
  await new Promise((resolve) => releases.close(resolve));

  await expect(fetchTerraform(join(scratchFolder(), "terraform"), NEVER, gone)).rejects.toThrow(
    `${new URL(gone).host} cannot be reached`,
  );
});
