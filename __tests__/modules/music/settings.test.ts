/** What settings of the Music pipeline are refused, and what the person who wrote them reads. */
import { parseSettings } from "../../../modules/platform/settings";

function parse(music: object) {
  return parseSettings({ dev: { accountId: "000000000000", owner: "platform", music } }, "dev").music;
}

describe("settings.music", () => {
  test("are off by default, with the values of the specification", () => {
    expect(parse({})).toMatchObject({
      enabled: false,
      cluster: { publicCidrs: [] },
      nodes: {
        system: { instanceType: "t3.large", min: 2, desired: 2 },
        gpuSmall: { instanceType: "g4dn.xlarge", min: 0, desired: 0 },
        gpuLarge: { instanceType: "g6e.2xlarge", min: 0, desired: 0 },
      },
    });
  });

  test.each<[string, object, RegExp]>([
    [
      "a GPU whose memory the second stage's model does not fit",
      { nodes: { gpuLarge: { instanceType: "g4dn.xlarge" } } },
      /settings\.music\.nodes\.gpuLarge\.instanceType: g4dn\.xlarge has 16 GiB of GPU memory, and the model takes 30\. Choose one of g6e\.xlarge, g6e\.2xlarge, g6e\.4xlarge/,
    ],
    [
      "an API that is open to the world",
      { cluster: { publicCidrs: ["0.0.0.0/0"] } },
      /settings\.music\.cluster\.publicCidrs\S*: a range narrower than the whole internet/,
    ],
    [
      "both private subnets in one zone",
      { network: { subnets: { private2: { zone: "a" } } } },
      /settings\.music\.network\.subnets\.private2\.zone: is the zone of private1 too, and EKS wants two/,
    ],
    [
      "a subnet outside of the VPC",
      { network: { subnets: { private1: { cidr: "10.99.0.0/18" } } } },
      /settings\.music\.network\.subnets\.private1\.cidr: 10\.99\.0\.0\/18 is outside of the VPC's 10\.40\.0\.0\/16/,
    ],
    [
      "a database without room for its own files",
      { platform: { pipelineDatabaseGib: 1 } },
      /settings\.music\.platform\.pipelineDatabaseGib: .*5/,
    ],
    [
      "a group whose most is below its fewest",
      { nodes: { gpuSmall: { min: 3, desired: 3 } } },
      /settings\.music\.nodes\.gpuSmall\.max: 2 is below min \(3\)/,
    ],
  ])("refuse %s", (_, music, message) => {
    expect(() => parse(music)).toThrow(message);
  });
});
