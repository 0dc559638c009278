import { DeployLog } from "../../local/deploy-log";

const LINES = `nanogrid-data      Initializing the backend...
nanogrid-workers  aws_iam_role.role: Creating...
nanogrid-data  aws_sqs_queue.queue: Creation complete after 0s [id=http://queue]
nanogrid-data  
               Apply complete! Resources: 38 added, 1 changed, 0 destroyed.
nanogrid-workers  ╷
                  │ Error: putting IAM Role Policy: Policy statement must contain resources.
                  │ 
                  │   with aws_iam_role_policy.role_permissions,
nanogrid-workers  Error: putting IAM Role Policy: Policy statement must contain resources.
1 Stack deploying     1 Stack done     0 Stacks waiting`.split("\n");

test("deploy: progress, totals and each error with its stack are read from the mixed lines of the CLI", () => {
  const log = new DeployLog(["nanogrid-data", "nanogrid-workers"]);
  const told = LINES.filter((line) => log.take(line)).length;

  expect(told).toBe(3);
  expect(log.progress).toBe("1 of 2 stacks, 1 resources changed, now nanogrid-workers");
  expect(log.summary).toBe("2 stacks: 38 added, 1 changed, 0 destroyed");
  expect(log.errors).toEqual(["nanogrid-workers: putting IAM Role Policy: Policy statement must contain resources."]);
});

test("deploy: a second run that changes nothing says so", () => {
  const log = new DeployLog(["nanogrid-data"]);
  log.take("nanogrid-data  Apply complete! Resources: 0 added, 0 changed, 0 destroyed.");

  expect(log.summary).toBe("1 stacks: no changes");
});
