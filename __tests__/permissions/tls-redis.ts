/** Redis as ElastiCache has it: TLS in front, the emitted users behind, and IAM asked about each sign-in. */
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { run } from "../support/run";
import { startRedis } from "../support/servers";
import type { Authorizer } from "./authorizer";

/** A running Redis with its users. */
export interface TlsRedis {
  readonly port: number;
  /** Certificate that clients have to trust, in PEM. */
  readonly certificate: string;
  stop(): Promise<void>;
}

const REFUSED = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const MINUTE = 60_000;

/**
 * Starts it on `localhost`.
 *
 * @param folder for its certificate
 * @param users access rules by user name, as the stacks emit them
 */
export async function startTlsRedis(
  folder: string,
  users: Readonly<Record<string, string>>,
  authorizer: Authorizer,
): Promise<TlsRedis> {
  const rules = Object.entries(users).flatMap(([name, access]) => ["--user", name, "nopass", ...access.split(" ")]);
  const redis = await startRedis({ args: [...rules, "--user", "default", "off"] });
  const { key, certificate } = certify(folder);
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, async (client) => {
    client.on("error", () => client.destroy());
    const first = (await once(client, "data", { signal: AbortSignal.timeout(MINUTE) }).catch(() => [])) as Buffer[];
    const greeting = first[0] ?? Buffer.alloc(0);
    const allowed = await signIn(greeting.toString(), authorizer).catch(() => false);
    if (allowed) {
      tie(client, connect(redis.port, "127.0.0.1"), greeting);
    } else {
      client.end(REFUSED);
    }
  });
  server.listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    server.close();
    await redis.stop();
  };
  return { port, certificate, stop };
}

/** Whether the first command of a connection signs in as ElastiCache wants it, and IAM lets its role connect. */
async function signIn(greeting: string, authorizer: Authorizer): Promise<boolean> {
  const words = greeting.split("\r\n").filter((_, index) => index > 0 && index % 2 === 0);
  const at = words.findIndex((word) => word.toUpperCase() === "AUTH");
  const [user = "", token = ""] = words.slice(at + 1);
  const url = new URL(`https://${token}`);
  const principal = url.searchParams.get("X-Amz-Credential")?.split("/")[0];
  if (at < 0 || principal === undefined || url.searchParams.get("User") !== user) {
    return false;
  }
  const parameters = { ReplicationGroupId: url.hostname, UserId: user };
  return (await authorizer.decide({ principal, service: "elasticache", operation: "Connect", parameters })).allowed;
}

function tie(client: TLSSocket, redis: Socket, greeting: Buffer): void {
  redis.on("error", () => client.destroy());
  redis.on("close", () => client.destroy());
  client.on("close", () => redis.destroy());
  redis.write(greeting);
  client.pipe(redis).pipe(client);
}

function certify(folder: string): { key: string; certificate: string } {
  mkdirSync(folder, { recursive: true });
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  run("openssl", ["req", "-x509", ...curve, "-keyout", key, "-out", certificate, "-days", "1", ...subject]);
  return { key, certificate };
}
