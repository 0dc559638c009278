import { StorageBucket } from "@cdktf/provider-google/lib/storage-bucket";
import { ArchiveBucket } from "../../constructs/archive-bucket";
import { constructed } from "../support/constructed";

function bucket(protect?: boolean) {
  return constructed((scope) => {
    new ArchiveBucket(scope, "archive", {
      name: "old-code",
      location: "ASIA-NORTHEAST3",
      nearlineAfterDays: 30,
      coldlineAfterDays: 90,
      archiveAfterDays: 365,
      protect,
    });
  });
}

describe("ArchiveBucket", () => {
  test("is versioned, has uniform access and can never be public", () => {
    expect(bucket().text).toHaveResourceWithProperties(StorageBucket, {
      name: "old-code",
      location: "ASIA-NORTHEAST3",
      uniform_bucket_level_access: true,
      public_access_prevention: "enforced",
      versioning: { enabled: true },
    });
  });

  test("objects move to colder classes and none is ever deleted", () => {
    expect(bucket().resource("google_storage_bucket").lifecycle_rule).toEqual([
      { action: { storage_class: "NEARLINE", type: "SetStorageClass" }, condition: { age: 30 } },
      { action: { storage_class: "COLDLINE", type: "SetStorageClass" }, condition: { age: 90 } },
      { action: { storage_class: "ARCHIVE", type: "SetStorageClass" }, condition: { age: 365 } },
    ]);
  });

  test.each([
    ["protected and never emptied unless told otherwise", undefined, true],
    ["emptied when it is destroyed where it is not protected", false, false],
  ])("is %s", (_, protect, expected) => {
    const body = bucket(protect).resource("google_storage_bucket");
    expect(body.lifecycle).toEqual({ prevent_destroy: expected });
    expect(body.force_destroy).toBe(!expected);
  });
});
