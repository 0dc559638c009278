/** Synthesized Terraform, as tests look at it: whole environments, made once per run of jest, or what one construct emits. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

/** JSON, read only. */
export type Json = string | number | boolean | null | readonly Json[] | Block;

/** A JSON object: a block of Terraform's JSON syntax. */
export interface Block {
  readonly [key: string]: Json;
}

/** A resource or data source with its address in the state. */
export interface Resource {
  readonly type: string;
  readonly name: string;
  /** `<type>.<name>` */
  readonly address: string;
  readonly body: Block;
}

/** The environments of `cdktf.json`. */
export const ENVIRONMENTS = ["local", "dev", "prod"] as const;

/** Settings of environments that only tests have: together they take every branch that `cdktf.json` leaves out. */
export const VARIANTS = {
  /** Every option the other way. */
  options: {
    accountId: "111122223333",
    owner: "Team Ünïcode + Co",
    ci: { repository: "acme/cloud" },
    nanogrid: {
      network: { natPerZone: true },
      data: { bucketSuffix: "acme", redis: { replicas: 2 } },
      archive: { bucketSuffix: "acme" },
      controllers: {
        sshCidrs: ["203.0.113.0/24", "198.51.100.7/32"],
        certificateArn: "arn:aws:acm:ap-northeast-2:111122223333:certificate/0a1b2c3d",
        amiId: "ami-0123456789abcdef0",
      },
      workers: {
        scaling: "backlog",
        meanJobSeconds: 4,
        spot: { enabled: true },
        amiId: "ami-0123456789abcdef1",
        concurrency: 4,
        warm: { max: 2 },
        egress: { allowedCidrs: ["10.0.30.0/24", "10.0.31.0/24"] },
        gvisor: { enabled: true, version: "20260914.0", sha512: "0123456789abcdef".repeat(8) },
        callbackAllowedCidrs: ["10.0.40.0/24"],
      },
      ai: { instanceType: "g5.xlarge", models: ["llama3.2:3b", "qwen3:8b"] },
      observability: { alarmEmails: ["ops@example.com", "boss@example.com"] },
    },
    denoise: {
      enabled: true,
      corsOrigins: ["https://imaging.example.com"],
      image: { uri: `444455556666.dkr.ecr.ap-northeast-2.amazonaws.com/team/denoise@sha256:${"0a".repeat(32)}` },
      storage: { bucketSuffix: "acme", keptImages: 5, untaggedDays: 3 },
      network: {
        existing: {
          vpcId: "vpc-0123456789abcdef0",
          subnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
          zones: ["a", "c"],
        },
      },
      gpu: {
        min: 0,
        max: 1,
        base: 0,
        weight: 1,
        amiId: "ami-0123456789abcdef2",
        spot: { enabled: true, max: 3, weight: 3 },
      },
      service: {
        min: 1,
        desired: 2,
        max: 4,
        rollout: "stop-first",
        scaling: { metric: "requests" },
        tritonProtocol: "http",
      },
      api: {
        authorizer: "jwt",
        jwt: { issuer: "https://id.example.com/pool", audience: ["denoise"] },
        page: false,
      },
      alarms: { emails: ["ops@example.com"] },
    },
    inference: {
      enabled: true,
      network: { egress: "endpoints" },
      atlas: {
        organizationId: "0123456789abcdef01234567",
        cidr: "192.168.248.0/21",
        tier: "M30",
        mongodbVersion: "7.0",
        database: "catalogue",
        pointInTimeRecovery: true,
        access: "security-group",
      },
      gpu: {
        bucketSuffix: "acme",
        image: { uri: `444455556666.dkr.ecr.ap-northeast-2.amazonaws.com/team/inference@sha256:${"0b".repeat(32)}` },
        machines: { instanceType: "g5.xlarge", max: 4, amiId: "ami-0123456789abcdef3", spot: { enabled: false } },
        service: { rollout: "stop-first", batching: { maxBatch: 128, queue: 10_000 } },
      },
      api: {
        authorizer: "jwt",
        jwt: { issuer: "https://id.example.com/pool", audience: ["shop"] },
        corsOrigins: ["https://shop.example.com"],
        page: false,
        embeddings: "gpu",
        titleModel: "amazon.nova-pro-v1:0",
      },
      alarms: { emails: ["ops@example.com"] },
    },
    mlFunction: {
      enabled: true,
      image: { uri: `444455556666.dkr.ecr.ap-northeast-2.amazonaws.com/team/ml@sha256:${"0b".repeat(32)}` },
      callerAccounts: ["777788889999"],
      memoryMib: 512,
      alarms: { emails: ["ops@example.com"], durationPercent: 50 },
    },
    music: {
      enabled: true,
      network: { natPerZone: true },
      cluster: {
        publicCidrs: ["203.0.113.0/24"],
        adminArns: ["arn:aws:iam::111122223333:role/platform/on-call"],
        logRetentionDays: 90,
      },
      nodes: {
        system: { desired: 3 },
        gpuSmall: { instanceType: "g5.xlarge", max: 4 },
        gpuLarge: { instanceType: "g6e.xlarge", min: 1, desired: 1, volumeGib: 200 },
      },
      storage: { bucketSuffix: "acme", backup: false, shareGib: 500 },
      platform: { grafana: false, pipelineDatabaseGib: 20 },
      services: {
        images: {
          front: `444455556666.dkr.ecr.ap-northeast-2.amazonaws.com/team/front@sha256:${"0b".repeat(32)}`,
          step: "registry.example.com/team/step:7",
        },
        frontReplicas: 1,
      },
      scaling: { waitingPerPod: 1, idleSeconds: 120 },
      alarms: { emails: ["ops@example.com"] },
    },
  },
  /** What can be left out is left out. */
  smallest: {
    accountId: "111122223333",
    owner: "someone",
    nanogrid: {
      archive: { enabled: false },
      ai: { enabled: false },
      workers: { min: 0, desired: 0, max: 1, egress: { enabled: false } },
    },
  },
} as const;

/** Name of an environment that every run synthesizes. */
export type Environment = (typeof ENVIRONMENTS)[number] | keyof typeof VARIANTS;

/** All of them. */
export const ALL_ENVIRONMENTS: readonly Environment[] = [...ENVIRONMENTS, "options", "smallest"];

/** Name of the variable with the folder that holds the environments of this run, one `cdktf.out` each. */
export const SYNTHESIZED = "SYNTHESIZED_ENVIRONMENTS";

/** One stack's Terraform. */
export class Synthesis {
  readonly json: Block;

  /** @param text the JSON document */
  constructor(readonly text: string) {
    this.json = JSON.parse(text) as Block;
  }

  /** Resources, of one type or all. */
  resources(type?: string): Resource[] {
    return this.list("resource", type);
  }

  /** Data sources, of one type or all. */
  data(type?: string): Resource[] {
    return this.list("data", type);
  }

  /**
   * The one resource of a type, of those that have a name in the state or attributes with these values.
   *
   * @throws Error that lists what there is
   */
  one(type: string, which: string | Block = {}): Resource {
    const there = this.resources(type);
    const found = there.filter(({ name, body }) =>
      typeof which === "string"
        ? name === which
        : Object.entries(which).every(([key, value]) => isDeepStrictEqual(body[key], value)),
    );
    const [only, another] = found;
    if (!only || another) {
      const addresses = there.map(({ address }) => address).join(", ");
      throw new Error(
        `expected one ${type} ${JSON.stringify(which)}, found ${found.length} (there are: ${addresses || "none"})`,
      );
    }
    return only;
  }

  /** Its attributes. */
  resource(type: string, which?: string | Block): Block {
    return this.one(type, which).body;
  }

  /** The expression of one of its attributes. */
  reference(type: string, which: string | Block | undefined, attribute: string): string {
    return expr(`${this.one(type, which).address}.${attribute}`);
  }

  /** The value at a path of keys, or undefined. */
  at(...path: (string | number)[]): Json | undefined {
    return path.reduce<Json | undefined>((value, key) => (value as Block | undefined)?.[key], this.json);
  }

  /** The outputs: name to value. */
  get outputs(): Record<string, Json> {
    const outputs = (this.at("output") ?? {}) as Record<string, Block>;
    return Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value as Json]));
  }

  private list(kind: "resource" | "data", type?: string): Resource[] {
    const byType = (this.at(kind) ?? {}) as Record<string, Record<string, Block>>;
    return Object.entries(byType)
      .filter(([each]) => type === undefined || each === type)
      .flatMap(([each, byName]) =>
        Object.entries(byName).map(([name, body]) => ({ type: each, name, address: `${each}.${name}`, body })),
      );
  }
}

/** One environment: its stacks by id, in the order of ids, and who depends on whom. */
export interface SynthesizedEnvironment {
  /** What was written: the `cdktf.out` of the environment. */
  readonly folder: string;
  readonly stacks: Readonly<Record<string, Synthesis>>;
  readonly dependencies: Readonly<Record<string, readonly string[]>>;
}

const read = new Map<Environment, SynthesizedEnvironment>();

/** What `main.ts` emits for an environment. */
export function synthesized(environment: Environment): SynthesizedEnvironment {
  const known = read.get(environment);
  if (known) {
    return known;
  }
  const folder = join(runFolder(), environment);
  const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as {
    stacks: Record<string, { synthesizedStackPath: string; dependencies: string[] }>;
  };
  const entries = Object.entries(manifest.stacks);
  const result = {
    folder,
    stacks: Object.fromEntries(
      entries.map(([id, { synthesizedStackPath }]) => [
        id,
        new Synthesis(readFileSync(join(folder, synthesizedStackPath), "utf8")),
      ]),
    ),
    dependencies: Object.fromEntries(entries.map(([id, { dependencies }]) => [id, dependencies])),
  };
  read.set(environment, result);
  return result;
}

/**
 * One stack of an environment.
 *
 * @throws Error that lists the environment's stacks
 */
export function stackOf(environment: Environment, id: string): Synthesis {
  const { stacks } = synthesized(environment);
  const stack = stacks[id];
  if (!stack) {
    throw new Error(`${environment} has no stack ${id} (there are: ${Object.keys(stacks).join(", ")})`);
  }
  return stack;
}

/** The expression `${…}` that refers to something: `expr("aws_sqs_queue.queue.arn")`. */
export function expr(address: string): string {
  return `\${${address}}`;
}

/** The expression that refers to what another stack publishes. */
export function output(stack: string, name: string): string {
  return expr(`data.terraform_remote_state.${stack}.outputs.${name}`);
}

/** The folder of this run, which is removed after it. */
export function runFolder(): string {
  const folder = process.env[SYNTHESIZED];
  if (!folder) {
    throw new Error(`${SYNTHESIZED} is not set: the global setup of jest.config.js sets it.`);
  }
  return folder;
}
