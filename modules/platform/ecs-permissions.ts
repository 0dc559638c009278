/** What ECS itself may do: the agent on each instance, and what starts a task. The programs' own permissions are with them. */
import { pullImages, sessionManager, shipLogs } from "../../constructs/instance-permissions";
import type { Statement } from "../../constructs/role";

/** A cluster, by its ARN and by what the ARNs of its instances begin with. */
export interface AgentArns {
  readonly cluster: string;
  /** `arn:aws:ecs:<region>:<account>:container-instance/<cluster>` */
  readonly instances: string;
}

/** The ECS agent: registers its instance with one cluster, and says how its tasks are. */
export function ecsAgent({ cluster, instances }: AgentArns): readonly Statement[] {
  return [
    {
      sid: "FindEcs",
      actions: ["ecs:DiscoverPollEndpoint"],
      resources: ["*"],
      wildcardReason: "Where the agent asks for work has no resource: it is the region's.",
    },
    {
      sid: "JoinCluster",
      actions: [
        "ecs:DeregisterContainerInstance",
        "ecs:RegisterContainerInstance",
        "ecs:SubmitAttachmentStateChanges",
        "ecs:SubmitContainerStateChange",
        "ecs:SubmitTaskStateChange",
      ],
      resources: [cluster],
    },
    {
      sid: "TakeTasks",
      actions: ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"],
      resources: [`${instances}/*`],
    },
    sessionManager(),
  ];
}

/** What starts a task: pulls the image and writes the containers' output. */
export function taskExecution(repositoryArn: string, logGroupArn: string): readonly Statement[] {
  return [...pullImages([repositoryArn]), shipLogs(logGroupArn)];
}

/**
 * ARN of the ECR repository that an image is pulled from, or undefined when it is in no ECR.
 *
 * @param uri image with its registry, such as `123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/name:tag`
 */
export function repositoryOf(uri: string): string | undefined {
  const [, account, region, name] = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com\/([^:@]+)/.exec(uri) ?? [];
  return name === undefined ? undefined : `arn:aws:ecr:${region}:${account}:repository/${name}`;
}
