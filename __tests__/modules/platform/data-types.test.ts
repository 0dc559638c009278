import { dataOf, decidedTypes } from "../../../modules/platform/data-types";
import { ALL_ENVIRONMENTS, synthesized } from "../../support/synth";

/** Every resource type of every stack of every environment. */
function emittedTypes(): string[] {
  const stacks = ALL_ENVIRONMENTS.flatMap((environment) => Object.values(synthesized(environment).stacks));
  return [...new Set(stacks.flatMap((stack) => stack.resources().map(({ type }) => type)))].sort();
}

test("data types: every emitted type that sounds like a store is decided by name, one way or the other", () => {
  const undecided = emittedTypes().filter((type) => dataOf(type) !== undefined && !decidedTypes().has(type));

  expect(undecided).toEqual([]);
});

test("data types: all that is protected from destruction in prod counts as data, but for machines that keep none", () => {
  const protectedTypes = Object.values(synthesized("prod").stacks)
    .flatMap((stack) => stack.resources())
    .filter(({ body }) => (body.lifecycle as { prevent_destroy?: boolean } | undefined)?.prevent_destroy === true)
    .map(({ type }) => type);

  expect(protectedTypes.length).toBeGreaterThan(3);
  expect([...new Set(protectedTypes)].filter((type) => dataOf(type) === undefined)).toEqual([]);
});

test("data types: one that nobody thought of counts as data when it sounds like it", () => {
  expect(dataOf("aws_memorydb_cluster")).toBe("data, by its name");
  expect(dataOf("aws_timestreamwrite_table")).toBe("data, by its name");
});

test("data types: what only describes a store, and what Terraform makes anew as it was, holds none", () => {
  for (const type of ["aws_s3_bucket_policy", "aws_s3_object", "aws_route_table", "aws_iam_role", "aws_ecs_cluster"]) {
    expect({ type, loses: dataOf(type) }).toEqual({ type, loses: undefined });
  }
});
