/** The network of a system of its own: a public and a private subnet in each of two zones. */
import type { Construct } from "constructs";
import { Vpc } from "../../constructs/vpc";

/** A subnet, as settings describe it. */
interface SubnetSettings {
  readonly cidr: string;
  /** Letter of the zone within the region. */
  readonly zone: string;
}

/** A network, as settings describe it. */
export interface TwoZoneSettings {
  readonly cidr: string;
  readonly subnets: Readonly<Record<"public1" | "public2" | "private1" | "private2", SubnetSettings>>;
  /** Whether the private subnets have a way out. @default true */
  readonly nat?: boolean;
  readonly natPerZone: boolean;
  readonly flowLogsRetentionDays: number;
}

/** A network that is there. */
export interface TwoZoneNetwork {
  readonly vpc: Vpc;
  readonly vpcId: string;
  /** The private subnets, one a zone. */
  readonly subnetIds: string[];
  /** Zones of those subnets, such as `ap-northeast-2a`, in the same order. */
  readonly zones: string[];
}

/**
 * The VPC `<prefix>-vpc`, with the id "vpc": a way out through NAT, and a gateway endpoint for S3, which carries the layers of images for
 * nothing.
 */
export function twoZoneVpc(
  scope: Construct,
  prefix: string,
  region: string,
  settings: TwoZoneSettings,
): TwoZoneNetwork {
  const { subnets, ...network } = settings;
  const zoneName = (letter: string) => `${region}${letter}`;
  const subnet = (name: string, { cidr, zone }: SubnetSettings) => ({
    name,
    cidr,
    zone: zoneName(zone),
    public: name.startsWith("Public"),
  });
  const vpc = new Vpc(scope, "vpc", {
    prefix,
    region,
    cidr: network.cidr,
    nat: network.nat,
    natPerZone: network.natPerZone,
    flowLogsRetentionDays: network.flowLogsRetentionDays,
    gatewayEndpoints: ["s3"],
    subnets: [
      subnet("Public 1", subnets.public1),
      subnet("Public 2", subnets.public2),
      subnet("Private 1", subnets.private1),
      subnet("Private 2", subnets.private2),
    ],
  });
  return {
    vpc,
    vpcId: vpc.id,
    subnetIds: [vpc.subnetId("Private 1"), vpc.subnetId("Private 2")],
    zones: [subnets.private1, subnets.private2].map(({ zone }) => zoneName(zone)),
  };
}
