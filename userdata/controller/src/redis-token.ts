/** IAM authentication of ElastiCache: a presigned URL of its `connect` action, without the scheme, is the password. */
import type { SQSClient } from "@aws-sdk/client-sqs";
import { SignatureV4 } from "@smithy/signature-v4";

/** How long a token opens connections, in seconds. */
const TOKEN_S = 900;

/** Makes the password of the next connection. */
export type TokenProvider = () => Promise<string>;

/** What signs a token: the parts of any AWS client's configuration. */
export type TokenSigner = Pick<SQSClient["config"], "credentials" | "region" | "sha256">;

/**
 * A provider of tokens, each good for 15 minutes.
 * @param cacheName id of the replication group
 * @param user Redis user, whose id and name are alike
 * @param now time of signing @default - the present
 */
export function redisTokens(signer: TokenSigner, cacheName: string, user: string, now?: () => Date): TokenProvider {
  const signature = new SignatureV4({ ...signer, service: "elasticache" });
  return async () => {
    const request = {
      method: "GET",
      protocol: "http:",
      hostname: cacheName,
      path: "/",
      query: { Action: "connect", User: user },
      headers: { host: cacheName },
    };
    const { query } = await signature.presign(request, { expiresIn: TOKEN_S, signingDate: now?.() });
    const parameters = Object.entries(query ?? {}).map(([name, value]) => `${encode(name)}=${encode(String(value))}`);
    return `${cacheName}/?${parameters.join("&")}`;
  };
}

/** Percent-encoding as signatures want it: all but RFC 3986's unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
