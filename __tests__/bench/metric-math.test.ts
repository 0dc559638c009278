import { metricMath } from "../../bench/support/metric-math";

function evaluated(text: string, values: Record<string, number> = {}): number | undefined {
  return metricMath(text)(new Map(Object.entries(values)));
}

test.each([
  ["1 + 2 * 3", {}, 7],
  ["(1 + 2) * 3 - 8 / 4", {}, 7],
  ["a / b", { a: 9, b: 2 }, 4.5],
  ["a >= 3", { a: 3 }, 1],
  ["a == 3", { a: 4 }, 0],
  ["FILL(a, 5)", {}, 5],
  ["FILL(a, 5)", { a: 2 }, 2],
  ["IF(a > 1, b, 10)", { a: 2, b: 3 }, 3],
  ["IF(a > 1, b, 10)", { a: 1, b: 3 }, 10],
  ["a + 1", {}, undefined],
  ["IF(a > 1, 2, 3)", {}, undefined],
])("metric math: %s with %j is %d", (text, values, expected) => {
  expect(evaluated(text, values as Record<string, number>)).toBe(expected);
});

test.each([
  ["ANOMALY_DETECTION_BAND(a, 2)", "ANOMALY_DETECTION_BAND with 2 arguments is not known"],
  ["a ; b", '" ; b" is not known'],
  ["a b", '"b" is not expected'],
  ["(a", '")" is expected'],
  ["a + * b", 'a value is expected at "*"'],
])("metric math: %s is refused: %s", (text, message) => {
  expect(() => metricMath(text)).toThrow(message);
});
