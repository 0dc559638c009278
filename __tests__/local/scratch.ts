/** What tests of local/ and commands/ run in: folders of their own. */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { type Places, placesOf } from "../../local/places";

/** The checkout that is tested. */
export const PROJECT = join(__dirname, "..", "..");
/** Time for stand-ins to start on a busy machine. */
export const SETUP_MS = 60_000;

const LEFT_OUT = new Set(["node_modules", ".git", ".local", ".state-backend", "cdktf.out", "coverage"]);

/** A folder that is removed by {@link removeScratch}. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "nanogrid-test-"));
  folders.push(folder);
  return folder;
}

/** Places in a folder of their own. */
export function scratchPlaces(): Places {
  const places = placesOf(scratchFolder());
  folders.push(places.sockets);
  return places;
}

/** A copy of this checkout's sources, with its node_modules. */
export function scratchCheckout(): string {
  const folder = scratchFolder();
  cpSync(PROJECT, folder, {
    recursive: true,
    filter: (path) => !LEFT_OUT.has(relative(PROJECT, path).split(sep)[0] ?? "") && !path.includes("__pycache__"),
  });
  symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

const folders: string[] = [];

/** Removes every folder that was made here. */
export function removeScratch(): void {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true, force: true });
  }
}
