import { parseSettings } from "../../../modules/platform/settings";

const parse = (mlFunction: object = {}) =>
  parseSettings({ dev: { accountId: "111122223333", owner: "platform", mlFunction } }, "dev").mlFunction;

describe("settings of the ML function", () => {
  test("the defaults are the documented ones", () => {
    expect(parse()).toEqual({
      enabled: false,
      image: { kept: 10 },
      memoryMib: 256,
      reservedConcurrency: 10,
      maxRows: 1000,
      callerAccounts: [],
      logRetentionDays: 30,
      alarms: { emails: [], durationPercent: 80 },
    });
  });

  test.each([
    [{ image: { uri: "111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/ml:latest" } }, "image.uri", "by its digest"],
    [{ image: { uri: `ghcr.io/acme/ml@sha256:${"0".repeat(64)}` } }, "image.uri", "an image in ECR"],
    [{ memoryMib: 127 }, "memoryMib", "128"],
    [{ reservedConcurrency: 0 }, "reservedConcurrency", "1"],
    [{ maxRows: 10_001 }, "maxRows", "10000"],
    [{ callerAccounts: ["acme"] }, "callerAccounts", "the 12 digits of an AWS account"],
    [{ alarms: { durationPercent: 100 } }, "alarms.durationPercent", "99"],
    [{ timeout: 30 }, "timeout", "unknown"],
  ])("%j is refused, with its path and what was expected", (wrong, path, expected) => {
    expect(() => parse(wrong)).toThrow(new RegExp(`settings\\.mlFunction\\.${path}.*${expected}`, "is"));
  });
});
