/** ECR's door for container engines: Docker's registry protocol, with IAM asked as ECR asks it. */
import { createHash } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import type { Authorizer } from "./authorizer";

/** A running registry, in which every repository has one image of its own, without any file. */
export interface Registry {
  /** Host and port. */
  readonly host: string;
  /** The image of a repository, by digest. */
  image(repository: string): string;
  stop(): Promise<void>;
}

/** An image: its manifest, and what that names, by digest. */
interface Image {
  readonly manifest: Buffer;
  readonly blobs: ReadonlyMap<string, Buffer>;
}

const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
/** A tar archive without any file. */
const EMPTY_TAR = Buffer.alloc(1024);

/** Starts it. @param principal the role whose token signs in */
export async function startRegistry(principal: string, authorizer: Authorizer): Promise<Registry> {
  const server = createServer(async ({ method, url = "", headers }, response) => {
    if (!headers.authorization) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="ecr"' }).end();
      return;
    }
    const [, repositoryName, kind, reference = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
    if (repositoryName === undefined) {
      response.writeHead(url === "/v2/" ? 200 : 404).end();
      return;
    }
    const read = kind === "manifests" ? "BatchGetImage" : "GetDownloadUrlForLayer";
    const operation = kind === "blobs" && method === "HEAD" ? "BatchCheckLayerAvailability" : read;
    const asked = { principal, service: "ecr", operation, parameters: { repositoryName } };
    if (!(await authorizer.decide(asked)).allowed) {
      response.writeHead(403).end();
      return;
    }
    const { manifest, blobs } = imageOf(repositoryName);
    if (kind === "manifests") {
      send(response, manifest, MANIFEST);
    } else {
      send(response, blobs.get(reference), "application/octet-stream");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  const host = `127.0.0.1:${port}`;
  const image = (repository: string) => `${host}/${repository}@${digestOf(imageOf(repository).manifest)}`;
  return { host, image, stop };
}

function imageOf(repository: string): Image {
  const layer = gzipSync(EMPTY_TAR);
  const rootfs = { type: "layers", diff_ids: [digestOf(EMPTY_TAR)] };
  const config = Buffer.from(
    JSON.stringify({ architecture: "amd64", os: "linux", config: { Labels: { repository } }, rootfs }),
  );
  const part = (mediaType: string, data: Buffer) => ({ mediaType, size: data.length, digest: digestOf(data) });
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: part("application/vnd.docker.container.image.v1+json", config),
    layers: [part("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
  };
  return {
    manifest: Buffer.from(JSON.stringify(manifest)),
    blobs: new Map([layer, config].map((data) => [digestOf(data), data])),
  };
}

function send(response: ServerResponse, content: Buffer | undefined, type: string): void {
  if (content === undefined) {
    response.writeHead(404).end();
    return;
  }
  const headers = { "content-type": type, "docker-content-digest": digestOf(content) };
  response.writeHead(200, { ...headers, "content-length": content.length }).end(content);
}

function digestOf(data: Buffer): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}
