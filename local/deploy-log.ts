/** What the CDKTF CLI prints while it deploys, understood line by line. */

const CHANGED = /(?:Creation|Modifications|Destruction) complete after/;
const APPLIED = /Apply complete! Resources: (\d+) added, (\d+) changed, (\d+) destroyed/;
const ERROR = /(?:^|\s)Error: (.+)$/;

/** Follows the deployment of several stacks, whose lines come mixed. */
export class DeployLog {
  private readonly done = new Set<string>();
  private readonly found = new Set<string>();
  private totals = { added: 0, changed: 0, destroyed: 0 };
  private changes = 0;
  /** The stack that the latest lines are about: the CLI names it at the beginning of each block. */
  private current = "";

  /** @param stacks ids of the stacks that are deployed */
  constructor(private readonly stacks: readonly string[]) {}

  /** Takes a line. @returns whether there is progress to tell */
  take(line: string): boolean {
    this.current = this.stacks.find((stack) => line.startsWith(`${stack} `)) ?? this.current;
    const error = ERROR.exec(line)?.[1];
    if (error !== undefined) {
      this.found.add(`${this.current}: ${error}`);
    }
    const applied = APPLIED.exec(line);
    if (applied) {
      const [added = 0, changed = 0, destroyed = 0] = applied.slice(1).map(Number);
      this.totals = {
        added: this.totals.added + added,
        changed: this.totals.changed + changed,
        destroyed: this.totals.destroyed + destroyed,
      };
      this.done.add(this.current);
    }
    const changes = CHANGED.test(line);
    this.changes += Number(changes);
    return changes || applied !== null || line.includes("Initializing the backend");
  }

  /** How far it is. */
  get progress(): string {
    return `${this.done.size} of ${this.stacks.length} stacks, ${this.changes} resources changed, now ${this.current}`;
  }

  /** What changed in all. */
  get summary(): string {
    const { added, changed, destroyed } = this.totals;
    const none = added + changed + destroyed === 0;
    return `${this.stacks.length} stacks: ${none ? "no changes" : `${added} added, ${changed} changed, ${destroyed} destroyed`}`;
  }

  /** Terraform's errors, each with its stack. */
  get errors(): readonly string[] {
    return [...this.found];
  }
}
