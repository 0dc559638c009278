/** What surrounds a worker on its instance: the metadata service, and an index of packages that its sandboxes reach. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { strToU8, zipSync } from "fflate";
import { run } from "../support/run";

/** A server to stop. */
export interface Served {
  readonly url: string;
  stop(): Promise<void>;
}

/** An instance's metadata service, version 2. */
export interface Metadata extends Served {
  /** What the instance's group wants of it: `InService`, or `Terminated` when it has to go. */
  lifecycleState: string;
}

/** A Docker network with a package index in it. */
export interface PackageIndex extends Served {
  readonly network: string;
}

const TOKEN = "token-of-the-instance";

/** Starts the metadata of an instance. */
export async function startMetadata(instanceId: string): Promise<Metadata> {
  const state = { lifecycleState: "InService" };
  const values: Record<string, () => string> = {
    "/latest/meta-data/instance-id": () => instanceId,
    "/latest/meta-data/autoscaling/target-lifecycle-state": () => state.lifecycleState,
  };
  const served = await serve("127.0.0.1", ({ method, url = "", headers }, response) => {
    if (method === "PUT" && url === "/latest/api/token") {
      response.end(TOKEN);
    } else if (headers["x-aws-ec2-metadata-token"] !== TOKEN) {
      response.writeHead(401).end();
    } else {
      const value = values[url];
      response.writeHead(value ? 200 : 404).end(value?.());
    }
  });
  return Object.assign(state, served);
}

/**
 * Starts an index of one Python package: a module whose `ANSWER` is 42. It listens where its Docker network meets this machine; the
 * network leads nowhere else.
 */
export async function startPackageIndex(name: string): Promise<PackageIndex> {
  const network = `nanogrid-permissions-${process.pid}`;
  run("docker", ["network", "create", "--internal", network]);
  const gateway = run("docker", ["network", "inspect", network, "--format", "{{(index .IPAM.Config 0).Gateway}}"]);
  const file = `${name}-1.0-py3-none-any.whl`;
  const files: Record<string, string> = {
    [`${name}.py`]: "ANSWER = 42\n",
    [`${name}-1.0.dist-info/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`,
    [`${name}-1.0.dist-info/WHEEL`]: "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  };
  const record = `${name}-1.0.dist-info/RECORD`;
  const all = { ...files, [record]: [...Object.keys(files), record].map((each) => `${each},,\n`).join("") };
  const wheel = zipSync(Object.fromEntries(Object.entries(all).map(([path, text]) => [path, strToU8(text)])));
  const served = await serve(gateway.trim(), ({ url = "" }, response) => {
    if (url === `/simple/${name}/`) {
      response.setHeader("content-type", "text/html");
      response.end(`<a href="/files/${file}">${file}</a>`);
    } else {
      response.writeHead(url === `/files/${file}` ? 200 : 404).end(url === `/files/${file}` ? wheel : "");
    }
  });
  const stop = async () => {
    await served.stop();
    run("docker", ["network", "rm", network]);
  };
  return { network, url: `${served.url}/simple/`, stop };
}

async function serve(host: string, listener: RequestListener): Promise<Served> {
  const server = createServer(listener).listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { url: `http://${host}:${port}`, stop };
}
