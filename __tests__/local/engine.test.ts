/** A container engine of our own, in a network namespace of its own: what it changes there is taken back. */
import { run } from "../support/run";
import { has, testUnless } from "../support/tools";
import { removeScratch, scratchPlaces } from "./scratch";

const RUN_MS = 120_000;
const TOOLS = ["unshare", "dockerd", "iptables", "ip"];

afterEach(removeScratch);

const lacking = TOOLS.filter((tool) => !has(tool));
const missing =
  process.getuid?.() === 0
    ? lacking.length > 0
      ? `not on PATH: ${lacking.join(", ")}`
      : undefined
    : "only root can make a network namespace";

interface Left {
  readonly own: boolean;
  readonly network: string;
  readonly before: string[];
  readonly during: string[];
  readonly after: string[];
}

describe("an engine of our own", () => {
  testUnless(missing).each([
    ["is ended", "end"],
    ["was killed", "kill"],
  ])(
    "has the machine's firewall and the network of functions, and leaves neither when it %s",
    (_, how) => {
      const { project } = scratchPlaces();
      const script = "__tests__/support/engine-run.ts";
      const output = run("unshare", ["--net", "--mount", process.execPath, "--import", "tsx", script, project, how], {
        timeoutMs: RUN_MS,
      });
      const { after, before, during, network, own } = JSON.parse(output.trim().split("\n").at(-1) ?? "") as Left;

      expect([own, network]).toEqual([true, "nanogrid-egress"]);
      expect(during).toContainEqual(expect.stringMatching(/169\.254\.169\.254\/32 -j REJECT/));
      expect(during).toContainEqual(expect.stringMatching(/^ng-egress /));
      expect(after).toEqual(before);
    },
    RUN_MS,
  );
});
