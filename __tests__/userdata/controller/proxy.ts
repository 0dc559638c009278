/** What stands between a controller and its stand-in of AWS, for tests that disturb or order their talk. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** An answer on its way back. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

export interface AwsProxy {
  /** Value for AWS_ENDPOINT_URL. */
  readonly url: string;
  close(): void;
}

/**
 * Starts a proxy.
 * @param handle decides on each request: `forward` sends it on; undefined breaks the connection off
 */
export async function startProxy(
  endpoint: string,
  handle: (request: IncomingMessage, forward: () => Promise<Reply>) => Promise<Reply | undefined>,
): Promise<AwsProxy> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const reply = await handle(request, () => forward(endpoint, request, Buffer.concat(chunks)));
    if (!reply) {
      request.socket.destroy();
      return;
    }
    reply.headers.forEach((value, name) => {
      response.setHeader(name, value);
    });
    response.writeHead(reply.status).end(reply.body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function forward(endpoint: string, request: IncomingMessage, body: Buffer<ArrayBuffer>): Promise<Reply> {
  const {
    host: _host,
    connection: _connection,
    "content-length": _length,
    expect: _expect,
    ...headers
  } = request.headers;
  const answer = await fetch(`${endpoint}${request.url}`, {
    method: request.method,
    headers: headers as Record<string, string>,
    body: body.length > 0 ? body : undefined,
  });
  return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) };
}
