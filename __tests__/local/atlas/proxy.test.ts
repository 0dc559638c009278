/** The stand-in of Atlas: what goes through it, what it answers itself, and what it refuses as Atlas does. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Db, MongoClient } from "mongodb";
import { Atlas } from "../../../local/atlas/proxy";
import { ferretdbMissing, prepareFerretdb } from "../../../local/ferretdb/ferretdb";
import { type Ferretdb, startFerretdb, until } from "../../support/servers";
import { describeUnless } from "../../support/tools";

const INDEX = "by-meaning";
const DEFINITION = {
  fields: [
    { type: "vector", path: "vector", numDimensions: 3, similarity: "cosine" },
    { type: "filter", path: "kind" },
  ],
};
const BUILD_MS = 900_000;

describeUnless(ferretdbMissing())("stand-in of Atlas", () => {
  let ferretdb: Ferretdb;
  let atlas: Atlas;
  let client: MongoClient;
  let db: Db;
  const folder = mkdtempSync(join(tmpdir(), "atlas-"));

  beforeAll(async () => {
    ferretdb = await startFerretdb(await prepareFerretdb(), folder);
    atlas = await Atlas.start({ upstream: ferretdb.port });
    client = await new MongoClient(atlas.uri).connect();
    db = client.db("shop");
    await db.createCollection("things");
    await db
      .collection("things")
      .insertMany([
        { name: "east", vector: [1, 0, 0], kind: "side" },
        { name: "north", vector: [0, 1, 0], kind: "side" },
        { name: "up", vector: [0, 0, 1], kind: "height" },
        { name: "nowhere" },
      ]);
  }, BUILD_MS);
  afterAll(async () => {
    await client?.close();
    await atlas?.close();
    await ferretdb?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const search = (stage: object, ...rest: object[]) =>
    db
      .collection("things")
      .aggregate([
        {
          $vectorSearch: {
            index: INDEX,
            path: "vector",
            queryVector: [1, 0.5, 0],
            numCandidates: 10,
            limit: 2,
            ...stage,
          },
        },
        ...rest,
      ])
      .toArray();
  const named = { $project: { _id: 0, name: 1, score: { $meta: "vectorSearchScore" } } };

  test("an index wants its collection first, and is built before it finds anything", async () => {
    const index = { name: INDEX, type: "vectorSearch", definition: DEFINITION };
    await expect(db.collection("not-there").createSearchIndex(index)).rejects.toThrow("does not exist");
    expect(await search({})).toEqual([]);
    await db.collection("things").createSearchIndex(index);
    await expect(db.collection("things").createSearchIndex(index)).rejects.toThrow("already exists");
    const [listed] = await db.collection("things").listSearchIndexes(INDEX).toArray();
    expect(listed).toMatchObject({ name: INDEX, status: "PENDING", queryable: false, latestDefinition: DEFINITION });
    await until("it is ready", async () => (await search({})).length > 0);
  });

  test("the nearest come first, with Atlas's score of the cosine, as many as are asked for", async () => {
    const found = await search({}, named);
    const cosine = 1 / Math.hypot(1, 0.5);
    expect(found).toEqual([
      { name: "east", score: expect.closeTo((1 + cosine) / 2, 6) },
      { name: "north", score: expect.closeTo((1 + 0.5 * cosine) / 2, 6) },
    ]);
    expect(await search({ filter: { kind: { $eq: "height" } } }, named)).toEqual([{ name: "up", score: 0.5 }]);
  });

  test.each([
    ["a filter on a field that is not indexed as one", { filter: { name: "east" } }, "needs to be indexed as filter"],
    ["a vector of another length", { queryVector: [1, 0] }, "indexed with 3 dimensions but queried with 2"],
    ["a limit over the candidates", { limit: 11 }, "numCandidates"],
    ["a path that is no vector", { path: "kind" }, "needs to be indexed as vector"],
  ])("%s is refused", async (_what, stage, message) => {
    await expect(search(stage)).rejects.toThrow(message);
  });

  test("a stage that it does not know is refused, not left out", async () => {
    await expect(search({}, { $group: { _id: "$kind" } })).rejects.toThrow("not $group");
  });

  test("an index that expires is made without that; every other message goes through", async () => {
    expect(await db.collection("things").createIndex({ at: 1 }, { expireAfterSeconds: 0 })).toBe("at_1");
    const many = Array.from({ length: 300 }, (_, index) => ({ index, text: "x".repeat(2_000) }));
    await db.collection("many").insertMany(many);
    expect(await db.collection("many").countDocuments({ index: { $gte: 100 } })).toBe(200);
  });
});
