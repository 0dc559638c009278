/** Titles by the hash of what they are made from: who asks first makes one, whoever asks meanwhile waits for it. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Database, isDuplicate } from "../../inference-shared/src/database";
import { unavailable } from "../../inference-shared/src/problems";
import type { Deadline } from "../../inference-shared/src/retry";
import type { StoredTitle } from "../../inference-shared/src/title";
import { type Cart, PROMPT_VERSION } from "./prompt";

/** Between two looks at a title that another one makes, in milliseconds; each wait is drawn from there. */
const LOOK_MS = { least: 100, most: 400 };
/** A claim lasts so much longer than its owner can, in milliseconds: clocks differ. */
const BEYOND_MS = 5_000;
const DAY_MS = 86_400_000;

/** A title that is asked for. */
export interface Asked {
  readonly cartId: string;
  readonly inputs: Cart;
  /** Id of the invocation. */
  readonly owner: string;
  readonly deadline: Deadline;
}

/** A title, and whether it was there. */
export interface Title {
  readonly title: string;
  readonly cached: boolean;
}

export class TitleBook {
  /**
   * @param model model that makes titles
   * @param days how long a title is kept
   */
  constructor(
    private readonly database: Database,
    private readonly model: string,
    private readonly days: number,
  ) {}

  /**
   * The title of a cart: as it is stored, else made. One invocation at a time makes it, so that it is paid for once.
   *
   * @throws Problem 503 when another invocation still makes it at the deadline; what `make` throws
   */
  async titleOf(asked: Asked, make: () => Promise<string>): Promise<Title> {
    const { cartId, inputs, deadline } = asked;
    const id = createHash("sha256")
      .update(JSON.stringify([PROMPT_VERSION, this.model, cartId, inputs]))
      .digest("hex");
    for (;;) {
      const found = await this.claim(id, asked);
      if (found === "claimed") {
        return { title: await this.fill(id, asked, make), cached: false };
      }
      if (found.title !== undefined) {
        return { title: found.title, cached: true };
      }
      const waitMs = LOOK_MS.least + Math.random() * (LOOK_MS.most - LOOK_MS.least);
      if (waitMs >= deadline.leftMs) {
        throw unavailable("Another request for the same title", undefined);
      }
      await sleep(waitMs);
    }
  }

  /** Takes the claim where nobody has it, or whoever had it is gone. Safe to do twice: an owner finds the claim its own. */
  private claim(id: string, { cartId, owner, deadline }: Asked): Promise<StoredTitle | "claimed"> {
    return this.database.run("claim a title", deadline, async ({ titles }) => {
      const now = new Date();
      const claimedUntil = new Date(now.getTime() + deadline.leftMs + BEYOND_MS);
      const claim = { owner, claimedUntil };
      const found = await titles.findOne({ _id: id });
      if (found === null) {
        const expiresAt = new Date(now.getTime() + this.days * DAY_MS);
        const made = { _id: id, cartId, model: this.model, ...claim, createdAt: now, expiresAt };
        return titles.insertOne(made).then(
          () => "claimed" as const,
          (error: unknown) => {
            if (!isDuplicate(error)) {
              throw error;
            }
            // Somebody was faster: the next look shows whose it is.
            return made;
          },
        );
      }
      if (found.title !== undefined) {
        return found;
      }
      if (found.owner === owner) {
        return "claimed";
      }
      if (found.claimedUntil > now) {
        return found;
      }
      const { matchedCount } = await titles.updateOne(
        { _id: id, owner: found.owner, title: { $exists: false } },
        { $set: claim },
      );
      return matchedCount > 0 ? "claimed" : found;
    });
  }

  private async fill(id: string, { owner, deadline }: Asked, make: () => Promise<string>): Promise<string> {
    let title: string;
    try {
      title = await make();
    } catch (error) {
      // The claim would keep others waiting. Where it cannot be given back, it ends by itself.
      await this.database
        .run("release a claim", deadline, ({ titles }) =>
          titles.deleteOne({ _id: id, owner, title: { $exists: false } }),
        )
        .catch(() => undefined);
      throw error;
    }
    await this.database.run("write a title", deadline, ({ titles }) =>
      titles.updateOne({ _id: id, owner }, { $set: { title } }),
    );
    return title;
  }
}
