/** The image `product-inference`: what it is built from, its tag, and what its container runs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactFile } from "../../modules/platform/artifact";
import { type ImageSource, imageSource, sourcesBelow } from "../../modules/platform/image-source";

const FOLDER = "containers/product-inference";

/** Port of the service. */
export const PRODUCT_INFERENCE_PORT = 8080;

/** What the container runs. */
export const PRODUCT_INFERENCE_COMMAND = ["python3", "-m", "product_inference"] as const;

/** Health check of the container, as ECS takes it. Whether it takes requests is the load balancer's question: `/readyz`. */
export const PRODUCT_INFERENCE_HEALTH_CHECK = [
  "CMD",
  "python3",
  "-m",
  "product_inference.probe",
  `http://127.0.0.1:${PRODUCT_INFERENCE_PORT}/healthz`,
] as const;

/** The image's sources, laid out as a build context. */
export function productInferenceImage(): ImageSource {
  return imageSource("product-inference", contextFiles());
}

/**
 * Every file that the Dockerfile copies, and the Dockerfile: nothing else is in the context. Of a model it is the manifest, whose hashes
 * stand for the files that the build fetches.
 */
export function contextFiles(): readonly ArtifactFile[] {
  return [
    { path: "Dockerfile", content: readFileSync(join(FOLDER, "Dockerfile")) },
    ...sourcesBelow(FOLDER, "service", (path) => path.startsWith("product_inference/") || path === "requirements.lock"),
    ...sourcesBelow(FOLDER, "models"),
  ];
}
