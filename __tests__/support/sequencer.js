/**
 * The order of the test files: the longest first, so that none is left to run alone at the end. On a machine that has run them before, Jest
 * knows how long each takes; on a new one it goes by their sizes, which say nothing of a file that starts a whole deployment.
 */
const { default: Sequencer } = require("@jest/test-sequencer");

/** Minutes each, on two processors. */
const LONG = [
  "python/worker",
  "deployment/stand-ins",
  "deployment/delivery",
  "reliability/promises",
  "permissions/permissions",
  "local/start",
  "deployment/music",
  "python/denoise-service",
  "python/music",
  "python/denoise-training",
  "lambdas/inference/inference",
];

const rankOf = ({ path }) => {
  const rank = LONG.findIndex((name) => path.endsWith(`/__tests__/${name}.test.ts`));
  return rank < 0 ? LONG.length : rank;
};

module.exports = class LongestFirst extends Sequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    return [...sorted].sort((one, other) => rankOf(one) - rankOf(other));
  }
};
