/** Comparison of decimal integers by regular expression, for rule languages that have no other. */

/**
 * A pattern, without anchors, that matches exactly the decimal integers above a limit, written without leading zeros.
 *
 * @param limit a non-negative safe integer
 */
export function regexForIntegersAbove(limit: number): string {
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new Error(`regexForIntegersAbove: ${limit} is not a non-negative integer.`);
  }
  const digits = String(limit);
  const sameLength = [...digits].flatMap((digit, index) => {
    const above = digitsAbove(Number(digit));
    const rest = digits.length - index - 1;
    return above ? [`${digits.slice(0, index)}${above}${anyDigits(rest)}`] : [];
  });
  return [...sameLength, `[1-9]\\d{${digits.length},}`].join("|");
}

function digitsAbove(digit: number): string | undefined {
  if (digit === 9) {
    return undefined;
  }
  return digit === 8 ? "9" : `[${digit + 1}-9]`;
}

function anyDigits(count: number): string {
  return count === 0 ? "" : count === 1 ? "\\d" : `\\d{${count}}`;
}
