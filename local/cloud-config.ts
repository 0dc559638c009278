/** Reading an instance's user data as its boot would: which files it writes, and the environment that they hold. */
import { gunzipSync } from "node:zlib";
import { parse } from "yaml";
import { z } from "zod";

const cloudConfig = z.object({
  write_files: z
    .array(z.object({ path: z.string(), content: z.string().default(""), encoding: z.string().optional() }))
    .default([]),
});

/** The first bytes of everything that gzip wrote. */
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/**
 * The files that user data writes, by path.
 *
 * @param userData base64 of a cloud-config, gzipped or not
 * @throws Error when it is no cloud-config
 */
export function filesOf(userData: string): Map<string, string> {
  const text = unpack(Buffer.from(userData, "base64")).toString("utf8");
  if (!text.startsWith("#cloud-config")) {
    throw new Error(`user data is no cloud-config: it begins with ${JSON.stringify(text.slice(0, 40))}`);
  }
  const { write_files } = cloudConfig.parse(parse(text));
  return new Map(write_files.map(({ path, content, encoding }) => [path, decode(content, encoding)]));
}

/**
 * The variables of an environment file: `KEY=VALUE` lines as systemd reads them, with comments, blank lines and quoted values.
 *
 * @throws Error naming the line that is none of these
 */
export function parseEnvironment(text: string): Record<string, string> {
  const lines = text.split("\n").map((line) => line.trim());
  const variables = lines
    .filter((line) => line !== "" && !/^[#;]/.test(line))
    .map((line) => {
      const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
      if (match?.[1] === undefined || match[2] === undefined) {
        throw new Error(`"${line}" is no line of an environment file: expected KEY=VALUE`);
      }
      return [match[1], unquote(match[2])] as const;
    });
  return Object.fromEntries(variables);
}

function decode(content: string, encoding: string | undefined): string {
  switch (encoding) {
    case "b64":
    case "base64":
      return Buffer.from(content, "base64").toString("utf8");
    case "gz+b64":
    case "gzip+b64":
    case "gz+base64":
    case "gzip+base64":
      return unpack(Buffer.from(content, "base64")).toString("utf8");
    case undefined:
    case "text/plain":
      return content;
    default:
      throw new Error(`the encoding "${encoding}" of a file in user data is not known here`);
  }
}

function unpack(data: Buffer): Buffer {
  return data.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC) ? gunzipSync(data) : data;
}

function unquote(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value);
  return quoted?.[2] === undefined ? value : quoted[1] === '"' ? quoted[2].replace(/\\(["\\$`])/g, "$1") : quoted[2];
}
