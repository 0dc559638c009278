/** A repository of container images that are pulled by digest. */
import { EcrLifecyclePolicy } from "@cdktf/provider-aws/lib/ecr-lifecycle-policy";
import { EcrRepository } from "@cdktf/provider-aws/lib/ecr-repository";
import { EcrRepositoryPolicy } from "@cdktf/provider-aws/lib/ecr-repository-policy";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { exception } from "./exception";
import { policyDocument } from "./role";

export interface ImageRepositoryProps {
  /** Physical name. */
  readonly name: string;
  /** How many images are kept: the ones pushed last. */
  readonly keep: number;
  /** Days after which an image without a tag is deleted; then `keep` is of tagged ones. @default - it counts as any other */
  readonly untaggedDays?: number;
  /** Protects the repository from destruction; otherwise Terraform deletes it with its images. @default true */
  readonly protect?: boolean;
  /** ARN of a Lambda function that is made from an image of it: Lambda itself pulls that. @default - none */
  readonly functionArn?: string;
}

/** Tags that never move, a scan at every push, encryption at rest, and nothing older than the last few images. */
export class ImageRepository extends Construct {
  /** ARN of the repository. */
  readonly arn: string;
  /** Name of the repository. */
  readonly name: string;
  /** Where images are pushed to and pulled from: registry and name. */
  readonly url: string;
  /** What lets Lambda pull: the function depends on it. */
  readonly access: readonly ITerraformDependable[];

  constructor(scope: Construct, id: string, props: ImageRepositoryProps) {
    super(scope, id);
    const protect = props.protect ?? true;
    const repository = new EcrRepository(this, "Resource", {
      name: props.name,
      // A tag is the hash of what the image is built from.
      imageTagMutability: "IMMUTABLE",
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: [{ encryptionType: "AES256" }],
      forceDelete: !protect,
      lifecycle: { preventDestroy: protect },
    });
    exception(
      repository,
      "CKV_AWS_136",
      "ECR encrypts every image, and these are built from sources that this repository has.",
    );
    new EcrLifecyclePolicy(this, "lifecycle", {
      repository: repository.name,
      policy: JSON.stringify({ rules: rulesOf(props) }),
    });
    this.access = props.functionArn === undefined ? [] : [this.letLambdaPull(repository.name, props.functionArn)];
    this.arn = repository.arn;
    this.name = repository.name;
    this.url = repository.repositoryUrl;
  }

  private letLambdaPull(repository: string, functionArn: string): EcrRepositoryPolicy {
    return new EcrRepositoryPolicy(this, "access", {
      repository,
      policy: policyDocument([
        {
          Sid: "LambdaPulls",
          Effect: "Allow",
          Principal: { Service: "lambda.amazonaws.com" },
          Action: ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
          Condition: { ArnLike: { "aws:SourceArn": functionArn } },
        },
      ]),
    });
  }
}

function rulesOf({ keep, untaggedDays }: ImageRepositoryProps): readonly object[] {
  const count = { countType: "imageCountMoreThan", countNumber: keep };
  if (untaggedDays === undefined) {
    return [
      {
        rulePriority: 1,
        description: `Keep the last ${keep} images`,
        selection: { tagStatus: "any", ...count },
        action: { type: "expire" },
      },
    ];
  }
  return [
    {
      rulePriority: 1,
      description: `Delete images without a tag after ${untaggedDays} days`,
      selection: {
        tagStatus: "untagged",
        countType: "sinceImagePushed",
        countUnit: "days",
        countNumber: untaggedDays,
      },
      action: { type: "expire" },
    },
    {
      rulePriority: 2,
      description: `Keep the last ${keep} images with a tag`,
      selection: { tagStatus: "tagged", tagPatternList: ["*"], ...count },
      action: { type: "expire" },
    },
  ];
}
