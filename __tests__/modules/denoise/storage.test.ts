import { existsSync } from "node:fs";
import { join } from "node:path";
import { denoiseImage } from "../../../containers/denoise/image";
import { type Block, expr, stackOf } from "../../support/synth";

const stack = stackOf("dev", "denoise-storage");
const options = stackOf("options", "denoise-storage");

interface LifecycleRule {
  readonly id: string;
  readonly expiration?: readonly Block[];
}

describe("denoise-storage", () => {
  test("ddn-in-bucket takes uploads of browsers for thirty days, ddn-out-bucket gives results for ninety", () => {
    const found = ["in-bucket", "out-bucket"].map((id) => {
      const rules = stack.resource("aws_s3_bucket_lifecycle_configuration", `${id}_lifecycle`)
        .rule as unknown as readonly LifecycleRule[];
      const [cors] = stack.resource("aws_s3_bucket_cors_configuration", `${id}_cors`).cors_rule as readonly Block[];
      return {
        name: stack.resource("aws_s3_bucket", id).bucket,
        methods: cors?.allowed_methods,
        origins: cors?.allowed_origins,
        days: rules.flatMap(({ expiration = [] }) => expiration.map(({ days }) => days)),
      };
    });
    expect(found).toEqual([
      { name: "ddn-in-bucket", methods: ["PUT", "POST"], origins: ["*"], days: [30] },
      { name: "ddn-out-bucket", methods: ["GET"], origins: ["*"], days: [90] },
    ]);
  });

  test("names that are taken get a suffix, and origins are a setting", () => {
    expect(options.resource("aws_s3_bucket", "in-bucket").bucket).toBe("ddn-in-bucket-acme");
    expect(options.resource("aws_s3_bucket_cors_configuration", "out-bucket_cors").cors_rule).toMatchObject([
      { allowed_origins: ["https://imaging.example.com"] },
    ]);
  });

  test("deepdenoising-triton has tags that never move, and forgets untagged images after 14 days", () => {
    const repository = stack.one("aws_ecr_repository");
    expect(repository.body).toMatchObject({
      name: "deepdenoising-triton",
      image_tag_mutability: "IMMUTABLE",
      image_scanning_configuration: { scan_on_push: true },
    });
    const { rules } = JSON.parse(String(stack.resource("aws_ecr_lifecycle_policy").policy)) as { rules: Block[] };
    expect(rules).toMatchObject([
      { selection: { tagStatus: "untagged", countNumber: 14 } },
      { selection: { tagStatus: "tagged", countNumber: 10 } },
    ]);
  });

  test("the image is built from what the checkout has, under its hash, and others come after the push", () => {
    const { tag, context, dockerfile } = denoiseImage();
    const image = stack.resource("terraform_data", "image");
    expect(JSON.stringify(image.provisioner)).toMatch(
      new RegExp(`--tag ${tag} --context assets/image_context/[0-9A-F]{32}/ --dockerfile ${dockerfile}`),
    );
    expect(existsSync(join(context, dockerfile))).toBe(true);
    expect(image.triggers_replace).toEqual({ uri: `${expr("aws_ecr_repository.repository.repository_url")}:${tag}` });
    expect(stack.outputs.image_uri).toBe(expr("terraform_data.image.output.uri"));
  });

  test("with an image that was built elsewhere nothing is built", () => {
    expect(options.resources("terraform_data")).toEqual([]);
    expect(options.outputs.image_uri).toMatch(/^444455556666\.dkr\.ecr\..+\/team\/denoise@sha256:[0-9a-f]{64}$/);
  });

  test("alarms tell the topic, and the topic tells the addresses of the settings", () => {
    expect(stack.resource("aws_sns_topic").name).toBe("ddn-alarms");
    expect(stack.resources("aws_sns_topic_subscription")).toEqual([]);
    expect(options.resource("aws_sns_topic_subscription")).toMatchObject({
      protocol: "email",
      endpoint: "ops@example.com",
    });
  });
});
