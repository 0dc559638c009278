/** IPv4 ranges in CIDR notation, compared by their first and last address. */

/** A named range. */
export interface NamedCidr {
  readonly name: string;
  readonly cidr: string;
}

/** Whether `inner` lies wholly inside `outer`. */
export function containsCidr(outer: string, inner: string): boolean {
  const [outerFirst, outerLast] = boundsOf(outer);
  const [innerFirst, innerLast] = boundsOf(inner);
  return outerFirst <= innerFirst && innerLast <= outerLast;
}

/** Every pair of ranges that share an address, in the order given. */
export function overlappingCidrs(ranges: readonly NamedCidr[]): [NamedCidr, NamedCidr][] {
  return ranges.flatMap((first, index) =>
    ranges
      .slice(index + 1)
      .filter((second) => {
        const [firstLow, firstHigh] = boundsOf(first.cidr);
        const [secondLow, secondHigh] = boundsOf(second.cidr);
        return firstLow <= secondHigh && secondLow <= firstHigh;
      })
      .map((second): [NamedCidr, NamedCidr] => [first, second]),
  );
}

/** A subnet whose range is wrong, and why. */
export interface SubnetIssue {
  readonly subnet: string;
  readonly message: string;
}

/**
 * What is wrong with the subnets of a VPC: ranges outside of it, and ranges that overlap.
 *
 * @param vpc the VPC's range
 * @param subnets the subnets by name
 */
export function subnetIssues(vpc: string, subnets: Readonly<Record<string, { readonly cidr: string }>>): SubnetIssue[] {
  const ranges = Object.entries(subnets).map(([name, { cidr }]): NamedCidr => ({ name, cidr }));
  return [
    ...ranges
      .filter(({ cidr }) => !containsCidr(vpc, cidr))
      .map(({ name, cidr }) => ({
        subnet: name,
        message: `${cidr} is outside of the VPC's ${vpc}. Choose a range inside it.`,
      })),
    ...overlappingCidrs(ranges).map(([first, second]) => ({
      subnet: second.name,
      message: `${second.cidr} overlaps subnets.${first.name} (${first.cidr}). Give each subnet a range of its own.`,
    })),
  ];
}

function boundsOf(cidr: string): [number, number] {
  const [address = "", prefix = "32"] = cidr.split("/");
  const size = 2 ** (32 - Number(prefix));
  const value = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const first = Math.floor(value / size) * size;
  return [first, first + size - 1];
}
