import { AutoscalingGroup } from "@cdktf/provider-aws/lib/autoscaling-group";
import { LaunchTemplate } from "@cdktf/provider-aws/lib/launch-template";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { Aspects } from "cdktf";
import { InstanceTags } from "../../../modules/platform/instance-tags";
import { constructed } from "../../support/constructed";

const TAGS = { project: "shop", stack: "workers" };

const synthesis = constructed((scope) => {
  Aspects.of(scope).add(new InstanceTags(TAGS));
  new LaunchTemplate(scope, "named", { tags: { Name: "worker" } });
  new LaunchTemplate(scope, "nameless", {});
  new AutoscalingGroup(scope, "plain", { minSize: 0, maxSize: 1 });
  new AutoscalingGroup(scope, "own", {
    minSize: 0,
    maxSize: 1,
    tag: [{ key: "stack", value: "mine", propagateAtLaunch: false }],
  });
  new SqsQueue(scope, "queue", {});
});

describe("InstanceTags", () => {
  test("a group hands every tag to what it launches", () => {
    expect(synthesis.resource("aws_autoscaling_group", "plain").tag).toEqual([
      { key: "project", value: "shop", propagate_at_launch: true },
      { key: "stack", value: "workers", propagate_at_launch: true },
    ]);
  });

  test("a group's own tag wins", () => {
    expect(synthesis.resource("aws_autoscaling_group", "own").tag).toEqual([
      { key: "stack", value: "mine", propagate_at_launch: false },
      { key: "project", value: "shop", propagate_at_launch: true },
    ]);
  });

  test("a template tags instances, volumes and network interfaces, with its own name where it has one", () => {
    const kinds = ["instance", "volume", "network-interface"];
    expect(synthesis.resource("aws_launch_template", "named").tag_specifications).toEqual(
      kinds.map((resource_type) => ({ resource_type, tags: { ...TAGS, Name: "worker" } })),
    );
    expect(synthesis.resource("aws_launch_template", "nameless").tag_specifications).toEqual(
      kinds.map((resource_type) => ({ resource_type, tags: TAGS })),
    );
  });

  test("everything else is left to the provider's default tags", () => {
    expect(synthesis.resource("aws_sqs_queue")).not.toHaveProperty("tags");
  });
});
