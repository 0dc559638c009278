/** Values of commands' arguments and options, checked as they are parsed. */
import { InvalidArgumentError } from "commander";

/** An argument that is a whole number from `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`);
    }
    return value;
  };
}

/** An argument that is whole numbers from `least`, with commas between them. */
export function wholeNumbers(least: number): (text: string) => number[] {
  return (text) => text.split(",").map(wholeNumber(least));
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** An argument such as `90s`, `10m`, `2h` or `1d`, in seconds. */
export function duration(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNITS[unit] ?? 0);
  if (seconds === 0) {
    throw new InvalidArgumentError("Expected a number with s, m, h or d, such as 90s, 10m, 2h or 1d.");
  }
  return seconds;
}
