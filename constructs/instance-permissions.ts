/** The statements that an EC2 instance needs whatever program it runs. */
import type { Statement } from "./role";

/** Session Manager instead of SSH: what the SSM agent needs for sessions, and no more. */
export function sessionManager(): Statement {
  return {
    sid: "SessionManager",
    actions: [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ],
    resources: ["*"],
    wildcardReason: "These actions of the SSM agent have no resource-level permissions.",
  };
}

/** Writing one log group's streams, as the CloudWatch agent does: Terraform makes the group and says how long it keeps. */
export function shipLogs(logGroupArn: string): Statement {
  return {
    sid: "ShipLogs",
    actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
    resources: [`${logGroupArn}:log-stream:*`],
  };
}

/** Pulling container images by digest, with a token that ECR gives out for twelve hours. */
export function pullImages(repositoryArns: readonly string[]): readonly Statement[] {
  return [
    {
      sid: "SignInToRegistry",
      actions: ["ecr:GetAuthorizationToken"],
      resources: ["*"],
      wildcardReason: "The token is the account's: the action has no resource-level permissions.",
    },
    {
      sid: "PullImages",
      actions: ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      resources: repositoryArns,
    },
  ];
}

/** Fetching a program's artifacts: all versions, since an instance that replaces another may be asked for the previous one. */
export function fetchArtifact(artifactsBucketArn: string, program: string): Statement {
  return {
    sid: "FetchArtifact",
    actions: ["s3:GetObject"],
    resources: [`${artifactsBucketArn}/programs/${program}/*`],
  };
}
