/** FerretDB and the stand-in of Atlas before it: what the functions are told in the place of the connection string of the peering. */
import { join } from "node:path";
import { prepareFerretdb } from "../ferretdb/ferretdb";
import type { Needs, Report } from "../phase";
import { LOOPBACK, requireFreePort } from "../ports";
import { startService } from "../services";

/** Ports of FerretDB, and of the stand-in of Atlas. */
const FERRETDB_PORT = 27117;
export const DATABASE_PORT = 27017;
const READY_MS = 60_000;

/** Names of the two among the services. */
export const DATABASE_SERVICES = ["atlas", "ferretdb"] as const;

/** What every function is told of the database, whatever the state says. */
export const LOCAL_DATABASE = {
  INFERENCE_DATABASE_URI: `mongodb://${LOOPBACK}:${DATABASE_PORT}/?directConnection=true`,
  INFERENCE_DATABASE_AUTH: "none",
} as const;

/** Starts both. The data stays in `.local/run/inference` until `npm run local:down`. */
export async function startDatabase({ env, places, signal }: Needs, report: Report): Promise<void> {
  const remedy = "end what uses it";
  await requireFreePort(FERRETDB_PORT, "FerretDB", remedy);
  await requireFreePort(DATABASE_PORT, "the stand-in of Atlas", remedy);
  report.say("FerretDB: built once, in some minutes");
  const program = await prepareFerretdb(places.home);
  const common = { cwd: places.project, fingerprint: "", readyMs: READY_MS, env };
  await startService(
    places,
    {
      ...common,
      name: "ferretdb",
      command: program,
      args: [String(FERRETDB_PORT), join(places.run, "inference", "database")],
      ready: async () => !(await isFree(FERRETDB_PORT)),
    },
    signal,
  );
  await startService(
    places,
    {
      ...common,
      name: "atlas",
      command: process.execPath,
      args: ["--import", "tsx", join("local", "atlas", "main.ts"), String(DATABASE_PORT), String(FERRETDB_PORT)],
      ready: async () => !(await isFree(DATABASE_PORT)),
    },
    signal,
  );
}

async function isFree(port: number): Promise<boolean> {
  return requireFreePort(port, "", "").then(
    () => true,
    () => false,
  );
}
