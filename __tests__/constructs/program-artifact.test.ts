import { S3Object } from "@cdktf/provider-aws/lib/s3-object";
import { ProgramArtifact } from "../../constructs/program-artifact";
import { constructed } from "../support/constructed";

const SHA256 = "0".repeat(64);

const synthesis = constructed((scope) => {
  new ProgramArtifact(scope, "artifact", {
    program: "worker",
    file: "userdata/worker/pyproject.toml",
    sha256: SHA256,
    bucket: "artifacts",
  });
});

describe("ProgramArtifact", () => {
  test("is stored under its content's hash", () => {
    expect(synthesis.text).toHaveResourceWithProperties(S3Object, {
      bucket: "artifacts",
      key: `programs/worker/${SHA256}.zip`,
      content_type: "application/zip",
    });
  });

  test("the file travels with the stack", () => {
    expect(synthesis.resource("aws_s3_object").source).toMatch(/^assets\/.*\/pyproject\.toml$/);
  });

  test("a new build is there before the old one goes", () => {
    expect(synthesis.resource("aws_s3_object").lifecycle).toEqual({ create_before_destroy: true });
  });

  test("neither an ETag nor a hash of the source makes a second difference in a plan", () => {
    expect(synthesis.resource("aws_s3_object")).not.toHaveProperty("etag");
    expect(synthesis.resource("aws_s3_object")).not.toHaveProperty("source_hash");
  });
});
