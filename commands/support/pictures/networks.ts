/** The frames that boxes stand in: clouds, VPCs, and tiers of subnets. */
import type { Frame } from "./drawing";
import { type Estate, grouped, type Resource } from "./estate";
import { drawnKindOf, literal } from "./kinds";

/** Subnets of one purpose: named alike but for a number or zone, with the same way out. */
interface Tier {
  readonly id: string;
  readonly vpc: Resource;
  readonly name: string;
  /** Characters that the names of all subnets of the VPC begin with. */
  readonly prefix: number;
  readonly out: string;
  readonly subnets: readonly Resource[];
}

/** Where a box stands, and what to say about it. */
export interface Place {
  readonly frame: string | undefined;
  readonly facts: readonly string[];
}

const CLOUDS: Readonly<Record<string, string>> = {
  aws: "AWS",
  google: "Google Cloud",
  mongodbatlas: "MongoDB Atlas",
  kubernetes: "Kubernetes",
  helm: "Kubernetes",
};

/** The frames of an estate. */
export class Networks {
  private readonly tiers: readonly Tier[];

  /** @param estate what is synthesized */
  constructor(private readonly estate: Estate) {
    this.tiers = estate
      .all()
      .filter(({ type }) => type === "aws_vpc")
      .flatMap((vpc) => this.tiersOf(vpc));
  }

  /** @param uses what a box refers to */
  placeOf(box: Resource, uses: readonly Resource[]): Place {
    const own = uses.filter(({ type }) => type === "aws_subnet");
    const tiers = this.tiers.filter(({ subnets }) => subnets.some((subnet) => own.includes(subnet)));
    const [tier] = tiers;
    if (tier === undefined) {
      return { frame: cloudOf(box), facts: [] };
    }
    if (tiers.length > 1) {
      return { frame: tier.vpc.id, facts: [`in ${tiers.map(({ name }) => name).join(" and ")}`] };
    }
    const isEverywhere = tier.subnets.every((subnet) => own.includes(subnet));
    const names = own.map((subnet) => nameOf(subnet).slice(tier.prefix));
    return { frame: tier.id, facts: isEverywhere ? [] : [`in ${names.join(" and ")}`] };
  }

  /** Every frame that is needed to draw what stands in `used`, and the tiers of the VPCs of `stacks` that hold nothing. */
  framesFor(
    used: ReadonlySet<string>,
    stacks: ReadonlySet<string>,
  ): { readonly frames: Frame[]; readonly empty: Tier[] } {
    const tiers = this.tiers.filter(({ id, vpc }) => used.has(id) || stacks.has(vpc.stack));
    const held = tiers.filter(({ id }) => used.has(id));
    const vpcs = [...new Set([...tiers.map(({ vpc }) => vpc)])];
    const clouds = new Set([...vpcs.map(cloudOf), ...[...used].filter((id) => id in CLOUDS)]);
    return {
      frames: [
        ...[...clouds].map((id): Frame => {
          const region = id === "aws" ? this.estate.stacks.map((stack) => stack.region).find(Boolean) : undefined;
          return { id, label: CLOUDS[id] ?? id, facts: region ? [region] : [], parent: undefined, class: "cloud" };
        }),
        ...vpcs.map(
          (vpc): Frame => ({
            id: vpc.id,
            label: nameOf(vpc),
            facts: [`${literal(vpc.body.cidr_block) ?? ""}`, ...this.factsOf(vpc)],
            parent: cloudOf(vpc),
            class: "network",
          }),
        ),
        ...held.map(
          ({ id, vpc, name, out, subnets }): Frame => ({
            id,
            label: name,
            facts: [subnets.map(({ body }) => literal(body.cidr_block) ?? "").join(", "), out],
            parent: vpc.id,
            class: "tier",
          }),
        ),
      ],
      empty: tiers.filter((tier) => !held.includes(tier)),
    };
  }

  /** `2 NAT gateways`, `endpoints: dynamodb, s3`, `flow logs`. */
  private factsOf(vpc: Resource): string[] {
    const facts = this.estate
      .all()
      .filter(({ type, stack }) => stack === vpc.stack && drawnKindOf(type).role === "frame-fact");
    const byType = grouped(facts, ({ type }) => type);
    return [...byType].map(([type, all]) => {
      const kind = drawnKindOf(type);
      const label = "label" in kind && typeof kind.label === "string" ? kind.label : type;
      const services = all.map(({ body }) => literal(body.service_name)?.split(".").at(-1)).filter(Boolean);
      if (services.length > 0) {
        return `${label}s: ${services.join(", ")}`;
      }
      return all.length === 1 ? label : `${all.length} ${label}s`;
    });
  }

  private tiersOf(vpc: Resource): Tier[] {
    const subnets = this.estate.referrersOf(vpc).filter(({ type }) => type === "aws_subnet");
    const names = subnets.map(nameOf);
    const [prefix = ""] = /^\S+ /.exec(names[0] ?? "") ?? [];
    const shared = names.every((name) => name.startsWith(prefix)) ? prefix.length : 0;
    const tiers = grouped(subnets, (subnet) => {
      const name = nameOf(subnet)
        .slice(shared)
        .replace(/[ -]?(?:\d+|[a-f])$/, "");
      return JSON.stringify([name, this.wayOut(subnet)]);
    });
    return [...tiers].map(([key, own]) => {
      const [name = "", out = ""] = JSON.parse(key) as string[];
      return { id: `${vpc.id} ${name}`, vpc, name, prefix: shared, out, subnets: own };
    });
  }

  private wayOut(subnet: Resource): string {
    const tables = this.estate
      .referrersOf(subnet)
      .filter(({ type }) => type === "aws_route_table_association")
      .flatMap((association) => this.estate.targetsOf(association))
      .filter(({ type }) => type === "aws_route_table");
    const routes = tables.flatMap((table) => this.estate.referrersOf(table)).filter(({ type }) => type === "aws_route");
    if (routes.some(({ body }) => body.gateway_id !== undefined)) {
      return "out by the internet gateway";
    }
    return routes.some(({ body }) => body.nat_gateway_id !== undefined) ? "out by NAT" : "no way out";
  }
}

/** The frame of a cloud, by a type's prefix. */
function cloudOf({ type }: Resource): string {
  const prefix = type.split("_")[0] ?? type;
  return prefix === "helm" ? "kubernetes" : prefix;
}

function nameOf({ body, name }: Resource): string {
  const { Name } = (body.tags ?? {}) as { Name?: unknown };
  return literal(Name) ?? name;
}
