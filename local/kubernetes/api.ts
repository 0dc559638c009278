/** The API of a local control plane, for whoever looks at it or plays a part in it. */
import { type Agent, request } from "node:https";

const TIMEOUT_MS = 20_000;

/** JSON of the API, as far as it is looked at. */
// biome-ignore lint/suspicious/noExplicitAny: objects of any kind, whose shapes are the API's.
export type KubernetesObject = any;

/** An answer that is no success. */
export class KubernetesError extends Error {
  override readonly name = "KubernetesError";

  constructor(
    readonly status: number,
    /** Why, in one word: `NotFound`, `Forbidden`. */
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** How a change is written. */
const PATCHES = { merge: "application/merge-patch+json", strategic: "application/strategic-merge-patch+json" } as const;

/** Requests with one token. */
export class KubernetesApi {
  /**
   * @param url of the server
   * @param token bearer token
   * @param agent trusts the server's certificate
   */
  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly agent: Agent,
  ) {}

  /** The object, or list of objects, at a path such as `/api/v1/nodes`. */
  get(path: string): Promise<KubernetesObject> {
    return this.send("GET", path);
  }

  /** All objects at a path. */
  async list(path: string): Promise<readonly KubernetesObject[]> {
    return (await this.get(path)).items;
  }

  create(path: string, object: object): Promise<KubernetesObject> {
    return this.send("POST", path, object);
  }

  patch(path: string, change: object, kind: keyof typeof PATCHES = "merge"): Promise<KubernetesObject> {
    return this.send("PATCH", path, change, PATCHES[kind]);
  }

  delete(path: string, options: object = {}): Promise<KubernetesObject> {
    return this.send("DELETE", path, options);
  }

  private send(method: string, path: string, body?: object, type = "application/json"): Promise<KubernetesObject> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${this.token}`,
      accept: "application/json",
      // Without its length, Node.js sends what goes with a DELETE as if it were the next request.
      ...(text === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(text) }),
    };
    return new Promise((done, fail) => {
      const asked = request(
        `${this.url}${path}`,
        { method, headers, agent: this.agent, timeout: TIMEOUT_MS },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("error", fail);
          answer.on("end", () => {
            const reply = Buffer.concat(chunks).toString();
            const status = answer.statusCode ?? 0;
            const document = reply.startsWith("{") ? JSON.parse(reply) : { message: reply };
            if (status >= 400) {
              const reason = String(document.reason ?? "");
              fail(new KubernetesError(status, reason, `${method} ${path}: ${status} ${document.message}`));
            } else {
              done(document);
            }
          });
        },
      );
      asked.on("timeout", () => asked.destroy(new Error(`${method} ${path}: no answer in ${TIMEOUT_MS} ms`)));
      asked.on("error", fail);
      asked.end(text);
    });
  }
}
