/** `npm run pr-comment` and `npm run drift-issue`, run as a workflow runs them, against a stand-in of GitHub's API. */
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeScratch, SETUP_MS, scratchFolder } from "../local/scratch";
import { GithubStandIn, TOKEN } from "../support/github";

const BOT = "github-actions[bot]";
const DIFF = "<!-- nanogrid-cloud diff: dev -->";
const DRIFT = "<!-- nanogrid-cloud drift: dev -->";

let github: GithubStandIn;
let file: string;

beforeEach(async () => {
  github = new GithubStandIn();
  await github.start();
  file = join(scratchFolder(), "text.md");
});
afterEach(() => github.stop());
afterAll(removeScratch);

/** Runs a command. @returns its exit code and what it printed */
function command(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return new Promise<{ code: number | null; text: string }>((resolve) => {
    const child = spawn(process.execPath, ["--import", "tsx", `commands/${name}.ts`, ...args], {
      env: {
        ...process.env,
        ENVIRONMENT: "dev",
        GITHUB_API_URL: github.url,
        GITHUB_REPOSITORY: "acme/cloud",
        GITHUB_TOKEN: TOKEN,
        GITHUB_EVENT_PATH: undefined,
        ...env,
      },
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (part: Buffer) => {
        text += part.toString("utf8");
      });
    }
    child.once("close", (code) => resolve({ code, text }));
  });
}

function comment(text: string, env?: NodeJS.ProcessEnv) {
  writeFileSync(file, text);
  return command("pr-comment", ["--file", file, "--pull-request", "7"], env);
}

const bodies = () => github.comments.map(({ body }) => body);

describe("pr-comment", () => {
  test(
    "the first run makes the comment, the next one updates it in place, and the same text leaves it alone",
    async () => {
      expect((await comment(`${DIFF}\none`)).text).toContain("Comment created: https://github.com/acme/cloud/1");
      expect((await comment(`${DIFF}\ntwo`)).text).toContain("Comment updated: https://github.com/acme/cloud/1");
      expect((await comment(`${DIFF}\ntwo`)).text).toContain("Comment unchanged");
      expect(bodies()).toEqual([`${DIFF}\ntwo`]);
    },
    SETUP_MS,
  );

  test(
    "its earlier comment is found behind a hundred others, and those of other environments and of people stay",
    async () => {
      github.add("comments", `${DIFF}\nmade up by a person`, "mallory");
      github.add("comments", "<!-- nanogrid-cloud diff: prod -->\nprod", BOT);
      for (let index = 0; index < 230; index++) {
        github.add("comments", `comment ${index}`, "ada");
      }
      const own = github.add("comments", `${DIFF}\r\nold`, BOT);
      await comment(`${DIFF}\nnew`);
      expect(own.body).toBe(`${DIFF}\nnew`);
      expect(github.comments).toHaveLength(233);
      expect(bodies().slice(0, 2)).toEqual([
        `${DIFF}\nmade up by a person`,
        "<!-- nanogrid-cloud diff: prod -->\nprod",
      ]);
    },
    SETUP_MS,
  );

  test(
    "the number comes from the event of a workflow's run",
    async () => {
      const event = join(scratchFolder(), "event.json");
      writeFileSync(event, JSON.stringify({ pull_request: { number: 12 } }));
      writeFileSync(file, `${DIFF}\none`);
      await command("pr-comment", ["--file", file], { GITHUB_EVENT_PATH: event });
      expect(github.requests).toContain("POST /repos/acme/cloud/issues/12/comments");
      const none = await command("pr-comment", ["--file", file]);
      expect(none).toMatchObject({ code: 1, text: expect.stringContaining("Name the number: --pull-request 12") });
    },
    SETUP_MS,
  );

  test(
    "a text that is too long for GitHub is cut, and says where the whole is",
    async () => {
      const { code } = await comment(`${DIFF}\n${"x".repeat(70_000)}`);
      expect(code).toBe(0);
      expect(bodies()[0]).toHaveLength(65_536);
      expect(bodies()[0]).toContain("The whole is in the artifact");
    },
    SETUP_MS,
  );

  test(
    "what only reads or sets is tried again; a comment that may have been made is not made twice",
    async () => {
      github.failures.push(
        { method: "GET", status: 502 },
        { method: "GET", status: 429, headers: { "retry-after": "0" } },
      );
      expect(await comment(`${DIFF}\none`)).toMatchObject({ code: 0 });
      github.failures.push({ method: "PATCH", status: 503 });
      expect(await comment(`${DIFF}\ntwo`)).toMatchObject({ code: 0 });
      expect(bodies()).toEqual([`${DIFF}\ntwo`]);

      github.comments.length = 0;
      github.requests.length = 0;
      github.failures.push({ method: "POST", status: 502 });
      const failed = await comment(`${DIFF}\nthree`);
      expect(failed).toMatchObject({ code: 1, text: expect.stringContaining("what was written is found and updated") });
      expect(github.requests.filter((each) => each.startsWith("POST"))).toHaveLength(1);
    },
    SETUP_MS,
  );

  test(
    "without a marker, a token or a permission it says so, and the token is not in what it says",
    async () => {
      expect(await comment("no marker")).toMatchObject({ code: 1, text: expect.stringContaining("not a marker") });
      const none = await comment(`${DIFF}\none`, { GITHUB_TOKEN: "" });
      expect(none).toMatchObject({ code: 1, text: expect.stringContaining("GITHUB_TOKEN is not set") });
      const wrong = await comment(`${DIFF}\none`, { GITHUB_TOKEN: "another-token" });
      expect(wrong).toMatchObject({ code: 1, text: expect.stringContaining("The token lacks a permission") });
      expect(wrong.text).not.toContain("another-token");
    },
    SETUP_MS,
  );
});

describe("drift-issue", () => {
  const issue = () => command("drift-issue", ["--report", file]);

  test(
    "one issue is opened, updated while there is drift, closed with a word when it is gone, and a new one opened later",
    async () => {
      writeFileSync(file, `${DRIFT}\nthe queue's timeout`);
      expect((await issue()).text).toContain("created");
      expect(github.issues).toMatchObject([{ title: "Drift in dev", state: "open", labels: ["drift"] }]);
      writeFileSync(file, `${DRIFT}\nthe queue's timeout and a bucket`);
      expect((await issue()).text).toContain("updated");
      expect(github.issues).toHaveLength(1);
      rmSync(file);
      expect((await issue()).text).toContain("closed");
      expect(github.issues).toMatchObject([{ state: "closed" }]);
      expect(bodies()).toEqual(["The drift is gone: the last check found none."]);
      expect((await issue()).text).toContain("nothing to close");
      writeFileSync(file, `${DRIFT}\nagain`);
      await issue();
      expect(github.issues.map(({ state }) => state)).toEqual(["closed", "open"]);
    },
    SETUP_MS,
  );

  test(
    "the issue of another environment, or of a person, is left alone",
    async () => {
      github.add("issues", "<!-- nanogrid-cloud drift: prod -->\nprod", BOT, ["drift"]);
      github.add("issues", `${DRIFT}\nmade up`, "mallory", ["drift"]);
      expect((await issue()).text).toContain("nothing to close");
      expect(github.issues.map(({ state }) => state)).toEqual(["open", "open"]);
    },
    SETUP_MS,
  );
});
