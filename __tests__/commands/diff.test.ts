/** What plans mean, how they are told and what they may not do: on plan JSON in Terraform's documented format. */
import { changedOutputs, changesOf } from "../../commands/support/plans/changes";
import { commentOf, costTable, MOST, markerOf } from "../../commands/support/plans/comment";
import { lossesOf, refusalOf } from "../../commands/support/plans/guard";
import { maskPlan, parsePlan } from "../../commands/support/plans/plan-json";
import { empty } from "../../commands/support/plans/planner";
import { readingsOf } from "../../commands/support/plans/readers";
import { replacedBy, replacementTables } from "../../commands/support/plans/replacements";
import {
  type Change,
  countsOf,
  parseSummary,
  type StackSummary,
  type Summary,
  sumOf,
} from "../../commands/support/plans/summary";
import { errorsIn } from "../../commands/support/plans/terraforms";
import { differences } from "../../commands/support/plans/values";
import { chosenStacks, inOrder, wavesOf } from "../../commands/support/plans/waves";
import { summaryText } from "../../commands/support/plans/words";
import { columns, table } from "../../commands/support/table";
import { output } from "../support/synth";

const STACKS = [
  { name: "network", dependencies: [] },
  { name: "data", dependencies: ["network"] },
  { name: "billing", dependencies: [] },
  { name: "workers", dependencies: ["data", "network"] },
];

/** A plan with these resource changes. */
function planOf(...resources: object[]) {
  return parsePlan(
    JSON.stringify({
      format_version: "1.2",
      terraform_version: "1.11.4",
      resource_changes: resources,
      output_changes: {
        queue_url: { actions: ["update"], before: "a", after: "b" },
        same: { actions: ["no-op"], before: "a", after: "a" },
      },
      configuration: {
        root_module: {
          resources: [
            { address: "aws_sqs_queue.queue", expressions: { fifo_queue: {}, key: {}, policy: {}, tags: {} } },
          ],
        },
      },
    }),
  );
}

function resource(address: string, change: object, rest: object = {}) {
  const [type = "", name = ""] = address.split(".");
  return { address, type, name, mode: "managed", change, ...rest };
}

const QUEUE = resource(
  "aws_sqs_queue.queue",
  {
    actions: ["delete", "create"],
    before: {
      fifo_queue: false,
      arn: "arn:1",
      url: "https://queue",
      kms: "",
      tags: { owner: "a" },
      tags_all: { owner: "a" },
      key: "old secret",
    },
    after: { fifo_queue: true, tags: { owner: "b" }, tags_all: { owner: "b" }, key: "new secret" },
    after_unknown: { arn: true, tags: {}, policy: true },
    before_sensitive: { key: true },
    after_sensitive: { key: true },
    replace_paths: [["fifo_queue"]],
  },
  { action_reason: "replace_because_cannot_update" },
);
const ROLE = resource("aws_iam_role.role", {
  actions: ["update"],
  before: { assume_role_policy: '{"Statement":[{"Action":"sts:AssumeRole"},{"Sid":"a"}]}' },
  after: { assume_role_policy: '{"Statement":[{"Action":"sts:TagSession"},{"Sid":"a"}]}' },
});
const TABLE = resource("aws_dynamodb_table.jobs", { actions: ["delete"], before: { name: "jobs" }, after: null });
const NEW = resource("aws_sns_topic.topic", { actions: ["create"], before: null, after: { name: "topic" } });
const SAME = resource("aws_vpc.vpc", { actions: ["no-op"], before: { id: "a" }, after: { id: "a" } });

function summaryOf(stacks: StackSummary[], changes: Partial<Summary> = {}): Summary {
  return {
    version: 1,
    environment: "dev",
    accountId: "111122223333",
    commit: "0123456789abcdef0123456789abcdef01234567",
    modified: false,
    plannedAt: "2026-01-02T03:04:05.678Z",
    terraform: "1.11.4",
    stacks,
    totals: sumOf(stacks.map(({ counts }) => counts)),
    refused: [],
    ...changes,
  };
}

function planned(stack: string, changes: Change[]): StackSummary {
  return { ...empty(stack, "changes"), changes, counts: countsOf(changes) };
}

test("diff: what is replaced comes first, with the attribute that forces it, without secrets and computed noise", () => {
  const changes = changesOf(planOf(NEW, SAME, ROLE, TABLE, QUEUE));

  expect(changes.map(({ action, address }) => `${action} ${address}`)).toEqual([
    "replace aws_sqs_queue.queue",
    "destroy aws_dynamodb_table.jobs",
    "create aws_sns_topic.topic",
    "update aws_iam_role.role",
  ]);
  expect(changes[0]).toMatchObject({ replacedBy: ["fifo_queue"], loses: "messages" });
  expect(changes[0]?.attributes).toEqual([
    { path: "fifo_queue", before: "false", after: "true" },
    { path: "tags_all.owner", before: '"a"', after: '"b"' },
    { path: "key", before: "(sensitive)", after: "(sensitive)" },
    { path: "policy", after: "(known after apply)" },
  ]);
  expect(changedOutputs(planOf())).toEqual(["queue_url"]);
});

test("diff: a policy is compared as the JSON that it is", () => {
  expect(changesOf(planOf(ROLE))[0]?.attributes).toEqual([
    { path: "assume_role_policy.Statement[0].Action", before: '"sts:AssumeRole"', after: '"sts:TagSession"' },
  ]);
});

test("diff: blocks that only change places do not differ, and long values are cut around what differs", () => {
  const [a, b] = [{ port: 1 }, { port: 2 }];
  expect(differences({ rule: [a, b] }, { rule: [b, a] })).toEqual([]);
  const long = "x".repeat(300);
  const [found] = differences({ text: `${long}a${long}` }, { text: `${long}b${long}` });
  expect(found?.after).toMatch(/^…x{20}bx+… \(603 characters\)$/);
});

test("diff: no secret is left in the plan's JSON", () => {
  const plan = parsePlan(
    JSON.stringify({
      terraform_version: "1.11.4",
      variables: { password: { value: "hunter2" }, name: { value: "open" } },
      resource_changes: [QUEUE],
      planned_values: {
        outputs: { token: { sensitive: true, value: "hunter2" } },
        root_module: {
          resources: [{ values: { list: [{ key: "hunter2" }] }, sensitive_values: { list: [{ key: true }] } }],
        },
      },
      configuration: { root_module: { variables: { password: { sensitive: true } } } },
    }),
  );

  const text = JSON.stringify(maskPlan(plan));

  expect(text).not.toMatch(/hunter2|new secret|old secret/);
  expect(text).toContain('"open"');
  expect(text).toContain('"fifo_queue":true');
});

test("diff: data is only destroyed by name, and by stack where a name is not enough", () => {
  const changes = changesOf(planOf(TABLE, QUEUE, ROLE));
  const one = [{ stack: "data", changes }];
  const two = [...one, { stack: "billing", changes: changesOf(planOf(TABLE)) }];

  expect(refusalOf(lossesOf(one, ["aws_sqs_queue.queue"]))?.message).toBe(
    "This would destroy data: data: aws_dynamodb_table.jobs (a table's items). Change the code so that it stays, or, once a copy " +
      "is safe, name each: --allow-destroy aws_dynamodb_table.jobs",
  );
  expect(refusalOf(lossesOf(one, ["aws_sqs_queue.queue", "aws_dynamodb_table.jobs"]))).toBeUndefined();
  expect(lossesOf(two, ["aws_sqs_queue.queue", "aws_dynamodb_table.jobs"])).toHaveLength(2);
  expect(lossesOf(two, ["aws_sqs_queue.queue", "data:aws_dynamodb_table.jobs"])).toMatchObject([{ stack: "billing" }]);
});

test("diff: the comment begins with its marker, tells losses before all else, and says who has to wait", () => {
  const changes = changesOf(planOf(NEW, TABLE, QUEUE));
  const stacks = [
    planned("network", changesOf(planOf(NEW))),
    planned("data", changes),
    empty("billing", "unchanged"),
    { ...empty("workers", "later"), after: ["data"] },
  ];
  const refused = lossesOf(stacks, []);

  const text = commentOf(summaryOf(stacks, { refused, planUrl: "https://ci/1" }), (stack) => `plan of ${stack}`);

  const lines = text.split("\n");
  expect(lines[0]).toBe(markerOf("dev"));
  expect(lines[2]).toBe("### Diff of `dev`: 1 to replace, 1 to destroy, 2 to add");
  expect(lines[4]).toBe("> [!CAUTION]");
  expect(text).toContain("> **2 of them hold data: this is not applied unless each is named with `--allow-destroy`.**");
  expect(text).toContain(
    "> - **data** `aws_sqs_queue.queue`  REPLACED, and with it messages; fifo_queue cannot change in place",
  );
  expect(text.indexOf("| data |")).toBeLessThan(text.indexOf("| network |"));
  expect(text).toContain("| workers |  |  |  |  | can be planned after data |");
  expect(text).toContain("No changes: billing");
  expect(text).toContain("```\nplan of data\n```");
  expect(text).toContain("[Full plan](https://ci/1) · `0123456789ab` · Terraform 1.11.4 · 2026-01-02T03:04:05Z");
});

test("diff: the comment fits GitHub however much there is, and closes what it opens", () => {
  const many = Array.from({ length: 300 }, (_, index) =>
    planned(`stack-${index}`, changesOf(planOf(QUEUE, TABLE, NEW))),
  );

  const text = commentOf(summaryOf(many), (stack) => `plan of ${stack} \`\`\`\n`.repeat(2_000));
  const few = commentOf(summaryOf(many.slice(0, 3)), () => "line ``` of a plan\n".repeat(5_000));

  expect(text.length).toBeLessThanOrEqual(MOST);
  expect(few.length).toBeLessThanOrEqual(MOST);
  expect(few.length).toBeGreaterThan(MOST * 0.9);
  expect(few.match(/<details>/g)).toHaveLength(3);
  expect(few.match(/<\/details>/g)).toHaveLength(3);
  expect(few.match(/^````$/gm)).toHaveLength(6);
});

test("diff: the cost's table names what changes, and the sum of all", () => {
  const costs = { data: { before: 10, after: 15.5, note: "a replica" }, network: { before: 30, after: 30 } };

  expect(costTable(costs).split("\n").slice(2)).toEqual([
    "| data | $10.00 | $15.50 | +$5.50 | a replica |",
    "| **in all** | $40.00 | $45.50 | +$5.50 |  |",
  ]);
  expect(costTable({ network: costs.network })).toBe("Cost: $30.00 a month, unchanged.");
});

test("diff: the text for a terminal has each stack, its changes, and the totals", () => {
  const text = summaryText(summaryOf([planned("data", changesOf(planOf(ROLE, QUEUE))), empty("network", "left-out")]));

  expect(text).toMatch(/^data: 1 to replace, 1 to change\n {2}-\/\+ aws_sqs_queue\.queue {2}REPLACED/);
  expect(text).toContain("\n      fifo_queue: false → true\n");
  expect(text).toContain("Left out, since they do not differ: network");
  expect(text).toMatch(/\n {2}data +1 +0 +0 +1\n {2}in all +1 +0 +0 +1$/);
});

test("diff: a summary that is read back is the one that was written", () => {
  const summary = summaryOf([planned("data", changesOf(planOf(ROLE, QUEUE, TABLE)))]);

  expect(parseSummary(JSON.stringify(summary))).toEqual(summary);
});

test("diff: waves keep the order of deployment, over stacks that are left out too", () => {
  expect(wavesOf(STACKS, ["network", "data", "billing", "workers"])).toEqual([
    ["network", "billing"],
    ["data"],
    ["workers"],
  ]);
  expect(wavesOf(STACKS, ["workers", "network"])).toEqual([["network"], ["workers"]]);
  expect(chosenStacks(STACKS, ["workers", "network"])).toEqual(["network", "workers"]);
  expect(() => chosenStacks(STACKS, ["worker"])).toThrow("There is no stack worker. The stacks are network, data,");
});

test("diff: stacks run side by side, no more than wanted, each after its producers", async () => {
  const others = ["a", "b", "c"].map((name) => ({ name, dependencies: [] }));
  const log: string[] = [];
  let running = 0;
  let most = 0;
  const results = inOrder([...STACKS, ...others], 2, async ({ name }, producers) => {
    log.push(`${name} after ${[...producers.keys()].join(" ")}`.trim());
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 20));
    running--;
    return name;
  });

  expect(await Promise.all(results.values())).toEqual(["network", "data", "billing", "workers", "a", "b", "c"]);
  expect(most).toBe(2);
  expect(log.indexOf("workers after data network")).toBeGreaterThan(log.indexOf("data after network"));
});

test("diff: what a stack reads of others is found in its Terraform, whatever the data source is called", () => {
  const stack = {
    data: {
      terraform_remote_state: { net: { config: { key: "p/dev/network.tfstate" } }, other: { config: { key: "x" } } },
    },
    resource: {
      a: {
        b: {
          vpc: output("net", "vpc_id"),
          x: output("other", "y"),
        },
      },
    },
  };

  expect(readingsOf(stack, (key) => (key === "p/dev/network.tfstate" ? "network" : undefined))).toEqual([
    { producer: "network", outputs: ["vpc_id"] },
  ]);
});

test("diff: Terraform's errors become sentences with the resource, and who holds a lock", () => {
  const said = `
╷
│ Error: reading ECR Images: couldn't find resource
│
│   with data.aws_ecr_image.runtime,
│   on cdk.tf.json line 3
╵
Error: Error acquiring the state lock

Lock Info:
  Who:       me@there`;

  expect(errorsIn(said.split("\n"))).toEqual([
    "reading ECR Images: couldn't find resource (data.aws_ecr_image.runtime)",
    "Error acquiring the state lock, held by me@there",
  ]);
});

test("diff: hints of replacements come from the providers' source, nested attributes included", () => {
  const tables = replacementTables();

  expect(replacedBy(tables, "aws_sqs_queue", ["fifo_queue", "delay_seconds"])).toEqual(["fifo_queue"]);
  expect(replacedBy(tables, "aws_dynamodb_table", ["name", "billing_mode"])).toEqual(["name"]);
  expect(replacedBy(tables, "aws_vpc", ["cidr_block", "enable_dns_support"])).toEqual(["cidr_block"]);
  expect(replacedBy(tables, "google_storage_bucket", ["name", "location", "versioning[0].enabled"])).toEqual([
    "name",
    "location",
  ]);
});

test("tables: cells stand below each other, words to the left and numbers to the right", () => {
  expect(
    columns([
      ["A", "BB"],
      ["ccc", ""],
      ["d", "ü"],
    ]),
  ).toBe("A    BB\nccc\nd    ü");
  expect(table(["state", "count"], [["data", "12"]])).toBe("  state   count\n  ─────   ─────\n  data       12");
});
