/** A stand-in of Atlas: a proxy before a server of MongoDB's wire protocol that knows search indexes. README.md says what it stands for. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Db, type Document, MongoClient } from "mongodb";
import { LOOPBACK } from "../ports";
import { CommandError, SearchIndexes } from "./search";
import { type Command, commandOf, Framer, replyTo, requestOf } from "./wire";

const ANSWER_MS = 10_000;
const SELECT_MS = 2_000;

/** What the proxy stands before. */
export interface AtlasProps {
  /** Port of the server, on loopback. */
  readonly upstream: number;
  /** @default - any free one */
  readonly port?: number;
}

/** A stand-in that answers. */
export class Atlas {
  private readonly indexes = new SearchIndexes();
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly props: AtlasProps,
    private readonly server: Server,
    private readonly client: MongoClient,
  ) {}

  static async start(props: AtlasProps): Promise<Atlas> {
    const server = createServer();
    const client = new MongoClient(`mongodb://${LOOPBACK}:${props.upstream}/?directConnection=true`, {
      serverSelectionTimeoutMS: SELECT_MS,
      socketTimeoutMS: ANSWER_MS,
    });
    const atlas = new Atlas(props, server, client);
    server.on("connection", (socket) => atlas.serve(socket));
    server.listen(props.port ?? 0, LOOPBACK);
    await once(server, "listening");
    return atlas;
  }

  /** Connection string, without credentials. */
  get uri(): string {
    return `mongodb://${LOOPBACK}:${(this.server.address() as AddressInfo).port}/?directConnection=true`;
  }

  /** Connections of clients that are open. */
  get connections(): number {
    return this.sockets.size;
  }

  async close(): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    for (const socket of this.sockets) {
      socket.destroy();
    }
    await closed;
    await this.client.close();
  }

  private serve(socket: Socket): void {
    const upstream = connect({ host: LOOPBACK, port: this.props.upstream });
    this.sockets.add(socket);
    const end = () => {
      this.sockets.delete(socket);
      socket.destroy();
      upstream.destroy();
    };
    for (const each of [socket, upstream]) {
      each.setNoDelay(true).once("close", end).once("error", end);
    }
    upstream.pipe(socket);
    const framer = new Framer();
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const message of framer.push(chunk)) {
          this.take(message, socket, upstream);
        }
      } catch {
        end();
      }
    });
  }

  private take(message: Buffer, socket: Socket, upstream: Socket): void {
    const command = commandOf(message);
    const work = command && this.ownWork(command);
    if (command && typeof work === "function") {
      void answered(work).then((document) => socket.write(replyTo(command.requestId, document)));
    } else {
      upstream.write(Buffer.isBuffer(work) ? work : message);
    }
  }

  /** What is done here: work for what the server does not know, a message in place of one that it does not take, or nothing. */
  private ownWork(command: Command): (() => Promise<Document> | Document) | Buffer | undefined {
    const { name } = command;
    if (name === "createIndexes") {
      return withoutExpiry(command);
    }
    if (!["aggregate", "createSearchIndexes", "updateSearchIndex", "dropSearchIndex"].includes(name)) {
      return undefined;
    }
    const document = command.read();
    const db = this.client.db(String(document.$db));
    const collection = String(document[name]);
    if (name === "aggregate") {
      return this.ownAggregate(db, collection, document.pipeline as Document[]);
    }
    const own: Record<string, () => Promise<Document> | Document> = {
      createSearchIndexes: () => this.indexes.create(db, collection, document.indexes),
      updateSearchIndex: () => this.indexes.update(db, collection, document.name, document.definition),
      dropSearchIndex: () => this.indexes.drop(db, collection, document.name),
    };
    return own[name];
  }

  private ownAggregate(
    db: Db,
    collection: string,
    pipeline: readonly Document[],
  ): (() => Promise<Document>) | undefined {
    const [first = {}] = pipeline;
    const batch = (firstBatch: Document[]) => ({
      ok: 1,
      cursor: { id: 0n, ns: `${db.databaseName}.${collection}`, firstBatch },
    });
    if ("$listSearchIndexes" in first) {
      return async () => batch(this.indexes.list(db, collection, first.$listSearchIndexes.name));
    }
    return "$vectorSearch" in first
      ? async () => batch(await this.indexes.search(db, collection, pipeline))
      : undefined;
  }
}

async function answered(work: () => Promise<Document> | Document): Promise<Document> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CommandError) {
      return { ok: 0, code: error.code, codeName: error.codeName, errmsg: error.message };
    }
    // The server behind is away: as one that is shutting down says it, which clients try again.
    return { ok: 0, code: 91, codeName: "ShutdownInProgress", errmsg: String(error) };
  }
}

/** FerretDB refuses an index that expires; the rest of it is taken. */
function withoutExpiry(command: Command): Buffer | undefined {
  const document = command.read();
  const indexes = document.indexes as Document[];
  if (!indexes.some((index) => "expireAfterSeconds" in index)) {
    return undefined;
  }
  const kept = indexes.map(({ expireAfterSeconds: _, ...index }) => index);
  return requestOf(command.requestId, { ...document, indexes: kept });
}
