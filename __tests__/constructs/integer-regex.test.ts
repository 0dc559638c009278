import { regexForIntegersAbove } from "../../constructs/integer-regex";

const GIB = 1024 ** 3;

function matcherFor(limit: number): (text: number | string) => boolean {
  const regex = new RegExp(`^(?:${regexForIntegersAbove(limit)})$`);
  return (text) => regex.test(String(text));
}

describe("regexForIntegersAbove", () => {
  test("agrees with the comparison for every limit and number up to 1,200", () => {
    const wrong: string[] = [];
    for (let limit = 0; limit <= 1200; limit++) {
      const isAbove = matcherFor(limit);
      for (let number = 0; number <= 1200; number++) {
        if (isAbove(number) !== number > limit) {
          wrong.push(`${number} against ${limit}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test("agrees with the comparison within 100,000 of 1 GiB on both sides", () => {
    const isAbove = matcherFor(GIB);
    const wrong: number[] = [];
    for (let number = GIB - 100_000; number <= GIB + 100_000; number++) {
      if (isAbove(number) !== number > GIB) {
        wrong.push(number);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("agrees with the comparison wherever one digit of 1 GiB changes, and at every power of ten", () => {
    const isAbove = matcherFor(GIB);
    const digits = String(GIB);
    const changed = [...digits].flatMap((_, index) =>
      Array.from({ length: 10 }, (__, digit) => Number(`${digits.slice(0, index)}${digit}${digits.slice(index + 1)}`)),
    );
    const powers = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent).flatMap((power) => [
      power - 1,
      power,
      power + 1,
    ]);
    for (const number of [...changed, ...powers, Number.MAX_SAFE_INTEGER]) {
      expect([number, isAbove(number)]).toEqual([number, number > GIB]);
    }
  });

  test.each([0, 8, 9, 10, 89, 90, 98, 99, 100, 199, 899, 900, 999, 1000, 9999, 2 ** 31 - 1, 2 ** 32])(
    "has its edge between %i and the next number",
    (limit) => {
      const isAbove = matcherFor(limit);
      expect([limit - 1, limit, limit + 1].map(isAbove)).toEqual([false, false, true]);
    },
  );

  test("does not match what is no number", () => {
    const isAbove = matcherFor(10);
    for (const text of ["", "-11", "+11", "11.5", "0x11", "1e9", " 11", "11 ", "11,12", "٣٣"]) {
      expect([text, isAbove(text)]).toEqual([text, false]);
    }
  });

  test("has no look-around and no back-reference, which WAF's engine lacks", () => {
    expect(regexForIntegersAbove(GIB)).toMatch(/^[\d[\]\-\\d{},|]+$/);
  });

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER + 1])(
    "refuses %d as a limit",
    (limit) => {
      expect(() => regexForIntegersAbove(limit)).toThrow(`${limit} is not a non-negative integer`);
    },
  );
});
