/** The objects in what CDKTF renders, read as HashiCorp's own parser reads them. */
import { parse } from "@cdktf/hcl2json";
import { jsonOf } from "../../../modules/platform/policy/expression";
import { ALL_ENVIRONMENTS, expr, type Json, synthesized } from "../../support/synth";

const ENCODED = /^\$\{jsonencode\((.*)\)\}$/s;

function strings(value: Json): string[] {
  if (typeof value === "string") {
    return [value];
  }
  return value === null || typeof value !== "object"
    ? []
    : Object.values(value).flatMap((each) => strings(each as Json));
}

test("every jsonencode() of every environment gives what HashiCorp's parser gives", async () => {
  const texts = new Set(
    ALL_ENVIRONMENTS.flatMap((environment) =>
      Object.values(synthesized(environment).stacks).flatMap(({ json }) =>
        strings(json).filter((text) => ENCODED.test(text)),
      ),
    ),
  );
  expect(texts.size).toBeGreaterThan(20);
  for (const text of texts) {
    const [, inner = ""] = ENCODED.exec(text) ?? [];
    const { value } = await parse("expression.tf", `value = ${inner}`);
    expect(jsonOf(text)).toEqual(value);
  }
});

test("quotes, brackets and commas inside of strings and references stay what they are", () => {
  const called = expr('f("}", [1])');
  const text = expr(`jsonencode({"a" = "x, \\"y\\" ${called} ]", "b" = [aws_x.y["k"].arn, true, -1.5, null], c = {}})`);
  expect(jsonOf(text)).toEqual({ a: `x, "y" ${called} ]`, b: [expr('aws_x.y["k"].arn'), true, -1.5, null], c: {} });
});

test.each([
  expr("aws_x.y.policy"),
  expr("jsonencode({)"),
  expr('jsonencode({"a" = })'),
  expr('jsonencode("a" "b")'),
  "not JSON",
])("%s is nothing that can be read", (text) => {
  expect(jsonOf(text)).toBeUndefined();
});
