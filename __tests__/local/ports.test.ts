import { spawn } from "node:child_process";
import { once } from "node:events";
import { Problem } from "../../commands/support/problem";
import { requireFreePort } from "../../local/ports";
import { freePort } from "../support/servers";

const SERVER =
  'require("node:net").createServer().listen(Number(process.argv[1]), "127.0.0.1", () => console.log("up"))';

test("local: a port that another program holds is named, together with that program and how to choose another", async () => {
  const port = await freePort();
  const holder = spawn(process.execPath, ["-e", SERVER, String(port)]);
  await once(holder.stdout, "data");
  try {
    const refusal = await requireFreePort(port, "the controller", "set controllers.port").catch(
      (error: unknown) => error,
    );

    expect(refusal).toBeInstanceOf(Problem);
    const { remedy, what } = refusal as Problem;
    expect(what).toContain(`Port ${port} on 127.0.0.1, for the controller, is taken by`);
    expect(what).toContain(process.platform === "linux" ? `(pid ${holder.pid})` : "another program");
    expect(remedy).toBe("Stop it, or set controllers.port.");
  } finally {
    holder.kill();
  }
});

test("local: a free port is left free", async () => {
  const port = await freePort();
  await requireFreePort(port, "the controller", "set controllers.port");
  await expect(requireFreePort(port, "the controller", "set controllers.port")).resolves.toBeUndefined();
});
