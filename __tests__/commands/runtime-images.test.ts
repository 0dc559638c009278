/** `npm run runtime-images`, against a stand-in of ECR and a real engine. */
import { CreateRepositoryCommand, DescribeImagesCommand, ECRClient } from "@aws-sdk/client-ecr";
import { clientOptions } from "../../local/clouds";
import { loadSettings } from "../../modules/platform/settings";
import { RUNTIMES, runtimeImage, runtimeRepository, runtimeTag } from "../../userdata/worker/artifact";
import { SETUP_MS } from "../local/scratch";
import { run } from "../support/run";
import { type StandIns, startStandIns } from "../support/servers";
import { testUnless } from "../support/tools";

/** Where no image was built before, each is. */
const PUSH_MS = 900_000;

const settings = loadSettings("local");
let standIns: StandIns;
let ecr: ECRClient;

beforeAll(async () => {
  standIns = await startStandIns(settings.accountId);
  ecr = new ECRClient(clientOptions(standIns.ports, settings.region));
}, SETUP_MS);
afterAll(async () => {
  ecr?.destroy();
  await standIns?.stop();
});

function command(...args: string[]): string {
  const env = { ...process.env, ENVIRONMENT: "local", HTTP_PROXY: `http://127.0.0.1:${standIns.ports.aws}` };
  return run(process.execPath, ["--import", "tsx", "commands/runtime-images.ts", ...args], { env, timeoutMs: PUSH_MS });
}

test(
  "runtime-images: before nanogrid-data is deployed, the command that deploys it is told",
  () => {
    expect(() => command()).toThrow(
      /The repository of nanogrid\/runtime-python:[0-9a-f]{16} does not exist.*\n.*ENVIRONMENT=local npx cdktf deploy nanogrid-network nanogrid-data/,
    );
  },
  SETUP_MS,
);

test(
  "runtime-images: a runtime that there is not is refused with those that there are",
  () => {
    expect(() => command("--runtime", "cobol")).toThrow(/Allowed choices are python, node/);
  },
  SETUP_MS,
);

const missing = process.env.DOCKER_HOST ? undefined : "no Docker engine: set DOCKER_HOST";

testUnless(missing)(
  "runtime-images: each image gets into its repository once, under the hash of its sources",
  async () => {
    for (const runtime of RUNTIMES) {
      await ecr.send(new CreateRepositoryCommand({ repositoryName: runtimeRepository(runtime) }));
    }
    const first = command();
    for (const runtime of RUNTIMES) {
      const image = { repositoryName: runtimeRepository(runtime), imageIds: [{ imageTag: runtimeTag(runtime) }] };
      const { imageDetails = [] } = await ecr.send(new DescribeImagesCommand(image));
      expect(imageDetails[0]?.imageDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(first).toContain(`${runtimeImage(runtime)} is pushed: ${imageDetails[0]?.imageDigest}`);
    }

    const second = command();
    expect(second).not.toContain("building");
    expect(second).toContain(`${runtimeImage("node")} is there: sha256:`);
  },
  PUSH_MS,
);
