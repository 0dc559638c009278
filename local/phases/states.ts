/** What the states say, read as an operator would: names, endpoints, and the environment that each program's cloud-init renders. */
import { z } from "zod";
import { Problem } from "../../commands/support/problem";
import { STATE_STACK } from "../../commands/support/state-bucket";
import { type State, Terraform } from "../../commands/support/terraform";
import { controllerVariables, workerVariables } from "../../modules/nanogrid/program-variables";
import { filesOf, parseEnvironment } from "../cloud-config";
import type { Needs, Outcome, Report } from "../phase";
import { logOf, type Places, stackFolder } from "../places";
import { LOOPBACK } from "../ports";
import { renderEnvironment, type Substitute, templateOf } from "../without-terraform";
import { ownStacks } from "./synth";

/** One line about a state. */
export interface StateSummary {
  readonly stack: string;
  readonly resources: number;
  readonly outputs: number;
  readonly serial: number;
}

/** What the programs are handed. */
export interface Handover {
  readonly controllerEnv: Readonly<Record<string, string>>;
  readonly workerEnv: Readonly<Record<string, string>>;
  readonly states: readonly StateSummary[];
}

/** Which launch template carries a program's environment, and in which file. */
const PROGRAMS = {
  controller: {
    stack: "nanogrid-controllers",
    output: "controller_launch_template_id",
    file: "/etc/nanogrid/controller.env",
    variables: controllerVariables,
  },
  worker: {
    stack: "nanogrid-workers",
    output: "worker_launch_template_id",
    file: "/etc/nanogrid/worker.env",
    variables: workerVariables,
  },
} as const;

type Program = keyof typeof PROGRAMS;

/** Pulls every state. */
export async function readStates(
  needs: Needs<"settings" | "tools" | "synthesis" | "deployment" | "standIns">,
  report: Report,
): Promise<Outcome<Handover>> {
  const { deployment, places, tools } = needs;
  if (deployment.by === "substitute" || tools.terraform === undefined) {
    const handover = deployment.by === "substitute" ? fromTemplates(needs, deployment.substitute) : undefined;
    if (handover === undefined) {
      throw new Problem("Terraform went away during the run.", "Start again.");
    }
    return { value: handover, summary: "left out; the programs' environment comes from their templates" };
  }
  const states = await pullStates(needs, tools.terraform, deployment.env, report);
  const handover = {
    controllerEnv: renderedEnvironment("controller", states, places),
    workerEnv: renderedEnvironment("worker", states, places),
    states: [...states].map(([stack, state]) => summaryOf(stack, state)),
  };
  const resources = handover.states.reduce((sum, state) => sum + state.resources, 0);
  return { value: handover, summary: `${states.size} states, ${resources} resources` };
}

/** Pulls the states of the system's stacks, and that of the states' own bucket. */
export async function pullStates(
  needs: Needs<"synthesis">,
  terraform: string,
  env: NodeJS.ProcessEnv,
  report: Report,
): Promise<Map<string, State>> {
  report.say("pulling");
  const { places, signal } = needs;
  const how = { env, log: logOf(places, "states"), signal };
  const stacks = [...ownStacks(needs).map(({ name }) => name), STATE_STACK];
  const pulled = await Promise.all(
    stacks.map(async (name) => [name, await new Terraform(terraform, stackFolder(places, name), how).state()] as const),
  );
  return new Map(pulled.flatMap(([name, state]) => (state === undefined ? [] : [[name, state] as const])));
}

/** What a list of states says of each. */
export function summaryOf(stack: string, state: State): StateSummary {
  const managed = state.resources.filter((resource) => resource.mode === "managed");
  return {
    stack,
    resources: managed.reduce((sum, resource) => sum + resource.instances.length, 0),
    outputs: Object.keys(state.outputs).length,
    serial: state.serial,
  };
}

const launchTemplate = z.object({ id: z.string(), user_data: z.string().min(1) });

/** The environment file in the user data of the launch template that the stack's outputs name. */
function renderedEnvironment(
  program: Program,
  states: ReadonlyMap<string, State>,
  places: Places,
): Record<string, string> {
  const { file, output, stack } = PROGRAMS[program];
  const state = states.get(stack);
  const id = state?.outputs[output]?.value;
  const templates = (state?.resources ?? []).filter(
    ({ mode, type }) => mode === "managed" && type === "aws_launch_template",
  );
  const attributes = templates
    .flatMap(({ instances }) => instances)
    .find((instance) => instance.attributes.id === id)?.attributes;
  const parsed = launchTemplate.safeParse(attributes);
  const content = parsed.success ? filesOf(parsed.data.user_data).get(file) : undefined;
  if (content === undefined) {
    throw new Problem(
      `The state of ${stack} holds no launch template "${String(id)}" (output ${output}) whose user data writes ${file}.`,
      `Look at it with: terraform -chdir=${stackFolder(places, stack)} show`,
    );
  }
  return parseEnvironment(content);
}

function fromTemplates(
  { places, settings, standIns }: Needs<"settings" | "standIns">,
  { values }: Substitute,
): Handover {
  const redis = { redis_host: LOOPBACK, redis_port: String(standIns.redisPort), redis_tls: "false", redis_user: "" };
  const rendered = (program: Program) =>
    renderEnvironment(templateOf(places.project, program), PROGRAMS[program].file, {
      ...values,
      ...PROGRAMS[program].variables(settings),
      ...redis,
    });
  return { controllerEnv: rendered("controller"), workerEnv: rendered("worker"), states: [] };
}
