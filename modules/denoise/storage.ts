/** What Denoise keeps: the images before and after, and the container image that the deployment builds. */
import type { Construct } from "constructs";
import { ContainerImage } from "../../constructs/container-image";
import { ImageRepository } from "../../constructs/image-repository";
import { PrivateBucket, type PrivateBucketProps } from "../../constructs/private-bucket";
import { denoiseImage } from "../../containers/denoise/image";
import { alarmTopic } from "../platform/alarm-topic";
import { contract } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { ALARM_TOPIC, bucketName, IN_BUCKET, OUT_BUCKET, REPOSITORY } from "./names";

export const storage = contract("denoise-storage", {
  inBucket: "Bucket of noisy images: DDN_IN_BUCKET",
  inBucketArn: "ARN of the bucket of noisy images",
  outBucket: "Bucket of clean images and of the records of requests: DDN_OUT_BUCKET",
  outBucketArn: "ARN of the bucket of clean images",
  repositoryName: "Repository of the container image: DDN_ECR_REPO",
  repositoryUrl: "Registry and name of that repository",
  repositoryArn: "ARN of that repository",
  imageUri: "Container image that the tasks run, by tag or digest",
  alarmTopicArn: "SNS topic that every alarm notifies",
});

/** An image that was replaced or deleted can be had back for a week; a record changes every few seconds. */
const OLD_VERSIONS_DAYS = 7;

export class DenoiseStorage extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, storage.stack, settings);
    const { storage: own, alarms } = settings.denoise;
    const topic = alarmTopic(this, ALARM_TOPIC, alarms.emails);
    const incoming = this.createBucket("in-bucket", IN_BUCKET, own.inExpireDays, ["PUT", "POST"]);
    const outgoing = this.createBucket("out-bucket", OUT_BUCKET, own.outExpireDays, ["GET"]);
    const repository = new ImageRepository(this, "repository", {
      name: REPOSITORY,
      keep: own.keptImages,
      untaggedDays: own.untaggedDays,
      protect: settings.protectData,
    });
    this.publish(storage, {
      inBucket: incoming.name,
      inBucketArn: incoming.arn,
      outBucket: outgoing.name,
      outBucketArn: outgoing.arn,
      repositoryName: repository.name,
      repositoryUrl: repository.url,
      repositoryArn: repository.arn,
      imageUri: settings.denoise.image.uri ?? this.buildImage(repository),
      alarmTopicArn: topic.arn,
    });
  }

  private createBucket(
    id: string,
    name: typeof IN_BUCKET | typeof OUT_BUCKET,
    expireAfterDays: number,
    methods: NonNullable<PrivateBucketProps["browsers"]>["methods"],
  ): PrivateBucket {
    const { storage: own, corsOrigins } = this.settings.denoise;
    return new PrivateBucket(this, id, {
      name: bucketName(name, own.bucketSuffix),
      versioned: true,
      noncurrentVersionDays: OLD_VERSIONS_DAYS,
      expireAfterDays,
      browsers: { origins: corsOrigins, methods },
      protect: this.settings.protectData,
    });
  }

  private buildImage(repository: ImageRepository): string {
    const image = new ContainerImage(this, "image", {
      ...denoiseImage(),
      repository: REPOSITORY,
      repositoryUrl: repository.url,
      environment: this.settings.environment,
    });
    return image.uri;
  }
}
