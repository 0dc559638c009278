import { expr, output, stackOf, synthesized } from "../../support/synth";

const stack = stackOf("dev", "nanogrid-archive");

describe("nanogrid-archive", () => {
  test("nanogird_gcp_bucket, spelled as deployed, is versioned and never public", () => {
    expect(stack.resource("google_storage_bucket")).toMatchObject({
      name: "nanogird_gcp_bucket",
      location: "ASIA-NORTHEAST3",
      uniform_bucket_level_access: true,
      public_access_prevention: "enforced",
      versioning: { enabled: true },
    });
  });

  test("its name takes a suffix where it is taken", () => {
    expect(stackOf("options", "nanogrid-archive").resource("google_storage_bucket").name).toBe(
      "nanogird_gcp_bucket-acme",
    );
  });

  test("the workers' role may create objects in that bucket and do nothing else", () => {
    const [member, ...others] = stack.resources("google_storage_bucket_iam_member");
    expect(others).toEqual([]);
    expect(member?.body).toMatchObject({
      bucket: expr("google_storage_bucket.bucket.name"),
      role: "roles/storage.objectCreator",
      member: expr("google_service_account.workers_service-account.member"),
    });
    expect(stack.resource("google_service_account_iam_member").member).toMatch(
      /^principalSet:\/\/.*\/attribute\.aws_role\/arn:aws:sts::000000000000:assumed-role\/nanogrid_worker_role$/,
    );
    expect(stack.resources("google_project_iam_member")).toEqual([]);
  });

  test("the role that it trusts is the one that the workers have", () => {
    expect(stackOf("dev", "nanogrid-workers").resource("aws_iam_role").name).toBe("nanogrid_worker_role");
  });

  test("the secret holds the credential configuration, which is no key", () => {
    const version = stack.resource("aws_secretsmanager_secret_version");
    expect(version.secret_id).toBe(output("nanogrid-data", "gcp_credentials_secret_arn"));
    expect(version.secret_string).toContain('"type" = "external_account"');
    expect(version.secret_string).toContain("imdsv2_session_token_url");
    expect(version.secret_string).not.toContain("private_key");
  });

  test("google's provider may be anything from 6.50 to 8", () => {
    expect(stack.at("terraform", "required_providers", "google")).toEqual({
      source: "google",
      version: ">= 6.50, < 9",
    });
  });

  test("labels are the tags in the characters that Google takes", () => {
    expect(stackOf("options", "nanogrid-archive").at("provider", "google", 0, "default_labels")).toEqual({
      project: "nanogrid-cloud",
      environment: "options",
      stack: "nanogrid-archive",
      owner: "team--n-code---co",
      repository: "nanogrid-cloud",
    });
  });

  test("switched off, nothing of it is left: no stack, no address, no permission to read the secret", () => {
    expect(Object.keys(synthesized("smallest").stacks)).not.toContain("nanogrid-archive");
    const workers = stackOf("smallest", "nanogrid-workers");
    expect(workers.text).not.toContain("google");
    expect(workers.text).not.toContain("ArchiveCredentials");
    expect(workers.text).not.toContain("nanogrid-archive");
  });
});
