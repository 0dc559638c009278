/** A cart's title as it is stored. */

/** A title, or the claim of whoever makes it. */
export interface StoredTitle {
  /** SHA-256 of the cart's id, of what its title is made from, and of the model. */
  readonly _id: string;
  readonly cartId: string;
  /** The title, once it is there. */
  readonly title?: string;
  readonly model: string;
  /** Whose claim it is: the id of an invocation. */
  readonly owner: string;
  /** Until when the owner may take; afterwards anyone may claim it. */
  readonly claimedUntil: Date;
  readonly createdAt: Date;
  /** When Atlas deletes it. */
  readonly expiresAt: Date;
}
