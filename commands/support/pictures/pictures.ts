/** Every picture that the docs have: one of the stacks, and one of each system. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { architectureOf } from "./architecture";
import { Estate, grouped } from "./estate";
import { stackGraphOf } from "./stack-graph";
import { svgOf } from "./svg";

/** The stacks that all systems share. */
const PLATFORM = "platform";

/**
 * @param project the checkout
 * @param folder a `cdktf.out`
 * @returns the bytes of each file, by its name
 */
export async function picturesOf(project: string, folder: string): Promise<ReadonlyMap<string, string>> {
  const estate = new Estate(folder);
  const systems = systemsIn(project);
  const systemOf = (stack: string) => systems.find((system) => `${stack}-`.startsWith(`${system}-`)) ?? PLATFORM;
  const bySystem = grouped(
    estate.stacks.map(({ name }) => name),
    systemOf,
  );
  const pictures = new Map([["stacks.svg", await svgOf(stackGraphOf(estate, systemOf), { direction: "LR" })]]);
  for (const [system, stacks] of bySystem) {
    const drawing = await architectureOf(estate, system, stacks);
    pictures.set(`architecture-${system}.svg`, await svgOf(drawing, { direction: "LR" }));
  }
  return pictures;
}

/** A system is a folder of modules/; its stacks are named after it, or its only stack is named as it is. */
function systemsIn(project: string): string[] {
  return readdirSync(join(project, "modules"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== PLATFORM)
    .map(({ name }) => name);
}
