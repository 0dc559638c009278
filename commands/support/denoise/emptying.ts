/** Emptying what keeps the storage from being destroyed: both buckets with every version, and the repository's images. */
import {
  BatchDeleteImageCommand,
  type ECRClient,
  type ImageIdentifier,
  ListImagesCommand,
  RepositoryNotFoundException,
} from "@aws-sdk/client-ecr";
import { NoSuchBucket, type S3Client } from "@aws-sdk/client-s3";
import { bucketName, IN_BUCKET, OUT_BUCKET, REPOSITORY } from "../../../modules/denoise/names";
import type { Settings } from "../../../modules/platform/settings";
import { type Holding, ObjectVersions } from "../holdings";
import { Problem } from "../problem";

/** Images that one call of BatchDeleteImage takes. */
const IMAGE_BATCH = 100;

/** Something that can be emptied, by its physical name. */
export interface Emptied {
  readonly name: string;
  readonly holding: Holding;
}

/** Both buckets and the repository. */
export function emptiedOf({ denoise }: Settings, s3: S3Client, ecr: ECRClient): Emptied[] {
  const buckets = ([IN_BUCKET, OUT_BUCKET] as const).map((name) => bucketName(name, denoise.storage.bucketSuffix));
  return [
    ...buckets.map((name) => ({ name, holding: orNothing(new ObjectVersions(s3, name, [""])) })),
    { name: REPOSITORY, holding: orNothing(new Images(ecr, REPOSITORY)) },
  ];
}

/**
 * What of it is meant.
 *
 * @param named physical names from the command line; none means all, unless data is protected
 * @throws Problem when a name is not one of them, or data is protected and nothing is named
 */
export function chosenOf(all: readonly Emptied[], named: readonly string[], protectData: boolean): Emptied[] {
  const names = all.map(({ name }) => name).join(" ");
  const unknown = named.filter((name) => all.every((one) => one.name !== name));
  if (unknown.length > 0) {
    throw new Problem(`${unknown.join(", ")}: not something that can be emptied here.`, `There are: ${names}`);
  }
  if (named.length === 0 && protectData) {
    throw new Problem(
      "This environment protects its data (settings.protectData), and nothing was named.",
      `Name what may be lost for good: npm run denoise -- empty ${names}`,
    );
  }
  return named.length === 0 ? [...all] : all.filter(({ name }) => named.includes(name));
}

/** What is not deployed is empty. */
function orNothing(holding: Holding): Holding {
  const unlessGone = async (look: () => Promise<number>) => {
    try {
      return await look();
    } catch (error) {
      if (error instanceof NoSuchBucket || error instanceof RepositoryNotFoundException) {
        return 0;
      }
      throw error;
    }
  };
  return {
    name: holding.name,
    count: () => unlessGone(() => holding.count()),
    erase: (progress) => unlessGone(() => holding.erase(progress)),
  };
}

/** Every image of a repository, tagged or not. */
class Images implements Holding {
  readonly name: string;

  constructor(
    private readonly ecr: ECRClient,
    private readonly repositoryName: string,
  ) {
    this.name = `images in ${repositoryName}`;
  }

  async count(): Promise<number> {
    return (await this.digests()).length;
  }

  async erase(progress: (done: number) => void): Promise<number> {
    const digests = await this.digests();
    for (let from = 0; from < digests.length; from += IMAGE_BATCH) {
      const batch = digests.slice(from, from + IMAGE_BATCH);
      const { failures = [] } = await this.ecr.send(
        new BatchDeleteImageCommand({
          repositoryName: this.repositoryName,
          imageIds: batch.map((imageDigest) => ({ imageDigest })),
        }),
      );
      if (failures[0]) {
        throw new Problem(
          `${this.repositoryName}: ${failures.length} images could not be deleted, ${failures[0].imageId?.imageDigest}: ${failures[0].failureReason}.`,
          "The identity needs ecr:BatchDeleteImage on the repository. Then run it again.",
        );
      }
      progress(from + batch.length);
    }
    return digests.length;
  }

  /** One image may have several tags, and is listed once for each. */
  private async digests(): Promise<string[]> {
    const found: ImageIdentifier[] = [];
    let nextToken: string | undefined;
    do {
      const page = await this.ecr.send(new ListImagesCommand({ repositoryName: this.repositoryName, nextToken }));
      found.push(...(page.imageIds ?? []));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    return [...new Set(found.map(({ imageDigest = "" }) => imageDigest))];
  }
}
