/** Quantities as Kubernetes writes them. */
const UNITS: Readonly<Record<string, number>> = { "": 1, m: 0.001, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };

/** The number that `250m`, `2`, or `10Gi` stands for. @throws Error when it is none of them */
export function quantityOf(text: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (number === "" || factor === undefined) {
    throw new Error(
      `"${text}" is no quantity that is known here: a number with ${Object.keys(UNITS).join(", ").trim()}.`,
    );
  }
  return Number(number) * factor;
}
