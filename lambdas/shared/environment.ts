/** A function's environment variables, parsed once, when Lambda starts it. Nothing else reads process.env, the AWS SDK apart. */
import { z } from "zod";

/** A number of a unit between two bounds, written in digits. */
export const wholeNumber = (minimum: number, maximum: number, unit: string) =>
  z
    .string({ error: "is not set" })
    .regex(/^\d+$/, { error: `expected ${unit} as a whole number` })
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, { error: `expected ${minimum} to ${maximum} ${unit}` });

/** A text that has to be there. */
export const text = () => z.string({ error: "is not set" }).min(1, { error: "is empty" });

/** What Lambda, or a stand-in, sets for every function. */
export const awsVariables = {
  AWS_REGION: text().describe("Lambda sets it; elsewhere, set ap-northeast-2 or another region."),
  AWS_ENDPOINT_URL: z.url({ error: "expected a URL" }).optional().describe("Leave it out, save for a stand-in of AWS."),
};

/**
 * Reads variables. Each member's description is its remedy.
 *
 * @param program name of the program, for the error
 * @throws Error that lists every variable that is wrong, and what to set
 */
export function readEnvironment<S extends Readonly<Record<string, z.ZodType>>>(
  program: string,
  shape: z.ZodObject<S>,
  env: NodeJS.ProcessEnv,
): z.output<z.ZodObject<S>> {
  const parsed = shape.safeParse(env);
  if (parsed.success) {
    return parsed.data;
  }
  const members: Readonly<Record<string, z.ZodType>> = shape.shape;
  const problems = parsed.error.issues.map(({ path, message }) => {
    const name = String(path[0]);
    // Where an address has a password, that is what is wrong with it; it stays unsaid.
    const came = env[name] === undefined ? "" : `, got ${JSON.stringify(env[name].replace(/\/\/[^/]*@/, "//…@"))}`;
    return `${name}: ${message}${came}. ${members[name]?.description}`;
  });
  throw new Error(`${program}: ${problems.length} of its environment variables are wrong.\n${problems.join("\n")}`);
}
