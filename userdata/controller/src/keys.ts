/** API keys: made once, shown once, stored as SHA-256. */
import { createHash, randomBytes } from "node:crypto";
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";

/** What a tenant's name looks like. */
export const TENANT = /^[a-z][a-z0-9-]{1,38}$/;
/** What a key looks like. */
export const API_KEY = /^ng_[A-Za-z0-9_-]{43}$/;

const CACHED_MS = 30_000;
const CACHED_KEYS = 10_000;

export type Role = "admin" | "user";

/** Whose a key is. */
export interface KeyOwner {
  readonly tenant: string;
  readonly role: Role;
}

export interface KeyProps extends KeyOwner {
  /** What the key is for, in the owner's words. */
  readonly name: string;
}

/**
 * Makes a key and stores its hash.
 * @returns the key: nobody can read it again
 * @throws Error when tenant, role or name are not what they must be
 */
export async function createKey(
  dynamo: DynamoDBDocumentClient,
  table: string,
  { tenant, role, name }: KeyProps,
): Promise<string> {
  if (!TENANT.test(tenant)) {
    throw new Error(`tenant ${JSON.stringify(tenant)}: expected 2 to 39 of a-z, 0-9 and "-", beginning with a letter.`);
  }
  if (role !== "admin" && role !== "user") {
    throw new Error(`role ${JSON.stringify(role)}: expected admin or user.`);
  }
  if (!name || name.length > 64) {
    throw new Error(`name ${JSON.stringify(name)}: expected 1 to 64 characters that say what the key is for.`);
  }
  const key = `ng_${randomBytes(32).toString("base64url")}`;
  const item = { keyHash: hashOf(key), tenant, role, name, createdAt: new Date().toISOString() };
  await dynamo.send(new PutCommand({ TableName: table, Item: item }));
  return key;
}

/** Looks keys up, and remembers those that are valid for 30 s: so long a deleted key still works. */
export class ApiKeys {
  private readonly cache = new Map<string, { readonly owner: KeyOwner; readonly until: number }>();

  constructor(
    private readonly dynamo: DynamoDBDocumentClient,
    private readonly table: string,
  ) {}

  /** Whose a key is; undefined for a key that there is not. */
  async owner(key: string): Promise<KeyOwner | undefined> {
    if (!API_KEY.test(key)) {
      return undefined;
    }
    // The table finds the hash, not the key: how long that takes tells nothing about a key.
    const keyHash = hashOf(key);
    const cached = this.cache.get(keyHash);
    if (cached && cached.until > Date.now()) {
      return cached.owner;
    }
    this.cache.delete(keyHash);
    const reply = await this.dynamo.send(new GetCommand({ TableName: this.table, Key: { keyHash } }));
    if (!reply.Item) {
      return undefined;
    }
    const owner: KeyOwner = { tenant: String(reply.Item.tenant), role: reply.Item.role as Role };
    if (this.cache.size >= CACHED_KEYS) {
      this.cache.clear();
    }
    this.cache.set(keyHash, { owner, until: Date.now() + CACHED_MS });
    return owner;
  }
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
