import { LocalChart } from "../../constructs/local-chart";
import { constructed } from "../support/constructed";

describe("LocalChart", () => {
  const synthesis = constructed((scope) => {
    new LocalChart(scope, "stages", {
      chart: "modules/music/charts/stages",
      name: "stages",
      namespace: "songs",
      values: { pollSeconds: 15 },
    });
  });

  test("is released from the folder that goes with the stack, with its values and no others", () => {
    expect(synthesis.resource("helm_release")).toMatchObject({
      name: "stages",
      namespace: "songs",
      chart: expect.stringMatching(/^\.\/assets\/stages_chart/),
      values: ['{"pollSeconds":15}'],
    });
  });

  test("leaves nothing half done", () => {
    expect(synthesis.resource("helm_release").atomic).toBe(true);
  });

  test("may take as long as its pods need", () => {
    const slow = constructed((scope) => {
      new LocalChart(scope, "slow", {
        chart: "modules/music/charts/stages",
        name: "slow",
        namespace: "songs",
        values: {},
        timeoutSeconds: 900,
      });
    });
    expect([slow, synthesis].map((one) => one.resource("helm_release").timeout)).toEqual([900, 300]);
  });
});
