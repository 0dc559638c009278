/** The service behind the page in its tests: the page with its headers, the real presign function, and a picture in each image's place. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { pageFiles } from "../../containers/denoise/page/build";
import type { LocalFunction } from "../../local/lambda/function";
import { ask, IN_BUCKET, OUT_BUCKET, type PresignWorld } from "../lambdas/presign/world";

const SIZE = { width: 64, height: 48 };

/** A request as the service gets it, and how it shall answer. */
export interface Behaviour {
  /** Answers to POST /inference, before it does what is asked. @default - does it */
  refuse?: { status: number; document: object };
  /** Times that GET /inference/{id} says running; undefined: POST answers at once. */
  runs?: number;
  /** Ends a request that ran as failed. */
  failed?: object;
  /** Token that is asked for. */
  token?: string;
}

export class PageService {
  behaviour: Behaviour = {};
  /** Bodies of POST /inference. */
  orders: Record<string, unknown>[] = [];
  private readonly files = new Map(pageFiles().map(({ path, content }) => [path, content]));
  private readonly running = new Map<string, { left: number; document: object }>();

  private constructor(
    private readonly world: PresignWorld,
    private readonly presign: LocalFunction,
    private readonly server: Server,
  ) {}

  /** Starts it on a free port. */
  static async start(world: PresignWorld, presign: LocalFunction): Promise<PageService> {
    const server = createServer();
    const service = new PageService(world, presign, server);
    server.on("request", (request, response) => {
      service.serve(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Forgets what a test has told it and asked of it. */
  reset(): void {
    this.behaviour = {};
    this.orders = [];
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, search } = new URL(request.url ?? "/", this.url);
    const body = await textOf(request);
    const send = (status: number, document: object, headers: object = {}) =>
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(document));
    if (pathname === "/" || pathname.startsWith("/page/")) {
      this.sendPage(response, pathname === "/" ? "index.html" : pathname.slice("/page/".length));
    } else if (this.behaviour.token && request.headers.authorization !== `Bearer ${this.behaviour.token}`) {
      send(401, { message: "Unauthorized" });
    } else if (pathname === "/presign") {
      const answer = await ask(this.presign, search.slice(1));
      send(answer.status, answer.body, answer.headers);
    } else if (pathname === "/inference") {
      const order = JSON.parse(body) as Record<string, unknown>;
      this.orders.push(order);
      if (this.behaviour.refuse) {
        send(this.behaviour.refuse.status, this.behaviour.refuse.document);
        return;
      }
      const document = await this.denoise(order);
      if (this.behaviour.runs === undefined) {
        send(200, document);
        return;
      }
      this.running.set(document.id, { left: this.behaviour.runs, document });
      send(202, { id: document.id, status: "running" }, { location: `/inference/${document.id}` });
    } else {
      const id = pathname.slice("/inference/".length);
      const record = this.running.get(id);
      const isRunning = record !== undefined && record.left-- > 0;
      send(
        record ? 200 : 404,
        isRunning ? { id, status: "running" } : (this.behaviour.failed ?? record?.document ?? {}),
      );
    }
  }

  /** What the service answers, with a picture of its own in the image's place. */
  private async denoise({ file, model, strength }: Record<string, unknown>) {
    await this.world.s3.send(new GetObjectCommand({ Bucket: IN_BUCKET, Key: String(file) }));
    await this.world.s3.send(new PutObjectCommand({ Bucket: OUT_BUCKET, Key: String(file), Body: tiff(clean) }));
    const steps = { download: 12.3, model: 456.7 };
    return {
      id: randomUUID(),
      status: "succeeded",
      file,
      output: file,
      model,
      strength,
      pages: 1,
      ...SIZE,
      bits: 16,
      steps,
    };
  }

  private sendPage(response: ServerResponse, path: string): void {
    const types: Record<string, string> = { html: "text/html", js: "text/javascript", css: "text/css" };
    const content = this.files.get(path);
    if (!content) {
      response.writeHead(404).end();
      return;
    }
    const policy =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; base-uri 'none'; " +
      `connect-src 'self' ${this.world.awsUrl}; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'`;
    response.writeHead(200, {
      "content-type": `${types[path.split(".").pop() ?? ""]}; charset=utf-8`,
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
    });
    response.end(content);
  }
}

/** A ramp, from dark to bright. */
export function clean(x: number, _y: number): number {
  return 1_000 + x * 500;
}

/** The ramp with what looks like noise. */
export function noisy(x: number, y: number): number {
  return clean(x, y) + (((x * 7_919 + y * 104_729) % 2_001) - 1_000);
}

/** A TIFF of one uncompressed strip of 16 bits, little-endian. */
export function tiff(value: (x: number, y: number) => number): Buffer {
  const { width, height } = SIZE;
  const pixels = Buffer.alloc(width * height * 2);
  for (let index = 0; index < width * height; index++) {
    pixels.writeUInt16LE(value(index % width, Math.floor(index / width)), index * 2);
  }
  // Width, height, bits, no compression, black is zero, strip's place, samples, rows of the strip, its bytes.
  const entries = [
    [256, width],
    [257, height],
    [258, 16],
    [259, 1],
    [262, 1],
    [273, 8],
    [277, 1],
    [278, height],
    [279, pixels.length],
  ];
  const directory = Buffer.alloc(2 + entries.length * 12 + 4);
  directory.writeUInt16LE(entries.length, 0);
  for (const [index, [tag = 0, content = 0]] of entries.entries()) {
    directory.writeUInt16LE(tag, 2 + index * 12);
    directory.writeUInt16LE(4, 4 + index * 12);
    directory.writeUInt32LE(1, 6 + index * 12);
    directory.writeUInt32LE(content, 10 + index * 12);
  }
  const header = Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(header.length + pixels.length, 4);
  return Buffer.concat([header, pixels, directory]);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}
