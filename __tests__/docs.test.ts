/** The docs against the project: what they name has to be there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ALL_ENVIRONMENTS, type Synthesis, stackOf, synthesized } from "./support/synth";

const RUNBOOK = /docs\/operations\/[\w-]+\.md/;
/** Pages whose links and commands are read: docs/, and what is beside it for people. */
const PAGES = [
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
  ...["README.md", "help"].filter((file) => existsSync(file)),
].sort();
/** Hosts that pages may link to: makers of the tools and services that the project is built on, and the two package indexes. */
const HOSTS =
  /^https?:\/\/(127\.0\.0\.1|10\.0\.20\.100|([\w-]+\.)*(aws\.amazon\.com|amazonaws\.com|checkov\.io|hashicorp\.com|google\.com|github\.com|aws\.test|example\.com|pypi\.org|npmjs\.org|doi\.org|readthedocs\.io))([:/,]|$)/;

const text = new Map(PAGES.map((page) => [page, readFileSync(page, "utf8")]));

/** Every match of a pattern, as `page: match`, that does not pass. */
function wrongIn(pattern: RegExp, passes: (match: string, page: string) => boolean): string[] {
  return [...text].flatMap(([page, content]) =>
    [...content.matchAll(pattern)]
      .map((match) => match[1] ?? match[0])
      .filter((match) => !passes(match, page))
      .map((match) => `${page}: ${match}`),
  );
}

/** GitHub's anchor of each heading. */
function anchorsOf(page: string): string[] {
  const headings = (text.get(page) ?? readFileSync(page, "utf8")).matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** The rows of the table below a heading, cell by cell. */
function tableIn(page: string, heading: string): string[][] {
  const [, section = ""] = (text.get(page) ?? "").split(`## ${heading}\n`);
  const [table = ""] = /(^\|.*\n)+/m.exec(section) ?? [];
  return table
    .trim()
    .split("\n")
    .slice(2)
    .map((row) =>
      row
        .split("|")
        .map((cell) => cell.trim())
        .slice(1, -1),
    );
}

function addressesOf(stack: Synthesis): string[] {
  return stack.resources().map(({ address }) => address);
}

describe("docs", () => {
  test("every alarm of every environment that names a page names one that exists", () => {
    const named = ALL_ENVIRONMENTS.flatMap((environment) =>
      Object.values(synthesized(environment).stacks)
        .flatMap((stack) => stack.resources("aws_cloudwatch_metric_alarm"))
        .map(({ body }) => RUNBOOK.exec(String(body.alarm_description))?.[0])
        .filter((page) => page !== undefined),
    );
    expect(new Set(named).size).toBeGreaterThanOrEqual(7);
    expect([...new Set(named)].filter((page) => !existsSync(page))).toEqual([]);
  });

  test("every alarm that tells a person is listed in docs/operations with its page", () => {
    const listed = tableIn("docs/operations/README.md", "An alarm rings").map(([name]) => name?.replaceAll("`", ""));
    const telling = ["nanogrid-data", "nanogrid-ai", "nanogrid-observability"]
      .flatMap((id) => stackOf("prod", id).resources("aws_cloudwatch_metric_alarm"))
      .map(({ body }) => String(body.alarm_name));
    const resolve = (name: string) => name.replace(/\$\{.*\}/, "nanogrid-task-queue");
    expect([...listed].sort()).toEqual(telling.map(resolve).sort());
  });

  test("every relative link leads to a file, and to a heading in it", () => {
    const wrong = wrongIn(/\]\(([^)\s]+)\)/g, (link, page) => {
      if (/^https?:/.test(link)) {
        return true;
      }
      const [path, anchor] = link.split("#");
      const target = path ? join(dirname(page), path) : page;
      return existsSync(target) && (anchor === undefined || anchorsOf(target).includes(anchor));
    });
    expect(wrong).toEqual([]);
  });

  test("every npm script that they show is one", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
    expect(wrongIn(/npm run (?:--silent )?([\w:-]+)/g, (script) => script in scripts)).toEqual([]);
  });

  test("every file of the project that they show exists", () => {
    const folders = "modules|constructs|commands|userdata|web|local|examples|bench|docs";
    expect(wrongIn(new RegExp(`\`((?:${folders})/[\\w./-]+)\``, "g"), (file) => existsSync(file))).toEqual([]);
  });

  test("every Terraform address that they show is of a stack, and every output of its stack", () => {
    // The Music pipeline is in dev alone.
    const stacks = { ...synthesized("dev").stacks, ...synthesized("prod").stacks };
    const addresses = new Set(Object.values(stacks).flatMap(addressesOf));
    const isGone = /aws_sqs_queue\.NanoGrid/;
    const known = (address: string) => addresses.has(address) || isGone.test(address);
    expect(wrongIn(/\b((?:aws|google)_[a-z0-9_]+\.[\w-]+)/g, known)).toEqual([]);
    const outputs = wrongIn(/stacks\/([\w-]+ output -raw \w+)/g, (command) => {
      const [stack = "", output = ""] = command.split(" output -raw ");
      return output in (stacks[stack]?.outputs ?? {});
    });
    expect(outputs).toEqual([]);
  });

  test("every setting that they show with its path exists", () => {
    const page = text.get("docs/settings.md") ?? "";
    const known = [...page.matchAll(/^## `nanogrid\.(\w+)`$([\s\S]*?)(?=^## |$(?![\s\S]))/gm)].flatMap(
      ([, section = "", table = ""]) =>
        [...table.matchAll(/^\| `([\w.]+)`/gm)].map(([, key = ""]) => `nanogrid.${section}.${key}`),
    );
    expect(known.length).toBeGreaterThan(50);
    const sections = known.map((key) => key.split(".").slice(0, 2).join("."));
    const exists = (key: string) => known.includes(key) || sections.includes(key);
    expect(wrongIn(/`(nanogrid\.[a-z]\w*\.[\w.]*\w)/g, exists)).toEqual([]);
  });

  test("every page of operations and every decision is linked from its index", () => {
    for (const folder of ["docs/operations", "docs/decisions"]) {
      const index = text.get(join(folder, "README.md")) ?? "";
      const pages = readdirSync(folder).filter((file) => file !== "README.md");
      expect(pages.filter((page) => !index.includes(`(${page})`))).toEqual([]);
    }
  });

  test("they link to no other hosts, and name no path of one machine", () => {
    expect(wrongIn(/https?:\/\/[^\s)`'"<>]+/g, (url) => HOSTS.test(url) || url.includes("$"))).toEqual([]);
    expect(wrongIn(/(?<![\w.])\/(?:root|work|home|Users)\b[^\s`]*/g, () => false)).toEqual([]);
  });
});

describe("docs/architecture.md", () => {
  const page = "docs/architecture.md";

  test("counts every stack's resources and outputs as they are", () => {
    const { stacks } = synthesized("dev");
    const counted = tableIn(page, "Stacks").map(([stack = "", resources, outputs]) => [
      stack,
      [resources, outputs].map(Number),
    ]);
    const real = Object.entries(stacks).map(([id, stack]) => [
      id,
      [stack.resources().length, Object.keys(stack.outputs).length],
    ]);
    expect(Object.fromEntries(counted)).toEqual(Object.fromEntries(real));
  });

  test("says of every output who reads it", () => {
    const { stacks } = synthesized("dev");
    const real = Object.entries(stacks).flatMap(([reader, { text: json }]) =>
      [...json.matchAll(/data\.terraform_remote_state\.[\w-]+\.outputs\.(\w+)/g)].map(
        ([, output]) => `${output} ${reader}`,
      ),
    );
    const said = tableIn(page, "Contracts between states").flatMap(([, outputs = "", readers = ""]) =>
      outputs
        .replaceAll("`", "")
        .split(", ")
        .flatMap((output) => readers.split(", ").map((reader) => `${output} ${reader}`)),
    );
    expect(said.sort()).toEqual([...new Set(real)].sort());
  });
});
