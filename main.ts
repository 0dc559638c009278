/** The table of contents: settings in, stacks in deployment order, Terraform out. */
import { App } from "cdktf";
import { DenoiseApi } from "./modules/denoise/api";
import { DenoiseService } from "./modules/denoise/service";
import { DenoiseStorage } from "./modules/denoise/storage";
import { InferenceApi } from "./modules/inference/api";
import { InferenceGpu } from "./modules/inference/gpu";
import { InferenceNetwork } from "./modules/inference/network";
import { MlFunction } from "./modules/ml-function/function";
import { MusicCluster } from "./modules/music/cluster";
import { MusicPlatform } from "./modules/music/platform";
import { MusicServices } from "./modules/music/services";
import { NanogridAi } from "./modules/nanogrid/ai";
import { NanogridArchive } from "./modules/nanogrid/archive";
import { NanogridControllers } from "./modules/nanogrid/controllers";
import { NanogridData } from "./modules/nanogrid/data";
import { NanogridNetwork } from "./modules/nanogrid/network";
import { NanogridObservability } from "./modules/nanogrid/observability";
import { NanogridWorkers } from "./modules/nanogrid/workers";
import { CiAccess } from "./modules/platform/ci-access";
import { readSettings } from "./modules/platform/settings";
import { StateBackend } from "./modules/platform/state-backend";

const app = new App();
const settings = readSettings(app);
const { nanogrid, denoise, inference, mlFunction, music } = settings;

new StateBackend(app, settings);

new NanogridNetwork(app, settings);
new NanogridData(app, settings);
if (nanogrid.archive.enabled) new NanogridArchive(app, settings);
new NanogridControllers(app, settings);
new NanogridWorkers(app, settings);
if (nanogrid.ai.enabled) new NanogridAi(app, settings);
new NanogridObservability(app, settings);

if (denoise.enabled) {
  new DenoiseStorage(app, settings);
  new DenoiseService(app, settings);
  new DenoiseApi(app, settings);
}

if (inference.enabled) {
  new InferenceNetwork(app, settings);
  new InferenceGpu(app, settings);
  new InferenceApi(app, settings);
}

if (mlFunction.enabled) new MlFunction(app, settings);
if (music.enabled) {
  new MusicCluster(app, settings);
  new MusicPlatform(app, settings);
  new MusicServices(app, settings);
}

// After all others: what its roles may do follows from what they emit.
if (settings.ci.repository) new CiAccess(app, settings);

app.synth();
