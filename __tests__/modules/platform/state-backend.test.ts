import { expr, stackOf } from "../../support/synth";

describe("state-backend", () => {
  const stack = stackOf("prod", "state-backend");

  test("is the bucket that every state is kept in", () => {
    expect(stack.resource("aws_s3_bucket").bucket).toBe(stack.at("terraform", "backend", "s3", "bucket"));
    expect(stack.outputs).toEqual({ state_bucket: expr("aws_s3_bucket.states.bucket") });
  });

  test("holds its own state too", () => {
    expect(stack.at("terraform", "backend", "s3", "key")).toBe("nanogrid-cloud/prod/state-backend.tfstate");
  });

  test("keeps a year of old states", () => {
    expect(stack.resource("aws_s3_bucket_versioning").versioning_configuration).toEqual({ status: "Enabled" });
    expect(stack.resource("aws_s3_bucket_lifecycle_configuration").rule).toContainEqual(
      expect.objectContaining({ noncurrent_version_expiration: [{ noncurrent_days: 365 }] }),
    );
  });

  test("is protected from destruction, except where nothing is", () => {
    expect(stack.resource("aws_s3_bucket")).toMatchObject({
      force_destroy: false,
      lifecycle: { prevent_destroy: true },
    });
    expect(stackOf("local", "state-backend").resource("aws_s3_bucket")).toMatchObject({
      force_destroy: true,
      lifecycle: { prevent_destroy: false },
    });
  });

  test("needs no other stack", () => {
    expect(stack.data()).toEqual([]);
  });
});
