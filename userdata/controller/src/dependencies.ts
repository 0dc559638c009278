/** Lists of dependencies in a function's code: whether they name any. A worker resolves them. */
import { z } from "zod";
import type { Runtime } from "./schemas";
import { ZipRefused } from "./zip";

const FILES: Readonly<Record<Runtime, string>> = { python: "requirements.txt", node: "package.json" };
const named = z.record(z.string(), z.unknown()).default({});
const packageJson = z.object({ dependencies: named, optionalDependencies: named });

/** The file, at the top of the code, that lists a function's dependencies. */
export function dependencyFile(runtime: Runtime): string {
  return FILES[runtime];
}

/**
 * Whether such a file names any dependency.
 * @throws ZipRefused when it cannot be read
 */
export function namesDependencies(runtime: Runtime, content: Buffer): boolean {
  const text = decode(runtime, content);
  if (runtime === "python") {
    // A line of options alone, such as --index-url, installs nothing; -r and -e do.
    return text.split(/\r?\n/).some((line) => /^\s*(?:[^\s#-]|-[re]|--(?:requirement|editable)\b)/.test(line));
  }
  const { dependencies, optionalDependencies } = parsePackage(text);
  return Object.keys(dependencies).length + Object.keys(optionalDependencies).length > 0;
}

function parsePackage(text: string): z.output<typeof packageJson> {
  try {
    const parsed = packageJson.safeParse(JSON.parse(text));
    if (parsed.success) {
      return parsed.data;
    }
  } catch {
    // Said below.
  }
  throw new ZipRefused("The code's package.json is not a JSON object with dependencies by name.");
}

function decode(runtime: Runtime, content: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    throw new ZipRefused(`The code's ${dependencyFile(runtime)} is not UTF-8.`);
  }
}
