/** Fetching Terraform's own release into `.local/bin`, checked against the checksums published beside it. */
import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { unzipSync } from "fflate";

const VERSION = "1.11.4";
const RELEASES = "https://releases.hashicorp.com/terraform";
const CONNECT_MS = 5_000;
const DOWNLOAD_MS = 300_000;

/** Where a person gets Terraform. */
export const TERRAFORM_PAGE = "https://developer.hashicorp.com/terraform/install";

/**
 * @param target path of the program
 * @param signal ends the download
 * @param releases where releases are published
 * @throws Error when it cannot be reached, or its checksum differs
 */
export async function fetchTerraform(target: string, signal: AbortSignal, releases = RELEASES): Promise<void> {
  const architecture = { x64: "amd64", arm64: "arm64" }[process.arch as string] ?? process.arch;
  const archive = `terraform_${VERSION}_${process.platform}_${architecture}.zip`;
  const sums = await get(`${releases}/${VERSION}/terraform_${VERSION}_SHA256SUMS`, CONNECT_MS, signal);
  const expected = new TextDecoder()
    .decode(sums)
    .split("\n")
    .find((line) => line.endsWith(`  ${archive}`))
    ?.split(" ")[0];
  const zip = await get(`${releases}/${VERSION}/${archive}`, DOWNLOAD_MS, signal);
  const actual = createHash("sha256").update(zip).digest("hex");
  if (actual !== expected) {
    throw new Error(`${archive} has the checksum ${actual}, expected ${expected ?? "one that is not published"}`);
  }
  const program = unzipSync(zip, { filter: (file) => file.name === "terraform" }).terraform;
  if (program === undefined) {
    throw new Error(`${archive} holds no terraform`);
  }
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(`${target}.part`, program, { mode: 0o755 });
  renameSync(`${target}.part`, target);
}

async function get(url: string, timeoutMs: number, signal: AbortSignal): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
  } catch (error) {
    throw new Error(`${new URL(url).host} cannot be reached`, { cause: error });
  }
  if (!response.ok) {
    throw new Error(`${url} answered ${response.status}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}
