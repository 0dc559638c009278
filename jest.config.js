/** Jest: TypeScript through swc, each test file a folder's mirror. `npm test` runs it. */
const common = {
  testEnvironment: "node",
  roots: ["<rootDir>/__tests__"],
  transform: { "^.+\\.[tj]s$": ["@swc/jest", { jsc: { target: "es2022", parser: { syntax: "typescript" } } }] },
  // These ship ES modules only.
  transformIgnorePatterns: ["/node_modules/(?!(listr2|tiff|iobuffer)/)"],
};

module.exports = {
  testTimeout: 30_000,
  // Most of the time goes into waiting for programs, so that no processor is spared.
  maxWorkers: "100%",
  testSequencer: "<rootDir>/__tests__/support/sequencer.js",
  projects: [
    {
      ...common,
      // What is emitted: these tests share one synth of every environment.
      displayName: "infrastructure",
      testMatch: ["<rootDir>/__tests__/*.test.ts", "<rootDir>/__tests__/{constructs,modules}/**/*.test.ts"],
      globalSetup: "<rootDir>/__tests__/support/synth-setup.ts",
      globalTeardown: "<rootDir>/__tests__/support/synth-teardown.ts",
    },
    {
      ...common,
      // What runs: these tests share a machine with every tool that the programs need.
      displayName: "programs",
      testMatch: ["<rootDir>/__tests__/!(constructs|modules)/**/*.test.ts"],
      globalSetup: "<rootDir>/__tests__/support/machine-setup.ts",
      globalTeardown: "<rootDir>/__tests__/support/machine-teardown.ts",
    },
  ],
};
