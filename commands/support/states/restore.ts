/** Brings back an earlier version of a state: under its lock, and as a newer change, so that no plan made before can be applied to it. */
import { randomUUID } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { Problem } from "../problem";
import type { StateFile, StateStore, StateVersion } from "./bucket";

/** Versions that are looked through for the highest serial, where the present state cannot be read. */
const LOOKED_THROUGH = 10;

/** A version of a state and what is in it. */
export interface ReadVersion extends StateVersion {
  /** Undefined for a delete marker, and for what is no state. */
  readonly state: StateFile | undefined;
}

/** The latest versions of a stack's state with their content, the newest first. */
export async function readVersions(states: StateStore, stack: string, count = LOOKED_THROUGH): Promise<ReadVersion[]> {
  const versions = (await states.versions(stack)).slice(0, count);
  return await Promise.all(
    versions.map(async (version) => ({
      ...version,
      state: version.deleted ? undefined : await states.read(stack, version.id),
    })),
  );
}

/**
 * Writes an earlier version as the present state.
 *
 * @param id the version
 * @returns the state as it is now
 * @throws Problem when there is no such version, it is no state, or somebody holds the lock
 */
export async function restoreState(states: StateStore, stack: string, id: string): Promise<StateFile> {
  const mine = {
    ID: randomUUID(),
    Operation: "restore",
    Who: `${userInfo().username}@${hostname()}`,
    Created: new Date().toISOString(),
  };
  await states.lock(stack, mine);
  try {
    const versions = await readVersions(states, stack);
    const chosen = versions.find((version) => version.id === id)?.state ?? (await states.read(stack, id));
    if (chosen === undefined) {
      throw new Problem(
        `${stack} has no state in a version "${id}".`,
        `Choose one from: npm run state -- versions ${stack}`,
      );
    }
    const ofSameLine = versions.filter(({ state }) => state?.lineage === chosen.lineage);
    const highest = Math.max(chosen.serial, ...ofSameLine.map(({ state }) => state?.serial ?? 0));
    const restored = { ...chosen, serial: highest + 1 };
    await states.write(stack, restored);
    return restored;
  } finally {
    await states.unlock(stack);
  }
}
