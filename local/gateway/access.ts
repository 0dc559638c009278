/** Who may call a route, as far as a stand-in without identities can tell. */
import { createHash, createHmac, type Hash, type Hmac, timingSafeEqual } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import type { Access } from "./api";
import type { ReadRequest } from "./event";

/** The secret of every access key id at the stand-ins. */
const SECRET = "local";
const SIGNED =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** Why a request is turned away: status and message as API Gateway has them. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly message: "Unauthorized" | "Forbidden";
}

/**
 * Judges a request. Of a signed one the signature is checked, with the secret that all keys share here; whose it is, no policy is asked
 * about. Of a token the claims are checked; its signature is not, since no issuer is at hand.
 */
export async function refusalOf(access: Access, read: ReadRequest): Promise<Refusal | undefined> {
  if (access.kind === "iam") {
    return (await signerOf(read, "execute-api")) ? undefined : { status: 403, message: "Forbidden" };
  }
  if (access.kind === "jwt") {
    return hasToken(access, read.request.headers.authorization) ? undefined : { status: 401, message: "Unauthorized" };
  }
  return undefined;
}

/** Who signed a request, and when. */
export interface Signer {
  readonly accessKeyId: string;
  readonly signedAt: Date;
}

/**
 * Checks a signature (version 4, in the header `authorization`), with the secret that all keys share here.
 *
 * @param service name of the service that it has to be signed for
 * @returns who signed it; undefined when nobody did, or what was signed is not what came
 */
export async function signerOf(
  { request, path, query, body }: ReadRequest,
  service: string,
): Promise<Signer | undefined> {
  const [, accessKeyId = "", region = "", signedFor = "", names = "", signature = ""] =
    SIGNED.exec(request.headers.authorization ?? "") ?? [];
  const date = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(request.headers["x-amz-date"] ?? ""));
  if (!signature || !date || signedFor !== service) {
    return undefined;
  }
  const [, year, month, day, hour, minute, second] = date;
  const signedAt = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const signer = new SignatureV4({
    service,
    region,
    credentials: { accessKeyId, secretAccessKey: SECRET },
    sha256: Sha256,
    applyChecksum: false,
  });
  const headers = Object.fromEntries(names.split(";").map((name) => [name, String(request.headers[name] ?? "")]));
  const signed = await signer.sign(
    { method: request.method ?? "", protocol: "http:", hostname: "", path, query: valuesOf(query), headers, body },
    { signingDate: signedAt, signableHeaders: new Set(names.split(";")) },
  );
  const [, , , , , expected = ""] = SIGNED.exec(String(signed.headers.authorization)) ?? [];
  const same = expected.length === signature.length && timingSafeEqual(Buffer.from(expected), Buffer.from(signature));
  return same ? { accessKeyId, signedAt } : undefined;
}

function valuesOf(query: string): Record<string, string[]> {
  const values: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    values[name] = [...(values[name] ?? []), value];
  }
  return values;
}

function hasToken({ issuer, audience }: Extract<Access, { kind: "jwt" }>, authorization: string | undefined): boolean {
  const [, payload = ""] = /^(?:Bearer )?[\w-]+\.([\w-]+)\.[\w-]+$/i.exec(authorization ?? "") ?? [];
  try {
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
    const audiences = [claims.aud ?? claims.client_id].flat();
    return (
      claims.iss === issuer &&
      Number(claims.exp) * 1_000 > Date.now() &&
      audiences.some((each) => audience.includes(String(each)))
    );
  } catch {
    return false;
  }
}

/** SHA-256, plain or keyed, in the shape that the signer asks for. */
class Sha256 {
  private readonly hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") {
    return Buffer.from(data);
  }
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
