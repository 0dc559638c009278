/** `npm run build-image`, as a person runs it. The image of ML-XGBoost is really built in __tests__/lambdas/ml-xgboost. */
import { spawnSync } from "node:child_process";
import { mlXgboostImage } from "../../lambdas/ml-xgboost/image";

const STEP_MS = 60_000;

function buildImage(name: string, host = "unix:///nowhere.sock") {
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--import", "tsx", "commands/build-image.ts", name], {
    encoding: "utf8",
    env: { ...process.env, DOCKER_HOST: host },
    timeout: STEP_MS,
  });
  return { status, stderr, stdout };
}

describe("build-image", () => {
  test(
    "an image that is none of the project's is refused with those that are",
    () => {
      expect(buildImage("mysql")).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/'mysql' is invalid .* denoise, product-inference, ml-xgboost, music-front/),
      });
    },
    STEP_MS,
  );

  test(
    "it builds the tag that a deployment has; without an engine it says so, and what an engine needs",
    () => {
      const { status, stderr, stdout } = buildImage("ml-xgboost");
      expect(stdout).toContain(`building ml-xgboost:${mlXgboostImage().tag}`);
      expect(stderr).toMatch(/docker/i);
      expect(stderr).toContain("The engine needs its registries");
      expect(status).toBe(1);
    },
    STEP_MS,
  );
});
