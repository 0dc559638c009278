/** What settings of Denoise are refused, and what the person who wrote them reads. */
import { parseSettings } from "../../../modules/platform/settings";

const REQUIRED = { accountId: "000000000000", owner: "platform" };

function parse(denoise: object, more: object = {}) {
  return parseSettings({ dev: { ...REQUIRED, ...more, denoise } }, "dev").denoise;
}

describe("settings.denoise", () => {
  test("are off by default, with the values of the specification", () => {
    expect(parse({})).toMatchObject({
      enabled: false,
      gpu: { instanceType: "g4dn.xlarge", min: 1 },
      service: { maxPixels: 500_000_000, rollout: "spare" },
      api: { urlSeconds: 300, authorizer: "iam" },
      storage: { untaggedDays: 14 },
    });
  });

  test.each<[string, object, string]>([
    [
      "a rollout without a spare instance",
      { gpu: { max: 2 }, service: { max: 2 } },
      "settings.denoise.gpu.max: 2 instances are too few for service.max (2) and the spare one of a rollout: each runs one task. " +
        "Raise gpu.max to 3, lower service.max, or set service.rollout to stop-first.",
    ],
    [
      "more tasks than instances",
      { gpu: { max: 1 }, service: { max: 2, rollout: "stop-first" } },
      "settings.denoise.gpu.max: 1 instances are too few for service.max (2): each runs one task. Raise gpu.max to 2, lower service.max.",
    ],
    [
      "a task that is larger than its instance",
      { service: { tritonMemoryMib: 12_000 } },
      "settings.denoise.service.tritonMemoryMib: a task of 16864 MiB, with apiMemoryMib and 256 of the sidecar, does not fit g4dn.xlarge, " +
        "which leaves 15052 MiB for tasks. Lower one of them, or choose a larger instance type.",
    ],
    [
      "a group whose most is below its fewest",
      { gpu: { min: 5 } },
      "settings.denoise.gpu.max: 3 is below min (5). Raise max or lower min in cdktf.json.",
    ],
    [
      "spot instances whose most is below their fewest",
      { gpu: { spot: { min: 3 } } },
      "settings.denoise.gpu.spot.max: 2 is below min (3). Raise max or lower min in cdktf.json.",
    ],
    [
      "no share of tasks for the only group",
      { gpu: { weight: 0 } },
      "settings.denoise.gpu.weight: is 0, and there are no spot instances: no task could be placed. Set weight to 1, or enable spot.",
    ],
    [
      "tasks whose most is below their fewest",
      { service: { min: 3 } },
      "settings.denoise.service.max: 2 is below min (3). Raise max or lower min in cdktf.json.",
    ],
    [
      "a number of tasks at creation that scaling would not allow",
      { service: { desired: 3 } },
      "settings.denoise.service.desired: 3 is outside of min (1) to max (2). Choose a number between them.",
    ],
    [
      "an instance type with more or fewer GPUs than one",
      { gpu: { instanceType: "g4dn.12xlarge" } },
      'settings.denoise.gpu.instanceType: "g4dn.12xlarge" is wrong: expected one of "g4dn.xlarge"',
    ],
    [
      "a grace in which no task could start",
      { service: { graceSeconds: 299 } },
      "settings.denoise.service.graceSeconds: 299 is wrong: expected at least 300. Correct it in cdktf.json.",
    ],
    [
      "an inline answer that comes after the HTTP API has given up",
      { service: { inlineSeconds: 29 } },
      "settings.denoise.service.inlineSeconds: 29 is wrong: expected at most 25. Correct it in cdktf.json.",
    ],
    [
      "a presigned URL that lives for more than five minutes",
      { api: { urlSeconds: 301 } },
      "settings.denoise.api.urlSeconds: 301 is wrong: expected at most 300. Correct it in cdktf.json.",
    ],
    [
      "tokens without an issuer",
      { api: { authorizer: "jwt" } },
      "settings.denoise.api.jwt: is missing, and authorizer is jwt. Set issuer and audience, or choose iam.",
    ],
    [
      "an API that is open to anyone",
      { api: { authorizer: "none" } },
      "settings.denoise.api.authorizer: none lets anyone use the GPUs, and is for stand-ins only. Choose iam or jwt.",
    ],
    [
      "subnets without their zones",
      {
        network: {
          existing: {
            vpcId: "vpc-0123456789abcdef0",
            subnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            zones: ["a", "b", "c"],
          },
        },
      },
      "settings.denoise.network.existing.zones: 3 zones for 2 subnets. Name the zone of each subnet.",
    ],
    [
      "a subnet outside of the VPC",
      { network: { subnets: { private1: { cidr: "10.21.0.0/24" } } } },
      "settings.denoise.network.subnets.private1.cidr: 10.21.0.0/24 is outside of the VPC's 10.20.0.0/16. Choose a range inside it.",
    ],
    [
      "an image without a tag or digest",
      { image: { uri: "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/denoise" } },
      "settings.denoise.image.uri: ",
    ],
    [
      "an origin with a path",
      { corsOrigins: ["https://acme.example/page"] },
      "expected an origin such as https://imaging.example.com, or *",
    ],
  ])("refuse %s", (_, denoise, message) => {
    expect(() => parse(denoise)).toThrow(message);
  });

  test("stand-ins may have an API that is open to anyone", () => {
    expect(parse({ api: { authorizer: "none" } }, { standIns: true }).api.authorizer).toBe("none");
  });
});
