/**
 * Makes an API key and prints it, once: `create-key --tenant default --role admin --name "first key"`.
 * Reads AWS_REGION, API_KEYS_TABLE and, for a stand-in, AWS_ENDPOINT_URL from the environment.
 */
import { parseArgs } from "node:util";
import { createDynamo } from "./aws";
import { createKey, type Role } from "./keys";
import { readKeySettings } from "./settings";

const USAGE =
  'Usage: create-key --tenant <tenant> --role admin|user|invoker --name "<what for>" [--requests-per-minute <number>]';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      tenant: { type: "string", default: "default" },
      role: { type: "string", default: "user" },
      name: { type: "string", default: "" },
      "requests-per-minute": { type: "string" },
    },
  });
  const settings = readKeySettings(process.env);
  const dynamo = createDynamo(settings);
  try {
    const { tenant, name, "requests-per-minute": perMinute } = values;
    const key = await createKey(dynamo, settings.apiKeysTable, {
      tenant,
      name,
      role: values.role as Role,
      requestsPerMinute: perMinute === undefined ? undefined : Number(perMinute),
    });
    process.stderr.write(`Key of tenant ${tenant} (${values.role}, ${name}). It is shown this once:\n`);
    process.stdout.write(`${key}\n`);
  } finally {
    dynamo.destroy();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`No key was made. ${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
  process.exitCode = 1;
});
