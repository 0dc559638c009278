/** The image of the GPU tier: its build context, its tag, and its Dockerfile, as far as they can be checked without a registry. */
import { readFileSync } from "node:fs";
import {
  contextFiles,
  PRODUCT_INFERENCE_COMMAND,
  PRODUCT_INFERENCE_HEALTH_CHECK,
  PRODUCT_INFERENCE_PORT,
  productInferenceImage,
} from "../../containers/product-inference/image";
import { describeBuildContext, describeSafeDockerfile, dockerfileAt } from "../support/image";

const DOCKERFILE = dockerfileAt("containers/product-inference/Dockerfile");
const LOCK = "containers/product-inference/service/requirements.lock";

describeBuildContext({
  dockerfile: DOCKERFILE,
  files: contextFiles(),
  image: productInferenceImage,
  has: [
    "Dockerfile",
    "service/requirements.lock",
    "service/product_inference/__main__.py",
    "service/product_inference/taxonomy.json",
    "models/mxbai-embed-large-v1.json",
  ],
});

describe("the Dockerfile", () => {
  describeSafeDockerfile(DOCKERFILE, LOCK);

  test("the base is pinned and can be given as a digest, and the model is one that has a manifest", () => {
    const [base, model = ""] = DOCKERFILE.values("ARG");
    expect(base).toBe("CUDA_IMAGE=nvcr.io/nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04");
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Docker's own interpolation.
    expect(DOCKERFILE.values("FROM")).toEqual(["${CUDA_IMAGE}"]);
    const [, name] = model.split("=");
    expect(contextFiles().map(({ path }) => path)).toContain(`models/${name}.json`);
  });

  test("the model is checked against the manifest's hashes while the image is built", () => {
    expect(DOCKERFILE.values("RUN").at(-1)).toBe(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Docker's own interpolation.
      "python3 -m product_inference.fetch /opt/inference/models/${MODEL}.json /opt/inference/model",
    );
  });

  test("ONNX Runtime is the one for CUDA 13, as the base has it, and nothing that trains or converts is there", () => {
    const packages = (readFileSync(LOCK, "utf8").match(/^[\w-]+(?===)/gm) ?? []) as readonly string[];
    expect(packages).toContain("onnxruntime-gpu");
    const others = ["onnx", "onnxruntime", "torch", "transformers", "huggingface-hub", "pytest", "pip"];
    expect(packages.filter((each) => others.includes(each))).toEqual([]);
  });

  test("it runs the service where no command is given, on the port that is asked for its health", () => {
    expect(JSON.parse(DOCKERFILE.values("CMD")[0] as string)).toEqual(PRODUCT_INFERENCE_COMMAND);
    expect(DOCKERFILE.values("EXPOSE")).toEqual([String(PRODUCT_INFERENCE_PORT)]);
    expect(PRODUCT_INFERENCE_HEALTH_CHECK.at(-1)).toBe("http://127.0.0.1:8080/healthz");
    const settings = readFileSync("containers/product-inference/service/product_inference/settings.py", "utf8");
    expect(settings).toContain(`port: int = Field(${PRODUCT_INFERENCE_PORT},`);
    expect(settings).toContain('model_dir: Path = Field(Path("/opt/inference/model")');
  });
});
