/** What workflows write once and update in place: a comment or an issue whose first line is a marker that nobody sees. */
import { Problem } from "../problem";
import { type Github, WORKFLOW_AUTHOR } from "./api";

/** What GitHub takes in a comment or an issue. */
export const MOST_CHARACTERS = 65_536;
const CUT = "\n\n… cut off here. The whole is in the artifact of the run.\n";
const MARKER = /^<!-- [\w:./ -]+ -->$/;

/** What was done, and where it can be looked at. */
export interface Written {
  readonly done: "created" | "updated" | "unchanged" | "closed" | "nothing to close";
  readonly url?: string;
}

interface Item {
  readonly id: number;
  readonly number: number;
  readonly body?: string | null;
  readonly html_url: string;
  readonly user: { readonly login: string } | null;
  readonly pull_request?: unknown;
}

/** How the author of an earlier comment or issue is told from others. */
export interface MarkedOptions {
  /** @default {@link WORKFLOW_AUTHOR} */
  readonly author?: string;
}

/**
 * The marker of a text: its first line.
 *
 * @throws Problem when that is no marker
 */
export function markerIn(text: string): string {
  const [first = ""] = text.split("\n");
  if (!MARKER.test(first)) {
    throw new Problem(
      `The first line is "${first.slice(0, 80)}", not a marker such as <!-- nanogrid-cloud diff: dev -->.`,
      "By the marker an earlier comment is found. npm run diff -- --out writes it.",
    );
  }
  return first;
}

/**
 * Creates the comment of a pull request, or updates the one that an earlier run made.
 *
 * @param text the comment, beginning with its marker
 */
export async function writeComment(
  github: Github,
  pullRequest: number,
  text: string,
  { author = WORKFLOW_AUTHOR }: MarkedOptions = {},
): Promise<Written> {
  const body = bounded(text);
  const comments = github.all<Item>("GET /repos/{owner}/{repo}/issues/{issue_number}/comments", {
    issue_number: pullRequest,
  });
  const earlier = await marked(comments, markerIn(text), author);
  if (earlier?.body === body) {
    return { done: "unchanged", url: earlier.html_url };
  }
  const { html_url: url } =
    earlier === undefined
      ? await github.send<Item>("POST /repos/{owner}/{repo}/issues/{issue_number}/comments", {
          issue_number: pullRequest,
          body,
        })
      : await github.send<Item>("PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}", {
          comment_id: earlier.id,
          body,
        });
  return { done: earlier === undefined ? "created" : "updated", url };
}

/** An issue that stands for something that lasts. */
export interface MarkedIssue {
  readonly title: string;
  /** Its body, beginning with its marker. */
  readonly text: string;
  /** Label by which it is looked for. */
  readonly label: string;
}

/** Opens the issue, or updates the open one of an earlier run. */
export async function writeIssue(
  github: Github,
  { title, text, label }: MarkedIssue,
  options: MarkedOptions = {},
): Promise<Written> {
  const body = bounded(text);
  const earlier = await openIssue(github, markerIn(text), label, options);
  if (earlier?.body === body) {
    return { done: "unchanged", url: earlier.html_url };
  }
  const { html_url: url } =
    earlier === undefined
      ? await github.send<Item>("POST /repos/{owner}/{repo}/issues", { title, body, labels: [label] })
      : await github.send<Item>("PATCH /repos/{owner}/{repo}/issues/{issue_number}", {
          issue_number: earlier.number,
          title,
          body,
        });
  return { done: earlier === undefined ? "created" : "updated", url };
}

/** Closes the open issue of a marker with a last comment, if there is one. */
export async function closeIssue(
  github: Github,
  marker: string,
  label: string,
  farewell: string,
  options: MarkedOptions = {},
): Promise<Written> {
  const earlier = await openIssue(github, marker, label, options);
  if (earlier === undefined) {
    return { done: "nothing to close" };
  }
  const issue_number = earlier.number;
  await github.send("POST /repos/{owner}/{repo}/issues/{issue_number}/comments", { issue_number, body: farewell });
  await github.send("PATCH /repos/{owner}/{repo}/issues/{issue_number}", {
    issue_number,
    state: "closed",
    state_reason: "completed",
  });
  return { done: "closed", url: earlier.html_url };
}

function openIssue(
  github: Github,
  marker: string,
  label: string,
  { author = WORKFLOW_AUTHOR }: MarkedOptions,
): Promise<Item | undefined> {
  const issues = github.all<Item>("GET /repos/{owner}/{repo}/issues", { state: "open", labels: label });
  return marked(issues, marker, author);
}

/** The first of a list that has the marker and is the author's: others may quote it. */
async function marked(items: AsyncIterable<Item>, marker: string, author: string): Promise<Item | undefined> {
  for await (const item of items) {
    const [first] = (item.body ?? "").split(/\r?\n/, 1);
    if (first === marker && item.user?.login === author) {
      return item;
    }
  }
  return undefined;
}

function bounded(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS - CUT.length)}${CUT}`;
}
