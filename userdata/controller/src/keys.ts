/** API keys: made once, shown once, stored as SHA-256. */
import { createHash, randomBytes } from "node:crypto";
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateQuery,
} from "@aws-sdk/lib-dynamodb";
import { type KeyView, newKey, type Role } from "./schemas";

export type { Role } from "./schemas";

/** What a tenant's name looks like. */
export const TENANT = /^[a-z][a-z0-9-]{1,38}$/;
/** What a key looks like. */
export const API_KEY = /^ng_[A-Za-z0-9_-]{43}$/;

const CACHED_MS = 30_000;
const CACHED_KEYS = 10_000;
const ID_DIGITS = 16;

/** Whose a key is. */
export interface KeyOwner {
  readonly tenant: string;
  readonly role: Role;
  /** Names the key in logs and limits. */
  readonly keyId: string;
  /** Most requests in a minute; undefined for the controller's default. */
  readonly requestsPerMinute: number | undefined;
}

/** What making a key takes. */
export interface KeyProps {
  readonly tenant: string;
  readonly role: Role;
  /** What the key is for, in the owner's words. */
  readonly name: string;
  /** @default - the controller's default */
  readonly requestsPerMinute?: number;
}

interface KeyItem extends KeyProps {
  readonly keyHash: string;
  readonly createdAt: string;
}

/**
 * Makes a key and stores its hash.
 * @returns the key: nobody can read it again
 * @throws Error when tenant, role, name or requestsPerMinute are not what they must be
 */
export async function createKey(dynamo: DynamoDBDocumentClient, table: string, props: KeyProps): Promise<string> {
  const { tenant, ...rest } = props;
  if (!TENANT.test(tenant)) {
    throw new Error(`tenant ${JSON.stringify(tenant)}: expected 2 to 39 of a-z, 0-9 and "-", beginning with a letter.`);
  }
  const parsed = newKey.safeParse(rest);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new Error(`${wrong.join("; ")}.`);
  }
  return (await storeKey(dynamo, table, { tenant, ...parsed.data })).key;
}

/** Looks keys up, and remembers those that are valid for 30 s: so long a deleted key still works. */
export class ApiKeys {
  private readonly cache = new Map<string, { readonly owner: KeyOwner; readonly until: number }>();

  constructor(
    private readonly dynamo: DynamoDBDocumentClient,
    private readonly table: string,
  ) {}

  /**
   * Whose a key is; undefined for a key that there is not.
   *
   * What the time of an answer tells: keys are found by their SHA-256, and never compared with one another. A key that shares all but
   * one character with a real one has quite another hash, so that trying keys gets nobody nearer; that a key was valid, which makes the
   * answer from memory faster, the answer says itself.
   */
  async owner(key: string): Promise<KeyOwner | undefined> {
    if (!API_KEY.test(key)) {
      return undefined;
    }
    const keyHash = hashOf(key);
    const cached = this.cache.get(keyHash);
    if (cached && cached.until > Date.now()) {
      return cached.owner;
    }
    this.cache.delete(keyHash);
    const reply = await this.dynamo.send(new GetCommand({ TableName: this.table, Key: { keyHash } }));
    const item = reply.Item as KeyItem | undefined;
    if (!item) {
      return undefined;
    }
    const { tenant, role, requestsPerMinute } = item;
    const owner: KeyOwner = { tenant, role, keyId: idOf(keyHash), requestsPerMinute };
    if (this.cache.size >= CACHED_KEYS) {
      this.cache.clear();
    }
    this.cache.set(keyHash, { owner, until: Date.now() + CACHED_MS });
    return owner;
  }

  /** Makes a key. */
  async create(props: KeyProps): Promise<KeyView & { readonly key: string }> {
    const { key, item } = await storeKey(this.dynamo, this.table, props);
    return { ...viewOf(item), key };
  }

  /** All keys of a tenant, newest first. */
  async list(tenant: string): Promise<readonly KeyView[]> {
    return (await this.itemsOf(tenant)).map(viewOf);
  }

  /** Deletes a tenant's key; false when there is none of that id. Other controllers take it for up to 30 s more. */
  async remove(tenant: string, keyId: string): Promise<boolean> {
    const item = (await this.itemsOf(tenant)).find(({ keyHash }) => idOf(keyHash) === keyId);
    if (!item) {
      return false;
    }
    const { keyHash } = item;
    await this.dynamo.send(new DeleteCommand({ TableName: this.table, Key: { keyHash } }));
    this.cache.delete(keyHash);
    return true;
  }

  private async itemsOf(tenant: string): Promise<readonly KeyItem[]> {
    const pages = paginateQuery(
      { client: this.dynamo },
      {
        TableName: this.table,
        IndexName: "by-tenant",
        KeyConditionExpression: "tenant = :tenant",
        ExpressionAttributeValues: { ":tenant": tenant },
        ScanIndexForward: false,
      },
    );
    const items: KeyItem[] = [];
    for await (const page of pages) {
      items.push(...((page.Items ?? []) as KeyItem[]));
    }
    return items;
  }
}

async function storeKey(
  dynamo: DynamoDBDocumentClient,
  table: string,
  props: KeyProps,
): Promise<{ readonly key: string; readonly item: KeyItem }> {
  const key = `ng_${randomBytes(32).toString("base64url")}`;
  const item: KeyItem = { keyHash: hashOf(key), createdAt: new Date().toISOString(), ...props };
  await dynamo.send(new PutCommand({ TableName: table, Item: item }));
  return { key, item };
}

function viewOf({ keyHash, name, role, requestsPerMinute, createdAt }: KeyItem): KeyView {
  return { keyId: idOf(keyHash), name, role, requestsPerMinute, createdAt };
}

function idOf(keyHash: string): string {
  return `key_${keyHash.slice(0, ID_DIGITS)}`;
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
