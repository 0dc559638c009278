/** What another program prints, line by line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/**
 * Runs a program, and takes each line that it prints as it comes.
 *
 * @throws Error when it ends with anything but 0
 */
export async function eachLine(program: string, args: readonly string[], take: (line: string) => void): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  for await (const line of createInterface({ input: child.stdout })) {
    take(line);
  }
  const [code] = (await ended) as [number | null];
  if (code !== 0) {
    throw new Error(`${args[0]} ended with ${code}; what it wrote above says why.`);
  }
}
