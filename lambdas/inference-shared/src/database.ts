/** The database over the peering: one client for as long as the function's environment lives, and calls that outlast a failover. */
import { type Db, MongoClient, type MongoClientOptions, MongoError, MongoNetworkError } from "mongodb";
import { z } from "zod";
import { text } from "../../shared/environment";
import type { Log } from "../../shared/log";
import { unavailable } from "./problems";
import type { Embedded, StoredProduct } from "./product";
import { type Deadline, isTimeout, withRetries } from "./retry";
import type { StoredTitle } from "./title";

/** An idle connection is closed before anything between here and Atlas forgets it. */
const MAX_IDLE_MS = 60_000;
/** An environment serves one invocation at a time, which stores a few products at once. */
const MAX_CONNECTIONS = 5;
const CONNECT_MS = 3_000;
const SELECT_MS = 3_000;
const SOCKET_MS = 15_000;
/** Longest that one attempt may take, in milliseconds: a server that was lost is noticed, another one is selected. */
const ATTEMPT_MS = 6_000;
const NAME = "The database";

/** What a server answers that is being replaced: another one takes over soon. */
const REPLACED = new Set([
  91, // ShutdownInProgress
  189, // PrimarySteppedDown
  10_107, // NotWritablePrimary
  11_600, // InterruptedAtShutdown
  11_602, // InterruptedDueToReplStateChange
  13_435, // NotPrimaryNoSecondaryOk
  13_436, // NotPrimaryOrSecondary
]);

/** Variables of a function that uses the database. */
export const databaseVariables = {
  INFERENCE_DATABASE_URI: z
    .string({ error: "is not set" })
    .regex(/^mongodb(\+srv)?:\/\/[^@]+$/, { error: "expected a connection string without credentials" })
    .describe("Set it to the output databaseUri of inference-network."),
  INFERENCE_DATABASE_NAME: text().describe("Set it to the output databaseName of inference-network."),
  INFERENCE_DATABASE_AUTH: z
    .enum(["iam", "none"], { error: "expected iam or none" })
    .default("iam")
    .describe("Leave it out: the function's role signs in. `none` is for a stand-in without users."),
};

/** Errors of the driver's own where there is no server, or no longer one. */
const UNCONNECTED = new Set(["MongoServerSelectionError", "MongoPoolClosedError", "MongoTopologyClosedError"]);

/** What Node.js says of a socket whose other end has gone, which the driver hands on as it is where it happens while writing. */
const BROKEN = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ERR_SOCKET_CLOSED",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
  "ETIMEDOUT",
]);

/** What the variables say. */
export interface DatabaseProps {
  readonly uri: string;
  readonly name: string;
  readonly auth: "iam" | "none";
  readonly log: Log;
}

/** The parsed variables, as properties. */
export function databaseProps(variables: z.output<z.ZodObject<typeof databaseVariables>>, log: Log): DatabaseProps {
  return {
    uri: variables.INFERENCE_DATABASE_URI,
    name: variables.INFERENCE_DATABASE_NAME,
    auth: variables.INFERENCE_DATABASE_AUTH,
    log,
  };
}

/** Collections by name. */
export const COLLECTIONS = { products: "products", titles: "titles" } as const;

/** A database that was opened. Nothing connects before the first call. */
export class Database {
  private readonly client: MongoClient;
  private readonly db: Db;
  private readonly log: Log;

  constructor({ uri, name, auth, log }: DatabaseProps) {
    const options: MongoClientOptions = {
      appName: "inference",
      maxIdleTimeMS: MAX_IDLE_MS,
      maxPoolSize: MAX_CONNECTIONS,
      connectTimeoutMS: CONNECT_MS,
      serverSelectionTimeoutMS: SELECT_MS,
      socketTimeoutMS: SOCKET_MS,
      writeConcern: { w: "majority" },
      ignoreUndefined: true,
    };
    // The driver takes the role's credentials from the variables that Lambda sets: no password exists.
    const byRole: MongoClientOptions = { authMechanism: "MONGODB-AWS", authSource: "$external" };
    this.client = new MongoClient(uri, auth === "iam" ? { ...options, ...byRole } : options);
    this.db = this.client.db(name);
    this.log = log;
  }

  /**
   * Does something, again where a server was lost on the way: what is done has to be safe to do twice.
   *
   * @param what what it is, for the log
   * @throws Problem 503 when the database does not answer before the deadline
   */
  async run<T>(what: string, deadline: Deadline, work: (collections: Collections) => Promise<T>): Promise<T> {
    try {
      return await withRetries(
        { what: `database: ${what}`, deadline, log: this.log, passes: mayPass, attemptMs: ATTEMPT_MS },
        (signal) => inTime(this.connected().then(work), signal),
      );
    } catch (error) {
      throw mayPass(error) ? unavailable(NAME, error) : error;
    }
  }

  /** A client whose first connection failed stays closed until it is told to connect again. */
  private async connected(): Promise<Collections> {
    await this.client.connect();
    return new Collections(this.db);
  }

  /** Closes the connections; another call opens them again. */
  async close(): Promise<void> {
    await this.client.close();
  }
}

/** The collections, typed. */
export class Collections {
  constructor(readonly db: Db) {}

  get products() {
    return this.db.collection<StoredProduct & Embedded>(COLLECTIONS.products);
  }

  get titles() {
    return this.db.collection<StoredTitle>(COLLECTIONS.titles);
  }
}

/** Whether a write was refused since there is such an id. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof MongoError && error.code === 11_000;
}

function mayPass(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (isTimeout(error) || error instanceof MongoNetworkError || BROKEN.has(String(code))) {
    return true;
  }
  if (!(error instanceof MongoError)) {
    return false;
  }
  return UNCONNECTED.has(error.name) || error.hasErrorLabel("RetryableWriteError") || REPLACED.has(Number(error.code));
}

/** The driver's calls take no signal everywhere: one that is late is left alone, and its answer is nobody's. */
function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  return new Promise((resolve, reject) => {
    const late = () => reject(signal.reason);
    signal.addEventListener("abort", late, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", late));
  });
}
