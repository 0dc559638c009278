/**
 * `npm run bench:placement`: where the Music pipeline's models run, by simulation on Kubernetes' real scheduler: one model per GPU, as the
 * stacks have it, against all on the large GPU, and against GPUs shared by their memory. `-- --write` writes the table to
 * docs/benchmarks.md and the chart to docs/images.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { addNode, capacityOf } from "../__tests__/support/music-cluster";
import { Synthesis } from "../__tests__/support/synth";
import { wholeNumber, wholeNumbers } from "../commands/support/arguments";
import { PriceTable } from "../commands/support/cost/prices";
import { Problem, runCommand } from "../commands/support/problem";
import type { KubernetesApi } from "../local/kubernetes/api";
import { buildKubernetes, kubernetesMissing } from "../local/kubernetes/binaries";
import { startControlPlane } from "../local/kubernetes/control-plane";
import { GPU_RESOURCE, NODE_GROUPS, NODES_LABEL } from "../modules/music/names";
import { GPU_GIB, MODEL_GIB } from "../modules/music/settings";
import { emitted } from "./support/emitted";
import { SHARINGS, type Sharing } from "./support/gpu-time";
import { placementChart } from "./support/placement-chart";
import {
  GPU_MEMORY,
  type GpuNode,
  type PlacementOutcome,
  type StageLoad,
  simulate,
} from "./support/placement-simulation";
import { quantityOf } from "./support/quantity";
import { median, spreadOf, writeSection } from "./support/report";

const PAGE = "docs/benchmarks.md";
const IMAGES = "docs/images";
/** What the compiler says, should Kubernetes' programs have to be built. */
const LOG = join(tmpdir(), "kubernetes-build.log");
/** More jobs than these are simulated once: they take minutes, and the virtual clock leaves little to chance. */
const REPEATED = 100;
const REGION = "ap-northeast-2";
/** How much faster a first stage is on the large group's GPU: their memory's bandwidth, by NVIDIA's data sheets, 864 to 320 GB/s. */
const FASTER = 864 / 320;
/** Fills a GPU's memory before it takes another: what EKS offers as `kubeSchedulerConfig`, for GPU memory alone. */
const PACKED = {
  schedulerName: "packed",
  plugins: { score: { disabled: [{ name: "*" }], enabled: [{ name: "NodeResourcesFit", weight: 1 }] } },
  pluginConfig: [
    {
      name: "NodeResourcesFit",
      args: { scoringStrategy: { type: "MostAllocated", resources: [{ name: GPU_MEMORY, weight: 1 }] } },
    },
  ],
};

/** A way to place the two stages on four GPUs. */
interface Placement {
  readonly name: string;
  readonly nodes: Readonly<Record<string, number>>;
  /** Groups of the stages; none: wherever the model fits. */
  readonly groups?: { readonly first: string; readonly second: string };
  readonly schedulerName: string;
  readonly sharing: Sharing;
}

const { gpuSmall, gpuLarge } = NODE_GROUPS;
const MIXED = { [gpuSmall]: 2, [gpuLarge]: 2 };
const BASE: Placement = {
  name: "one model per GPU",
  nodes: MIXED,
  groups: { first: gpuSmall, second: gpuLarge },
  schedulerName: "default-scheduler",
  sharing: "time-sliced",
};
const PLACEMENTS: readonly Placement[] = [
  BASE,
  {
    ...BASE,
    name: "all on the large GPU",
    nodes: { [gpuSmall]: 0, [gpuLarge]: 4 },
    groups: { first: gpuLarge, second: gpuLarge },
  },
  ...SHARINGS.flatMap((sharing) => [
    { name: `shared, spread, ${sharing}`, nodes: MIXED, schedulerName: "default-scheduler", sharing },
    { name: `shared, packed, ${sharing}`, nodes: MIXED, schedulerName: PACKED.schedulerName, sharing },
  ]),
];

interface Flags {
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly candidates: number;
  readonly firstSeconds: number;
  readonly secondSeconds: number;
  readonly write: boolean;
}

/** The parts of an emitted Deployment that are read here. */
interface Deployment {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly container: readonly { readonly resources: { readonly requests: Record<string, string> } }[];
      };
    };
  };
}

/** One placement of one number of jobs, in one round. */
interface Figures {
  readonly jobs: number;
  readonly placement: Placement;
  readonly outcome: PlacementOutcome;
}

const program = new Command("npm run bench:placement --")
  .description("Simulates where the Music pipeline's models run, on Kubernetes' real scheduler with simulated GPUs.")
  .option("--sizes <numbers>", "numbers of jobs, with commas", wholeNumbers(1), [10, 100, 1_000])
  .option("--rounds <number>", "times that everything is simulated", wholeNumber(1), 3)
  .option("--candidates <number>", "pieces of music of a job", wholeNumber(1), 3)
  .option("--first-seconds <number>", `seconds of a job's first stage on ${gpuSmall}`, wholeNumber(1), 30)
  .option("--second-seconds <number>", `seconds of a piece of music on ${gpuLarge}`, wholeNumber(1), 20)
  .option("--write", `write the table to ${PAGE} and the chart to ${IMAGES}`, false)
  .action((flags: Flags) => runCommand(() => main(flags)));

async function main(flags: Flags): Promise<void> {
  const missing = await kubernetesMissing(process.env);
  if (missing !== undefined) {
    throw new Problem("Kubernetes' programs are not here.", missing);
  }
  const say = (text: string) => {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r${text}\u001b[K`);
    }
  };
  const binaries = await buildKubernetes({ env: process.env, log: LOG, signal: new AbortController().signal, say });
  const stacks = emitted({ music: { enabled: true } });
  const stack = (name: string) => new Synthesis(JSON.stringify(stacks.get(name)));
  const [cluster, services] = [stack("music-cluster"), stack("music-services")];
  const plane = await startControlPlane(binaries, { schedulerProfiles: [PACKED] });
  const all: Figures[] = [];
  try {
    for (let round = 1; round <= flags.rounds; round++) {
      for (const jobs of flags.sizes.filter((size) => round === 1 || size <= REPEATED)) {
        for (const placement of PLACEMENTS) {
          const total = jobs * (1 + flags.candidates);
          const tell = (done: number) =>
            say(`round ${round}, ${jobs} jobs, ${placement.name}: ${done} of ${total} pods`);
          const run = {
            nodes: nodesOf(plane.api, cluster, placement),
            first: loadOf(services, placement, "first", flags.firstSeconds),
            second: loadOf(services, placement, "second", flags.secondSeconds),
            schedulerName: placement.schedulerName,
            sharing: placement.sharing,
            jobs,
            candidates: flags.candidates,
          };
          all.push({ jobs, placement, outcome: await simulate(plane.api, run, tell) });
        }
      }
    }
  } finally {
    say("");
    await plane.stop();
  }
  const table = tableOf(all, cluster, flags);
  process.stdout.write(`${table}\n`);
  if (flags.write) {
    writeSection(PAGE, "placement", table);
    mkdirSync(IMAGES, { recursive: true });
    writeFileSync(join(IMAGES, "placement.svg"), await chartOf(all));
  }
}

/** Nodes of the emitted groups, which register what their GPU has beside the GPU itself. */
function nodesOf(api: KubernetesApi, cluster: Synthesis, { nodes }: Placement): GpuNode[] {
  return Object.entries(nodes).flatMap(([group, count]) => {
    const type = typeOf(cluster, group);
    const gib = GPU_GIB[type];
    const memory = { [GPU_MEMORY]: String(gib) };
    const has = Object.fromEntries(
      Object.entries({ ...capacityOf(type), ...memory }).map(([key, value]) => [key, quantityOf(value)]),
    );
    return Array.from({ length: count }, (_, index) => {
      const name = `${group}-${index + 1}`;
      return { name, group, gib, has, create: () => addNode(api, cluster, group, name, memory) };
    });
  });
}

function typeOf(cluster: Synthesis, group: string): keyof typeof GPU_GIB {
  const { instance_types: types } = cluster.resource("aws_eks_node_group", { node_group_name: group });
  return (types as string[])[0] as keyof typeof GPU_GIB;
}

/** What the emitted Deployment of a stage asks for; shared, it asks for GPU memory in the GPU's place. */
function loadOf(services: Synthesis, { groups }: Placement, stage: "first" | "second", seconds: number): StageLoad {
  const name = `${stage}-stage`;
  const deployments = services.resources("kubernetes_deployment_v1").map(({ body }) => body as unknown as Deployment);
  const [container] = deployments.flatMap(({ metadata, spec }) =>
    metadata.name === name ? spec.template.spec.container : [],
  );
  if (container === undefined) {
    throw new Error(`music-services emits no Deployment ${name}.`);
  }
  const { [GPU_RESOURCE]: gpus, ...others } = container.resources.requests;
  const gib = MODEL_GIB[`${stage}Stage`];
  const requests = { ...others, ...(groups ? { [GPU_RESOURCE]: gpus } : { [GPU_MEMORY]: String(gib) }) };
  return {
    requests: Object.fromEntries(Object.entries(requests).map(([key, value]) => [key, quantityOf(String(value))])),
    nodeSelector: groups ? { [NODES_LABEL]: groups[stage] } : {},
    gib,
    seconds: (group) => (stage === "first" && group === gpuLarge ? seconds / FASTER : seconds),
  };
}

/** What is read off one simulation. */
interface Reading {
  readonly minutes: number;
  readonly smallHours: number;
  readonly largeHours: number;
  readonly usd: number;
  /** Share of the time for which GPUs are held with nothing on them. */
  readonly idle: number;
  /** Share of their memory, over that time, that no model takes. */
  readonly memoryFree: number;
}

function readingOf({ outcome, placement }: Figures, cluster: Synthesis): Reading {
  const prices = PriceTable.of(REGION);
  const uses = Object.keys(placement.nodes).flatMap((group) => {
    const type = typeOf(cluster, group);
    const hourly = prices.find(`ec2/${type}`)?.usd ?? Number.NaN;
    const own = outcome.uses.filter(({ name }) => name.startsWith(`${group}-`));
    return own.map((use) => ({ ...use, group, gib: GPU_GIB[type], usd: (use.heldSeconds / 3_600) * hourly }));
  });
  type Use = (typeof uses)[number];
  const sum = (value: (use: Use) => number) => uses.reduce((total, use) => total + value(use), 0);
  const hours = (group: string) => sum((use) => (use.group === group ? use.heldSeconds / 3_600 : 0));
  return {
    minutes: outcome.makespanSeconds / 60,
    smallHours: hours(gpuSmall),
    largeHours: hours(gpuLarge),
    usd: sum(({ usd }) => usd),
    idle: 1 - sum(({ busySeconds }) => busySeconds) / sum(({ heldSeconds }) => heldSeconds),
    memoryFree: 1 - sum(({ gibSeconds }) => gibSeconds) / sum(({ gib, heldSeconds }) => gib * heldSeconds),
  };
}

function tableOf(all: readonly Figures[], cluster: Synthesis, flags: Flags): string {
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}), ${Math.round(totalmem() / 1024 ** 3)} GiB`;
  const pods = all.reduce((sum, { outcome }) => sum + outcome.pods, 0);
  const wall = all.reduce((sum, { outcome }) => sum + outcome.wallSeconds, 0);
  return [
    `Medians (minimum – maximum) of ${flags.rounds} simulations, of one with more than ${REPEATED} jobs. A job is ${flags.firstSeconds} s of the first stage (${MODEL_GIB.firstStage} GiB, on ` +
      `${typeOf(cluster, gpuSmall)}), then ${flags.candidates} pieces of music of ${flags.secondSeconds} s each (${MODEL_GIB.secondStage} GiB, on ` +
      `${typeOf(cluster, gpuLarge)}). Prices of ${REGION}.`,
    "",
    "| jobs | placement | makespan | against one model per GPU | GPU-hours small | GPU-hours large | cost | against one model per GPU | GPU idle | GPU memory free |",
    "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ...flags.sizes.flatMap((jobs) => PLACEMENTS.map((placement) => rowOf(all, cluster, jobs, placement))),
    "",
    `The scheduler placed ${pods.toLocaleString("en")} pods in ${(wall / 60).toFixed(1)} minutes on ${machine}.`,
    "",
    `![Which stage was where and when, for ${flags.sizes[0]} jobs](images/placement.svg)`,
  ].join("\n");
}

function rowOf(all: readonly Figures[], cluster: Synthesis, jobs: number, placement: Placement): string {
  const of = (name: string) =>
    all
      .filter((figures) => figures.jobs === jobs && figures.placement.name === name)
      .map((figures) => readingOf(figures, cluster));
  const own = of(placement.name);
  const base = of(BASE.name);
  const column = (value: (reading: Reading) => number, format: (value: number) => string) =>
    spreadOf(own.map(value), format);
  const ratio = (value: (reading: Reading) => number) => (median(own.map(value)) / median(base.map(value))).toFixed(2);
  const decimals = (count: number) => (value: number) => value.toFixed(count);
  const percent = (value: number) => `${(100 * value).toFixed(0)} %`;
  const cells = [
    jobs.toLocaleString("en"),
    placement.name,
    `${column(({ minutes }) => minutes, decimals(1))} min`,
    ratio(({ minutes }) => minutes),
    column(({ smallHours }) => smallHours, decimals(2)),
    column(({ largeHours }) => largeHours, decimals(2)),
    `$ ${column(({ usd }) => usd, decimals(2))}`,
    ratio(({ usd }) => usd),
    column(({ idle }) => idle, percent),
    column(({ memoryFree }) => memoryFree, percent),
  ];
  return `| ${cells.join(" | ")} |`;
}

/** The fewest jobs, in the first round. */
function chartOf(all: readonly Figures[]): Promise<string> {
  const jobs = Math.min(...all.map((figures) => figures.jobs));
  const shown = PLACEMENTS.flatMap(
    ({ name }) => all.find((figures) => figures.jobs === jobs && figures.placement.name === name) ?? [],
  );
  const courses = shown.map(({ placement, outcome }) => ({
    name: placement.name,
    gpus: outcome.uses.map(({ name }) => name),
    spans: outcome.spans,
  }));
  const minutes = Math.max(...shown.map(({ outcome }) => outcome.makespanSeconds)) / 60;
  return placementChart(`${jobs} jobs on four GPUs`, courses, minutes);
}

void program.parseAsync();
