/** Calls a bundled handler again and again in one process, as a warm environment does: `node many-calls.mjs <bundle> <times> <event>`. */
import { createRequire } from "node:module";

const [bundle, times, event] = process.argv.slice(2);
const { handler } = createRequire(import.meta.url)(bundle);
const statuses = {};
for (let call = 0; call < Number(times); call++) {
  const context = { awsRequestId: `call-${call}`, getRemainingTimeInMillis: () => 20_000 };
  const { statusCode } = await handler(JSON.parse(event), context);
  statuses[statusCode] = (statuses[statusCode] ?? 0) + 1;
}
process.stderr.write(JSON.stringify(statuses));
// Its connections are counted while it lives.
setInterval(() => undefined, 1_000);
