/** The function ML-XGBoost under AWS's runtime interface client for Python, against the stand-in of Lambda's Runtime API. */
import { readFileSync } from "node:fs";
import type { LocalFunction } from "../../../local/lambda/function";
import { type Asked, ask, createMlFunction, eventOf } from "./function";

const [header = "", ...lines] = readFileSync("examples/wine.csv", "utf8").trimEnd().split("\n");
const NAMES = header.split(",");
const ROWS = lines.map((line) =>
  Object.fromEntries(line.split(",").map((cell, index) => [NAMES[index], Number(cell)])),
);
const ROW = ROWS[0] as Record<string, number>;
const card = JSON.parse(readFileSync("lambdas/ml-xgboost/model/card.json", "utf8"));

describe("ML-XGBoost", () => {
  let output = "";
  const fn = createMlFunction({}, (text) => {
    output += text;
  });
  const others: LocalFunction[] = [];
  const other = (environment: Record<string, string> = {}) => {
    others.push(createMlFunction(environment));
    return others.at(-1) as LocalFunction;
  };

  afterAll(() => Promise.all([fn, ...others].map((each) => each.close())));
  afterEach(() => {
    output = "";
  });
  const post = (document: unknown, rest: Asked = {}) => ask(fn, { body: JSON.stringify(document), ...rest });

  test("one row gets its class, its probabilities, and the version of the model", async () => {
    const { body, headers, status } = await post({ row: ROW });
    expect(status).toBe(200);
    expect(headers).toMatchObject({ "content-type": "application/json", "cache-control": "no-store" });
    expect(body).toEqual({
      model: { name: "wine", version: card.version },
      prediction: { class: "class_2", probabilities: expect.any(Object), outside: [] },
    });
    const sum = Object.values(body.prediction.probabilities as Record<string, number>).reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(1, 4);
  });

  test("a batch gets an answer for each row, in its order", async () => {
    const { body } = await post({ rows: ROWS });
    const alone = await Promise.all([post({ row: ROWS[3] }), post({ row: ROWS[7] })]);
    expect(body.predictions).toHaveLength(ROWS.length);
    expect([body.predictions[3], body.predictions[7]]).toEqual(alone.map((answer) => answer.body.prediction));
  });

  test("GET tells of the model: what it takes, what it answers, how good it was, and how many rows fit", async () => {
    const { body, status } = await ask(fn, { method: "GET", headers: {} });
    expect(status).toBe(200);
    expect(body).toEqual({ ...card, maxRows: 1000 });
  });

  test("a body in Base64 is read, and a content type may have a charset", async () => {
    const body = Buffer.from(JSON.stringify({ row: ROW })).toString("base64");
    const headers = { "content-type": "application/json; charset=utf-8" };
    expect(await ask(fn, { body, isBase64Encoded: true, headers })).toMatchObject({ status: 200 });
  });

  test("every value that is wrong is told, with its row and its field, as RFC 9457 has it", async () => {
    const { alcohol, hue, ...rest } = ROW;
    const { body, headers, status } = await post({ rows: [ROW, { ...rest, hue: "x", colour: 1 }] });
    expect([status, headers["content-type"]]).toEqual([422, "application/problem+json"]);
    expect(body).toEqual({
      type: "urn:ml-xgboost:problem:invalid-rows",
      title: "Rows are not valid",
      status: 422,
      detail: "3 values in 1 of 2 rows are wrong.",
      remedy: expect.stringContaining("Correct what errors lists"),
      instance: "/",
      requestId: "request-1",
      errors: [
        { row: 1, field: "colour", detail: "is no feature of the model" },
        { row: 1, field: "alcohol", detail: "is missing" },
        { row: 1, field: "hue", detail: "expected a number, got the text 'x'" },
      ],
    });
  });

  test.each<[string, Asked, number, string]>([
    ["what is no JSON", { body: "{" }, 400, "line 1, column 2"],
    ["NaN, which JSON has not", { body: '{"row": {"hue": NaN}}' }, 400, "NaN is no number of JSON"],
    ["no body", {}, 400, "line 1, column 1"],
    ["no Base64 where it says so", { body: "&&", isBase64Encoded: true }, 400, "Base64"],
    ["bytes that are no UTF-8", { body: "/w==", isBase64Encoded: true }, 400, "byte 0 is not UTF-8"],
    ["lists without an end", { body: "[".repeat(200_000) }, 400, "is no JSON that can be read"],
    ["another shape", { body: "[1]" }, 400, "got a list of 1"],
    ["another content type", { headers: { "content-type": "text/csv" }, body: "a" }, 415, "got 'text/csv'"],
    ["no content type", { headers: {}, body: "{}" }, 415, "got none"],
    ["another method", { method: "PUT" }, 405, "PUT is not answered here"],
    ["another path", { path: "/predict" }, 404, "nothing at /predict"],
    ["more than a megabyte", { body: " ".repeat(1_048_577) }, 413, "at most 1048576 bytes"],
    ["too many rows", { body: JSON.stringify({ rows: Array(1001).fill({}) }) }, 413, "at most 1000, got 1001"],
  ])("%s is refused, and says how", async (_what, asked, status, detail) => {
    const answer = await ask(fn, asked);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ status, detail: expect.stringContaining(detail), remedy: expect.any(String) });
    expect(answer.body.remedy).not.toBe("");
  });

  test("405 says which methods there are", async () => {
    expect((await ask(fn, { method: "DELETE" })).headers.allow).toBe("GET, POST");
  });

  test("a request is a line of the log with both ids, the model's version and its time, and no row", async () => {
    await post({ rows: ROWS });
    const [line = "{}"] = output.split("\n").filter((each) => each.startsWith("{"));
    expect(JSON.parse(line)).toMatchObject({
      level: "info",
      program: "ml-xgboost",
      requestId: "request-1",
      invocationId: expect.stringMatching(/^[\da-f-]{36}$/),
      modelVersion: card.version,
      status: 200,
      rows: ROWS.length,
      durationMs: expect.any(Number),
    });
    expect(output).not.toContain("alcohol");
  });

  test("the environment is kept: only its first request loads the model", async () => {
    await ask(fn, { method: "GET" });
    const invocation = await fn.invoke(eventOf({ method: "GET" }));
    expect(invocation.initMs).toBeUndefined();
  });

  test("a wrong setting fails the start, and the error names it", async () => {
    await expect(ask(other({ ML_MAX_ROWS: "many" }))).rejects.toThrow(
      /ML_MAX_ROWS: expected a whole number from 1 to 10000, got 'many'/,
    );
  });

  test("a cold start imports neither NumPy nor SciPy, nor XGBoost's own package", async () => {
    let imports = "";
    others.push(
      createMlFunction({ PYTHONVERBOSE: "1" }, (text) => {
        imports += text;
      }),
    );
    await ask(others.at(-1) as LocalFunction, { method: "GET" });
    expect(imports).toMatch(/import 'ml_xgboost\.booster'/);
    expect(imports).not.toMatch(/import '(numpy|scipy|xgboost|pydantic)['.]/);
    const { initMs } = await other().invoke(eventOf({ method: "GET" }));
    process.stdout.write(`ml-xgboost: a cold start took ${Math.round(initMs ?? 0)} ms here\n`);
  });
});
