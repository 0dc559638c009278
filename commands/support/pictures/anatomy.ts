/** Which resources are boxes of their own, and which belong to whom. */
import { trustedBy } from "./access";
import type { Estate, Resource } from "./estate";
import { drawnKindOf, literal } from "./kinds";

/** Attributes that hold a physical name. */
const NAMES = ["name", "bucket", "function_name", "cluster_name", "replication_group_id", "account_id"];

/** The parts of an estate. */
export class Anatomy {
  private readonly named: ReadonlyMap<string, Resource>;

  private constructor(
    private readonly estate: Estate,
    private readonly roleBoxes: ReadonlySet<string>,
  ) {
    const withNames = estate.all().filter((each) => this.isBox(each) || each.type === "aws_iam_role");
    this.named = new Map(
      withNames.flatMap((each) => {
        const name = physicalName(each);
        return name === undefined ? [] : [[name, each] as const];
      }),
    );
  }

  /** @param estate what is synthesized */
  static async of(estate: Estate): Promise<Anatomy> {
    const roles = estate.all().filter(({ type }) => type === "aws_iam_role");
    const plain = new Anatomy(estate, new Set());
    const apart: string[] = [];
    for (const role of roles) {
      // A role that people or other systems take is a box; one of a service shows through what uses it.
      const principals = await trustedBy(role.body.assume_role_policy);
      if (plain.holders(role).length === 0 && !principals.includes('"Service"')) {
        apart.push(role.id);
      }
    }
    return new Anatomy(estate, new Set(apart));
  }

  /** Whether it is drawn as a box. */
  isBox(resource: Resource): boolean {
    return drawnKindOf(resource.type).role === "box" || this.roleBoxes.has(resource.id);
  }

  /** The boxes that a resource belongs to: itself, those that use it, or those that it completes. */
  holders(resource: Resource): readonly Resource[] {
    if (this.isBox(resource)) {
      return [resource];
    }
    const kind = drawnKindOf(resource.type);
    if (kind.role === "arrow") {
      // Whoever names a listener means the load balancer that it belongs to.
      const start = this.estate.referred(resource.stack, resource.body[kind.from]);
      return start.filter((each) => this.isBox(each));
    }
    if (kind.role !== "part") {
      return [];
    }
    const users = this.reach([resource], (each) => this.estate.referrersOf(each)).boxes;
    return users.length > 0 ? users : this.reach([resource], (each) => this.estate.targetsOf(each)).boxes;
  }

  /** What a box is made of: the resources that it refers to through parts, frames included, then what completes it. */
  madeOf(box: Resource): { readonly uses: readonly Resource[]; readonly all: readonly Resource[] } {
    const uses = this.reach([box], (each) => this.estate.targetsOf(each)).others;
    const completing = this.estate.referrersOf(box).filter((each) => drawnKindOf(each.type).role === "part");
    const beside = this.reach(completing, (each) => this.estate.targetsOf(each)).others;
    return { uses, all: [...new Set([...uses, ...completing, ...beside])] };
  }

  /** The resource that a text names by its physical name: an ARN's last part, or the last part of a principal. */
  byName(text: string): Resource | undefined {
    const last = text
      .replace(/(?:[/:]\*)+$/, "")
      .split(/[/:]/)
      .at(-1);
    return last === undefined ? undefined : this.named.get(last);
  }

  /** What follows `next` through parts, split into boxes and the rest; boxes and frames are not passed through. */
  private reach(
    start: readonly Resource[],
    next: (resource: Resource) => readonly Resource[],
  ): { readonly boxes: readonly Resource[]; readonly others: readonly Resource[] } {
    const seen = new Map(start.map((each) => [each.id, each]));
    const waiting = [...start];
    for (let each = waiting.shift(); each !== undefined; each = waiting.shift()) {
      for (const found of next(each).filter(({ id }) => !seen.has(id))) {
        const { role } = drawnKindOf(found.type);
        if (this.isBox(found) || role === "part" || role === "frame") {
          seen.set(found.id, found);
        }
        if (!this.isBox(found) && role === "part") {
          waiting.push(found);
        }
      }
    }
    const found = [...seen.values()].filter((each) => !start.includes(each));
    return { boxes: found.filter((each) => this.isBox(each)), others: found.filter((each) => !this.isBox(each)) };
  }
}

/** The name that a resource has in its cloud, where Terraform does not have to ask for it. */
export function physicalName({ body }: Resource): string | undefined {
  const { Name } = (body.tags ?? {}) as { readonly Name?: unknown };
  return [...NAMES.map((attribute) => body[attribute]), Name].map(literal).find((name) => name !== undefined);
}
