/** A picture before it has positions: boxes in frames, and arrows between boxes. */
import type { Class } from "./kinds";

/** A box. */
export interface Box {
  /** State address, or a name of what no state holds. */
  readonly id: string;
  /** What it is called. */
  readonly name: string;
  /** What it is, and what else is worth a line: `queue`. */
  readonly facts: readonly string[];
  /** Others with the same arrows, drawn in the same box. */
  readonly others?: readonly Pick<Box, "name" | "facts">[];
  readonly class: Class;
  /** The frame that it stands in. @default - none */
  readonly frame: string | undefined;
}

/** A frame around boxes or other frames. */
export interface Frame {
  readonly id: string;
  readonly label: string;
  readonly facts: readonly string[];
  /** @default - none */
  readonly parent: string | undefined;
  readonly class: "cloud" | "network" | "tier" | "other";
}

/** What an arrow says: who may connect, who may use data, or what sets something off. */
export type Sort = "network" | "data" | "event" | "stack";

/** An arrow. */
export interface Arrow {
  /** Who acts. */
  readonly from: string;
  /** What is used. */
  readonly to: string;
  /** Lines at the arrow. */
  readonly label: readonly string[];
  readonly sort: Sort;
  /** Where it points: to what is used, back to who acts, or both ways. */
  readonly points: "forward" | "back" | "both";
}

/** A picture. */
export interface Drawing {
  readonly title: string;
  /** Below the picture. */
  readonly caption: string;
  readonly boxes: readonly Box[];
  readonly frames: readonly Frame[];
  readonly arrows: readonly Arrow[];
}

/**
 * Stores with the same arrows become one box.
 *
 * @param boxes all boxes
 * @param arrows all arrows between them
 */
export function joined(
  boxes: readonly Box[],
  arrows: readonly Arrow[],
): { readonly boxes: Box[]; readonly arrows: Arrow[] } {
  const stands = new Map<string, Box>();
  const standIn = new Map<string, string>();
  for (const box of boxes) {
    const own = arrowsOf(box.id, arrows);
    const key = box.class === "store" && own.length > 0 ? JSON.stringify([box.frame, own]) : box.id;
    const first = stands.get(key);
    stands.set(key, first === undefined ? box : { ...first, others: [...(first.others ?? []), box] });
    standIn.set(box.id, first?.id ?? box.id);
  }
  const seen = new Set<string>();
  const kept = arrows
    .map((arrow) => ({ ...arrow, from: standIn.get(arrow.from) ?? arrow.from, to: standIn.get(arrow.to) ?? arrow.to }))
    .filter((arrow) => {
      const key = JSON.stringify(arrow);
      return !seen.has(key) && seen.add(key);
    });
  return { boxes: [...stands.values()], arrows: kept };
}

function arrowsOf(id: string, arrows: readonly Arrow[]): string[] {
  return arrows
    .filter(({ from, to }) => from === id || to === id)
    .map(({ from, to, ...rest }) => JSON.stringify([from === id ? "" : from, to === id ? "" : to, rest]))
    .sort();
}
