/** Images as the page shows them: one grey page of 8 or 16 bits. */
import { decode as decodePng } from "fast-png";
import { decode as decodeTiff } from "tiff";

/** Pixels that a browser shows without trouble. */
const MOST_PIXELS = 40_000_000;
const PNG = [0x89, 0x50, 0x4e, 0x47];

/** A grey image. */
export interface Grey {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint16Array;
}

/** A file that cannot be shown, though it may be denoised. */
export class NotShown extends Error {}

/**
 * Decodes the first page of a TIFF, or a PNG.
 *
 * @throws NotShown with the reason, a sentence
 */
export function decode(bytes: Uint8Array): Grey {
  try {
    return PNG.every((byte, index) => bytes[index] === byte) ? ofPng(bytes) : ofTiff(bytes);
  } catch (error) {
    if (error instanceof NotShown) {
      throw error;
    }
    throw new NotShown(`This browser cannot show it: ${error instanceof Error ? error.message : error}`);
  }
}

function ofTiff(bytes: Uint8Array): Grey {
  const [header] = decodeTiff(bytes, { pages: [0], ignoreImageData: true });
  assertShown(header?.width ?? 0, header?.height ?? 0, header?.samplesPerPixel ?? 1);
  const [page] = decodeTiff(bytes, { pages: [0] });
  const { width = 0, height = 0, data } = page ?? {};
  if (!(data instanceof Uint8Array || data instanceof Uint16Array)) {
    throw new NotShown("Its values are neither of 8 nor of 16 bits.");
  }
  return { width, height, data };
}

function ofPng(bytes: Uint8Array): Grey {
  // Width and height stand at a fixed place, before anything that takes memory to decode.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assertShown(view.getUint32(16), view.getUint32(20), 1);
  const { width, height, data, channels } = decodePng(bytes);
  assertShown(width, height, channels);
  return { width, height, data: data instanceof Uint16Array ? data : new Uint8Array(data) };
}

function assertShown(width: number, height: number, channels: number): void {
  if (width * height > MOST_PIXELS) {
    throw new NotShown(`It has ${width} × ${height} pixels, too many to show here. It can be denoised and downloaded.`);
  }
  if (channels !== 1) {
    throw new NotShown(`It has ${channels} channels. The service takes grey images.`);
  }
}

/** What becomes black, and what white. */
export interface Levels {
  readonly low: number;
  readonly high: number;
}

/** Levels that leave out the darkest and the brightest half percent, among which dead pixels are. */
export function levelsOf({ data }: Grey): Levels {
  const counts = new Uint32Array(65_536);
  for (const value of data) {
    counts[value] = (counts[value] ?? 0) + 1;
  }
  const edge = data.length * 0.005;
  const low = reach(counts, edge, 1);
  const high = reach(counts, edge, -1);
  return { low, high: Math.max(high, low + 1) };
}

function reach(counts: Uint32Array, edge: number, step: 1 | -1): number {
  let value = step === 1 ? 0 : counts.length - 1;
  for (let seen = counts[value] ?? 0; seen <= edge && value + step >= 0 && value + step < counts.length; ) {
    value += step;
    seen += counts[value] ?? 0;
  }
  return value;
}

/** Draws an image between two levels. */
export function draw(canvas: HTMLCanvasElement, { width, height, data }: Grey, { low, high }: Levels): void {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) {
    throw new NotShown("This browser gives no canvas of that size.");
  }
  const shown = context.createImageData(width, height);
  const pixels = new Uint32Array(shown.data.buffer);
  const scale = 255 / (high - low);
  for (let index = 0; index < data.length; index++) {
    const grey = Math.max(0, Math.min(255, Math.round(((data[index] ?? 0) - low) * scale)));
    // Red, green, blue and full opacity; every machine that browsers run on is little-endian.
    pixels[index] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  context.putImageData(shown, 0, 0);
}
