/** The stand-in of Atlas as a process of its own: `tsx local/atlas/main.ts <port> <port of FerretDB>`. */
import { Atlas } from "./proxy";

async function main(port: string, upstream: string): Promise<void> {
  const atlas = await Atlas.start({ port: Number(port), upstream: Number(upstream) });
  process.stdout.write(`atlas: listens at ${atlas.uri}\n`);
  process.once("SIGTERM", () => void atlas.close());
}

void main(process.argv[2] ?? "", process.argv[3] ?? "");
