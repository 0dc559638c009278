/** The states of an environment as their bucket holds them: read without Terraform, so that it is quick and needs no checkout's synth. */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  NoSuchBucket,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { z } from "zod";
import type { Settings } from "../../../modules/platform/settings";
import { Turns } from "../plans/waves";
import { Problem } from "../problem";
import { ownershipOf, stateKey } from "../state-bucket";

const STATE = ".tfstate";
const LOCK = ".tflock";
/** Requests at a time. */
const PARALLEL = 8;
/** Versions that are listed of one state. */
const VERSIONS = 100;

const lock = z.object({
  ID: z.string(),
  Operation: z.string().default(""),
  Who: z.string().default(""),
  Created: z.string().default(""),
});

const instance = z.looseObject({
  index_key: z.union([z.string(), z.number()]).optional(),
  deposed: z.string().optional(),
  status: z.string().optional(),
  attributes: z.record(z.string(), z.unknown()).nullish(),
  sensitive_attributes: z.array(z.unknown()).default([]),
});

const state = z.looseObject({
  version: z.literal(4),
  terraform_version: z.string(),
  serial: z.number(),
  lineage: z.string(),
  outputs: z.record(z.string(), z.looseObject({ value: z.unknown(), sensitive: z.boolean().optional() })).default({}),
  resources: z
    .array(
      z.looseObject({
        module: z.string().optional(),
        mode: z.enum(["managed", "data"]),
        type: z.string(),
        name: z.string(),
        instances: z.array(instance).default([]),
      }),
    )
    .default([]),
});

/** Terraform's state file, format 4. */
export type StateFile = z.output<typeof state>;
/** Who holds a state's lock. */
export type Lock = z.output<typeof lock>;

/** A state and what the bucket says about it. */
export interface StoredState {
  readonly stack: string;
  /** When it was written last, as S3 says. */
  readonly changedAt: Date;
  /** Undefined where it cannot be read as a state. */
  readonly state: StateFile | undefined;
  readonly lock: Lock | undefined;
}

/** One version of a state's object. */
export interface StateVersion {
  readonly id: string;
  readonly changedAt: Date;
  readonly latest: boolean;
  /** A delete marker: from then on the state was gone. */
  readonly deleted: boolean;
  readonly bytes: number;
}

/** The states of one environment. */
export class StateStore {
  private readonly turns = new Turns(PARALLEL);

  constructor(
    private readonly s3: S3Client,
    private readonly settings: Settings,
  ) {}

  /** @throws Problem when the bucket of the states is not there, or not this account's */
  async requireBucket(): Promise<void> {
    const { accountId, environment, state: at } = this.settings;
    if ((await ownershipOf(this.s3, at.bucket, accountId)) !== "ours") {
      throw new Problem(
        `The state bucket "${at.bucket}" is not in account ${accountId}, or this identity may not see it.`,
        `Create it once: ENVIRONMENT=${environment} npm run state-backend`,
      );
    }
  }

  /** Every state, by stack. */
  async list(): Promise<StoredState[]> {
    const prefix = stateKey(this.settings, "").slice(0, -STATE.length);
    const found: { key: string; changedAt: Date }[] = [];
    let token: string | undefined;
    do {
      const page = await this.s3
        .send(
          new ListObjectsV2Command({
            Bucket: this.settings.state.bucket,
            Prefix: prefix,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        )
        .catch((error: unknown) => this.withoutBucket(error));
      found.push(
        ...(page.Contents ?? []).map(({ Key = "", LastModified = new Date(0) }) => ({
          key: Key.slice(prefix.length),
          changedAt: LastModified,
        })),
      );
      token = page.NextContinuationToken;
    } while (token !== undefined);
    const locks = new Set(found.filter(({ key }) => key.endsWith(LOCK)).map(({ key }) => key));
    const states = found.filter(({ key }) => key.endsWith(STATE));
    return await Promise.all(
      states.map(({ key, changedAt }) =>
        this.turns.take(async () => {
          const stack = key.slice(0, -STATE.length);
          return {
            stack,
            changedAt,
            state: await this.read(stack),
            lock: locks.has(`${key}${LOCK}`) ? await this.lockOf(stack) : undefined,
          };
        }),
      ),
    );
  }

  /** A stack's state; undefined where there is none, or none that can be read. */
  async read(stack: string, version?: string): Promise<StateFile | undefined> {
    const text = await this.get(stateKey(this.settings, stack), version);
    return text === undefined ? undefined : parseState(text);
  }

  /** When the state of a stack was written last; undefined where there is none. */
  async changedAt(stack: string): Promise<Date | undefined> {
    try {
      const { LastModified } = await this.s3.send(
        new HeadObjectCommand({ Bucket: this.settings.state.bucket, Key: stateKey(this.settings, stack) }),
      );
      return LastModified;
    } catch (error) {
      if (statusOf(error) === 404) {
        return undefined;
      }
      throw error;
    }
  }

  /** Who holds the lock of a stack's state; undefined where it is free. */
  async lockOf(stack: string): Promise<Lock | undefined> {
    const text = await this.get(this.lockKey(stack));
    return text === undefined ? undefined : lock.parse(JSON.parse(text));
  }

  /** Versions of a stack's state, the newest first. */
  async versions(stack: string): Promise<StateVersion[]> {
    const key = stateKey(this.settings, stack);
    const { Versions = [], DeleteMarkers = [] } = await this.s3
      .send(new ListObjectVersionsCommand({ Bucket: this.settings.state.bucket, Prefix: key, MaxKeys: VERSIONS }))
      .catch((error: unknown) => this.withoutBucket(error));
    const all = [...Versions, ...DeleteMarkers.map((marker) => ({ ...marker, Size: undefined }))];
    return all
      .filter(({ Key }) => Key === key)
      .map(({ VersionId = "", LastModified = new Date(0), IsLatest = false, Size }) => ({
        id: VersionId,
        changedAt: LastModified,
        latest: IsLatest,
        deleted: Size === undefined,
        bytes: Size ?? 0,
      }))
      .sort((a, b) => Number(b.latest) - Number(a.latest) || b.changedAt.getTime() - a.changedAt.getTime());
  }

  /** Writes a state. Only who holds its lock may. */
  async write(stack: string, content: StateFile): Promise<void> {
    await this.s3.send(
      new PutObjectCommand({
        Bucket: this.settings.state.bucket,
        Key: stateKey(this.settings, stack),
        Body: `${JSON.stringify(content, null, 2)}\n`,
        ContentType: "application/json",
        ServerSideEncryption: "AES256",
      }),
    );
  }

  /**
   * Takes the lock of a stack's state as Terraform does: an object that only one can create.
   *
   * @throws Problem when somebody holds it
   */
  async lock(stack: string, mine: Lock): Promise<void> {
    try {
      await this.s3.send(
        new PutObjectCommand({
          Bucket: this.settings.state.bucket,
          Key: this.lockKey(stack),
          Body: JSON.stringify({ ...mine, Info: "", Version: "", Path: stateKey(this.settings, stack) }),
          ContentType: "application/json",
          IfNoneMatch: "*",
        }),
      );
    } catch (error) {
      const status = statusOf(error);
      if (status !== 412 && status !== 409) {
        throw error;
      }
      const holder = await this.lockOf(stack);
      throw new Problem(
        `The state of ${stack} is locked${holder === undefined ? "" : ` by ${holder.Who} (${holder.Operation}) since ${holder.Created}, ID ${holder.ID}`}.`,
        "Wait until that run is over; if it is gone for good, docs/operations/stuck-lock.md says how to free it.",
      );
    }
  }

  /** Frees the lock. */
  async unlock(stack: string): Promise<void> {
    await this.s3.send(new DeleteObjectCommand({ Bucket: this.settings.state.bucket, Key: this.lockKey(stack) }));
  }

  private lockKey(stack: string): string {
    return `${stateKey(this.settings, stack)}${LOCK}`;
  }

  private async get(key: string, version?: string): Promise<string | undefined> {
    try {
      const { Body } = await this.s3.send(
        new GetObjectCommand({
          Bucket: this.settings.state.bucket,
          Key: key,
          ...(version === undefined ? {} : { VersionId: version }),
        }),
      );
      return await Body?.transformToString();
    } catch (error) {
      if (statusOf(error) === 404 && !(error instanceof NoSuchBucket)) {
        return undefined;
      }
      return this.withoutBucket(error);
    }
  }

  private withoutBucket(error: unknown): never {
    if (error instanceof NoSuchBucket) {
      const { environment, state: at } = this.settings;
      throw new Problem(
        `The state bucket "${at.bucket}" does not exist.`,
        `Create it once: ENVIRONMENT=${environment} npm run state-backend`,
      );
    }
    throw error;
  }
}

/** Reads a state file; undefined where it is none. */
export function parseState(text: string): StateFile | undefined {
  try {
    return state.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
