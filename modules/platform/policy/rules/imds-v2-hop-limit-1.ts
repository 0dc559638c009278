/** Instance metadata that no container and no forged request reaches. */
import { blocks } from "../json";
import type { Rule } from "../rule";

export const imdsV2HopLimit1: Rule = {
  id: "imds-v2-hop-limit-1",
  title: "Instances answer metadata requests of version 2 only, from themselves only.",
  reason:
    "With version 1, or one more hop, a function in a container or a forged request takes the instance's credentials.",
  remedy: 'Use constructs/instance-template.ts, or set http_tokens = "required" and http_put_response_hop_limit = 1.',
  types: ["aws_instance", "aws_launch_template", "aws_launch_configuration"],
  check: ({ body }) => {
    const [options] = blocks(body.metadata_options);
    if (options?.http_endpoint === "disabled") {
      return undefined;
    }
    if (options?.http_tokens !== "required") {
      return `http_tokens is ${options?.http_tokens ?? "not set"}, so that version 1 answers`;
    }
    const hops = options.http_put_response_hop_limit;
    return Number(hops) === 1 ? undefined : `http_put_response_hop_limit is ${hops ?? "not set"}`;
  },
};
