import { CONTROLLERS } from "../../commands/support/names";
import { SETUP_MS } from "../local/scratch";
import { Cloud, COMMAND_MS } from "./operations";

// Each run of a command is a process of its own.
jest.setTimeout(COMMAND_MS);

let cloud: Cloud;

beforeAll(async () => {
  cloud = await Cloud.start();
  await cloud.createGroup(CONTROLLERS, { min: 2, desired: 2, max: 2 });
}, SETUP_MS);
afterAll(() => cloud?.stop());

test("controllers status: prints the number of controllers and every instance", async () => {
  const { code, stdout } = await cloud.run("controllers", ["status"]);

  expect(code).toBe(0);
  expect(stdout).toContain("nanogrid-controller-asg: min 2, desired 2, max 2, in service 2\n");
  expect(stdout.match(/^i-\w+ +\S+ +Healthy +InService +no$/gm)).toHaveLength(2);
});

test("controllers refresh: replaces them and says so for programs too", async () => {
  const { code, stdout } = await cloud.run("controllers", ["refresh", "--watch", "--json"]);

  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ status: "Successful", percent: 100, left: 0 });
});

test("controllers logs: where there is no log group, the stack to deploy is named", async () => {
  const { code, stderr } = await cloud.run("controllers", ["logs"]);

  expect(code).toBe(1);
  expect(stderr).toContain("There is no log group /nanogrid/controller");
  expect(stderr).toContain("Deploy nanogrid-controllers");
});

test("controllers: there is nothing to scale", async () => {
  const { code, stderr } = await cloud.run("controllers", ["scale", "3"]);

  expect(code).toBe(1);
  expect(stderr).toContain("unknown command 'scale'");
});
