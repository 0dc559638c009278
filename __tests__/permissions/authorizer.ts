/** The authorizer that the stand-in of AWS asks about each request of a role: on loopback, with a log of every decision. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Ask, type AwsRequest, asksOf } from "./asked";
import type { Emitted } from "./emitted";
import { type Dropped, Judge } from "./judge";

/** A decision about one action on one resource. */
export interface Decision extends Ask {
  readonly role: string;
  readonly operation: string;
  readonly allowed: boolean;
  /** Names of the statements that allow it. */
  readonly by: readonly string[];
}

/** Decides by the emitted policies, and remembers every decision. */
export class Authorizer {
  /** Decisions until now, each once, in the order of their first time. */
  readonly decisions: Decision[] = [];
  readonly judge: Judge;
  /** What is taken away from the permissions for the time being. */
  without: Dropped | undefined;
  /** Requests that fail for the time being, whatever the policies say: a service that is in trouble. */
  failing: (request: AwsRequest) => boolean = () => false;
  private readonly known = new Set<string>();

  private constructor(
    private readonly emitted: Emitted,
    private readonly server: Server,
  ) {
    this.judge = new Judge(emitted);
  }

  /** Starts it on a free port. */
  static async start(emitted: Emitted): Promise<Authorizer> {
    const server = createServer();
    const authorizer = new Authorizer(emitted, server);
    server.on("request", async (request: IncomingMessage, response) => {
      try {
        const answer = await authorizer.decide(JSON.parse(await bodyOf(request)) as AwsRequest);
        response.end(JSON.stringify(answer));
      } catch (error) {
        response.writeHead(500).end(String(error));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return authorizer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Decides about a request. @returns AWS's words, where it is denied */
  async decide(request: AwsRequest): Promise<{ allowed: boolean; message: string }> {
    const { principal: role, operation } = request;
    if (this.failing(request)) {
      return { allowed: false, message: `${operation} fails in this test` };
    }
    const asks = await asksOf(request, this.emitted.place);
    const decisions = await Promise.all(
      asks.map(async (ask) => ({ role, operation, ...ask, ...(await this.judge.verdict(role, ask, this.without)) })),
    );
    for (const decision of decisions) {
      this.note(decision);
    }
    const denied = decisions.find(({ allowed }) => !allowed);
    const who = `arn:aws:sts::${this.emitted.place.accountId}:assumed-role/${role}/i-0123456789abcdef0`;
    const message = denied
      ? `User: ${who} is not authorized to perform: ${denied.action} on resource: ${denied.resource} ` +
        `because no identity-based policy allows the ${denied.action} action`
      : "";
    return { allowed: denied === undefined, message };
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private note(decision: Decision): void {
    const key = JSON.stringify([decision.role, decision.action, decision.resource, decision.context, decision.allowed]);
    if (!this.known.has(key)) {
      this.known.add(key);
      this.decisions.push(decision);
    }
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}
