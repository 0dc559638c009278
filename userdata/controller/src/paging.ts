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

/**
 * One page of a tenant's items.
 * @param keyName the table's partition key
 */
export async function queryPage<T extends { readonly createdAt: string }>(
  dynamo: DynamoDBDocumentClient,
  props: {
    readonly table: string;
    readonly keyName: keyof T & string;
    readonly tenant: string;
    readonly page: PageRequest;
  },
): Promise<Page<T>> {
  const { table, keyName, tenant, page } = props;
  const reply = await dynamo.send(
    new QueryCommand({
      TableName: table,
      IndexName: "by-tenant",
      KeyConditionExpression: "tenant = :tenant",
      ExpressionAttributeValues: { ":tenant": tenant },
      ScanIndexForward: false,
      Limit: page.limit,
      // The cursor names an item; whose it is comes from the key of the request, never from the cursor.
      ExclusiveStartKey: page.after && { tenant, createdAt: page.after[0], [keyName]: page.after[1] },
    }),
  );
  const items = (reply.Items ?? []) as T[];
  const last = reply.LastEvaluatedKey;
  return { items, nextCursor: last && encode([String(last.createdAt), String(last[keyName])]) };
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
