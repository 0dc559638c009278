/** Removes what the setup made. */
import { rmSync } from "node:fs";
import { runFolder } from "./synth";

export default function removeSynthesized(): void {
  rmSync(runFolder(), { recursive: true, force: true });
}
