/** The pictures of the docs: what they show is what is synthesized. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wordOf } from "../commands/support/pictures/access";
import { architectureOf } from "../commands/support/pictures/architecture";
import type { Drawing } from "../commands/support/pictures/drawing";
import { Estate } from "../commands/support/pictures/estate";
import { kindOf } from "../commands/support/pictures/kinds";
import { COLOURS, FILLS, INK, MUTED, PAPER } from "../commands/support/pictures/palette";
import { picturesOf } from "../commands/support/pictures/pictures";
import { stackGraphOf } from "../commands/support/pictures/stack-graph";
import { ALL_ENVIRONMENTS, expr, synthesized } from "./support/synth";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pictures-"));
  cpSync(synthesized("dev").folder, folder, { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Changes the text of a stack's Terraform. */
function change(stack: string, edit: (text: string) => string): void {
  const file = join(folder, "stacks", stack, "cdk.tf.json");
  const before = readFileSync(file, "utf8");
  const after = edit(before);
  expect(after).not.toBe(before);
  writeFileSync(file, after);
}

function addResource(stack: string, type: string, name: string, body: object): void {
  change(stack, (text) => {
    const document = JSON.parse(text) as { resource: Record<string, Record<string, object>> };
    document.resource[type] = { ...document.resource[type], [name]: body };
    return JSON.stringify(document);
  });
}

async function nanogrid(): Promise<Drawing> {
  const estate = new Estate(folder);
  const stacks = estate.stacks.map(({ name }) => name).filter((name) => name.startsWith("nanogrid-"));
  return architectureOf(estate, "nanogrid", stacks);
}

/** The words of the arrows between two boxes, found by their names. */
function between({ boxes, arrows }: Drawing, from: string, to: string): string[] {
  const called = (id: string) =>
    boxes.flatMap((box) => (box.id === id ? [box, ...(box.others ?? [])].map(({ name }) => name) : []));
  return arrows
    .filter((arrow) => called(arrow.from).includes(from) && called(arrow.to).includes(to))
    .map(({ sort, label, points }) => `${sort} ${label.join(" ")} ${points}`);
}

describe("the pictures", () => {
  test("in docs/images are those of the stacks as they are (npm run docs:pictures draws them anew)", async () => {
    for (const [name, svg] of await picturesOf(".", synthesized("dev").folder)) {
      const file = join("docs", "images", name);
      expect({ file, isThere: existsSync(file) }).toEqual({ file, isThere: true });
      expect(readFileSync(file, "utf8") === svg ? `${file} is as drawn` : `${file} is out of date`).toBe(
        `${file} is as drawn`,
      );
    }
  });

  test("know every type of resource that any environment has (commands/support/pictures/kinds.ts)", () => {
    const types = ALL_ENVIRONMENTS.flatMap((environment) =>
      Object.values(synthesized(environment).stacks).flatMap((stack) => stack.resources().map(({ type }) => type)),
    );
    expect([...new Set(types)].filter((type) => kindOf(type) === undefined)).toEqual([]);
  });

  test("carry a title, their arrows in words, dark colours, and nothing from elsewhere", async () => {
    for (const [name, svg] of await picturesOf(".", folder)) {
      expect(svg).toMatch(
        /^<svg[^>]* role="img" aria-labelledby="title" aria-describedby="words">\n<title id="title">\S/,
      );
      expect(svg).toContain("@media (prefers-color-scheme:dark)");
      expect([name, svg.match(/(?:href|src|url\()[^>]*http[^>]*/g)]).toEqual([name, null]);
    }
    const pictures = await picturesOf(".", folder);
    expect(pictures.get("architecture-nanogrid.svg")).toContain("Internet to nanogrid-alb: 80, 443.");
  });
});

describe("the architecture", () => {
  test("shows who may connect, and to which port", async () => {
    const drawing = await nanogrid();
    expect(between(drawing, "Internet", "nanogrid-alb")).toEqual(["network 80, 443 forward"]);
    expect(between(drawing, "nanogrid-worker-asg", "nanogrid-redis")).toEqual(["network 6379 forward"]);
    expect(between(drawing, "nanogrid-redis", "nanogrid-worker-asg")).toEqual([]);
  });

  test("shows what a role may do, and no more once a statement is gone", async () => {
    expect(between(await nanogrid(), "nanogrid-worker-asg", "nanogrid-task-queue")).toEqual([
      "data send, receive both",
    ]);
    change("nanogrid-workers", (text) => text.replaceAll("sqs:SendMessage", "sqs:GetQueueUrl"));
    expect(between(await nanogrid(), "nanogrid-worker-asg", "nanogrid-task-queue")).toEqual(["data receive back"]);
  });

  test("follows the federation to the archive", async () => {
    const drawing = await nanogrid();
    expect(between(drawing, "nanogrid-worker-asg", "nanogrid-writer")).toEqual(["data acts as, without a key forward"]);
    expect(between(drawing, "nanogrid-writer", "nanogird_gcp_bucket")).toEqual(["data create objects forward"]);
  });

  test("stands boxes in the tier of their subnets", async () => {
    const { boxes, frames } = await nanogrid();
    const frameOf = (name: string) => frames.find(({ id }) => id === boxes.find((box) => box.name === name)?.frame);
    expect(frameOf("nanogrid-worker-asg")).toMatchObject({ label: "Private Data", class: "tier" });
    expect(frameOf("nanogrid-alb")).toMatchObject({ label: "Public", class: "tier" });
    expect(frameOf("nanogrid-task-queue")).toMatchObject({ label: "AWS", class: "cloud" });
  });

  test("draws a type that nobody has described as a box with its type's name", async () => {
    addResource("nanogrid-data", "aws_quantum_computer", "thing", { name: "schroedinger" });
    const box = (await nanogrid()).boxes.find(({ name }) => name === "schroedinger");
    expect(box).toMatchObject({ facts: ["aws_quantum_computer"], class: "outside" });
  });

  test("draws a function that a queue starts, as another system would have it", async () => {
    addResource("nanogrid-data", "aws_lambda_function", "later", {
      function_name: "later",
      timeout: 30,
      memory_size: 512,
    });
    addResource("nanogrid-data", "aws_lambda_event_source_mapping", "later", {
      event_source_arn: expr("aws_sqs_queue.queue.arn"),
      function_name: expr("aws_lambda_function.later.arn"),
    });
    expect(between(await nanogrid(), "nanogrid-task-queue", "later")).toEqual(["event starts forward"]);
  });
});

test("the graph of stacks has an arrow for each dependency, with what flows along it", () => {
  const estate = new Estate(folder);
  const { arrows } = stackGraphOf(estate, () => "one");
  const drawn = arrows.map(({ from, to }) => `${to} reads ${from}`);
  const real = Object.entries(synthesized("dev").dependencies).flatMap(([to, all]) =>
    all.map((from) => `${to} reads ${from}`),
  );
  expect(drawn.sort()).toEqual(real.sort());
  const label = arrows.find(({ from, to }) => from === "nanogrid-network" && to === "nanogrid-workers")?.label;
  expect(label).toEqual(["worker security group", "worker subnet"]);
});

test.each([
  ["dynamodb:BatchGetItem", "read"],
  ["dynamodb:UpdateItem", "write"],
  ["s3:AbortMultipartUpload", "write"],
  ["sqs:DeleteMessage", "receive"],
  ["lambda:InvokeFunction", "start"],
  ["kms:Decrypt", "use"],
  ["sqs:GetQueueAttributes", undefined],
])("the action %s is drawn as %s", (action, word) => {
  expect(wordOf(action)).toBe(word);
});

test("text is readable on every box, on light and on dark pages", () => {
  const unreadable = [PAPER, ...Object.values(FILLS)].flatMap((fill) =>
    [INK, MUTED].flatMap((text) =>
      (["light", "dark"] as const)
        .filter((page) => contrast(text[page], fill[page]) < 4.5)
        .map((page) => `${text[page]} on ${fill[page]}`),
    ),
  );
  expect(unreadable).toEqual([]);
  expect(new Set(COLOURS.map(({ light }) => light)).size).toBe(COLOURS.length);
});

/** The contrast ratio of WCAG. */
function contrast(one: string, other: string): number {
  const [bright = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (bright + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
