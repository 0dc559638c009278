/** What settings of the inference cluster are refused, and what the person who wrote them reads. */
import { parseSettings } from "../../../modules/platform/settings";

const REQUIRED = { accountId: "000000000000", owner: "platform" };
const ORGANIZATION = { organizationId: "0123456789abcdef01234567" };

function parse(inference: object, more: object = {}) {
  return parseSettings({ dev: { ...REQUIRED, ...more, inference } }, "dev").inference;
}

describe("settings.inference", () => {
  test("are off by default, with the values of the specification", () => {
    expect(parse({})).toMatchObject({
      enabled: false,
      network: { cidr: "10.20.0.0/16", egress: "nat", natPerZone: false },
      atlas: { cidr: "10.21.0.0/21", tier: "M10", mongodbVersion: "8.0", database: "shop", access: "subnets" },
      api: { embeddingModel: "amazon.titan-embed-text-v2:0" },
    });
  });

  test.each(["M0", "M2", "M5", "FLEX", "M15", "m10"])("the tier %s, which cannot be peered, is refused", (tier) => {
    expect(() => parse({ atlas: { tier } })).toThrow(
      `settings.inference.atlas.tier: ${tier} cannot be peered with a VPC: Atlas peers dedicated clusters only. Choose M10 or larger.`,
    );
  });

  test.each(["10.21.0.0/20", "10.21.0.0/25", "100.64.0.0/21", "8.8.8.0/24"])(
    "Atlas's range %s, which Atlas would not take, is refused",
    (cidr) => {
      expect(() => parse({ atlas: { cidr } })).toThrow(
        `settings.inference.atlas.cidr: Atlas takes no ${cidr}. Choose a private range from /21 to /24 such as 10.21.0.0/21.`,
      );
    },
  );

  test.each<[string, object, object, string]>([
    [
      "the VPC and Atlas",
      { atlas: { ...ORGANIZATION, cidr: "10.20.64.0/21" } },
      {},
      "settings.inference.atlas.cidr: 10.20.64.0/21 overlaps inference.network.cidr (10.20.0.0/16). Choose ranges that share no address.",
    ],
    [
      "Atlas and NanoGrid",
      { atlas: { ...ORGANIZATION, cidr: "10.0.8.0/21" } },
      {},
      "settings.inference.atlas.cidr: 10.0.8.0/21 overlaps nanogrid.network.cidr (10.0.0.0/16). Choose ranges that share no address.",
    ],
    [
      "the VPC and NanoGrid",
      { atlas: ORGANIZATION },
      {
        nanogrid: {
          network: {
            cidr: "10.20.0.0/16",
            subnets: Object.fromEntries(
              ["public1", "public2", "privateApp", "privateData1", "privateData2"].map((name, index) => [
                name,
                { cidr: `10.20.${index}.0/24` },
              ]),
            ),
          },
        },
      },
      "settings.inference.network.cidr: 10.20.0.0/16 overlaps nanogrid.network.cidr (10.20.0.0/16). Choose ranges that share no address.",
    ],
  ])("ranges of %s that share an address are refused", (_, inference, more, message) => {
    expect(() => parse({ enabled: true, ...inference }, more)).toThrow(message);
    expect(() => parse({ enabled: false, ...inference }, more)).not.toThrow();
  });

  test("a region that Atlas has no name for is refused", () => {
    expect(() => parse({ enabled: true, atlas: ORGANIZATION }, { region: "xx-nowhere-9" })).toThrow(
      "settings.region: MongoDB Atlas has no name for xx-nowhere-9. Choose a region of modules/inference/regions.ts, or add its name there.",
    );
  });

  test("an enabled cluster without an organization is refused", () => {
    expect(() => parse({ enabled: true })).toThrow(
      "settings.inference.atlas.organizationId: is missing, and inference.enabled is true. Add the id of the Atlas organization, or disable the cluster.",
    );
  });

  test("a NAT gateway in each zone is refused where there are none", () => {
    expect(() => parse({ network: { egress: "endpoints", natPerZone: true } })).toThrow(
      "settings.inference.network.natPerZone: is set, and egress is endpoints: there is no NAT gateway. Remove it, or set egress to nat.",
    );
  });

  test("what is no id of a Bedrock model is refused", () => {
    expect(() => parse({ api: { titleModel: "nova" } })).toThrow("settings.inference.api.titleModel");
  });
});
