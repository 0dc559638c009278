/** Container images whose tag means the same tomorrow. */
import { blocks, isTrue } from "../json";
import type { Rule } from "../rule";

export const imagesNeverChange: Rule = {
  id: "images-never-change",
  title: "Repositories of images have tags that never move, and scan what is pushed.",
  reason: "A tag that is pushed again changes what runs without any plan showing it.",
  remedy: 'Use constructs/image-repository.ts, or set image_tag_mutability = "IMMUTABLE" and scan_on_push.',
  types: ["aws_ecr_repository"],
  check: ({ body }) => {
    const movable = body.image_tag_mutability !== "IMMUTABLE";
    const unseen = !blocks(body.image_scanning_configuration).some(({ scan_on_push }) => isTrue(scan_on_push));
    const found = [...(movable ? ["tags may move"] : []), ...(unseen ? ["pushed images are not scanned"] : [])];
    return found.length === 0 ? undefined : found.join(", ");
  },
};
