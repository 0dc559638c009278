/** What a pause took away, kept in a parameter of Systems Manager until it is given back. Tags would be drift, and lost with the next apply. */
import {
  DeleteParameterCommand,
  GetParameterCommand,
  ParameterNotFound,
  PutParameterCommand,
} from "@aws-sdk/client-ssm";
import { z } from "zod";
import { Problem } from "../problem";
import type { TierClients } from "./tier";

/** What remembering takes. */
type MemoryClients = Pick<TierClients, "tier" | "ssm">;

const paused = z.strictObject({
  /** When the pause began. */
  at: z.iso.datetime(),
  /** Tasks that the service wanted. */
  tasks: z.int().min(0),
  /** What of the service's scaling was suspended already. */
  suspended: z.strictObject({
    DynamicScalingInSuspended: z.boolean(),
    DynamicScalingOutSuspended: z.boolean(),
    ScheduledScalingSuspended: z.boolean(),
  }),
  groups: z.array(z.strictObject({ name: z.string(), min: z.int().min(0), desired: z.int().min(0) })),
});

/** How things were before a pause. */
export type Paused = z.output<typeof paused>;

/** How things were before the pause that goes on; undefined when there is none. */
export async function readPaused(clients: MemoryClients): Promise<Paused | undefined> {
  const text = await readParameter(clients);
  if (text === undefined) {
    return undefined;
  }
  const read = paused.safeParse(parseJson(text));
  if (!read.success) {
    const { pausedParameter, pages } = clients.tier;
    throw new Problem(
      `The parameter ${pausedParameter} does not hold what a pause leaves there: ${z.prettifyError(read.error)}`,
      `Look at it (aws ssm get-parameter --name ${pausedParameter}), delete it, and set the numbers by hand: docs/operations/${pages.pause}.md.`,
    );
  }
  return read.data;
}

async function readParameter({ tier, ssm }: MemoryClients): Promise<string | undefined> {
  try {
    return (await ssm.send(new GetParameterCommand({ Name: tier.pausedParameter }))).Parameter?.Value;
  } catch (error) {
    if (error instanceof ParameterNotFound) {
      return undefined;
    }
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Remembers; refuses to overwrite what another pause has remembered. */
export async function writePaused({ tier, ssm }: MemoryClients, value: Paused): Promise<void> {
  await ssm.send(
    new PutParameterCommand({
      Name: tier.pausedParameter,
      Type: "String",
      Description: `What ${tier.command} resume gives back`,
      Value: JSON.stringify(value),
      Overwrite: false,
    }),
  );
}

/** Forgets; nothing to forget is fine. */
export async function forgetPaused({ tier, ssm }: MemoryClients): Promise<void> {
  try {
    await ssm.send(new DeleteParameterCommand({ Name: tier.pausedParameter }));
  } catch (error) {
    if (!(error instanceof ParameterNotFound)) {
      throw error;
    }
  }
}
