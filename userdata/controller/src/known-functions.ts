/**
 * Functions as calls need them: remembered for a moment, so that accepting a job costs its two writes and no read besides.
 *
 * A call must not run a version that was replaced, or a function that was deleted, before the call was made: a controller that changes a
 * function tells the others over Redis, and its own answer comes after that. A controller that cannot hear them, because its Redis is away,
 * remembers nothing.
 */
import type { FunctionItem, FunctionsTable } from "./functions-table";
import type { JobEvents } from "./redis";

/** Longest memory, in milliseconds: for what nobody tells of, such as an operator's hand in the table. */
const KEPT_MS = 2_000;
const KEPT = 10_000;

export class KnownFunctions {
  private readonly known = new Map<string, { readonly item: FunctionItem; readonly until: number }>();
  /** Grows with each change: what was read before one is not kept after it. */
  private changes = 0;

  constructor(
    private readonly functions: FunctionsTable,
    private readonly events: JobEvents,
  ) {
    events.onFunctionChange((functionId) => this.drop(functionId));
  }

  /** The tenant's function of that id; undefined where there is none, or it is another tenant's. */
  async find(tenant: string, functionId: string): Promise<FunctionItem | undefined> {
    const known = this.known.get(functionId);
    if (known && known.until > Date.now()) {
      return known.item.tenant === tenant ? known.item : undefined;
    }
    const { changes } = this;
    const item = await this.functions.find(tenant, functionId);
    if (item && changes === this.changes && this.events.hearsFunctionChanges) {
      if (this.known.size >= KEPT) {
        this.known.clear();
      }
      this.known.set(functionId, { item, until: Date.now() + KEPT_MS });
    }
    return item;
  }

  /** Forgets a function that was changed or deleted, here and, when this resolves, on the other controllers. */
  async forget(functionId: string): Promise<void> {
    this.drop(functionId);
    await this.events.tellFunctionChange(functionId);
  }

  private drop(functionId: string | undefined): void {
    this.changes += 1;
    if (functionId === undefined) {
      this.known.clear();
    } else {
      this.known.delete(functionId);
    }
  }
}
