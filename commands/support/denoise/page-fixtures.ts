/** The Denoise page for the pictures of the docs: the API in small, with an exposure from a seed and what a model makes of it. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import express, { type Express } from "express";
import { pageFiles } from "../../../containers/denoise/page/build";
import { Problem } from "../problem";
import { encodeTiff, exposedFrame, type Image, OFFSET } from "./frame";

const MODEL = "powerful";
/** Pixels of each side, in a multiple of 8 as the model takes them. */
const SIZE = 384;
const RUN_MS = 120_000;
const KEY = "page/7d0c3c3e-6f6b-4f0e-9a55-2f1d5f0f7a11/flat-panel.tif";

/** The page's server, and the file that is chosen on it. */
export interface DenoiseFixture {
  readonly app: Express;
  readonly file: { readonly name: string; readonly mimeType: string; readonly buffer: Buffer };
}

/**
 * Makes the exposure, and denoises it.
 *
 * @throws Problem when there is no Python with ONNX Runtime
 */
export function denoiseFixture(): DenoiseFixture {
  const { noisy } = exposedFrame({ size: SIZE, photons: 60, seed: 11 });
  const clean = denoised(noisy);
  const files = new Map(pageFiles().map(({ path, content }) => [path, content]));
  const app = express();
  app.get(["/", "/page/*name"], ({ path }, response) => {
    const name = path === "/" ? "index.html" : basename(path);
    response.type(name).send(Buffer.from(files.get(name) ?? ""));
  });
  app.get("/presign", ({ query }, response) => {
    response.json(query.mode === "upload" ? { key: KEY, post: { url: "/upload", fields: {} } } : { url: "/result" });
  });
  app.post("/upload", (request, response) => {
    request.resume().once("end", () => response.status(204).end());
  });
  app.post("/inference", (_request, response) => {
    const shape = { pages: 1, width: SIZE, height: SIZE, bits: 16 };
    response.json({ id: "1", status: "succeeded", output: KEY, model: MODEL, strength: 10, ...shape });
  });
  app.get("/result", (_request, response) => {
    response.type("image/tiff").send(Buffer.from(encodeTiff(clean)));
  });
  const buffer = Buffer.from(encodeTiff(noisy));
  return { app, file: { name: "flat-panel.tif", mimeType: "image/tiff", buffer } };
}

function denoised({ counts, width, height }: Image): Image {
  const python = resolve(process.env.NANOGRID_TRITON_CPU_DEV_PYTHON ?? ".local/venv/triton-cpu-dev/bin/python");
  if (!existsSync(python)) {
    throw new Problem(`The pictures of Denoise's page cannot be made: ${python} is not there.`, "Run npm test once.");
  }
  const input = Buffer.from(counts.buffer, counts.byteOffset, counts.byteLength);
  const output = execFileSync(python, ["bench/denoise/restore.py", MODEL, String(width), String(OFFSET)], {
    input,
    timeout: RUN_MS,
    maxBuffer: 16 * 1024 ** 2,
  });
  return { width, height, counts: new Uint16Array(new Uint8Array(output).buffer) };
}
