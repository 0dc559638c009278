/** `npm run ml:predict`, from the shell, against the function under AWS's runtime interface client behind a stand-in of its URL. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MlClient } from "../../commands/support/ml/client";
import { predictFile } from "../../commands/support/ml/predict";
import { callThroughUrl } from "../../constructs/image-function";
import { programClouds, withoutAccounts } from "../../local/clouds";
import { CALLER_ROLE, FUNCTION } from "../../modules/ml-function/names";
import { ACCOUNT, REGION } from "../lambdas/ml-xgboost/function";
import { MlWorld } from "../permissions/ml-world";
import { freePort, motoMissing } from "../support/servers";
import { describeUnless } from "../support/tools";

const COMMAND_MS = 60_000;
const [HEADER = "", ...LINES] = readFileSync("examples/wine.csv", "utf8").trimEnd().split("\n");
const card = JSON.parse(readFileSync("lambdas/ml-xgboost/model/card.json", "utf8"));
const statements = callThroughUrl(`arn:aws:lambda:${REGION}:${ACCOUNT}:function:${FUNCTION}`).map(
  ({ actions, conditions = [], resources, sid }) => ({
    sid,
    effect: "Allow" as const,
    actions: [...actions],
    resources: [...resources],
    condition: Object.fromEntries(conditions.map(({ test, values, variable }) => [test, { [variable]: [...values] }])),
  }),
);

jest.setTimeout(COMMAND_MS);

describeUnless(motoMissing())("npm run ml:predict", () => {
  const folder = mkdtempSync(join(tmpdir(), "ml-predict-"));
  let world: MlWorld;

  beforeAll(async () => {
    world = await MlWorld.start({
      place: { accountId: ACCOUNT, region: REGION },
      roles: [{ stack: "ml-function", name: CALLER_ROLE, statements }],
      resourcePolicies: {},
    });
  });
  afterAll(async () => {
    await world?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const csv = (...lines: string[]) => {
    const file = join(folder, "rows.csv");
    writeFileSync(file, lines.length === 0 ? "" : `${lines.join("\n")}\n`);
    return file;
  };
  /** A row of the example with other values in some columns. */
  const row = (index: number, changes: Readonly<Record<string, string>> = {}) =>
    (LINES[index] as string)
      .split(",")
      .map((cell, column) => changes[HEADER.split(",")[column] as string] ?? cell)
      .join(",");
  const predict = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const clouds = programClouds(world.standIns.ports, REGION);
      const env = { ...withoutAccounts(process.env), ENVIRONMENT: "local", ...clouds };
      const child = execFile(
        process.execPath,
        ["--import", "tsx", "commands/ml-predict.ts", ...args],
        { env, timeout: COMMAND_MS },
        (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
      );
    });

  test("prints a table of the example, a line each, and tells every request with its id", async () => {
    const { code, stderr, stdout } = await predict("examples/wine.csv", "--url", world.url, "--batch", "5");
    expect(stdout).toMatch(/^ {2}line {3}class .*class_0 +class_1 +class_2\n/);
    expect(stdout.match(/^ +\d+ +class_[012](?: {2}\*)? +[01]\.\d{3} +[01]\.\d{3} +[01]\.\d{3}$/gm)).toHaveLength(
      LINES.length,
    );
    expect(stdout).toContain(`${LINES.length} rows of examples/wine.csv, model wine ${card.version}`);
    expect(stderr.match(/POST http\S+: 200 in \d+ ms, request [\da-f-]{36}/g)).toHaveLength(3);
    expect(code).toBe(0);
  });

  test("lists what is wrong by line and column, and answers the others all the same", async () => {
    const file = csv(
      `${HEADER},note`,
      `${row(0)},a`,
      `${row(1, { hue: "abc" })},b`,
      "",
      `${row(2, { ash: "-2", proline: "1e31" })},c`,
      "1,2",
      `${row(3, { alcohol: "" })},d`,
      `${row(4, { magnesium: "9000" })},e`,
    );
    const { code, stdout } = await predict(file, "--url", world.url);
    expect(stdout.match(/^ +\d+ +class_\d/gm)?.map((line) => line.trim().split(/ +/)[0])).toEqual(["2", "8"]);
    expect(stdout).toContain("* outside of what the model has seen:\n  line 8: magnesium");
    expect(stdout).toContain("Columns that the model does not know: note");
    expect(stdout).toContain(
      [
        "4 rows were not predicted:",
        '  line 3, column hue: expected a number, got "abc"',
        "  line 5, column ash: expected a number of 0 or more, got -2",
        "  line 5, column proline: expected a finite number of at most 1e30",
        "  line 6: has 2 values, the header 14",
        "  line 7, column alcohol: expected a number, got nothing",
      ].join("\n"),
    );
    expect(code).toBe(1);
  });

  test("prints JSON for programs, and nothing else on standard output", async () => {
    const { code, stdout } = await predict(csv(HEADER, row(0), row(1, { hue: "x" })), "--url", world.url, "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      model: { name: "wine", version: card.version },
      predictions: [{ line: 2, class: "class_2", outside: [] }],
      errors: [{ line: 3, column: "hue", detail: 'expected a number, got "x"' }],
    });
    expect(code).toBe(1);
  });

  test("without a deployed function it says what to deploy", async () => {
    const { code, stderr } = await predict("examples/wine.csv");
    expect(stderr).toContain("✖ There is no function ML-XGBoost with a URL in this account and region.");
    expect(stderr).toContain("Deploy ml-function, choose another ENVIRONMENT, or give the address with --url.");
    expect(code).toBe(1);
  });

  describe("in this process", () => {
    const said: string[] = [];
    const open = (url = world.url) =>
      MlClient.open({
        config: {
          region: REGION,
          maxAttempts: 2,
          requestHandler: { connectionTimeout: 1_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
          endpoint: `http://127.0.0.1:${world.standIns.ports.aws}`,
          credentials: { accessKeyId: "local", secretAccessKey: "local" },
        },
        accountId: ACCOUNT,
        url,
        say: (text) => said.push(text),
      });
    const predicting = async (file: string) => predictFile(await open(), file, 200);

    test.each<[string, () => string, RegExp]>([
      ["is not there", () => join(folder, "none.csv"), /none\.csv is not there\. Name a CSV file/],
      ["is empty", () => csv(), /rows\.csv is empty\. Give it a header with these columns, and a row: alcohol, /],
      ["has a header alone", () => csv(HEADER), /has a header and no rows\. Add a row\./],
      [
        "lacks columns",
        () => csv("alcohol,ash,ash", "1,2,3"),
        /its header \(line 1\) lacks malic_acid, .*, and has ash more than once\. It has to name each of these columns once/,
      ],
      ["is no CSV", () => csv(HEADER, '"1'), /is no CSV: Quote Not Closed/],
    ])("a file that %s is refused, and says what to do", async (_what, file, message) => {
      await expect(predicting(file())).rejects.toThrow(message);
    });

    test.each<[string, (port: number) => string, RegExp]>([
      ["is none", () => "ml.example", /--url: "ml\.example" is no URL\. Give one such as https:/],
      ["leads nowhere", (port) => `http://127.0.0.1:${port}/`, /no answer\. .*ECONNREFUSED.* Check the address/],
      ["has another path", () => `${world.url}predict`, /answered 404.*nothing at \/predict\. Send the request to \//],
    ])("an address that %s is refused, and says what to do", async (_what, url, message) => {
      const address = url(await freePort());
      await expect(open(address).then((client) => client.card())).rejects.toThrow(message);
    });

    test("whoever answers in another way is not taken for the function", async () => {
      const server = createServer((_request, response) => response.end("{}")).listen(0, "127.0.0.1");
      await once(server, "listening");
      const client = await open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await expect(client.card()).rejects.toThrow(/answers, but not as ML-XGBoost does/);
      server.close();
    });

    test("a request that is throttled, or fails for the moment, is made again, signed anew", async () => {
      const refusals = [429, 503];
      const signatures: (string | undefined)[] = [];
      const server = createServer((request, response) => {
        signatures.push(request.headers.authorization);
        response.statusCode = refusals.shift() ?? 200;
        response.end(JSON.stringify({ ...card, maxRows: 10 }));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      said.length = 0;
      const client = await open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      expect((await client.card()).version).toBe(card.version);
      expect(signatures).toHaveLength(3);
      expect(said[0]).toMatch(/: 429 in \d+ ms; attempt 1 of 4/);
      server.close();
    });

    test("a role without both permissions gets the remedy with the refusal", async () => {
      await world.grant(statements.slice(0, 1));
      try {
        await expect(predicting("examples/wine.csv")).rejects.toThrow(
          /answered 403, request \S+: Forbidden The role needs lambda:InvokeFunctionUrl and lambda:InvokeFunction/,
        );
      } finally {
        await world.grant(statements);
      }
    });
  });
});
