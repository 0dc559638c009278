/** A stand-in of GitHub's API as far as comments and issues go: pages, authors, tokens, and failures that a test asks for. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A comment or an issue, as GitHub gives it. */
export interface GithubItem {
  readonly id: number;
  readonly number: number;
  body: string;
  title?: string;
  state: string;
  labels: string[];
  readonly user: { readonly login: string };
  readonly html_url: string;
}

export const TOKEN = "a-token-of-the-stand-in";
/** GitHub's own limit. */
const MOST_CHARACTERS = 65_536;

/** One repository, acme/cloud. */
export class GithubStandIn {
  readonly comments: GithubItem[] = [];
  readonly issues: GithubItem[] = [];
  /** `<method> <path>` of every request that was answered. */
  readonly requests: string[] = [];
  /** What the next requests of a method are answered with. */
  readonly failures: { method: string; status: number; headers?: Record<string, string> }[] = [];
  private readonly server: Server;
  private next = 1;

  constructor() {
    this.server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const { status, json, headers } = this.failureOf(request) ?? { ...this.answer(request, body), headers: {} };
        response.writeHead(status, { "content-type": "application/json", ...headers });
        response.end(JSON.stringify(json));
      });
    });
  }

  /** Listens on a free port of loopback. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Its address, as GITHUB_API_URL. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Something that is there already. */
  add(to: "comments" | "issues", body: string, login: string, labels: string[] = []): GithubItem {
    const id = this.next++;
    const item = {
      id,
      number: id,
      body,
      state: "open",
      labels,
      user: { login },
      html_url: `https://github.com/acme/cloud/${id}`,
    };
    this[to].push(item);
    return item;
  }

  /** The next failure that was asked for. */
  private failureOf({ method, url = "" }: IncomingMessage) {
    const at = this.failures.findIndex((each) => each.method === method);
    if (at < 0) {
      return undefined;
    }
    this.requests.push(`${method} ${url.split("?")[0]}`);
    const [{ status, headers = {} } = { status: 500 }] = this.failures.splice(at, 1);
    return { status, headers, json: { message: "asked for" } };
  }

  private answer({ method = "", url = "", headers }: IncomingMessage, body: Partial<GithubItem>) {
    const { pathname, searchParams } = new URL(url, this.url);
    this.requests.push(`${method} ${pathname}`);
    if (headers.authorization !== `Bearer ${TOKEN}`) {
      return { status: 401, json: { message: "Bad credentials" } };
    }
    if ((body.body ?? "").length > MOST_CHARACTERS) {
      return { status: 422, json: { message: "body is too long (maximum is 65536 characters)" } };
    }
    const [, number] = /^\/repos\/acme\/cloud\/issues\/(\d+)$/.exec(pathname) ?? [];
    const [, comment] = /^\/repos\/acme\/cloud\/issues\/comments\/(\d+)$/.exec(pathname) ?? [];
    const page = <T>(items: readonly T[]) => {
      const size = Number(searchParams.get("per_page") ?? 30);
      return { status: 200, json: items.slice((Number(searchParams.get("page") ?? 1) - 1) * size).slice(0, size) };
    };
    if (/^\/repos\/acme\/cloud\/issues\/\d+\/comments$/.test(pathname)) {
      return method === "GET"
        ? page(this.comments)
        : { status: 201, json: this.add("comments", body.body ?? "", "github-actions[bot]") };
    }
    if (pathname === "/repos/acme/cloud/issues") {
      const label = searchParams.get("labels") ?? "";
      return method === "GET"
        ? page(this.issues.filter(({ state, labels }) => state === "open" && labels.includes(label)))
        : {
            status: 201,
            json: Object.assign(this.add("issues", body.body ?? "", "github-actions[bot]", body.labels), body),
          };
    }
    const found =
      this.issues.find(({ id }) => String(id) === number) ?? this.comments.find(({ id }) => String(id) === comment);
    return found && method === "PATCH"
      ? { status: 200, json: Object.assign(found, body) }
      : { status: 404, json: { message: "Not Found" } };
  }
}

async function bodyOf(request: IncomingMessage): Promise<Partial<GithubItem>> {
  const parts: Buffer[] = [];
  for await (const part of request) {
    parts.push(part as Buffer);
  }
  return parts.length === 0 ? {} : (JSON.parse(Buffer.concat(parts).toString("utf8")) as Partial<GithubItem>);
}
