import { DynamodbTable } from "@cdktf/provider-aws/lib/dynamodb-table";
import { Table, type TableProps } from "../../constructs/table";
import { constructed } from "../support/constructed";

function table(props: Partial<TableProps> = {}) {
  return constructed((scope) => {
    new Table(scope, "jobs", { name: "Jobs", key: { partition: "jobId" }, ...props });
  });
}

describe("Table", () => {
  test("is billed by request and can be recovered to any point in time", () => {
    expect(table().text).toHaveResourceWithProperties(DynamodbTable, {
      name: "Jobs",
      billing_mode: "PAY_PER_REQUEST",
      hash_key: "jobId",
      attribute: [{ name: "jobId", type: "S" }],
      point_in_time_recovery: { enabled: true },
    });
  });

  test("has no capacity, no index, no sort key and no expiry unless asked", () => {
    const body = table().resource("aws_dynamodb_table");
    for (const absent of ["read_capacity", "write_capacity", "range_key", "global_secondary_index", "ttl"]) {
      expect(body).not.toHaveProperty(absent);
    }
  });

  test("declares each key attribute once, however many keys use it", () => {
    const { attribute } = table({
      key: { partition: "tenant", sort: "jobId" },
      indexes: { "by-time": { partition: "tenant", sort: "createdAt" }, "by-job": { partition: "jobId" } },
    }).resource("aws_dynamodb_table");
    expect(attribute).toEqual([
      { name: "createdAt", type: "S" },
      { name: "jobId", type: "S" },
      { name: "tenant", type: "S" },
    ]);
  });

  test("an index projects all attributes and is keyed by its own schema", () => {
    const { global_secondary_index: indexes } = table({
      indexes: { "by-tenant": { partition: "tenant", sort: "createdAt" }, "by-owner": { partition: "owner" } },
    }).resource("aws_dynamodb_table");
    expect(indexes).toEqual([
      {
        name: "by-tenant",
        projection_type: "ALL",
        key_schema: [
          { attribute_name: "tenant", key_type: "HASH" },
          { attribute_name: "createdAt", key_type: "RANGE" },
        ],
      },
      { name: "by-owner", projection_type: "ALL", key_schema: [{ attribute_name: "owner", key_type: "HASH" }] },
    ]);
  });

  test("an index may be sorted by numbers, and hold nothing but keys", () => {
    const { attribute, global_secondary_index: indexes } = table({
      indexes: { "by-duty": { partition: "duty", sort: "dutyAt", sortType: "N", keysOnly: true } },
    }).resource("aws_dynamodb_table");
    expect(attribute).toEqual([
      { name: "duty", type: "S" },
      { name: "dutyAt", type: "N" },
      { name: "jobId", type: "S" },
    ]);
    expect(indexes).toEqual([
      {
        name: "by-duty",
        projection_type: "KEYS_ONLY",
        key_schema: [
          { attribute_name: "duty", key_type: "HASH" },
          { attribute_name: "dutyAt", key_type: "RANGE" },
        ],
      },
    ]);
  });

  test("an attribute with two types is refused by its name", () => {
    const indexes = {
      "by-text": { partition: "duty", sort: "dutyAt" },
      "by-number": { partition: "duty", sort: "dutyAt", sortType: "N" as const },
    };
    expect(() => table({ indexes })).toThrow('attribute "dutyAt" is both S and N. Give it one type in every key.');
  });

  test("items expire by the attribute that is named", () => {
    expect(table({ ttlAttribute: "expiresAt" }).resource("aws_dynamodb_table").ttl).toEqual({
      attribute_name: "expiresAt",
      enabled: true,
    });
  });

  test.each([
    ["protected unless told otherwise", undefined, true],
    ["unprotected when told so", false, false],
  ])("is %s, by Terraform and by AWS alike", (_, protect, expected) => {
    const body = table({ protect }).resource("aws_dynamodb_table");
    expect(body.lifecycle).toEqual({ prevent_destroy: expected });
    expect(body.deletion_protection_enabled).toBe(expected);
  });
});
