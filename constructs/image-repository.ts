/** A repository of container images that are pulled by digest. */
import { EcrLifecyclePolicy } from "@cdktf/provider-aws/lib/ecr-lifecycle-policy";
import { EcrRepository } from "@cdktf/provider-aws/lib/ecr-repository";
import { Construct } from "constructs";

export interface ImageRepositoryProps {
  /** Physical name. */
  readonly name: string;
  /** How many images are kept: the ones pushed last. */
  readonly keep: number;
  /** Keeps Terraform from deleting the repository while it holds images. @default true */
  readonly protect?: boolean;
}

/** Tags that never move, a scan at every push, encryption at rest, and nothing older than the last few images. */
export class ImageRepository extends Construct {
  /** ARN of the repository. */
  readonly arn: string;

  constructor(scope: Construct, id: string, props: ImageRepositoryProps) {
    super(scope, id);
    const repository = new EcrRepository(this, "Resource", {
      name: props.name,
      // A tag is the hash of what the image is built from.
      imageTagMutability: "IMMUTABLE",
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: [{ encryptionType: "AES256" }],
      forceDelete: !(props.protect ?? true),
    });
    new EcrLifecyclePolicy(this, "lifecycle", {
      repository: repository.name,
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: `Keep the last ${props.keep} images`,
            selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: props.keep },
            action: { type: "expire" },
          },
        ],
      }),
    });
    this.arn = repository.arn;
  }
}
