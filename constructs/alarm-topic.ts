/** The SNS topic that CloudWatch alarms notify, encrypted with a key that CloudWatch may use. */
import { KmsAlias } from "@cdktf/provider-aws/lib/kms-alias";
import { KmsKey } from "@cdktf/provider-aws/lib/kms-key";
import { SnsTopic } from "@cdktf/provider-aws/lib/sns-topic";
import { Construct } from "constructs";
import { policyDocument } from "./role";

export interface AlarmTopicProps {
  /** Physical name of the topic, and of its key's alias. */
  readonly name: string;
  /** AWS account, whose administrators keep control of the key. */
  readonly accountId: string;
}

/** A topic with a key of its own: alarms cannot publish to one that is encrypted with AWS's managed key for SNS. */
export class AlarmTopic extends Construct {
  /** ARN of the topic. */
  readonly arn: string;

  constructor(scope: Construct, id: string, props: AlarmTopicProps) {
    super(scope, id);
    const key = new KmsKey(this, "key", {
      description: `Encrypts messages of the topic ${props.name}`,
      enableKeyRotation: true,
      deletionWindowInDays: 7,
      policy: policyDocument([
        {
          // The statement that every key has: without it, nobody could ever change the key or its policy again.
          Sid: "AccountAdministersTheKey",
          Effect: "Allow",
          Principal: { AWS: `arn:aws:iam::${props.accountId}:root` },
          Action: "kms:*",
          Resource: "*",
        },
        {
          Sid: "AlarmsPublish",
          Effect: "Allow",
          Principal: { Service: "cloudwatch.amazonaws.com" },
          Action: ["kms:Decrypt", "kms:GenerateDataKey"],
          Resource: "*",
          Condition: { StringEquals: { "aws:SourceAccount": props.accountId } },
        },
      ]),
    });
    new KmsAlias(this, "key-alias", { name: `alias/${props.name}`, targetKeyId: key.keyId });
    this.arn = new SnsTopic(this, "Resource", { name: props.name, kmsMasterKeyId: key.arn }).arn;
  }
}
