/** The SNS topic that a system's alarms notify, and who is written to. */
import { SnsTopic } from "@cdktf/provider-aws/lib/sns-topic";
import { SnsTopicSubscription } from "@cdktf/provider-aws/lib/sns-topic-subscription";
import type { Construct } from "constructs";
import { exception } from "../../constructs/exception";

/**
 * Makes the topic, with the id "alarms", and a subscription for each address.
 *
 * @param scope the stack
 * @param name physical name
 * @param emails addresses that it writes to, once each has confirmed; default: none
 */
export function alarmTopic(scope: Construct, name: string, emails: readonly string[] = []): SnsTopic {
  const topic = new SnsTopic(scope, "alarms", { name });
  exception(
    topic,
    "CKV_AWS_26",
    "Alarms cannot publish under AWS's own key for SNS, and names of metrics are worth no key of ours.",
  );
  emails.forEach((endpoint, index) => {
    new SnsTopicSubscription(scope, `email-${index + 1}`, { topicArn: topic.arn, protocol: "email", endpoint });
  });
  return topic;
}
