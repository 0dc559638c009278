import { containsCidr, overlappingCidrs } from "../../../modules/platform/cidr";

describe("containsCidr", () => {
  test.each([
    ["10.0.0.0/16", "10.0.0.0/16", true],
    ["10.0.0.0/16", "10.0.255.0/24", true],
    ["10.0.0.0/16", "10.1.0.0/24", false],
    ["10.0.0.0/16", "9.255.255.0/24", false],
    ["10.0.1.0/24", "10.0.0.0/16", false],
    ["10.0.0.0/16", "10.0.0.0/15", false],
    ["0.0.0.0/0", "255.255.255.255/32", true],
    ["172.31.255.255/16", "172.31.0.0/32", true],
    ["200.0.0.0/8", "200.255.255.255/32", true],
  ])("%s contains %s: %s", (outer, inner, expected) => {
    expect(containsCidr(outer, inner)).toBe(expected);
  });
});

describe("overlappingCidrs", () => {
  const named = (...ranges: string[]) => ranges.map((cidr, index) => ({ name: `r${index}`, cidr }));
  const pairs = (...ranges: string[]) => overlappingCidrs(named(...ranges)).map(([a, b]) => [a.name, b.name]);

  test("neighbours do not overlap", () => {
    expect(pairs("10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/23", "9.255.255.0/24")).toEqual([]);
  });

  test("equal, inner and outer ranges overlap, each pair once and in the order given", () => {
    expect(pairs("10.0.0.0/24", "10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16")).toEqual([
      ["r0", "r1"],
      ["r0", "r2"],
      ["r0", "r3"],
      ["r1", "r2"],
      ["r1", "r3"],
      ["r2", "r3"],
    ]);
  });

  test("host bits make no difference", () => {
    expect(pairs("10.0.0.77/24", "10.0.0.200/32")).toEqual([["r0", "r1"]]);
  });
});
