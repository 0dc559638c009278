/** The ML function: its image and repository, the Lambda function with its URL, and the role of those who call it. */
import { TerraformOutput } from "cdktf";
import type { Construct } from "constructs";
import { ContainerImage } from "../../constructs/container-image";
import { exception } from "../../constructs/exception";
import { callThroughUrl, ImageFunction } from "../../constructs/image-function";
import { ImageRepository } from "../../constructs/image-repository";
import { Role } from "../../constructs/role";
import { mlXgboostImage } from "../../lambdas/ml-xgboost/image";
import { mlXgboostStatements } from "../../lambdas/ml-xgboost/permissions";
import { alarmTopic } from "../platform/alarm-topic";
import { contract } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { functionAlarms } from "./alarms";
import { ALARM_TOPIC, CALLER_ROLE, FUNCTION, FUNCTION_ROLE, OUTPUTS, REPOSITORY } from "./names";

export const mlFunction = contract("ml-function", {
  functionName: "The Lambda function",
  logGroup: "Log group of the function",
  repositoryName: "Repository of the function's image",
  imageUri: "Image that the function runs, by its digest",
  alarmTopicArn: "SNS topic that every alarm notifies",
});

const DESCRIPTION = "lambda function url for ML";
const TIMEOUT_SECONDS = 30;

export class MlFunction extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, mlFunction.stack, settings);
    const { memoryMib, reservedConcurrency, maxRows, callerAccounts, logRetentionDays } = settings.mlFunction;
    const topicArn = this.createAlarmTopic();
    const repository = this.createRepository();
    const imageUri = settings.mlFunction.image.uri ?? this.buildImage(repository);
    const fn = new ImageFunction(this, "function", {
      name: FUNCTION,
      description: DESCRIPTION,
      roleName: FUNCTION_ROLE,
      imageUri,
      environment: { ML_MAX_ROWS: String(maxRows) },
      statements: mlXgboostStatements(),
      memoryMib,
      timeoutSeconds: TIMEOUT_SECONDS,
      reservedConcurrency,
      logRetentionDays,
      dependsOn: repository.access,
    });
    const url = fn.createUrl();
    for (const account of callerAccounts) {
      fn.allowUrlCalls(`from-${account}`, account);
    }
    const caller = new Role(this, "caller", {
      name: CALLER_ROLE,
      description: "Role for lambda function url",
      service: settings.accountId,
      statements: callThroughUrl(fn.arn),
    });
    exception(
      caller,
      "CKV_AWS_61",
      "Its specification lets the account's identities assume it, each by a policy of its own; it may call this one function and nothing else.",
    );
    functionAlarms(this, settings, { topicArn, functionName: fn.name, timeoutSeconds: TIMEOUT_SECONDS });
    this.publish(mlFunction, {
      functionName: fn.name,
      logGroup: fn.logGroupName,
      repositoryName: repository.name,
      imageUri,
      alarmTopicArn: topicArn,
    });
    this.output(OUTPUTS.callerRoleArn, caller.arn, "The arn of the function url role");
    this.output(OUTPUTS.url, url, "The endpoint of Lambda Function URL");
  }

  private createAlarmTopic(): string {
    return alarmTopic(this, ALARM_TOPIC, this.settings.mlFunction.alarms.emails).arn;
  }

  private createRepository(): ImageRepository {
    const { region, accountId, protectData, mlFunction: own } = this.settings;
    return new ImageRepository(this, "repository", {
      name: REPOSITORY,
      keep: own.image.kept,
      protect: protectData,
      functionArn: `arn:aws:lambda:${region}:${accountId}:function:${FUNCTION}`,
    });
  }

  private buildImage(repository: ImageRepository): string {
    const image = new ContainerImage(this, "image", {
      ...mlXgboostImage(),
      repository: REPOSITORY,
      repositoryUrl: repository.url,
      environment: this.settings.environment,
      platform: "linux/arm64",
    });
    return image.uriByDigest();
  }

  /** An output whose name is its specification's, not made from a field of a contract. */
  private output(name: string, value: string, description: string): void {
    new TerraformOutput(this, `output-${name}`, { value, description }).overrideLogicalId(name);
  }
}
