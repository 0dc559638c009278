/** Settings of the inference cluster. */
import { z } from "zod";
import { overlappingCidrs } from "../platform/cidr";
import { isAtlasRegion } from "./regions";
import { apiSettings } from "./settings/api";
import { atlasSettings } from "./settings/atlas";
import { gpuSettings } from "./settings/gpu";
import { networkSettings } from "./settings/network";

/** The section `inference` of an environment. */
export const inferenceSettings = z.strictObject({
  enabled: z.boolean().default(false).describe("Whether the stacks of the inference cluster exist."),
  network: networkSettings.prefault({}).describe("Network of stack inference-network."),
  atlas: atlasSettings.prefault({}).describe("MongoDB Atlas, in stack inference-network."),
  gpu: gpuSettings.prefault({}).describe("Stack inference-gpu."),
  api: apiSettings.prefault({}).describe("Stack inference-api."),
  alarms: z
    .strictObject({
      emails: z
        .array(z.email())
        .default([])
        .describe("Addresses that the alarm topic writes to; each must confirm once."),
    })
    .prefault({})
    .describe("Alarms of all three stacks."),
});

/** The inference cluster's settings with every default filled in. */
export type InferenceSettings = z.output<typeof inferenceSettings>;

/** What is wrong, and the path of the setting below the environment. */
interface Issue {
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * What is wrong with an enabled cluster, seen with the rest of the environment: nothing where it is off.
 *
 * @param region AWS region of the environment
 * @param nanogridCidr address range of NanoGrid's VPC, which the shop's own systems may peer with both
 */
export function inferenceIssues(inference: InferenceSettings, region: string, nanogridCidr: string): Issue[] {
  const { enabled, network, atlas } = inference;
  if (!enabled) {
    return [];
  }
  const ranges = [
    { name: "nanogrid.network.cidr", cidr: nanogridCidr },
    { name: "inference.network.cidr", cidr: network.cidr },
    { name: "inference.atlas.cidr", cidr: atlas.cidr },
  ];
  const overlaps = overlappingCidrs(ranges).map(([first, second]) => ({
    path: second.name.split("."),
    message: `${second.cidr} overlaps ${first.name} (${first.cidr}). Choose ranges that share no address.`,
  }));
  const noRegion = {
    path: ["region"],
    message: `MongoDB Atlas has no name for ${region}. Choose a region of modules/inference/regions.ts, or add its name there.`,
  };
  const noOrganization = {
    path: ["inference", "atlas", "organizationId"],
    message: "is missing, and inference.enabled is true. Add the id of the Atlas organization, or disable the cluster.",
  };
  return [
    ...overlaps,
    ...(isAtlasRegion(region) ? [] : [noRegion]),
    ...(atlas.organizationId === undefined ? [noOrganization] : []),
  ];
}
