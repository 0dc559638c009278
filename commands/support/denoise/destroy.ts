/** Destroying the three stacks, the last first. */
import { join } from "node:path";
import { shell } from "../shell";

/** In the order in which they go. */
export const STACKS = ["denoise-api", "denoise-service", "denoise-storage"];
/** A load balancer, a NAT gateway and draining instances take their time. */
const DESTROY_MS = 45 * 60_000;

/**
 * Runs `cdktf destroy` for one stack after the other: the CLI's own order is lost where stacks are named.
 *
 * @throws Problem with what Terraform said last
 */
export async function destroyStacks(
  project: string,
  env: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<void> {
  for (const stack of STACKS) {
    say(`cdktf destroy ${stack}`);
    const args = ["destroy", stack, "--auto-approve", "--no-color", "--ignore-missing-stack-dependencies"];
    await shell(join(project, "node_modules", ".bin", "cdktf"), args, {
      cwd: project,
      env,
      timeoutMs: DESTROY_MS,
      onLine: say,
      remedy: `What stands above says why. Then run it again: what is gone already stays gone. Run by hand: npx cdktf destroy ${stack}`,
    });
  }
}
