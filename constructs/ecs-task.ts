/** A task definition for EC2: containers with health checks, limits and a start order, each confined to what it writes. */
import { EcsTaskDefinition } from "@cdktf/provider-aws/lib/ecs-task-definition";
import { Fn } from "cdktf";
import { Construct } from "constructs";

/** When a container counts as healthy. */
export interface HealthCheckProps {
  /** `CMD` and the program with its arguments. */
  readonly command: readonly string[];
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  /** Failures in a row, 1 to 10. */
  readonly retries: number;
  /** How long failures do not count after the start, at most 300. */
  readonly startSeconds: number;
}

/** One container of the task. */
export interface ContainerProps {
  /** Name in the task. */
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Hard limit, in MiB. */
  readonly memoryMib: number;
  /** Share of the processors, in CPU units: 1024 a vCPU. */
  readonly cpuUnits: number;
  /** GPUs of its own. @default 0 */
  readonly gpus?: number;
  /** TCP port that others reach. @default - none */
  readonly port?: number;
  /** @default - it is healthy while it runs */
  readonly healthCheck?: HealthCheckProps;
  /** Whether the task ends when it does. @default true */
  readonly essential?: boolean;
  /** Containers that come first, each with how far it must be. @default - none */
  readonly after?: Readonly<Record<string, "START" | "HEALTHY">>;
  /** How long others wait for it, in seconds. @default - the agent's three minutes */
  readonly startTimeoutSeconds?: number;
  /** How long it may take to end, in seconds. */
  readonly stopTimeoutSeconds: number;
}

export interface EcsTaskProps {
  /** Physical name of the family. */
  readonly family: string;
  /** Image of every container. */
  readonly image: string;
  readonly containers: readonly ContainerProps[];
  /** ARN of the role that the programs have. @default - none: they may do nothing in AWS */
  readonly taskRoleArn?: string;
  /** ARN of the role that pulls the image and writes logs. */
  readonly executionRoleArn: string;
  /** Name of the log group; streams begin with the container's name. */
  readonly logGroupName: string;
  /** AWS region of the log group. */
  readonly region: string;
}

/** A container's own scratch space: its image is read-only. */
const SCRATCH = "/tmp";

/** Network mode awsvpc: a task has an address of its own, and its containers share one loopback. */
export class EcsTask extends Construct {
  /** ARN with the revision. */
  readonly arn: string;

  constructor(scope: Construct, id: string, props: EcsTaskProps) {
    super(scope, id);
    const definition = new EcsTaskDefinition(this, "Resource", {
      family: props.family,
      networkMode: "awsvpc",
      requiresCompatibilities: ["EC2"],
      taskRoleArn: props.taskRoleArn,
      executionRoleArn: props.executionRoleArn,
      containerDefinitions: Fn.jsonencode(props.containers.map((container) => definitionOf(container, props))),
      // Without a path on the host: Docker makes it with the task, with the permissions of the image's /tmp.
      volume: props.containers.map(({ name }) => ({ name: scratchOf(name) })),
    });
    this.arn = definition.arn;
  }
}

function definitionOf(container: ContainerProps, { image, logGroupName, region }: EcsTaskProps): object {
  const { name, healthCheck, port, gpus = 0, after = {}, startTimeoutSeconds } = container;
  return {
    name,
    image,
    essential: container.essential ?? true,
    command: container.command,
    environment: Object.entries(container.environment)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ name: key, value })),
    cpu: container.cpuUnits,
    memory: container.memoryMib,
    readonlyRootFilesystem: true,
    privileged: false,
    mountPoints: [{ sourceVolume: scratchOf(name), containerPath: SCRATCH, readOnly: false }],
    // A process that ends leaves its children to it, and they are reaped.
    linuxParameters: { initProcessEnabled: true, capabilities: { drop: ["ALL"] } },
    stopTimeout: container.stopTimeoutSeconds,
    ...(startTimeoutSeconds === undefined ? {} : { startTimeout: startTimeoutSeconds }),
    ...(port === undefined ? {} : { portMappings: [{ containerPort: port, hostPort: port, protocol: "tcp" }] }),
    ...(gpus === 0 ? {} : { resourceRequirements: [{ type: "GPU", value: String(gpus) }] }),
    ...(Object.keys(after).length === 0
      ? {}
      : { dependsOn: Object.entries(after).map(([containerName, condition]) => ({ containerName, condition })) }),
    ...(healthCheck === undefined
      ? {}
      : {
          healthCheck: {
            command: healthCheck.command,
            interval: healthCheck.intervalSeconds,
            timeout: healthCheck.timeoutSeconds,
            retries: healthCheck.retries,
            startPeriod: healthCheck.startSeconds,
          },
        }),
    logConfiguration: {
      logDriver: "awslogs",
      options: {
        "awslogs-group": logGroupName,
        "awslogs-region": region,
        "awslogs-stream-prefix": name,
        // A log that stalls must not stall the program.
        mode: "non-blocking",
        "max-buffer-size": "4m",
      },
    },
  };
}

function scratchOf(container: string): string {
  return `${container}-tmp`;
}
