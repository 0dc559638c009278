/**
 * Jobs of the Music pipeline on a cluster of simulated GPUs: a real scheduler says where each pod goes, and a virtual clock when it is done.
 * A pod stands for one piece of work whose model is loaded.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { KubernetesApi, KubernetesObject } from "../../local/kubernetes/api";
import { type Gpu, GpuTime, type GpuUse, type Sharing, type Span } from "./gpu-time";

/** GPU memory in GiB, as a device plugin that shares GPUs would register it. */
export const GPU_MEMORY = "local/gpu-memory";
const PODS = "/api/v1/namespaces/default/pods";
const NODES = "/api/v1/nodes";
/** Pods of a stage that wait at a time, like requests before the stages: the others are not asked for yet. */
const WINDOW = 8;
const PLACED_MS = 60_000;
const POLL_MS = 5;

/** What a pod of a stage asks for, and how long its work takes. */
export interface StageLoad {
  /** Requests of a pod: of `cpu` in cores, of `memory` in bytes, and of extended resources. */
  readonly requests: Readonly<Record<string, number>>;
  /** Labels of the nodes that it goes to. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** GPU memory of its model, in GiB. */
  readonly gib: number;
  /** Seconds of its work on a node of that group. */
  readonly seconds: (group: string) => number;
}

/** A node with one GPU. */
export interface GpuNode extends Gpu {
  readonly group: string;
  /** What it has for pods, as {@link StageLoad.requests}. */
  readonly has: Readonly<Record<string, number>>;
  readonly create: () => Promise<void>;
}

/** How jobs are placed. */
export interface PlacementRun {
  readonly nodes: readonly GpuNode[];
  readonly first: StageLoad;
  readonly second: StageLoad;
  /** Profile of the scheduler. */
  readonly schedulerName: string;
  readonly sharing: Sharing;
  readonly jobs: number;
  /** Pieces of work of the second stage that follow one of the first. */
  readonly candidates: number;
}

/** What came of it. */
export interface PlacementOutcome {
  /** From the first job's start to the last one's end. */
  readonly makespanSeconds: number;
  readonly uses: readonly GpuUse[];
  readonly spans: readonly Span[];
  readonly pods: number;
  /** What it took on this machine. */
  readonly wallSeconds: number;
}

/**
 * Runs all jobs, which are there from the beginning.
 *
 * @param tell told how many pods are done
 * @throws Error when the scheduler leaves a pod waiting that has room
 */
export async function simulate(
  api: KubernetesApi,
  run: PlacementRun,
  tell: (done: number) => void,
): Promise<PlacementOutcome> {
  const simulation = new Simulation(api, run);
  const started = performance.now();
  try {
    await simulation.addNodes();
    await simulation.work(tell);
  } finally {
    await simulation.clean();
  }
  return { ...simulation.outcome, wallSeconds: (performance.now() - started) / 1_000 };
}

type Stage = "first" | "second";

class Simulation {
  private readonly time: GpuTime;
  private readonly nodes: ReadonlyMap<string, GpuNode>;
  /** What is free on each node. */
  private readonly free: ReadonlyMap<string, Map<string, number>>;
  /** Pods that wait for a node, and the nodes of those that have one. */
  private readonly waiting = new Map<string, Stage>();
  private readonly placed = new Map<string, { readonly stage: Stage; readonly node: string }>();
  /** Work that no pod was asked for yet. */
  private readonly left: Record<Stage, number>;
  private pods = 0;

  constructor(
    private readonly api: KubernetesApi,
    private readonly run: PlacementRun,
  ) {
    this.time = new GpuTime(run.nodes, run.sharing);
    this.nodes = new Map(run.nodes.map((node) => [node.name, node]));
    this.free = new Map(run.nodes.map(({ name, has }) => [name, new Map(Object.entries(has))]));
    this.left = { first: run.jobs, second: 0 };
  }

  get outcome(): Omit<PlacementOutcome, "wallSeconds"> {
    return {
      makespanSeconds: this.time.now,
      uses: this.time.uses(),
      spans: this.time.spans,
      pods: this.pods,
    };
  }

  async addNodes(): Promise<void> {
    await Promise.all(this.run.nodes.map(({ create }) => create()));
    const isReady = async () => {
      const nodes = await this.api.list(NODES);
      const own = nodes.filter(({ metadata }) => this.nodes.has(metadata.name));
      return own.every(({ spec, status }) => status.conditions !== undefined && !notReady(spec.taints ?? []));
    };
    await this.until("the nodes are ready", isReady);
  }

  async work(tell: (done: number) => void): Promise<void> {
    let done = 0;
    for (;;) {
      await this.feed();
      await this.until("pods that have room are placed", () => this.settled());
      const ended = this.time.finish();
      if (ended.length === 0) {
        break;
      }
      await Promise.all(ended.map((id) => this.end(id)));
      done += ended.length;
      tell(done);
    }
    if (this.waiting.size > 0) {
      throw new Error(`No node will ever have room for ${[...this.waiting.keys()].join(", ")}.`);
    }
  }

  async clean(): Promise<void> {
    await this.api.delete(PODS, { gracePeriodSeconds: 0 });
    await Promise.all(this.run.nodes.map(({ name }) => this.api.delete(`${NODES}/${name}`)));
    await this.until("nodes and pods are gone", async () => {
      const [nodes, pods] = await Promise.all([this.api.list(NODES), this.api.list(PODS)]);
      return pods.length === 0 && !nodes.some(({ metadata }) => this.nodes.has(metadata.name));
    });
  }

  /** The second stage before the first: a job that was begun goes on. */
  private async feed(): Promise<void> {
    const created: Promise<unknown>[] = [];
    for (const stage of ["second", "first"] as const) {
      const waiting = [...this.waiting.values()].filter((each) => each === stage).length;
      const count = Math.min(WINDOW - waiting, this.left[stage]);
      this.left[stage] -= count;
      for (let index = 0; index < count; index++) {
        const id = `${stage}-${++this.pods}`;
        this.waiting.set(id, stage);
        created.push(this.api.create(PODS, this.podOf(id, stage)));
      }
    }
    await Promise.all(created);
  }

  private podOf(name: string, stage: Stage): object {
    const { requests, nodeSelector } = this.run[stage];
    const quantities = Object.fromEntries(Object.entries(requests).map(([key, value]) => [key, String(value)]));
    return {
      metadata: { name },
      spec: {
        schedulerName: this.run.schedulerName,
        terminationGracePeriodSeconds: 0,
        automountServiceAccountToken: false,
        nodeSelector,
        tolerations: [{ operator: "Exists", effect: "NoSchedule" }],
        containers: [
          { name: "stage", image: "example.com/stage:1", resources: { requests: quantities, limits: quantities } },
        ],
      },
    };
  }

  /** Takes down where the scheduler has put what. @returns whether nothing is left that would fit somewhere */
  private async settled(): Promise<boolean> {
    if (![...this.waiting.values()].some((stage) => this.hasRoom(stage))) {
      return true;
    }
    for (const { metadata, spec } of await this.api.list(PODS)) {
      const stage = this.waiting.get(metadata.name);
      if (stage !== undefined && spec.nodeName !== undefined) {
        this.begin(metadata.name, stage, spec.nodeName);
      }
    }
    return false;
  }

  private hasRoom(stage: Stage): boolean {
    const { requests, nodeSelector } = this.run[stage];
    const groups = Object.values(nodeSelector);
    return this.run.nodes.some(
      ({ name, group }) =>
        (groups.length === 0 || groups.includes(group)) &&
        Object.entries(requests).every(([key, value]) => (this.free.get(name)?.get(key) ?? 0) >= value),
    );
  }

  private begin(id: string, stage: Stage, node: string): void {
    const { gib, seconds } = this.run[stage];
    this.waiting.delete(id);
    this.placed.set(id, { stage, node });
    this.take(node, stage, -1);
    this.time.start(node, { id, gib, seconds: seconds(this.nodes.get(node)?.group ?? "") });
  }

  private async end(id: string): Promise<void> {
    const { stage, node } = this.placed.get(id) ?? {};
    if (stage === undefined || node === undefined) {
      throw new Error(`${id} ended without having begun.`);
    }
    this.placed.delete(id);
    this.take(node, stage, 1);
    this.left.second += stage === "first" ? this.run.candidates : 0;
    await this.api.delete(`${PODS}/${id}`, { gracePeriodSeconds: 0 });
  }

  private take(node: string, stage: Stage, sign: 1 | -1): void {
    const free = this.free.get(node);
    for (const [key, value] of Object.entries(this.run[stage].requests)) {
      free?.set(key, (free.get(key) ?? 0) + sign * value);
    }
  }

  private async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + PLACED_MS;
    while (!(await holds())) {
      if (Date.now() > end) {
        throw new Error(
          `Not in ${PLACED_MS / 1_000} s: ${what}. Waiting: ${[...this.waiting.keys()].join(", ") || "nothing"}.`,
        );
      }
      await sleep(POLL_MS);
    }
  }
}

function notReady(taints: readonly KubernetesObject[]): boolean {
  return taints.some(({ key }) => String(key).startsWith("node.kubernetes.io/"));
}
