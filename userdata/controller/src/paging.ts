/** Pages of a tenant's items, newest first, over the index `by-tenant`. */
import { type DynamoDBDocumentClient, QueryCommand } from "@aws-sdk/lib-dynamodb";
import type { Request } from "express";
import { z } from "zod";
import { type FieldError, invalid } from "./problems";

/** Items of a page when the request does not say. */
export const DEFAULT_LIMIT = 50;
/** Most items of a page. */
export const MAX_LIMIT = 100;

/** Which page is asked for. */
export interface PageRequest {
  readonly limit: number;
  /** `createdAt` and id of the last item of the page before. @default - the first page */
  readonly after?: readonly [createdAt: string, id: string];
}

/** Items that a filtered page looks at before it ends early. */
const LOOKED_AT = 20_000;
/** Items of one query of a filtered page. */
const BATCH = 1_000;

/** One page of items. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Cursor of the next page; undefined on the last. */
  readonly nextCursor: string | undefined;
}

const limitSchema = z
  .string()
  .regex(/^\d{1,3}$/)
  .transform(Number)
  .pipe(z.number().min(1).max(MAX_LIMIT));
const positionSchema = z.tuple([z.iso.datetime(), z.string().regex(/^[a-z]+_[0-9A-Z]{26}$/)]);

/**
 * Reads `limit` (1 to 100, default 50) and `cursor` of a list request.
 * @throws Problem 400 that names what is wrong
 */
export function readPage({ query }: Request): PageRequest {
  const limit = limitSchema.safeParse(query.limit ?? String(DEFAULT_LIMIT));
  const after = query.cursor === undefined ? undefined : positionSchema.safeParse(decode(query.cursor));
  const errors: FieldError[] = [];
  if (!limit.success) {
    errors.push({ field: "query limit", detail: `expected a whole number from 1 to ${MAX_LIMIT}` });
  }
  if (after?.success === false) {
    errors.push({ field: "query cursor", detail: "expected nextCursor of the page before, unchanged" });
  }
  if (!limit.success || after?.success === false) {
    throw invalid(errors);
  }
  return { limit: limit.data, after: after?.data };
}

/** What a page is made of. */
export interface PageQuery<T> {
  readonly table: string;
  /** The table's partition key. */
  readonly keyName: keyof T & string;
  readonly tenant: string;
  readonly page: PageRequest;
  /** Attributes and the values that they must have; undefined for any. @default - all items */
  readonly equal?: { readonly [K in keyof T]?: T[K] };
  /** Attributes to read. @default - all */
  readonly attributes?: readonly (keyof T & string)[];
}

/** One page of a tenant's items. A page ends early, with a cursor, when few of very many items have the values. */
export async function queryPage<T extends { readonly createdAt: string }>(
  dynamo: DynamoDBDocumentClient,
  query: PageQuery<T>,
): Promise<Page<T>> {
  const { limit } = query.page;
  const position = (item: T) => [item.createdAt, String(item[query.keyName])] as const;
  const items: T[] = [];
  let { after } = query.page;
  for (let lookedAt = 0; lookedAt < LOOKED_AT; ) {
    const batch = await queryBatch(dynamo, query, after);
    items.push(...batch.items);
    lookedAt += batch.lookedAt;
    const last = items[limit - 1];
    if (last && (items.length > limit || batch.end)) {
      return { items: items.slice(0, limit), nextCursor: encode(position(last)) };
    }
    if (!batch.end) {
      return { items, nextCursor: undefined };
    }
    after = batch.end;
  }
  return { items, nextCursor: after && encode(after) };
}

interface Batch<T> {
  readonly items: T[];
  readonly lookedAt: number;
  /** Where the next begins; undefined after the last. */
  readonly end: PageRequest["after"];
}

async function queryBatch<T>(
  dynamo: DynamoDBDocumentClient,
  { table, keyName, tenant, page, equal = {}, attributes }: PageQuery<T>,
  after: PageRequest["after"],
): Promise<Batch<T>> {
  const wanted = Object.entries(equal).filter(([, value]) => value !== undefined);
  const names = [...wanted.map(([name]) => name), ...(attributes ?? [])].map((name) => [`#${name}`, name]);
  const reply = await dynamo.send(
    new QueryCommand({
      TableName: table,
      IndexName: "by-tenant",
      KeyConditionExpression: "tenant = :tenant",
      FilterExpression: wanted.length > 0 ? wanted.map(([name]) => `#${name} = :${name}`).join(" AND ") : undefined,
      ProjectionExpression: attributes?.map((name) => `#${name}`).join(", "),
      ExpressionAttributeNames: names.length > 0 ? Object.fromEntries(names) : undefined,
      ExpressionAttributeValues: {
        ":tenant": tenant,
        ...Object.fromEntries(wanted.map(([name, value]) => [`:${name}`, value])),
      },
      ScanIndexForward: false,
      // DynamoDB counts what it looks at, not what the filter lets through.
      Limit: wanted.length > 0 ? BATCH : page.limit,
      // The cursor names an item; whose it is comes from the key of the request, never from the cursor.
      ExclusiveStartKey: after && { tenant, createdAt: after[0], [keyName]: after[1] },
    }),
  );
  const last = reply.LastEvaluatedKey;
  return {
    items: (reply.Items ?? []) as T[],
    lookedAt: reply.ScannedCount ?? BATCH,
    end: last && [String(last.createdAt), String(last[keyName])],
  };
}

function encode(position: readonly string[]): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

function decode(cursor: unknown): unknown {
  try {
    return JSON.parse(Buffer.from(String(cursor), "base64url").toString());
  } catch {
    return undefined;
  }
}
