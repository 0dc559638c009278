/** Permissions that no test here can exercise, each with its reason. Everything else has to be shown to be needed. */
import type { EmittedRole } from "./emitted";

/** Statements that are taken on trust. */
export interface Unexercised {
  /** @default - every stack's */
  readonly stack?: string;
  /** @default - every statement */
  readonly sid?: string;
  /** @default - every action */
  readonly action?: string;
  /** Why it is not exercised, and how it is known to be needed. */
  readonly reason: string;
}

export const UNEXERCISED: readonly Unexercised[] = [
  {
    sid: "SessionManager",
    reason:
      "The SSM agent is AWS's and registers with a real account only. These five are what AWS documents as the least for " +
      "Session Manager without logs of sessions and without a key of one's own.",
  },
  {
    sid: "ShipLogs",
    reason:
      "The CloudWatch agent is AWS's. By its source (plugins/outputs/cloudwatchlogs) it makes a stream, and the group only where " +
      "there is none, then puts events; it describes nothing while no retention is configured in it.",
  },
  {
    sid: "WriteFlowLogs",
    reason:
      "VPC flow logs assume it from within AWS. The actions are those that AWS documents for delivery to an existing group.",
  },
  {
    stack: "nanogrid-workers",
    sid: "TakeJobs",
    action: "sqs:GetQueueAttributes",
    reason: "The specification lists it for the worker's role. The program does not call it today.",
  },
  ...["denoise-service", "inference-gpu"].flatMap((stack) => [
    ...["SignInToRegistry", "PullImages"].map((sid) => ({
      stack,
      sid,
      reason:
        "The ECS agent pulls images from within AWS. The three actions are those of AWS's policy for task execution roles, " +
        "AmazonECSTaskExecutionRolePolicy, less the check for layers, which only pushing asks for.",
    })),
    ...["FindEcs", "JoinCluster", "TakeTasks"].map((sid) => ({
      stack,
      sid,
      reason:
        "The ECS agent is AWS's and registers with a real cluster only. The actions are those of AWS's policy for its instances, " +
        "AmazonEC2ContainerServiceforEC2Role, less what other launch types, its registry and its logs ask for.",
    })),
  ]),
  ...["denoise-api", "inference-api", "ml-function"].flatMap((stack) =>
    ["WriteLogs", "SendTraces"].map((sid) => ({
      stack,
      sid,
      reason:
        "Lambda writes a function's log and sends its traces from within AWS, in the function's name. The actions are those of " +
        "AWSLambdaBasicExecutionRole, less the making of the group, and of AWSXRayDaemonWriteAccess, less its sampling rules.",
    })),
  ),
  {
    stack: "inference-api",
    sid: "AttachToVpc",
    reason:
      "Lambda makes and removes a function's network interfaces from within AWS, and refuses a function whose role may not. The " +
      "actions are those of AWS's policy AWSLambdaVPCAccessExecutionRole, less its logs.",
  },
  {
    stack: "inference-api",
    sid: "ReceiveMessages",
    action: "sqs:GetQueueAttributes",
    reason:
      "Lambda's pollers ask for it when they take a queue, and refuse a source without it. The stand-in of the pollers knows its " +
      "queue; it receives and deletes, which is shown.",
  },
  {
    stack: "music-cluster",
    reason:
      "No program of this project calls AWS there: EKS, its nodes and add-ons, the cluster autoscaler and Kubeflow Pipelines do, " +
      "which run in a real cluster only. The actions are those that AWS and the autoscaler document for each, less what is not used.",
  },
  {
    stack: "ci-access",
    reason:
      "Terraform's requests, not a program's: what these roles may do is made from the resource types that the stacks emit, and " +
      "is tested where it is made.",
  },
];

/** One part of a role's permissions. */
export interface Grant {
  readonly stack: string;
  readonly role: string;
  readonly sid: string;
  readonly action: string;
  readonly resource: string;
}

/** Every action of every statement of every role, on each of its resources. */
export function grantsOf(roles: readonly EmittedRole[]): Grant[] {
  return roles.flatMap(({ stack, name: role, statements }) =>
    statements
      .filter(({ effect }) => effect === "Allow")
      .flatMap(({ sid, actions, resources }) =>
        actions.flatMap((action) => resources.map((resource) => ({ stack, role, sid, action, resource }))),
      ),
  );
}

/** Why a grant is not exercised; undefined where it has to be. */
export function exceptionFor(grant: Grant): Unexercised | undefined {
  return UNEXERCISED.find(
    ({ stack = grant.stack, sid = grant.sid, action = grant.action }) =>
      stack === grant.stack && sid === grant.sid && action === grant.action,
  );
}
