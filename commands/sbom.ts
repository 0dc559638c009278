/** `npm run sbom -- --out sboms`: bills of materials of what is shipped. `--help` says more. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { runCommand } from "./support/problem";
import { type Bom, IMAGE_RUNTIMES, imageBom, npmBom, pythonBom } from "./support/sbom/boms";
import { sbomPython } from "./support/sbom/python";

const WORKER_LOCK = "userdata/worker/requirements.lock";
const DENOISE_LOCK = "containers/denoise/service/requirements.lock";
const ML_LOCK = "lambdas/ml-xgboost/requirements.lock";
const INFERENCE_LOCK = "containers/product-inference/service/requirements.lock";
const MUSIC_LOCK = "containers/music/requirements.lock";
const MUSIC_STAGES_LOCK = "containers/music/requirements-gpu.lock";

const INFERENCE_FUNCTIONS = ["products", "search", "titles", "batches", "bootstrap", "page"];

const program = new Command("npm run sbom --")
  .description(
    "Writes CycloneDX bills of materials of the controller, the command line, the worker, the sandbox images, Denoise's and Music's programs, those of the inference cluster and the ML function.",
  )
  .option("--out <folder>", "where they go", "sboms")
  .option("--verbose", "print stack traces")
  .addHelpText(
    "after",
    `
Debian's packages are in an image's bill where this machine's Docker engine has the image (npm run runtime-images builds it); the base
image is in any case.

Example:
  npm run sbom -- --out sboms`,
  )
  .action(({ out, verbose }: { out: string; verbose?: boolean }) => runCommand(() => write(out), verbose));

async function write(out: string): Promise<void> {
  mkdirSync(out, { recursive: true });
  const put = (name: string, bom: Bom, note = "") => {
    const file = join(out, `${name}.cdx.json`);
    writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`);
    process.stdout.write(`${file}: ${bom.components.length} components${note}\n`);
  };
  put("controller", await npmBom("userdata/controller"));
  put("cli", await npmBom("cli"));
  put("denoise-presign", await npmBom("lambdas/presign"));
  put("denoise-page", await npmBom("containers/denoise/page"));
  for (const name of INFERENCE_FUNCTIONS) {
    put(`inference-${name}`, await npmBom(`lambdas/inference-${name}`));
  }
  put("denoise-service", await pythonBom(await sbomPython(), DENOISE_LOCK));
  put("ml-xgboost", await pythonBom(await sbomPython(), ML_LOCK));
  put("product-inference", await pythonBom(await sbomPython(), INFERENCE_LOCK));
  put("music-front", await npmBom("containers/music/front"));
  put("music-back", await pythonBom(await sbomPython(), MUSIC_LOCK));
  put("music-stages", await pythonBom(await sbomPython(), MUSIC_STAGES_LOCK));
  put("worker", await pythonBom(await sbomPython(), WORKER_LOCK));
  for (const runtime of IMAGE_RUNTIMES) {
    const { bom, complete } = await imageBom(process.cwd(), runtime);
    put(`runtime-${runtime}`, bom, complete ? "" : ", without Debian's packages: this machine has not built the image");
  }
}

void program.parseAsync();
