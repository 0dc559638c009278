/** Looks for secrets in files with secretlint's rules. What is found is never printed: only where it is, and of which kind. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { lintSource } from "@secretlint/core";
import { creator as recommended } from "@secretlint/secretlint-rule-preset-recommend";
import { unzipSync } from "fflate";
import { Problem } from "../problem";
import { nanogridKeyRule } from "./nanogrid-key-rule";

/** A larger file is refused rather than left out silently. */
const MOST_BYTES = 64 * 1024 ** 2;
/** Bytes at the beginning of a file in which a zero byte tells that it is no text. */
const HEAD_BYTES = 8_192;

const CONFIG = {
  rules: [
    { id: "@secretlint/secretlint-rule-preset-recommend", rule: recommended },
    { id: "nanogrid-api-key", rule: nanogridKeyRule },
  ],
};

/** One secret. */
export interface SecretFinding {
  /** File; the entry of an archive after a `!`. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Id of the rule. */
  readonly rule: string;
  /** What it is, without its value. */
  readonly kind: string;
}

/**
 * Every secret in a file: in the entries of an archive too, such as a Terraform plan, and in JSON within JSON.
 *
 * @param file path
 * @throws Problem when the file is too large to be read
 */
export async function scanFile(file: string): Promise<SecretFinding[]> {
  if (statSync(file).size > MOST_BYTES) {
    throw new Problem(`${file} is larger than ${MOST_BYTES} bytes.`, "Split it, and scan the parts.");
  }
  return scanBytes(file, readFileSync(file));
}

/** The files below a path, or the file itself. */
export function filesAt(path: string): string[] {
  try {
    if (statSync(path).isFile()) {
      return [path];
    }
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  } catch (error) {
    throw new Problem(`${path} cannot be read.`, "Name files or folders that exist.", undefined, { cause: error });
  }
}

async function scanBytes(name: string, bytes: Uint8Array): Promise<SecretFinding[]> {
  if (isZip(bytes)) {
    const entries = Object.entries(unzipSync(bytes, { filter: ({ originalSize }) => originalSize <= MOST_BYTES }));
    const found = await Promise.all(entries.map(([entry, content]) => scanBytes(`${name}!${entry}`, content)));
    return found.flat();
  }
  if (bytes.subarray(0, HEAD_BYTES).includes(0)) {
    return [];
  }
  const text = Buffer.from(bytes).toString("utf8");
  const found = await scanText(name, text);
  // JSON in a string of JSON has its quotes escaped, however often, which rules do not expect.
  const plain = text.replace(/\\+"/g, '"');
  const inner = plain === text ? [] : await scanText(name, plain);
  const isKnown = (each: SecretFinding) => found.some(({ line, rule }) => line === each.line && rule === each.rule);
  return [...found, ...inner.filter((each) => !isKnown(each))];
}

async function scanText(file: string, content: string): Promise<SecretFinding[]> {
  const source = { filePath: file, content, ext: ".txt", contentType: "text" as const };
  const { messages } = await lintSource({ source, options: { config: CONFIG, maskSecrets: true } });
  return messages.map(({ loc, ruleId, message }) => ({
    file,
    line: loc.start.line,
    column: loc.start.column + 1,
    rule: ruleId,
    kind: kindOf(message),
  }));
}

/** A rule's message up to where it quotes what it found. */
function kindOf(message: string): string {
  return message.split(":", 1)[0]?.trim() ?? "";
}

function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 0x03 && bytes[3] === 0x04;
}
