/** Rolling a tier: new tasks of its task definition, followed until they serve or the circuit breaker has brought the old ones back. */
import {
  type Deployment,
  DescribeTasksCommand,
  ListTasksCommand,
  type Service,
  type Task,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs";
import { Problem } from "../problem";
import { findService, type ServiceClients } from "./deployment";
import { type Look, type Waiting, waitFor } from "./waiting";

/** Stopped tasks whose reasons an error quotes. */
const QUOTED_TASKS = 5;

/** A rollout that has reached its end. */
export interface Rollout {
  readonly deployment: string;
  readonly taskDefinition: string;
  /** New tasks that run. */
  readonly tasks: number;
}

/**
 * Starts a deployment of the tasks that are wanted already.
 *
 * @returns the deployment's id
 * @throws Problem when the service is at zero
 */
export async function startRollout(clients: ServiceClients): Promise<string> {
  const { desiredCount = 0 } = await findService(clients);
  const { cluster, service: name, command } = clients.tier;
  if (desiredCount === 0) {
    throw new Problem(
      `${name} wants 0 tasks: there is nothing to roll.`,
      `If it is paused: ${command} resume. It then starts with what is deployed.`,
    );
  }
  const update = new UpdateServiceCommand({ cluster, service: name, forceNewDeployment: true });
  const { service } = await clients.ecs.send(update);
  return primaryOf(service)?.id ?? "";
}

/**
 * Follows a deployment to its end.
 *
 * @throws Problem when the circuit breaker has rolled it back, or another deployment has taken its place
 */
export async function followRollout(clients: ServiceClients, deployment: string, waiting: Waiting): Promise<Rollout> {
  const { service: name, command } = clients.tier;
  const remedy = `${command} status, health and activities show what it waits for. The deployment goes on.`;
  return waitFor(`The deployment ${deployment} of ${name}`, remedy, waiting, async () => {
    const service = await findService(clients);
    const ours = service.deployments?.find(({ id }) => id === deployment);
    if (ours?.rolloutState === "FAILED" || isRolledBack(service, deployment)) {
      throw await rollbackProblem(
        clients,
        deployment,
        ours?.rolloutStateReason ?? primaryOf(service)?.rolloutStateReason,
      );
    }
    if (!ours || ours.status === "INACTIVE") {
      throw new Problem(
        `The deployment ${deployment} of ${name} was replaced by ${primaryOf(service)?.id ?? "none"} before it ended.`,
        "Somebody else deploys. Agree, then run it again.",
      );
    }
    return lookAt(service, ours);
  });
}

function primaryOf(service: Service | undefined): Deployment | undefined {
  return service?.deployments?.find(({ status }) => status === "PRIMARY");
}

/** The failed deployment can be gone from the list before a look; the one that takes its place says why it came. */
function isRolledBack(service: Service, deployment: string): boolean {
  const primary = primaryOf(service);
  return primary?.id !== deployment && /rolling back/i.test(primary?.rolloutStateReason ?? "");
}

function lookAt({ desiredCount = 0, deployments = [], events = [] }: Service, ours: Deployment): Look<Rollout> {
  const { runningCount = 0, pendingCount = 0, failedTasks = 0, rolloutState = "" } = ours;
  const old = deployments.filter(({ id }) => id !== ours.id).reduce((sum, one) => sum + (one.runningCount ?? 0), 0);
  const counts = `${rolloutState}: ${runningCount} of ${desiredCount} new tasks run, ${pendingCount} start, ${failedTasks} failed, ${old} old`;
  const message = events[0]?.message ?? "";
  const seen = message ? `${counts} (${message})` : counts;
  return rolloutState === "COMPLETED"
    ? { seen, result: { deployment: ours.id ?? "", taskDefinition: ours.taskDefinition ?? "", tasks: runningCount } }
    : { seen };
}

async function rollbackProblem(clients: ServiceClients, deployment: string, reason = ""): Promise<Problem> {
  const stopped = await stoppedReasons(clients, deployment);
  const tasks = stopped.length > 0 ? `\n  ${stopped.join("\n  ")}` : " No stopped task of it is listed any more.";
  const { service: name, pages, logGroup } = clients.tier;
  return new Problem(
    `The circuit breaker rolled ${name} back: the tasks of deployment ${deployment} did not stay up. ${reason}${tasks}`,
    `What ran before runs on. docs/operations/${pages.rollout}.md says what each reason means; logs: ${logGroup}.`,
  );
}

/** A line for each of the last stopped tasks of a deployment: its reason, and what each container says. */
export async function stoppedReasons({ tier, ecs }: ServiceClients, deployment: string): Promise<string[]> {
  const list = new ListTasksCommand({ cluster: tier.cluster, serviceName: tier.service, desiredStatus: "STOPPED" });
  const { taskArns = [] } = await ecs.send(list);
  if (taskArns.length === 0) {
    return [];
  }
  const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster: tier.cluster, tasks: taskArns }));
  return tasks
    .filter(({ startedBy }) => startedBy === deployment)
    .sort((a, b) => (b.stoppedAt?.getTime() ?? 0) - (a.stoppedAt?.getTime() ?? 0))
    .slice(0, QUOTED_TASKS)
    .map(taskLine);
}

function taskLine({ taskArn = "", stoppedReason = "no reason given", containers = [] }: Task): string {
  const said = containers
    .filter(({ exitCode, reason }) => reason !== undefined || (exitCode ?? 0) !== 0)
    .map(({ name, exitCode, reason }) => `${name}: ${[exitText(exitCode), reason].filter(Boolean).join(", ")}`);
  return [`task ${taskArn.split("/").at(-1)}: ${stoppedReason}`, ...said].join("; ");
}

function exitText(exitCode: number | undefined): string {
  return exitCode === undefined ? "" : `exit code ${exitCode}`;
}
