/** The Python environments: one run at a time makes one, and a run that was killed holds up nobody. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Needs } from "../../local/phase";
import { preparePython } from "../../local/phases/python";
import { identityOf } from "../../local/services";
import { standInsPython } from "../support/servers";
import { removeScratch, scratchPlaces } from "./scratch";

const MAKE_MS = 120_000;
const report = { say: () => undefined, warn: () => undefined };

afterAll(removeScratch);

/** An environment from an empty lock, whose guard names a process. */
function guarded(pid: number, identity: string | undefined, signal: AbortSignal) {
  const places = scratchPlaces();
  writeFileSync(join(places.project, "requirements.lock"), "");
  const source = { folder: "empty", lock: "requirements.lock" };
  const needs = { places, env: process.env, signal, tools: { python: standInsPython(), uv: undefined } };
  return {
    guard: join(places.venvs, "empty.busy"),
    content: `${pid} ${identity}`,
    make: () => preparePython(source, needs as unknown as Needs<"tools">, report),
    places,
  };
}

test(
  "a guard that a killed run left behind is taken over",
  async () => {
    const { content, guard, make, places } = guarded(process.pid, "another start of this number", never());
    writeGuard(places.venvs, guard, content);
    expect(await make()).toMatchObject({ made: true });
    expect(await make()).toMatchObject({ made: false });
  },
  MAKE_MS,
);

test("a guard whose holder runs is waited for", async () => {
  const { content, guard, make, places } = guarded(process.pid, identityOf(process.pid), AbortSignal.timeout(1_000));
  writeGuard(places.venvs, guard, content);
  await expect(make()).rejects.toThrow(/aborted/);
});

function never(): AbortSignal {
  return new AbortController().signal;
}

function writeGuard(folder: string, guard: string, content: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(guard, content);
}
