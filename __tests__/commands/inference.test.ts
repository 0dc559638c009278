/** `npm run inference`, against the AWS stand-in: the same commands as for Denoise, on another tier of the same account. */
import { findGroups, findService } from "../../commands/support/ecs-tier/deployment";
import { readPaused } from "../../commands/support/ecs-tier/memory";
import { pause, resume } from "../../commands/support/ecs-tier/pause";
import { INFERENCE } from "../../commands/support/inference/tier";
import { motoMissing } from "../support/servers";
import { describeUnless } from "../support/tools";
import { clientsOf, deployService } from "./denoise-world";
import { Cloud } from "./operations";

const SETUP_MS = 120_000;
const WAITING = { everyMs: 50, limitMs: 30_000, say: () => undefined };
jest.setTimeout(60_000);

describeUnless(motoMissing())("npm run inference", () => {
  let cloud: Cloud;

  beforeAll(async () => {
    cloud = await Cloud.start();
    await deployService(cloud);
    await deployService(cloud, INFERENCE);
  }, SETUP_MS);
  afterAll(() => cloud?.stop());

  const numbers = async (tier?: typeof INFERENCE) => {
    const clients = clientsOf(cloud, tier);
    const [group] = await findGroups(clients);
    return { tasks: (await findService(clients)).desiredCount, instances: group?.Instances?.length };
  };

  test("pause empties its own groups, remembers under its own name, and leaves Denoise alone", async () => {
    await pause(clientsOf(cloud, INFERENCE), WAITING);

    expect(await numbers(INFERENCE)).toEqual({ tasks: 0, instances: 0 });
    expect(await numbers()).toEqual({ tasks: 2, instances: 2 });
    expect(await readPaused(clientsOf(cloud))).toBeUndefined();
  });

  test("status says that it is paused, and health that no target is there", async () => {
    const [status, health] = await Promise.all([
      cloud.run("inference", ["status"]),
      cloud.run("inference", ["health"]),
    ]);

    expect(status.stdout).toMatch(/^inference-service: desired 0, running 0, pending 0, inference-task:1$/m);
    expect(status.stdout).toContain("npm run inference -- resume gives back 2 tasks");
    expect(health.code).toBe(1);
    expect(health.stderr).toContain("There is no target group inference-tg in this account and region.");
    expect(health.stderr).toContain("Deploy inference-gpu");
  });

  test("resume gives back tasks and instances", async () => {
    expect((await resume(clientsOf(cloud, INFERENCE))).tasks).toBe(2);

    expect(await numbers(INFERENCE)).toEqual({ tasks: 2, instances: 2 });
  });
});
