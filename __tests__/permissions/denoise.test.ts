/**
 * The whole path of Denoise, and that every permission of its roles is needed and enough: presigned upload, inference by the real Triton over
 * gRPC and over HTTP, presigned download, metrics, each request judged by the policies that the stacks emit. Then every action of every
 * statement is taken away once, and something that was done has to be refused.
 */
import { GetMetricStatisticsCommand } from "@aws-sdk/client-cloudwatch";
import { GetObjectCommand, ListMultipartUploadsCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { encodeTiff } from "../../commands/support/denoise/frame";
import { smoke } from "../../commands/support/denoise/smoke";
import { nodeRuntimeMissing } from "../../local/lambda/node-runtime";
import { CLUSTER, METRICS_NAMESPACE, PENDING_REQUESTS, SERVICE } from "../../modules/denoise/names";
import { sectionOf } from "../support/deployment";
import { until } from "../support/servers";
import { describeUnless } from "../support/tools";
import { DenoiseWorld, type Entrance, PRESIGN_ROLE, TASK_ROLE } from "./denoise-world";
import { localGrants } from "./local-grants";

const START_MS = 900_000;
const SCENARIO_MS = 120_000;
const FRAME = { model: "efficient", size: 128, photons: 100, strength: 10, seed: 6, limitMs: SCENARIO_MS } as const;
/** Over the size from which a result is uploaded in parts. */
const LARGE = 4_200;
/** Gains of the models on such a frame: both are well above ten decibels. */
const GAIN_DB = 8;

jest.setTimeout(SCENARIO_MS);

const section = sectionOf("local");
const { emitted, shown, excepted, remove } = localGrants((stack) => stack.startsWith("denoise-"));
remove();

const missing =
  nodeRuntimeMissing() ??
  (process.env.NANOGRID_NO_PROVIDERS ? `no Terraform providers: ${process.env.NANOGRID_NO_PROVIDERS}` : undefined);

describeUnless(missing)("denoise", () => {
  let world: DenoiseWorld;
  let grpc: Entrance;

  beforeAll(async () => {
    world = await DenoiseWorld.start(section, emitted);
    grpc = await world.entrance("grpc");
  }, START_MS);
  afterAll(() => world?.stop());

  const ask = async (entrance: Entrance, path: string, json?: object) => {
    const answer = await fetch(`${entrance.url}${path}`, {
      method: json === undefined ? "GET" : "POST",
      headers: { "content-type": "application/json" },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      signal: AbortSignal.timeout(SCENARIO_MS),
    });
    return { status: answer.status, document: (await answer.json()) as Record<string, unknown> };
  };
  const presign = (file: string, mode: string) => ask(grpc, `/presign?${new URLSearchParams({ file, mode })}`);
  const inference = (file: string) => ({
    file,
    model: "efficient",
    strength: 10,
    digital_offset: 0,
    using_bits: 16,
    pixel_pitch: 140,
  });

  describe("what the programs do with AWS is allowed", () => {
    test("a 16-bit frame goes in by a presigned URL and comes out nearer to the truth, over gRPC", async () => {
      const { noisyDb, cleanDb } = await smoke(grpc.api, FRAME);
      expect(cleanDb).toBeGreaterThan(noisyDb + GAIN_DB);
    });

    test("the same over HTTP, for whoever asks later: 202, the record, and the result of the other model", async () => {
      const http = await world.entrance("http", { DDN_TRITON_PROTOCOL: "http", DDN_INLINE_SECONDS: "0" });
      const { noisyDb, cleanDb, id } = await smoke(http.api, { ...FRAME, model: "powerful" });
      expect(cleanDb).toBeGreaterThan(noisyDb + GAIN_DB);
      // Any task may be asked.
      expect(await ask(grpc, `/inference/${id}`)).toMatchObject({ status: 200, document: { status: "succeeded" } });
    });

    test("what is not there is not found, and no failure of the service", async () => {
      expect(await ask(grpc, "/inference", inference("nowhere.tif"))).toMatchObject({
        status: 404,
        document: { field: "file" },
      });
      expect(await ask(grpc, `/inference/${"0".repeat(32)}`)).toMatchObject({ status: 404 });
      expect(await presign("nowhere.tif", "download")).toMatchObject({ status: 404 });
    });

    test.each(["a.tif", "a.tiff", "a.png", "A.TIF", "A.TIFF", "A.PNG"])(
      "an image called %s is uploaded and downloaded",
      async (file) => {
        const { document: upload } = await presign(file, "upload");
        const { url, headers } = upload as unknown as { url: string; headers: Record<string, string> };
        expect((await fetch(url, { method: "PUT", headers, body: "an image" })).status).toBe(200);
        await world.s3().send(new PutObjectCommand({ Bucket: world.outBucket, Key: file, Body: "a result" }));
        const { document: download } = await presign(file, "download");
        expect(await (await fetch(String(download.url))).text()).toBe("a result");
      },
    );

    test("a result whose upload fails half-way leaves no parts behind", async () => {
      const Body = encodeTiff({ width: LARGE, height: LARGE, counts: new Uint16Array(LARGE ** 2).fill(1_000) });
      await world.s3().send(new PutObjectCommand({ Bucket: world.inBucket, Key: "large.tif", Body }));
      world.authorizer.failing = ({ operation }) => operation === "UploadPart";
      try {
        const { document } = await ask(grpc, "/inference", inference("large.tif"));
        const failed = async () => (await ask(grpc, `/inference/${document.id}`)).document.status === "failed";
        await until("it failed", async () => document.status === 503 || (await failed()), SCENARIO_MS);
      } finally {
        world.authorizer.failing = () => false;
      }
      const { Uploads = [] } = await world.s3().send(new ListMultipartUploadsCommand({ Bucket: world.outBucket }));
      expect(Uploads).toEqual([]);
    });

    test("the sidecar publishes what the service scales on", async () => {
      await world.sidecar();
      const published = async () => {
        const { Datapoints = [] } = await world.cloudWatch().send(
          new GetMetricStatisticsCommand({
            Namespace: METRICS_NAMESPACE,
            MetricName: PENDING_REQUESTS,
            Dimensions: [
              { Name: "ClusterName", Value: CLUSTER },
              { Name: "ServiceName", Value: SERVICE },
            ],
            StartTime: new Date(Date.now() - 600_000),
            EndTime: new Date(Date.now() + 60_000),
            Period: 60,
            Statistics: ["Average"],
          }),
        );
        return Datapoints.length > 0;
      };
      await until("there is a figure", published, SCENARIO_MS);
    });

    test("nothing was refused", () => {
      expect(world.authorizer.decisions.filter(({ allowed }) => !allowed)).toEqual([]);
    });
  });

  describe("without it, something that was done is refused", () => {
    test.each(shown)("$role, $sid: $action on $resource", async ({ role, sid, action, resource }) => {
      const done = world.authorizer.decisions.filter(
        (each) => each.role === role && each.allowed && each.action === action,
      );
      const without = await Promise.all(
        done.map((decision) => world.authorizer.judge.verdict(role, decision, { sid, action, resource })),
      );
      expect(without.some(({ allowed }) => !allowed)).toBe(true);
    });
  });

  describe("what is beside its scope is refused", () => {
    test.each([
      ["the task may not write what was uploaded", TASK_ROLE, "put", "in", "a.tif"],
      ["the task may not read results", TASK_ROLE, "get", "out", "a.tif"],
      ["the presign function may not read what was uploaded", PRESIGN_ROLE, "get", "in", "a.tif"],
      ["the presign function may not read records", PRESIGN_ROLE, "get", "out", ".requests/a.json"],
      ["the presign function may not write what is no image", PRESIGN_ROLE, "put", "in", "a.sh"],
    ] as const)("%s", async (_, role, call, bucket, Key) => {
      const Bucket = bucket === "in" ? world.inBucket : world.outBucket;
      const command =
        call === "put" ? new PutObjectCommand({ Bucket, Key, Body: "x" }) : new GetObjectCommand({ Bucket, Key });
      await expect(world.s3(role).send(command as PutObjectCommand)).rejects.toThrow(/not authorized to perform/);
    });
  });

  test("what is taken on trust could not be exercised here: none of it was", () => {
    const done = excepted.filter(({ role, action }) =>
      world.authorizer.decisions.some((each) => each.role === role && each.action === action),
    );
    expect(done).toEqual([]);
  });
});
