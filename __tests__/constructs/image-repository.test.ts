import { EcrRepository } from "@cdktf/provider-aws/lib/ecr-repository";
import { ImageRepository } from "../../constructs/image-repository";
import { constructed } from "../support/constructed";

function repository(protect?: boolean) {
  return constructed((scope) => {
    new ImageRepository(scope, "images", {
      name: "acme/runtime",
      keep: 7,
      ...(protect === undefined ? {} : { protect }),
    });
  });
}

describe("ImageRepository", () => {
  test("has tags that never move, scans every push and encrypts", () => {
    expect(repository().text).toHaveResourceWithProperties(EcrRepository, {
      name: "acme/runtime",
      image_tag_mutability: "IMMUTABLE",
      image_scanning_configuration: { scan_on_push: true },
      encryption_configuration: [{ encryption_type: "AES256" }],
    });
  });

  test("keeps the last images, tagged or not", () => {
    const synthesis = repository();
    const { policy, repository: owner } = synthesis.resource("aws_ecr_lifecycle_policy");
    expect(owner).toBe(synthesis.reference("aws_ecr_repository", undefined, "name"));
    expect(JSON.parse(String(policy))).toEqual({
      rules: [
        {
          rulePriority: 1,
          description: "Keep the last 7 images",
          selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: 7 },
          action: { type: "expire" },
        },
      ],
    });
  });

  test("with days for untagged ones, only they go by age, and the last tagged ones stay", () => {
    const synthesis = constructed((scope) => {
      new ImageRepository(scope, "images", { name: "acme/runtime", keep: 7, untaggedDays: 14 });
    });
    const { rules } = JSON.parse(String(synthesis.resource("aws_ecr_lifecycle_policy").policy)) as {
      rules: { rulePriority: number; selection: object }[];
    };
    expect(rules.map(({ rulePriority, selection }) => [rulePriority, selection])).toEqual([
      [1, { tagStatus: "untagged", countType: "sinceImagePushed", countUnit: "days", countNumber: 14 }],
      [2, { tagStatus: "tagged", tagPatternList: ["*"], countType: "imageCountMoreThan", countNumber: 7 }],
    ]);
  });

  test.each([
    ["is not deleted with images in it unless told otherwise", undefined, false],
    ["is deleted with its images when told so", false, true],
  ])("%s", (_, protect, forced) => {
    const { force_delete, lifecycle } = repository(protect).resource("aws_ecr_repository");
    expect([force_delete, lifecycle]).toEqual([forced, { prevent_destroy: !forced }]);
  });
});
