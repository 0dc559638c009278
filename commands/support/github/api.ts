/** GitHub's API for the workflows' commands: with a time limit, bounded retries, and errors that say what to do. */
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "@octokit/request";
import { Problem } from "../problem";

const REQUEST_MS = 15_000;
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 500;
/** Longest wait that is taken over from GitHub. */
const MOST_WAIT_MS = 60_000;
const PAGE = 100;
/** Pages that are looked through: a pull request of ten thousand comments is none of ours. */
const MOST_PAGES = 100;

/** Whose workflows write what is looked for: nobody else's comment or issue is touched. */
export const WORKFLOW_AUTHOR = "github-actions[bot]";

/** Where to ask, and as whom. */
export interface GithubOptions {
  /** `owner/name`. */
  readonly repository: string;
  readonly token: string;
  /** @default "https://api.github.com" */
  readonly baseUrl?: string;
}

/** Parameters of a request. */
export type Parameters = Readonly<Record<string, unknown>>;

/**
 * Reads GITHUB_REPOSITORY, GITHUB_TOKEN and GITHUB_API_URL, as a workflow's step has them.
 *
 * @throws Problem naming the variable that is missing
 */
export function githubFrom(env: NodeJS.ProcessEnv): Github {
  const { GITHUB_REPOSITORY: repository = "", GITHUB_TOKEN: token = "", GITHUB_API_URL: baseUrl } = env;
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository)) {
    throw new Problem(
      `GITHUB_REPOSITORY is "${repository}", not owner/name.`,
      "A workflow sets it; on your machine: export GITHUB_REPOSITORY=<owner>/<name>",
    );
  }
  if (token === "") {
    throw new Problem(
      "GITHUB_TOKEN is not set.",
      "A workflow hands it over as an environment variable of the step: github.token.",
    );
  }
  return new Github({ repository, token, ...(baseUrl ? { baseUrl } : {}) });
}

/** One repository's API. */
export class Github {
  private readonly call: typeof request;
  private readonly owner: string;
  private readonly repo: string;

  constructor({ repository, token, baseUrl = "https://api.github.com" }: GithubOptions) {
    const [owner = "", repo = ""] = repository.split("/");
    this.owner = owner;
    this.repo = repo;
    this.call = request.defaults({
      baseUrl,
      headers: {
        authorization: `Bearer ${token}`,
        "user-agent": "nanogrid-cloud",
        "x-github-api-version": "2022-11-28",
      },
    });
  }

  /**
   * One request.
   *
   * @param route such as `POST /repos/{owner}/{repo}/issues`; owner and repo are filled in
   * @throws Problem when GitHub refuses, or does not answer in several attempts
   */
  async send<T>(route: string, parameters: Parameters = {}): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const { data } = await this.call(route, {
          ...parameters,
          owner: this.owner,
          repo: this.repo,
          request: { signal: AbortSignal.timeout(REQUEST_MS) },
        });
        return data as T;
      } catch (error) {
        const wait = waitFor(error, attempt, !route.startsWith("POST"));
        if (wait === undefined) {
          throw problemOf(error, route);
        }
        await sleep(wait);
      }
    }
  }

  /** Every item of a list, page by page. */
  async *all<T>(route: string, parameters: Parameters = {}): AsyncGenerator<T> {
    for (let page = 1; page <= MOST_PAGES; page++) {
      const items = await this.send<readonly T[]>(route, { ...parameters, per_page: PAGE, page });
      yield* items;
      if (items.length < PAGE) {
        return;
      }
    }
  }
}

interface HttpError {
  readonly status?: number;
  readonly message?: string;
  readonly response?: { readonly headers?: Readonly<Record<string, string | undefined>> };
}

/**
 * How long to wait before the next attempt, or undefined when there is none.
 *
 * @param repeatable whether a request that may have arrived can be sent again: a second POST would make a second comment
 */
function waitFor(error: unknown, attempt: number, repeatable: boolean): number | undefined {
  const { status, response } = error as HttpError;
  const seconds = Number(response?.headers?.["retry-after"] ?? Number.NaN);
  const limited = status === 429 || (status === 403 && !Number.isNaN(seconds));
  // A request that GitHub did not answer has the status 500, as that of a failure after it was received.
  const failed = status === undefined || status >= 500;
  if (attempt >= ATTEMPTS || !(limited || (failed && repeatable))) {
    return undefined;
  }
  const backoff = FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
  return Math.min(Number.isNaN(seconds) ? backoff : seconds * 1_000, MOST_WAIT_MS);
}

function problemOf(error: unknown, route: string): Problem {
  const { status, message = "" } = error as HttpError;
  const remedy =
    status === 401 || status === 403 || status === 404
      ? "The token lacks a permission, or the repository or number is wrong: docs/operations/continuous-delivery.md names the permissions."
      : "Run it again: what was written is found and updated.";
  return new Problem(`GitHub refuses ${route}: ${status ?? "no answer"} ${message}`.trim(), remedy, undefined, {
    cause: error,
  });
}
