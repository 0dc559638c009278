/** ARNs of Bedrock's models, for policies. */

/** Regions that a cross-region inference profile of a geography may answer from, by the prefix of its id. */
const DESTINATIONS: Readonly<Record<string, readonly string[]>> = {
  apac: ["ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"],
  eu: ["eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"],
  us: ["us-east-1", "us-east-2", "us-west-2"],
};

/** A model, or an inference profile of one: `amazon.titan-embed-text-v2:0`, `apac.amazon.nova-lite-v1:0`. */
export const MODEL_ID = /^(?:(?:apac|eu|us)\.)?[a-z0-9]+\.[a-z0-9-]+(?:-v\d+)?(?::\d+)?$/;

/**
 * Everything that has to be allowed for `bedrock:InvokeModel` on a model: its own ARN, or that of the inference profile and of the model in
 * every region that the profile may answer from.
 *
 * @param id id of a model, or of an inference profile
 * @param region where it is called
 * @param accountId account that calls
 */
export function modelArns(id: string, region: string, accountId: string): string[] {
  const [prefix = "", ...rest] = id.split(".");
  const destinations = DESTINATIONS[prefix];
  if (destinations === undefined) {
    return [foundationModel(id, region)];
  }
  return [
    `arn:aws:bedrock:${region}:${accountId}:inference-profile/${id}`,
    ...destinations.map((destination) => foundationModel(rest.join("."), destination)),
  ];
}

function foundationModel(id: string, region: string): string {
  return `arn:aws:bedrock:${region}::foundation-model/${id}`;
}
