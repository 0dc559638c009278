/** Names of regions, which AWS and MongoDB Atlas spell differently. */

/** The regions where Atlas has dedicated clusters on AWS: AWS's name to Atlas's. */
const ATLAS_REGIONS = {
  "af-south-1": "AF_SOUTH_1",
  "ap-east-1": "AP_EAST_1",
  "ap-northeast-1": "AP_NORTHEAST_1",
  "ap-northeast-2": "AP_NORTHEAST_2",
  "ap-northeast-3": "AP_NORTHEAST_3",
  "ap-south-1": "AP_SOUTH_1",
  "ap-south-2": "AP_SOUTH_2",
  "ap-southeast-1": "AP_SOUTHEAST_1",
  "ap-southeast-2": "AP_SOUTHEAST_2",
  "ap-southeast-3": "AP_SOUTHEAST_3",
  "ap-southeast-4": "AP_SOUTHEAST_4",
  "ca-central-1": "CA_CENTRAL_1",
  "ca-west-1": "CA_WEST_1",
  "eu-central-1": "EU_CENTRAL_1",
  "eu-central-2": "EU_CENTRAL_2",
  "eu-north-1": "EU_NORTH_1",
  "eu-south-1": "EU_SOUTH_1",
  "eu-south-2": "EU_SOUTH_2",
  "eu-west-1": "EU_WEST_1",
  "eu-west-2": "EU_WEST_2",
  "eu-west-3": "EU_WEST_3",
  "il-central-1": "IL_CENTRAL_1",
  "me-central-1": "ME_CENTRAL_1",
  "me-south-1": "ME_SOUTH_1",
  "sa-east-1": "SA_EAST_1",
  "us-east-1": "US_EAST_1",
  "us-east-2": "US_EAST_2",
  "us-west-1": "US_WEST_1",
  "us-west-2": "US_WEST_2",
} as const;

/** A region of AWS that Atlas is in. */
export type AtlasAwsRegion = keyof typeof ATLAS_REGIONS;
/** A region as Atlas spells it. */
export type AtlasRegion = (typeof ATLAS_REGIONS)[AtlasAwsRegion];

/** Whether Atlas has clusters in that region of AWS, such as `ap-northeast-2`. */
export function isAtlasRegion(region: string): region is AtlasAwsRegion {
  return Object.hasOwn(ATLAS_REGIONS, region);
}

/**
 * Atlas's name of a region of AWS: `AP_NORTHEAST_2` for `ap-northeast-2`.
 *
 * @throws Error when Atlas is not there; the settings refuse such a region first
 */
export function atlasRegionOf(region: string): AtlasRegion {
  if (!isAtlasRegion(region)) {
    throw new Error(`MongoDB Atlas has no name for the region ${region}. Choose one of modules/inference/regions.ts.`);
  }
  return ATLAS_REGIONS[region];
}
