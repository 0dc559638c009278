/** The table of contents: settings in, stacks in deployment order, Terraform out. */
import { App } from "cdktf";
import { NanogridAi } from "./modules/nanogrid/ai";
import { NanogridArchive } from "./modules/nanogrid/archive";
import { NanogridControllers } from "./modules/nanogrid/controllers";
import { NanogridData } from "./modules/nanogrid/data";
import { NanogridNetwork } from "./modules/nanogrid/network";
import { NanogridObservability } from "./modules/nanogrid/observability";
import { NanogridWorkers } from "./modules/nanogrid/workers";
import { readSettings } from "./modules/platform/settings";
import { StateBackend } from "./modules/platform/state-backend";

const app = new App();
const settings = readSettings(app);
const { nanogrid } = settings;

new StateBackend(app, settings);

new NanogridNetwork(app, settings);
new NanogridData(app, settings);
if (nanogrid.archive.enabled) new NanogridArchive(app, settings);
new NanogridControllers(app, settings);
new NanogridWorkers(app, settings);
if (nanogrid.ai.enabled) new NanogridAi(app, settings);
new NanogridObservability(app, settings);

app.synth();
