/** What the controller's role may do. */
import { controllerPermissions } from "../../../userdata/controller/permissions";

const arns = {
  codeBucket: "arn:aws:s3:::code",
  userDataBucket: "arn:aws:s3:::user-data",
  functionsTable: "arn:aws:dynamodb:r:1:table/functions",
  jobsTable: "arn:aws:dynamodb:r:1:table/jobs",
  apiKeysTable: "arn:aws:dynamodb:r:1:table/keys",
  queue: "arn:aws:sqs:r:1:queue",
  deadLetterQueue: "arn:aws:sqs:r:1:dead-letters",
};

function actionsOn(resource: string, statements = controllerPermissions(arns)): string[] {
  return statements
    .filter(({ resources }) => resources.includes(resource))
    .flatMap(({ actions }) => actions)
    .sort();
}

test("permissions: exactly the specified actions on each resource", () => {
  expect(actionsOn("arn:aws:s3:::code/functions/*")).toEqual(["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]);
  expect(actionsOn("arn:aws:s3:::code/inputs/*")).toEqual(["s3:PutObject"]);
  expect(actionsOn("arn:aws:s3:::code/dependencies/*")).toEqual(["s3:DeleteObject"]);
  expect(actionsOn("arn:aws:s3:::user-data/*")).toEqual(["s3:GetObject"]);
  const items = ["DeleteItem", "GetItem", "PutItem", "UpdateItem"].map((action) => `dynamodb:${action}`);
  expect(actionsOn(arns.functionsTable)).toEqual(items);
  expect(actionsOn(arns.jobsTable)).toEqual(items);
  expect(actionsOn(`${arns.jobsTable}/index/by-tenant`)).toEqual(["dynamodb:Query"]);
  expect(actionsOn(arns.apiKeysTable)).toEqual(["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]);
  expect(actionsOn(`${arns.apiKeysTable}/index/by-tenant`)).toEqual(["dynamodb:Query"]);
  expect(actionsOn(arns.deadLetterQueue)).toEqual(["sqs:GetQueueAttributes"]);
  expect(actionsOn(arns.queue)).toEqual(["sqs:GetQueueAttributes", "sqs:SendMessage"]);
});

test("permissions: Redis is there with IAM authentication only", () => {
  expect(controllerPermissions(arns).flatMap(({ actions }) => actions)).not.toContain("elasticache:Connect");
  const redis = { redisReplicationGroup: "arn:group", redisUser: "arn:user" };
  const statements = controllerPermissions({ ...arns, ...redis });
  expect(actionsOn("arn:group", statements)).toEqual(["elasticache:Connect"]);
  expect(actionsOn("arn:user", statements)).toEqual(["elasticache:Connect"]);
});

test("permissions: nothing has a wildcard action, or all resources", () => {
  for (const { actions, resources } of controllerPermissions(arns)) {
    expect(actions.join()).not.toContain("*");
    expect(resources).not.toContain("*");
  }
});
