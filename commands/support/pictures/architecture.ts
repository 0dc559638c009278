/** The picture of a system: what there is, who may connect to it, and who may read and write it. */
import { type Access, accessOf, INWARD, type Word } from "./access";
import { Anatomy, physicalName } from "./anatomy";
import { type Arrow, type Box, type Drawing, joined } from "./drawing";
import type { Estate, Resource } from "./estate";
import { drawnKindOf, type Kind, literal } from "./kinds";
import { Networks } from "./networks";

type ArrowKind = Extract<Kind, { role: "arrow" }>;

const CAPTION =
  "Blue: who may connect, and to which port. Green: who may read or write, from the IAM statements. Dashed: what sets off what.";
const WORD_ORDER: readonly Word[] = ["start", "send", "receive", "read", "write", "use"];
const WATCH = "CloudWatch";

/**
 * @param estate what is synthesized
 * @param system name of the system
 * @param stacks its stacks
 */
export async function architectureOf(estate: Estate, system: string, stacks: readonly string[]): Promise<Drawing> {
  const sketch = new Sketch(estate, await Anatomy.of(estate), new Set(stacks));
  return sketch.draw(system);
}

class Sketch {
  private readonly boxes = new Map<string, Box>();
  private readonly arrows = new Map<string, { arrow: Arrow; words: Set<string> }>();
  private readonly networks: Networks;
  private readonly account: string;

  constructor(
    private readonly estate: Estate,
    private readonly anatomy: Anatomy,
    private readonly stacks: ReadonlySet<string>,
  ) {
    this.networks = new Networks(estate);
    this.account = estate.stacks.map(({ account }) => account).find((account) => account !== undefined) ?? "<account>";
  }

  async draw(system: string): Promise<Drawing> {
    const own = this.estate.all().filter(({ stack }) => this.stacks.has(stack));
    for (const resource of own.filter((each) => this.anatomy.isBox(each))) {
      this.box(resource);
    }
    this.count(own);
    for (const resource of own) {
      await this.connect(resource);
    }
    this.connectLonely(own);
    const finished = joined([...this.boxes.values()], [...this.arrows.values()].map(labelled));
    const used = new Set(finished.boxes.flatMap(({ frame }) => frame ?? []));
    const { frames, empty } = this.networks.framesFor(used, this.stacks);
    const others = [...used].filter((id) => id.startsWith("other "));
    return {
      title: `${system}: architecture`,
      caption: CAPTION,
      boxes: [
        ...finished.boxes,
        ...empty.map(
          ({ id, vpc, name, subnets }): Box => ({
            id,
            name,
            facts: ["nothing in it", subnets.map(({ body }) => literal(body.cidr_block) ?? "").join(", ")],
            class: "outside",
            frame: vpc.id,
          }),
        ),
      ],
      frames: [
        ...frames,
        ...others.map((id) => ({
          id,
          label: `stack ${id.slice("other ".length)}`,
          facts: [],
          parent: undefined,
          class: "other" as const,
        })),
      ],
      arrows: finished.arrows,
    };
  }

  /** Adds a box, and gives its id. */
  private box(resource: Resource): string {
    if (!this.boxes.has(resource.id)) {
      const kind = drawnKindOf(resource.type);
      const { uses, all } = this.anatomy.madeOf(resource);
      const place = this.networks.placeOf(resource, uses);
      const facts = kind.role === "box" ? (kind.facts?.(resource.body, all) ?? []) : [];
      this.boxes.set(resource.id, {
        id: resource.id,
        name: (physicalName(resource) ?? resource.name).replaceAll(this.account, "<account>"),
        facts: [
          kind.role === "box" ? kind.label : "role",
          ...facts.filter((fact) => fact !== undefined),
          ...place.facts,
        ],
        class: kind.role === "box" ? kind.class : "identity",
        frame: this.stacks.has(resource.stack) ? place.frame : `other ${resource.stack}`,
      });
    }
    return resource.id;
  }

  /** Adds a box for what no state holds, and gives its id. */
  private outside(what: string, name: string, frame?: string): string {
    const id = `${what} ${name}`;
    this.boxes.set(id, { id, name, facts: [what], class: "outside", frame });
    return id;
  }

  /** One box for what is counted. */
  private count(own: readonly Resource[]): void {
    const counts = new Map<string, number>();
    for (const { type } of own) {
      const kind = drawnKindOf(type);
      if (kind.role === "counted") {
        counts.set(kind.noun, (counts.get(kind.noun) ?? 0) + 1);
      }
    }
    if (counts.size > 0) {
      const facts = [...counts].map(([noun, count]) => `${count} ${noun}${count === 1 ? "" : "s"}`);
      this.boxes.set(WATCH, { id: WATCH, name: WATCH, facts, class: "watch", frame: "aws" });
    }
  }

  private async connect(resource: Resource): Promise<void> {
    const kind = drawnKindOf(resource.type);
    if (kind.role === "arrow") {
      this.connectEnds(resource, kind);
    } else if (kind.role === "counted") {
      for (const target of this.estate.referred(resource.stack, resource.body.alarm_actions)) {
        for (const holder of this.anatomy.holders(target)) {
          if (holder === target) {
            this.arrow(WATCH, this.box(holder), "event", "notifies");
          } else {
            this.arrow(this.box(holder), WATCH, "event", "scales", "back");
          }
        }
      }
    } else if (resource.type === "aws_sqs_queue") {
      this.redrive(resource);
    } else if (resource.body.role !== undefined) {
      await this.permit(resource);
    }
  }

  private connectEnds({ stack, body }: Resource, { from, to, label, sort }: ArrowKind): void {
    const text = typeof label === "string" ? label : label(body);
    for (const start of this.endsOf(stack, body[from], body)) {
      for (const end of this.endsOf(stack, body[to], {})) {
        this.arrow(start, end, sort, text);
      }
    }
  }

  /** The boxes that an attribute leads to. */
  private endsOf(stack: string, value: unknown, { cidr_ipv4 }: { readonly cidr_ipv4?: unknown }): string[] {
    if (value === undefined && typeof cidr_ipv4 === "string") {
      return [cidr_ipv4 === "0.0.0.0/0" ? this.outside("anyone", "Internet") : this.outside("network", cidr_ipv4)];
    }
    const referred = this.estate.referred(stack, value).flatMap((each) => this.anatomy.holders(each));
    const named = typeof value === "string" ? this.anatomy.byName(value) : undefined;
    const ends = referred.length === 0 && named ? this.anatomy.holders(named) : referred;
    return ends.map((each) => this.box(each));
  }

  private redrive(queue: Resource): void {
    const policy = String(queue.body.redrive_policy ?? "");
    const [, receives] = /maxReceiveCount"?\s*[:=]\s*"?(\d+)/.exec(policy.replaceAll("\\", "")) ?? [];
    for (const target of this.estate.referred(queue.stack, policy).filter(({ id }) => id !== queue.id)) {
      this.arrow(this.box(queue), this.box(target), "event", `after ${receives ?? "some"} receives`);
    }
  }

  /** The statements of a role, as arrows between the boxes that have the role and what they may use. */
  private async permit({ stack, body }: Resource): Promise<void> {
    const holders = this.estate.referred(stack, body.role).flatMap((role) => this.anatomy.holders(role));
    const [attached] = this.estate.referred(stack, body.policy_arn);
    const policy = body.policy ?? attached?.body.policy;
    for (const access of policy === undefined ? [] : await accessOf(policy)) {
      for (const end of access.words.length > 0 ? this.usedBy(stack, access) : []) {
        for (const holder of holders.filter(({ id }) => id !== end)) {
          this.access(this.box(holder), end, access.words);
        }
      }
    }
  }

  /** The boxes of a statement's resource: those it refers to or names, or one for what no state holds. */
  private usedBy(stack: string, { resource }: Access): string[] {
    const referred = this.estate.referred(stack, resource);
    if (referred.length > 0) {
      return referred.flatMap((each) => this.anatomy.holders(each)).map((each) => this.box(each));
    }
    const named = this.anatomy.byName(resource);
    if (named !== undefined) {
      return this.anatomy.holders(named).map((each) => this.box(each));
    }
    const [, service, path] = /^arn:[\w-]+:([\w-]+):[^:]*:[^:]*:(.+)$/.exec(resource) ?? [];
    return service && path ? [this.outside(`${service}, of no stack`, path.replace(/^[\w-]+:(?=\w)/, ""), "aws")] : [];
  }

  /** A box that nothing leads to is connected to what refers to it, by the attribute's name. */
  private connectLonely(own: readonly Resource[]): void {
    const connected = new Set([...this.arrows.values()].flatMap(({ arrow }) => [arrow.from, arrow.to]));
    for (const box of own.filter(({ id }) => this.boxes.has(id) && !connected.has(id))) {
      for (const referrer of this.estate.referrersOf(box).filter((each) => this.anatomy.isBox(each))) {
        const attribute = Object.keys(referrer.body).find((key) =>
          this.estate.referred(referrer.stack, referrer.body[key]).includes(box),
        );
        this.arrow(this.box(referrer), box.id, "event", (attribute ?? "").replaceAll("_", " "));
      }
    }
  }

  private access(holder: string, store: string, words: readonly Word[]): void {
    for (const word of words) {
      this.arrow(holder, store, "data", word);
    }
  }

  private arrow(
    from: string,
    to: string,
    sort: Arrow["sort"],
    word: string,
    points: Arrow["points"] = "forward",
  ): void {
    const key = JSON.stringify([from, to, sort]);
    const known = this.arrows.get(key) ?? { arrow: { from, to, label: [], sort, points }, words: new Set<string>() };
    if (word !== "") {
      known.words.add(word);
    }
    this.arrows.set(key, known);
  }
}

/** The words of an arrow in a fixed order, and its points where the data goes. */
function labelled({ arrow, words }: { arrow: Arrow; words: ReadonlySet<string> }): Arrow {
  const known = WORD_ORDER.filter((word) => words.has(word));
  const others = [...words].filter((word) => !(WORD_ORDER as readonly string[]).includes(word));
  const inward = known.filter((word) => INWARD.has(word)).length;
  const points = inward === 0 ? arrow.points : inward === known.length ? "back" : "both";
  return { ...arrow, points, label: [[...known, ...others.sort(byNumber)].join(", ")].filter((line) => line !== "") };
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
