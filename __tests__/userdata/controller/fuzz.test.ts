/** A fuzzer over the OpenAPI document: whatever is sent, the controller answers, and never with a 500. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { motoMissing } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { type Controller, World } from "./world";

const EXAMPLES = 40;
const FUZZ_MS = 300_000;
/** What every answer is held against: the status codes, types, headers and bodies that the document promises. */
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
  "ignored_auth",
];

const program = process.env.NANOGRID_SCHEMATHESIS;
const missing = motoMissing() ?? (program ? undefined : "no schemathesis: the machine's setup could not install it");

describeUnless(missing)("fuzzer", () => {
  const folder = mkdtempSync(join(tmpdir(), "nanogrid-fuzz-"));
  let world: World;
  let controller: Controller;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller({ SYNC_MAX_WAIT_S: "1", KEY_REQUESTS_PER_MINUTE: "1000000" });
  }, 60_000);
  afterAll(async () => {
    await world?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("no request of its making is answered with a 500, or otherwise than the document says", async () => {
    const { status, output } = await fuzz();
    expect(`${status}\n${output}`).toMatch(/^0\n/);
  }, 400_000);

  function fuzz(): Promise<{ status: number | null; output: string }> {
    const args = [
      "run",
      `${controller.url}/openapi.json`,
      ...["--header", `Authorization: Bearer ${world.adminKey}`],
      ...["--checks", CHECKS.join(",")],
      ...["--phases", "examples,coverage,fuzzing"],
      ...["--max-examples", String(EXAMPLES), "--seed", "1", "--generation-database", "none"],
      // Answered for as long as the job goes on.
      ...["--exclude-operation-id", "followJob"],
      ...["--request-timeout", "20", "--suppress-health-check", "all", "--continue-on-failure"],
    ];
    return runAside(program ?? "", args, folder);
  }
});

/** Runs a program while this process goes on to serve. */
function runAside(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, timeout: FUZZ_MS, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-20_000);
      });
    }
    child.once("close", (status) => resolve({ status, output }));
  });
}
