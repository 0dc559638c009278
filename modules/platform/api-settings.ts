/** Settings that every system's HTTP API has: who may call it, and how often. */
import { z } from "zod";
import type { Authorizer } from "../../constructs/http-api";

/** What is on by default. */
interface ApiDefaults {
  readonly requestsPerSecond: number;
  readonly burst: number;
}

/** The settings, to be spread into a system's own. */
export const apiShape = ({ requestsPerSecond, burst }: ApiDefaults) => ({
  authorizer: z
    .enum(["iam", "jwt", "none"])
    .default("iam")
    .describe("Who may call: `iam` signed requests, `jwt` tokens of an issuer, `none` anyone (stand-ins only)."),
  jwt: z
    .strictObject({
      issuer: z
        .url({ protocol: /^https$/, error: "the https URL of an OpenID Connect issuer" })
        .describe("Who issues the tokens, as their claim `iss` has it."),
      audience: z.array(z.string().min(1)).min(1).describe("Values of `aud` or `client_id` that are let in."),
    })
    .optional()
    .describe("For `jwt`: whose tokens are taken."),
  page: z.boolean().default(true).describe("Whether `/` serves the page to try it. The page itself needs no sign-in."),
  requestsPerSecond: z
    .number()
    .positive()
    .max(10_000)
    .default(requestsPerSecond)
    .describe("Requests a second over which it answers 429."),
  burst: z.int().min(1).max(5_000).default(burst).describe("Requests at once over which it answers 429."),
});

/** Who may call, as settings say it. */
interface Access {
  readonly authorizer: "iam" | "jwt" | "none";
  readonly jwt?: { readonly issuer: string; readonly audience: readonly string[] };
}

/** Says where tokens are wanted of nobody. @param ctx of the refinement */
export function checkAccess({ authorizer, jwt }: Access, ctx: z.RefinementCtx): void {
  if (authorizer === "jwt" && jwt === undefined) {
    ctx.addIssue({
      code: "custom",
      path: ["jwt"],
      message: "is missing, and authorizer is jwt. Set issuer and audience, or choose iam.",
    });
  }
}

/** The authorizer that the settings ask for; {@link checkAccess} has seen to it that there is an issuer. */
export function authorizerOf({ authorizer, jwt }: Access): Authorizer {
  return authorizer === "jwt" && jwt ? { kind: "jwt", ...jwt } : { kind: authorizer === "none" ? "none" : "iam" };
}
