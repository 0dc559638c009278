/** Answers that are kept for a short while, so that asking often costs nothing. */

/** `make`, called at most once in `ms` however often it is asked for. What it rejects with is not kept. */
export function keptFor<T>(ms: number, make: () => Promise<T>): () => Promise<T> {
  let latest: Promise<T> | undefined;
  let staleAt = 0;
  return () => {
    if (!latest || Date.now() >= staleAt) {
      staleAt = Date.now() + ms;
      latest = make();
      latest.catch(() => {
        staleAt = 0;
      });
    }
    return latest;
  };
}
