/** What the state of the Denoise service says: what ECS would hand the API and the sidecar. */
import { z } from "zod";
import { Problem } from "../../commands/support/problem";
import type { State } from "../../commands/support/terraform";
import { CONTAINERS } from "../../modules/denoise/names";
import type { Needs, Outcome, Report } from "../phase";
import { pullStates, type StateSummary, summaryOf } from "./states";

/** What Denoise's programs are handed. */
export interface DenoiseHandover {
  readonly apiEnv: Readonly<Record<string, string>>;
  readonly metricsEnv: Readonly<Record<string, string>>;
  readonly states: readonly StateSummary[];
}

const SERVICE = "denoise-service";

const containers = z.array(
  z.object({
    name: z.string(),
    environment: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  }),
);
/** Pulls every state. */
export async function readDenoiseStates(
  needs: Needs<"tools" | "synthesis" | "foundation">,
  report: Report,
): Promise<Outcome<DenoiseHandover>> {
  const { foundation, tools } = needs;
  if (foundation.by === "substitute" || tools.terraform === undefined) {
    throw new Problem("Terraform went away during the run.", "Start again.");
  }
  const states = await pullStates(needs, tools.terraform, foundation.env, report);
  const value = {
    ...handedOver(states.get(SERVICE)),
    states: [...states].map(([stack, state]) => summaryOf(stack, state)),
  };
  return { value, summary: `${states.size} states` };
}

/**
 * What the state of the Denoise service hands its containers.
 *
 * @throws Problem when it lacks the task definition
 */
export function handedOver(state: State | undefined): Omit<DenoiseHandover, "states"> {
  const definitions = (state?.resources ?? []).filter(
    ({ mode, type }) => mode === "managed" && type === "aws_ecs_task_definition",
  );
  const definition = definitions[0]?.instances[0]?.attributes.container_definitions;
  if (definition === undefined || definitions.length !== 1) {
    throw new Problem(
      `The state of ${SERVICE} holds ${definitions.length} task definitions, expected one.`,
      `Look at it with: npm run state -- ${SERVICE}`,
    );
  }
  const task = containers.parse(JSON.parse(String(definition)));
  const environmentOf = (container: string) => {
    const { environment = [] } = task.find(({ name }) => name === container) ?? {};
    return Object.fromEntries(environment.map(({ name, value }) => [name, value]));
  };
  return { apiEnv: environmentOf(CONTAINERS.api), metricsEnv: environmentOf(CONTAINERS.metrics) };
}
