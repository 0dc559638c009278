/** The inference functions: what they store, find and title, what it costs, and what they do when something behind them is in trouble. */
import type { LocalFunction } from "../../../local/lambda/function";
import { until } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import {
  ask,
  deliver,
  type Fault,
  INLINE,
  InferenceWorld,
  inferenceGrants,
  inferenceMissing,
  productOf,
  SETUP_MS,
} from "./world";

const WAIT_MS = 60_000;
jest.setTimeout(WAIT_MS);

const { emitted, excepted, shown } = inferenceGrants();

describeUnless(inferenceMissing())("inference functions", () => {
  let world: InferenceWorld;
  let products: LocalFunction;
  let search: LocalFunction;
  let titles: LocalFunction;
  let batches: LocalFunction;
  let bootstrap: LocalFunction;

  beforeAll(async () => {
    world = await InferenceWorld.start(emitted);
    products = world.create("products");
    search = world.create("search");
    titles = world.create("titles");
    batches = world.create("batches");
    bootstrap = world.create("bootstrap");
    await bootstrap.invoke({});
  }, SETUP_MS);
  afterAll(() => world?.stop());
  afterEach(() => world?.trouble());

  const stored = (id: string) => world.collection("products").findOne({ _id: id });
  const twice = (operation: Fault["operation"], kind: Fault["kind"]) => ({ operation, kind, times: 2 });
  const always = (operation: Fault["operation"], kind: Fault["kind"]) => ({ operation, kind, times: 1_000 });

  describe("bootstrap", () => {
    test("it makes the collections first, then the index, and waits until that can be searched; again it changes nothing", async () => {
      await world.database.db("elsewhere").dropDatabase();
      const fresh = world.create("bootstrap", { INFERENCE_DATABASE_NAME: "elsewhere" });
      const first = JSON.parse((await fresh.invoke({})).payload);
      expect(first.created.sort()).toEqual(["products", "titles"]);
      expect(first.index).toEqual({ name: "products-vector", change: "created", status: "READY", queryable: true });
      expect(JSON.parse((await fresh.invoke({})).payload)).toMatchObject({ created: [], index: { change: "none" } });
      const longer = world.create("bootstrap", { INFERENCE_DATABASE_NAME: "elsewhere", INFERENCE_DIMENSIONS: "512" });
      expect(JSON.parse((await longer.invoke({})).payload)).toMatchObject({
        index: { change: "updated", queryable: true },
      });
    });
  });

  describe("POST /products", () => {
    test("a product is stored with a vector of length one and 1024, with attributes and more words for it", async () => {
      const { status, body } = await ask(products, productOf("mug", "Red ceramic coffee mug", { price: 12 }));
      expect([status, body]).toEqual([200, { products: [{ id: "mug", status: "created" }] }]);
      const found = await stored("mug");
      const embedding = found?.embedding as number[];
      expect([embedding.length, Math.hypot(...embedding)]).toEqual([1_024, expect.closeTo(1, 4)]);
      expect(Object.keys(found?.attributes as object).length).toBeGreaterThan(0);
      expect(String(found?.augmentation)).toContain("mug");
      expect(found).toMatchObject({ title: "Red ceramic coffee mug", price: 12, revision: 1 });
    });

    test("the same again costs no model call and no write; changed, it is written over and what was left out is gone", async () => {
      const kettle = productOf("kettle", "Electric kettle", { price: 30, tags: ["kitchen"] });
      await ask(products, kettle);
      const before = [await world.billed("InvokeModel"), await stored("kettle")];
      const again = await ask(products, kettle);
      expect(again.body.products).toEqual([{ id: "kettle", status: "unchanged" }]);
      expect([await world.billed("InvokeModel"), await stored("kettle")]).toEqual(before);
      const cheaper = await ask(products, productOf("kettle", "Electric kettle", { price: 25 }));
      expect(cheaper.body.products).toEqual([{ id: "kettle", status: "updated" }]);
      const found = await stored("kettle");
      expect(found).toMatchObject({ price: 25, revision: 2 });
      expect(found).not.toHaveProperty("tags");
    });

    test("of two that come at once one is written, and the other finds it written", async () => {
      const answers = await Promise.all([1, 2].map(() => ask(products, productOf("twin", "Twin bed"))));
      expect(answers.map(({ body }) => body.products[0].status).sort()).toEqual(["created", "unchanged"]);
      expect(await stored("twin")).toMatchObject({ revision: 1 });
    });

    test("every error is named with its path", async () => {
      const wrong = {
        products: [{ id: "a b", title: "", description: "x" }, productOf("ok", "Fine", { price: -1, colour: "red" })],
      };
      const { status, headers, body } = await ask(products, wrong);
      expect([status, headers["content-type"]]).toEqual([400, "application/problem+json"]);
      expect(body).toMatchObject({ type: "urn:inference:problem:invalid-request", field: "products.0.id" });
      expect(body.errors.map(({ field }: { field: string }) => field)).toEqual([
        "products.0.id",
        "products.0.title",
        "products.1.price",
        "products.1",
      ]);
    });

    test.each([
      ["no JSON", "{", "body", 400],
      ["an id twice", { products: [productOf("a", "A"), productOf("a", "B")] }, "products.1.id", 400],
      ["none", { products: [] }, "products", 400],
      [
        "too many",
        { products: Array.from({ length: 501 }, (_, index) => productOf(`p${index}`, "P")) },
        "products",
        413,
      ],
    ])("%s is refused", async (_what, body, field, status) => {
      const answer = await ask(products, body);
      expect([answer.status, answer.body.field]).toEqual([status, field]);
    });

    test("a large batch is queued, one product a message, and stored by the function behind the queue", async () => {
      const many = Array.from({ length: INLINE + 15 }, (_, index) => productOf(`bulk-${index}`, `Notebook ${index}`));
      const { status, body } = await ask(products, { products: many });
      expect([status, body]).toEqual([202, { batchId: "request-1", status: "queued", products: many.length }]);
      expect(await world.queued()).toBe(many.length);
      const acceptedAt = new Date().toISOString();
      const bodies = many
        .slice(0, 10)
        .map((product) => JSON.stringify({ product, acceptedAt, requestId: "request-1" }));
      expect(await deliver(batches, bodies)).toEqual([]);
      expect(await world.collection("products").countDocuments({ _id: { $in: many.map(({ id }) => id) } })).toBe(10);
    });
  });

  describe("queued products", () => {
    const message = (id: string, acceptedAt = new Date(), title = "Queued lamp") =>
      JSON.stringify({ product: productOf(id, title), acceptedAt: acceptedAt.toISOString(), requestId: "r" });

    test("those that fail are named, and those alone; what was stored is not stored again", async () => {
      await world.trouble({ operation: "InvokeModel", kind: "malformed", times: 1 });
      const bodies = [message("q-1"), "no message", message("q-2"), message("q-3")];
      const failed = await deliver(batches, bodies);
      expect(failed).toContain("message-1");
      expect(failed).toHaveLength(2);
      expect(await deliver(batches, bodies)).toEqual(["message-1"]);
      const found = await world
        .collection("products")
        .find({ _id: { $in: ["q-1", "q-2", "q-3"] } })
        .toArray();
      expect(found.map(({ revision }) => revision)).toEqual([1, 1, 1]);
    });

    test("one that comes late does not write over one that was taken in after it", async () => {
      const [first, second] = [new Date(Date.now() - 5_000), new Date()];
      expect(await deliver(batches, [message("late", second, "New lamp")])).toEqual([]);
      expect(await deliver(batches, [message("late", first, "Old lamp")])).toEqual([]);
      expect(await stored("late")).toMatchObject({ title: "New lamp", revision: 1 });
    });
  });

  describe("POST /products/search", () => {
    beforeAll(async () => {
      const shop = [
        productOf("tent", "Two-person tent", { category: "outdoor", price: 120, tags: ["camping"] }),
        productOf("boots", "Waterproof hiking boots", { category: "outdoor", price: 90 }),
        productOf("blender", "Countertop blender", { category: "kitchen", price: 60 }),
        productOf("headphones", "Noise cancelling headphones", { category: "audio", price: 200 }),
      ];
      await ask(products, { products: shop });
    });

    test.each([
      ["shoes that keep my feet dry in the mountains", "boots"],
      ["a shelter to sleep in while camping", "tent"],
      ["listen to music without hearing the street", "headphones"],
      ["machine to make smoothies", "blender"],
    ])("a paraphrase finds its product: %s", async (query, id) => {
      const { status, body } = await ask(search, { query, limit: 3 });
      expect([status, body.products.length]).toEqual([200, 3]);
      expect(body.products[0]).toMatchObject({ id, score: expect.any(Number) });
      const scores = body.products.map(({ score }: { score: number }) => score);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      expect(body.products[0]).not.toHaveProperty("embedding");
    });

    test("filters narrow it, by set and by bounds", async () => {
      const query = "something for a weekend in the mountains";
      const found = async (filter: object) =>
        (await ask(search, { query, filter })).body.products.map(({ id }: { id: string }) => id).sort();
      expect(await found({ category: "outdoor" })).toEqual(["boots", "tent"]);
      expect(await found({ category: ["outdoor"], price: { max: 100 } })).toEqual(["boots"]);
      expect(await found({ category: ["outdoor", "audio"], price: { min: 100 } })).toEqual(["headphones", "tent"]);
      expect(await found({ tags: "camping" })).toEqual(["tent"]);
      expect(await found({ brand: "none of them" })).toEqual([]);
    });

    test("what cannot be asked is named with its path", async () => {
      const { status, body } = await ask(search, { query: " ", limit: 51, filter: { colour: "red" } });
      expect(status).toBe(400);
      expect(body.errors.map(({ field }: { field: string }) => field)).toEqual(["query", "limit", "filter"]);
    });

    test("vectors of another model are not found", async () => {
      const other = world.create("search", { INFERENCE_EMBEDDINGS: "gpu", INFERENCE_EMBEDDING_MODEL: "gpu-tier" });
      const { status } = await ask(other, { query: "tent" });
      // The GPU tier's model here makes 384 dimensions.
      expect(status).toBe(502);
    });
  });

  describe("POST /carts/{id}/title", () => {
    const cart = (...titlesOf: string[]) => ({ items: titlesOf.map((title) => ({ title })) });

    test("a cart gets a title, and the same cart is not paid for twice; another one is", async () => {
      const before = await world.billed("Converse");
      const first = await ask(titles, cart("Tent", "Sleeping bag"), { id: "cart-1" });
      expect([first.status, first.body.cached]).toEqual([200, false]);
      expect(first.body.title).toMatch(/Tent/);
      const again = await ask(titles, cart("Tent", "Sleeping bag"), { id: "cart-1" });
      expect(again.body).toEqual({ ...first.body, cached: true });
      await ask(titles, cart("Tent"), { id: "cart-1" });
      expect((await world.billed("Converse")) - before).toBe(2);
    });

    test("ten calls at once are paid for once, and all get the title", async () => {
      const before = await world.billed("Converse");
      await world.trouble({ operation: "Converse", kind: "slow", times: 1, seconds: 1 });
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => ask(titles, cart("Kettle", "Mug"), { id: "cart-2" })),
      );
      expect(new Set(answers.map(({ status, body }) => `${status} ${body.title}`)).size).toBe(1);
      expect(answers.filter(({ body }) => !body.cached)).toHaveLength(1);
      expect((await world.billed("Converse")) - before).toBe(1);
    });

    test("a claim whose owner is gone is taken over", async () => {
      await ask(titles, cart("Lamp"), { id: "cart-3" });
      await world
        .collection("titles")
        .updateOne({ cartId: "cart-3" }, { $unset: { title: "" }, $set: { owner: "gone", claimedUntil: new Date(0) } });
      expect((await ask(titles, cart("Lamp"), { id: "cart-3" })).body).toMatchObject({ cached: false });
    });

    test("a call that fails gives its claim back", async () => {
      await world.trouble(always("Converse", "malformed"));
      expect((await ask(titles, cart("Desk"), { id: "cart-4" })).status).toBe(502);
      await world.trouble();
      expect((await ask(titles, cart("Desk"), { id: "cart-4" })).body).toMatchObject({ cached: false });
    });

    test("what is no cart is refused with its path", async () => {
      const { status, body } = await ask(titles, { items: [{ title: "x", quantity: 0 }] }, { id: "cart-5" });
      expect([status, body.field]).toEqual([400, "items.0.quantity"]);
      expect((await ask(titles, cart("x"), { id: "a/b" })).status).toBe(400);
    });
  });

  describe("Bedrock in trouble", () => {
    const title = (id: string) => ask(titles, { items: [{ title: "Chair" }] }, { id });
    const add = (id: string) => ask(products, productOf(id, "Garden chair"));

    test.each(["throttle", "unavailable", "slow"] as const)("what passes is tried again: %s", async (kind) => {
      await world.trouble(
        { ...twice("Converse", kind), seconds: 0.2 },
        { ...twice("InvokeModel", kind), seconds: 0.2 },
      );
      expect((await title(`passes-${kind}`)).status).toBe(200);
      expect((await add(`passes-${kind}`)).status).toBe(200);
    });

    test("a quota that is used up is 429, with a time to try again", async () => {
      await world.trouble(always("Converse", "throttle"), always("InvokeModel", "throttle"));
      for (const { status, headers, body } of [await title("t-429"), await add("p-429")]) {
        expect([status, headers["retry-after"], body.type]).toEqual([429, "10", "urn:inference:problem:throttled"]);
      }
      expect(await stored("p-429")).toBeNull();
    });

    test("a service that is away is 503, with a time to try again", async () => {
      await world.trouble(always("Converse", "unavailable"), always("InvokeModel", "unavailable"));
      for (const { status, headers, body } of [await title("t-503"), await add("p-503")]) {
        expect([status, headers["retry-after"], body.type]).toEqual([503, "5", "urn:inference:problem:unavailable"]);
      }
    });

    test("an answer that is none is 502", async () => {
      await world.trouble(always("Converse", "malformed"), always("InvokeModel", "malformed"));
      for (const { status, body } of [await title("t-502"), await add("p-502")]) {
        expect([status, body.type]).toEqual([502, "urn:inference:problem:bad-answer"]);
      }
    });

    test("one that is too slow is given up before the function's own time is over", async () => {
      const brief = world.create("titles", {}, 4);
      await world.trouble({ ...always("Converse", "slow"), seconds: 6 });
      const { status } = await ask(brief, { items: [{ title: "Sofa" }] }, { id: "slow" });
      expect(status).toBe(503);
    });

    test("of a batch, what could be stored is, and the answer says what was not", async () => {
      await world.trouble({ operation: "InvokeModel", kind: "malformed", times: 1 });
      const { status, body } = await ask(products, {
        products: [productOf("part-1", "Vase"), productOf("part-2", "Bowl")],
      });
      expect(status).toBe(502);
      expect(body.products.map((each: { status: string }) => each.status).sort()).toEqual(["created", "failed"]);
    });
  });

  test("a GPU tier that is away is 503, and nothing is stored without attributes", async () => {
    const alone = world.create("products", { INFERENCE_GPU_URL: "http://127.0.0.1:9" }, 5);
    const { status, body } = await ask(alone, productOf("no-tier", "Rug"));
    expect([status, body.detail]).toEqual([503, "The GPU tier did not answer in time."]);
    expect(await stored("no-tier")).toBeNull();
  });

  test("a failover of the database loses nothing and writes nothing twice", async () => {
    const rounds = Array.from({ length: 12 }, (_, round) =>
      Array.from({ length: 3 }, (_, index) => productOf(`fail-${round}-${index}`, `Bottle ${round} ${index}`)),
    );
    // Three shops at a time, each sending the next when the last was answered.
    const sendEach = async (first: number) => {
      const statuses: number[] = [];
      for (const round of rounds.filter((_, index) => index % 3 === first)) {
        statuses.push((await ask(products, { products: round })).status);
      }
      return statuses;
    };
    const work = Promise.all([0, 1, 2].map(sendEach));
    const ours = { _id: { $in: rounds.flat().map(({ id }) => id) } };
    await until("some are stored", async () => (await world.collection("products").countDocuments(ours)) > 2, WAIT_MS);
    await world.killDatabase();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await world.restartDatabase();
    expect((await work).flat()).toEqual(rounds.map(() => 200));
    const found = await world.collection("products").find(ours).toArray();
    expect(found).toHaveLength(36);
    expect(found.filter(({ revision }) => revision !== 1)).toEqual([]);
  });

  test("a database that stays away is 503 before the function's time is over", async () => {
    const alone = world.create("search", { INFERENCE_DATABASE_URI: "mongodb://127.0.0.1:9/?directConnection=true" }, 8);
    const { status, headers, body } = await ask(alone, { query: "tent" });
    expect([status, headers["retry-after"], body.detail]).toEqual([503, "5", "The database did not answer in time."]);
  });

  test("ten thousand invocations hold no more connections than one does", async () => {
    const environment = await world.warm("titles", { items: [{ title: "Stool" }] }, { id: "cart-many" });
    try {
      const one = await environment.connectionsAfter(1);
      const many = await environment.connectionsAfter(10_000);
      expect(many.statuses).toEqual({ 200: 10_000 });
      expect(one.connections).toBeGreaterThan(0);
      expect(many.connections).toBeLessThanOrEqual(one.connections);
    } finally {
      environment.close();
    }
  });

  test("a log line has its ids, and nothing of what customers wrote", async () => {
    world.output = "";
    await ask(products, productOf("secretive", "Confidential gadget"));
    await ask(search, { query: "embarrassing illness" });
    await ask(titles, { items: [{ title: "Private thing" }], occasion: "Surprise for Ada" }, { id: "cart-6" });
    await deliver(batches, ["a customer's words"]);
    const lines = world.output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    // A connection that a failover broke is tried again, and says so.
    expect(lines.map(({ msg }) => msg).filter((msg) => msg !== "tried again")).toEqual([
      "answered",
      "answered",
      "answered",
      "no message of ours",
      "batch done",
    ]);
    for (const line of lines) {
      expect(line).toMatchObject({ program: expect.stringMatching(/^inference-/), invocationId: expect.any(String) });
    }
    expect(world.output).not.toMatch(/Confidential|gadget|embarrassing|Private|Ada|customer's words/);
  });

  describe("permissions", () => {
    test.each([
      [
        "inference_products_role",
        "InvokeModels",
        "bedrock:InvokeModel",
        () => ask(products, productOf("perm-1", "Pan")),
      ],
      ["inference_search_role", "InvokeModels", "bedrock:InvokeModel", () => ask(search, { query: "pan" })],
      [
        "inference_titles_role",
        "InvokeModels",
        "bedrock:InvokeModel",
        () => ask(titles, { items: [{ title: "Pan" }] }, { id: "perm" }),
      ],
      [
        "inference_products_role",
        "SendMessages",
        "sqs:SendMessage",
        () =>
          ask(products, {
            products: Array.from({ length: INLINE + 1 }, (_, index) => productOf(`perm-${index}`, "Pot")),
          }),
      ],
    ])("without %s, %s: %s, what needs it fails, and with it it works", async (_role, sid, action, attempt) => {
      world.authorizer.without = { sid, action };
      try {
        expect((await attempt()).status).toBe(500);
      } finally {
        world.authorizer.without = undefined;
      }
      expect((await attempt()).status).toBeLessThan(300);
    });
  });

  test(
    "what a large batch left in the queue is taken from it, and stored, in the name of the function's role",
    async () => {
      const wanted = Array.from({ length: INLINE + 2 }, (_, index) => productOf(`queued-${index}`, "Lantern"));
      expect((await ask(products, { products: wanted })).status).toBe(202);
      const source = world.poll(batches, "batches");
      try {
        const ours = { _id: { $in: wanted.map(({ id }) => id) } };
        const stored = async () => (await world.collection("products").countDocuments(ours)) === wanted.length;
        await until("all are stored", stored, WAIT_MS);
        await until("the queue is empty", async () => (await world.queued()) === 0, WAIT_MS);
      } finally {
        await source.close();
      }
    },
    WAIT_MS,
  );

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

  test("what is taken on trust could not be exercised here: none of it was", () => {
    const done = excepted.filter(({ role, action }) =>
      world.authorizer.decisions.some((each) => each.role === role && each.action === action),
    );
    expect(done).toEqual([]);
  });

  test("wrong settings fail the start, every one of them named", async () => {
    const wrong = world.create("products", {
      INFERENCE_DATABASE_URI: "mongodb://user:secret@host/",
      INFERENCE_INLINE_PRODUCTS: "many",
    });
    const { functionError, payload } = await wrong.invoke({});
    expect(functionError).toBe("Unhandled");
    const { errorMessage } = JSON.parse(payload);
    expect(errorMessage).toContain("inference-products: 2 of its environment variables are wrong.");
    expect(errorMessage).not.toContain("secret");
  });
});
