/** Gives instances and volumes the tags that the provider's default tags never reach. */
import { AutoscalingGroup } from "@cdktf/provider-aws/lib/autoscaling-group";
import { LaunchTemplate } from "@cdktf/provider-aws/lib/launch-template";
import type { IAspect } from "cdktf";
import type { IConstruct } from "constructs";

/** What a launch template can tag at launch. */
const TAGGED_AT_LAUNCH = ["instance", "volume", "network-interface"];

/**
 * Default tags end at the auto-scaling group and the launch template: what they launch gets only the tags that these name. Belongs on a
 * stack: an aspect on the App is never run by CDKTF 0.21.
 */
export class InstanceTags implements IAspect {
  /** @param tags what every instance, volume and network interface carries */
  constructor(private readonly tags: Record<string, string>) {}

  visit(node: IConstruct): void {
    if (node instanceof AutoscalingGroup) {
      const own = Array.isArray(node.tagInput) ? node.tagInput : [];
      const named = new Set(own.map((tag) => tag.key));
      const missing = Object.entries(this.tags).filter(([key]) => !named.has(key));
      node.putTag([...own, ...missing.map(([key, value]) => ({ key, value, propagateAtLaunch: true }))]);
    }
    if (node instanceof LaunchTemplate) {
      const name = node.tagsInput?.Name;
      const tags = { ...this.tags, ...(name === undefined ? {} : { Name: name }) };
      node.putTagSpecifications(TAGGED_AT_LAUNCH.map((resourceType) => ({ resourceType, tags })));
    }
  }
}
