/** Constructs that others are tested with. */
import type { Construct } from "constructs";
import { IMAGES, InstanceTemplate, type InstanceTemplateProps } from "../../constructs/instance-template";

/** A launch template with values that differ from every default. */
export function instanceTemplate(scope: Construct, props: Partial<InstanceTemplateProps> = {}): InstanceTemplate {
  return new InstanceTemplate(scope, "template", {
    name: "box",
    image: IMAGES.amazonLinux2023,
    instanceType: "t3.small",
    zones: ["ap-northeast-2c", "ap-northeast-2a", "ap-northeast-2c"],
    instanceProfile: "profile",
    securityGroupIds: ["sg-1"],
    userData: "IyEvYmluL3No",
    rootVolumeGib: 21,
    ...props,
  });
}
