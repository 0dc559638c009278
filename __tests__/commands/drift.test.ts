import { driftMarkdown, driftOf, driftText, type StackDrift } from "../../commands/support/plans/drift";
import { parsePlan } from "../../commands/support/plans/plan-json";

/** What a refresh-only plan says of one group, and the code of it. */
function found(before: object | null, after: object | null, lifecycle: object = {}, secrets: object = {}) {
  const actions = after === null ? ["delete"] : ["update"];
  const change = { actions, before, after, before_sensitive: secrets, after_sensitive: secrets };
  const address = "aws_autoscaling_group.group";
  const { resource_drift: drift } = parsePlan(
    JSON.stringify({
      terraform_version: "1.11.4",
      resource_drift: [{ address, type: "aws_autoscaling_group", name: "group", mode: "managed", change }],
    }),
  );
  const [only] = drift;
  if (only === undefined) {
    throw new Error("no drift");
  }
  const body = { name: "workers", max_size: 5, desired_capacity: 2, tag: [], lifecycle };
  return driftOf(only, { resource: { aws_autoscaling_group: { group: body } } });
}

test("drift: what the code sets and somebody changed is drift, what a service computes is not", () => {
  const { aside, drifted } = found(
    { max_size: 5, version: 1, tags_all: { a: "b" } },
    { max_size: 9, version: 2, tags_all: {} },
  );

  expect(drifted).toEqual([
    {
      address: "aws_autoscaling_group.group",
      deleted: false,
      attributes: [
        { path: "max_size", before: "5", after: "9" },
        { path: "tags_all.a", before: '"b"' },
      ],
    },
  ]);
  expect(aside.flatMap(({ attributes }) => attributes.map(({ path }) => path))).toEqual(["version"]);
});

test("drift: what the code leaves to others is none", () => {
  const [before, after] = [{ desired_capacity: 2 }, { desired_capacity: 4 }];

  expect(found(before, after).drifted).toHaveLength(1);
  expect(found(before, after, { ignore_changes: ["desired_capacity"] })).toMatchObject({ drifted: [], aside: [{}] });
  expect(found(before, after, { ignore_changes: "all" })).toMatchObject({ drifted: [], aside: [{}] });
});

test("drift: a secret that is set on neither side has not changed, and one that was set is shown as hidden", () => {
  const mask = { tag: true };

  expect(found({ tag: null }, { tag: [] }, {}, mask)).toEqual({ drifted: [], aside: [] });
  expect(found({ tag: null }, { tag: ["x"] }, {}, mask).drifted).toMatchObject([
    { attributes: [{ path: "tag", after: "(sensitive)" }] },
  ]);
});

test("drift: what was deleted is drift, whatever is ignored", () => {
  expect(found({ max_size: 5 }, null, { ignore_changes: "all" }).drifted).toMatchObject([{ deleted: true }]);
});

test("drift: the text has stacks, resources and attributes, and says where to see the rest", () => {
  const stacks: StackDrift[] = [
    { stack: "workers", outcome: "drift", ...found({ max_size: 5, version: 1 }, { max_size: 9, version: 2 }) },
    { stack: "network", outcome: "none", drifted: [], aside: [] },
  ];

  expect(driftText(stacks, false)).toBe(
    [
      "workers: 1 resource has drifted\n  ~ aws_autoscaling_group.group\n      max_size: 5 → 9",
      "network: as its state says",
      "1 more differs in what no code sets, or is left to others: --all lists them.",
    ].join("\n\n"),
  );
  expect(driftMarkdown("prod", stacks)).toMatch(
    /^<!-- nanogrid-cloud drift: prod -->\n\n### Drift of `prod`: workers\n/,
  );
  expect(driftMarkdown("prod", stacks.slice(1))).toContain("Everything is as its state says.");
});
