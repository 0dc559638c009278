/** What NanoGrid promises its callers, each promise broken with real processes: controllers, workers, Redis, the engine. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Api } from "../../userdata/controller/page/client/api";
import { startBalancer } from "../support/balancer";
import { Grid, gridMissing } from "../support/grid";
import { describeUnless } from "../support/tools";

const SLEEP = "import time\n\n\ndef handler(event):\n    time.sleep(event)\n    return event\n";

describeUnless(gridMissing())("promises", () => {
  let grid: Grid;

  beforeAll(async () => {
    grid = await Grid.start();
  }, 900_000);
  afterAll(() => grid?.close(), 120_000);

  test("202 means durably queued: the controller is killed right after the reply, and the job still ends well", async () => {
    const doomed = await grid.startController();
    const functionId = await grid.createFunction(doomed.url, SLEEP);

    const jobId = await grid.invokeAsync(doomed.url, functionId, 0.1);
    await doomed.kill();

    const [controller, worker] = await Promise.all([grid.startController(), grid.startWorker()]);
    expect(await grid.result(controller.url, jobId)).toMatchObject({ status: "SUCCESS", output: 0.1, attempt: 1 });
    await Promise.all([controller.stop(), worker.stop()]);
  }, 180_000);

  test("a dead worker's job is run again by another, and has one final result", async () => {
    const controller = await grid.startController();
    const functionId = await grid.createFunction(controller.url, SLEEP);
    const quick = { VISIBILITY_TIMEOUT_S: "4" };
    const doomed = await grid.startWorker(quick);
    const jobId = await grid.invokeAsync(controller.url, functionId, 3);
    await sleep(2_000);

    await doomed.kill();
    const worker = await grid.startWorker(quick);

    // The lease outlasts the visibility by ten seconds.
    expect(await grid.result(controller.url, jobId)).toMatchObject({ status: "SUCCESS", output: 3, attempt: 2 });
    await Promise.all([controller.stop(), worker.stop()]);
  }, 180_000);

  test("losing Redis loses nothing: it is emptied and restarted mid-job, and the waiting client gets its answer", async () => {
    const [controller, worker] = await Promise.all([grid.startController(), grid.startWorker()]);
    const functionId = await grid.createFunction(controller.url, SLEEP);
    const path = `/v1/functions/${functionId}/invocations`;
    const waiting = grid.ask<{ status: string; output: number }>(controller.url, "POST", path, { json: 4 });
    await sleep(2_000);

    await grid.restartRedis();

    expect(await waiting).toMatchObject({ status: "SUCCESS", output: 4 });
    await Promise.all([controller.stop(), worker.stop()]);
  }, 180_000);

  test("one tenant's flood leaves others served: at 100 to 1 the quiet tenant waits at most twice its idle wait", async () => {
    const SECONDS = 1;
    const four = { CONCURRENCY: "4" };
    const [controller, ...workers] = await Promise.all([
      grid.startController(),
      grid.startWorker(four),
      grid.startWorker(four),
    ]);
    const [loud, quiet] = await Promise.all(["loud", "quiet"].map((tenant) => as(tenant)));
    const loudFunction = await grid.createFunction(controller.url, SLEEP, {}, loud);
    const quietFunction = await grid.createFunction(controller.url, SLEEP, {}, quiet);
    const call = async () => {
      const path = `/v1/functions/${quietFunction}/invocations`;
      const began = performance.now();
      await grid.ask(controller.url, "POST", path, { json: SECONDS, headers: quiet });
      return performance.now() - began;
    };
    await call();
    const idle = [await call(), await call(), await call()];

    const flood = Array.from({ length: 100 }, () => grid.invokeAsync(controller.url, loudFunction, SECONDS, loud));
    await Promise.all(flood);
    // Fair queues judge by what they have seen: the flood has to be running.
    await sleep(2_000);
    const flooded = [await call(), await call(), await call()];

    expect(Math.max(...flooded)).toBeLessThanOrEqual(2 * Math.max(...idle));
    await Promise.all([controller, ...workers].map((program) => program.stop()));

    async function as(tenant: string) {
      return { authorization: `Bearer ${await grid.createKey(tenant, "user")}` };
    }
  }, 240_000);

  test("one controller down is not noticed: one of two is killed in 100 s of load, no read fails, and no call but those in flight", async () => {
    const LOAD_MS = 100_000;
    const [first, second, worker] = await Promise.all([
      grid.startController(),
      grid.startController(),
      grid.startWorker({ CONCURRENCY: "2" }),
    ]);
    const balancer = await startBalancer([first.url, second.url], { path: "/health", intervalMs: 5_000 });
    const functionId = await grid.createFunction(balancer.url, SLEEP);
    // The client of the page and the command line.
    const api = new Api({ url: balancer.url, key: grid.key });
    const reads = new Load(() => api.get(`/v1/functions/${functionId}`));
    const calls = new Load(() =>
      api.call("POST", `/v1/functions/${functionId}/invocations`, {
        json: 0.2,
        idempotent: true,
        headers: { "Idempotency-Key": randomUUID() },
      }),
    );
    const end = Date.now() + LOAD_MS;
    const load = Promise.all([reads.run(end, 200), calls.run(end, 500)]);
    await sleep(LOAD_MS / 3);

    const inFlight = calls.open;
    await first.kill();
    await load;

    expect(balancer.failures.length).toBeGreaterThan(0);
    expect(reads.failures).toEqual([]);
    expect(calls.failures.length).toBeLessThanOrEqual(inFlight);
    expect(reads.done).toBeGreaterThan(300);
    expect(calls.done).toBeGreaterThan(100);
    await Promise.all([balancer.close(), second.stop(), worker.stop()]);
  }, 240_000);
});

/** Requests at a steady pace, whether the ones before have been answered or not. */
class Load {
  open = 0;
  done = 0;
  readonly failures: string[] = [];

  constructor(private readonly request: () => Promise<unknown>) {}

  async run(end: number, everyMs: number): Promise<void> {
    const requests: Promise<void>[] = [];
    for (; Date.now() < end; await sleep(everyMs)) {
      requests.push(this.once());
    }
    await Promise.all(requests);
  }

  private async once(): Promise<void> {
    this.open += 1;
    try {
      await this.request();
      this.done += 1;
    } catch (error) {
      this.failures.push(String(error));
    } finally {
      this.open -= 1;
    }
  }
}
