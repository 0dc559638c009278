/** Every Python project has a file here that checks it. */
import { readdirSync } from "node:fs";
import { PYTHON_PROJECTS } from "../support/python-projects";

test("no Python project is left out", () => {
  const files = readdirSync(__dirname).filter((file) => file !== "projects.test.ts");
  expect(files.sort()).toEqual(PYTHON_PROJECTS.map(({ name }) => `${name}.test.ts`).sort());
});
