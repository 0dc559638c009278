import { fetchArtifact, pullImages, sessionManager, shipLogs } from "../../constructs/instance-permissions";

describe("instance permissions", () => {
  test("Session Manager gets the SSM agent's actions and says why its resource is *", () => {
    expect(sessionManager()).toEqual({
      sid: "SessionManager",
      actions: [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ],
      resources: ["*"],
      wildcardReason: expect.stringMatching(/resource-level permissions/),
    });
  });

  test("logs go to the streams of one group, which nobody may create or delete", () => {
    const { actions, resources } = shipLogs("arn:group");
    expect(resources).toEqual(["arn:group:log-stream:*"]);
    expect(actions).toEqual(["logs:CreateLogStream", "logs:PutLogEvents"]);
  });

  test("images are pulled from the repositories that are named, with a token for which ECR takes no resource", () => {
    expect(pullImages(["arn:one", "arn:two"])).toEqual([
      {
        sid: "SignInToRegistry",
        actions: ["ecr:GetAuthorizationToken"],
        resources: ["*"],
        wildcardReason: expect.stringMatching(/resource-level permissions/),
      },
      {
        sid: "PullImages",
        actions: ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        resources: ["arn:one", "arn:two"],
      },
    ]);
  });

  test("a program fetches its own artifacts and no other's", () => {
    expect(fetchArtifact("arn:bucket", "worker")).toEqual({
      sid: "FetchArtifact",
      actions: ["s3:GetObject"],
      resources: ["arn:bucket/programs/worker/*"],
    });
  });
});
