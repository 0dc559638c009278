/** A small exposure as a flat X-ray detector delivers it, from a seed, with what it would be without noise; and TIFF in and out. */
import { decode } from "tiff";

/** Counts without any signal, and the largest count of 16 bits. */
export const OFFSET = 1_000;
export const FULL_SCALE = 65_535;
/** Read noise as a share of full scale, as the models' training has it. */
const READ_NOISE = 2 / 255;

/** A grey image of 16 bits, row after row. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly counts: Uint16Array;
}

/** An exposure and its truth. */
export interface Frame {
  readonly noisy: Image;
  readonly clean: Image;
}

/** What is exposed. */
export interface FrameOptions {
  /** Pixels of each side. */
  readonly size: number;
  /** Photons that full scale collects: fewer are noisier. */
  readonly photons: number;
  /** The same seed gives the same frame. */
  readonly seed: number;
}

/** A phantom of spheres and wires in an uneven beam, with photon noise and read noise on an offset. */
export function exposedFrame({ size, photons, seed }: FrameOptions): Frame {
  const random = randomOf(seed);
  const attenuation = phantom(size, random);
  const noisy = new Uint16Array(size * size);
  const clean = new Uint16Array(size * size);
  for (let pixel = 0; pixel < noisy.length; pixel++) {
    const [u, v] = [(pixel % size) / size - 0.45, Math.floor(pixel / size) / size - 0.55];
    const signal = (0.8 / (1 + 0.4 * (u * u + v * v))) * Math.exp(-(attenuation[pixel] ?? 0));
    const read = poisson(signal * photons, random) / photons + normal(random) * READ_NOISE;
    clean[pixel] = countOf(signal);
    noisy[pixel] = countOf(read);
  }
  return { noisy: { width: size, height: size, counts: noisy }, clean: { width: size, height: size, counts: clean } };
}

function countOf(signal: number): number {
  return Math.min(Math.max(Math.round(OFFSET + signal * (FULL_SCALE - OFFSET)), 0), FULL_SCALE);
}

/** How much of the beam each pixel loses, as an exponent. */
function phantom(size: number, random: () => number): Float32Array {
  const thickness = new Float32Array(size * size);
  for (let sphere = 0; sphere < 10; sphere++) {
    const [x, y, radius, weight] = [random() * size, random() * size, size * (0.03 + 0.2 * random()), random()];
    addEach(thickness, size, (column, row) => {
      const rest = 1 - ((column - x) ** 2 + (row - y) ** 2) / radius ** 2;
      return rest > 0 ? weight * Math.sqrt(rest) : 0;
    });
  }
  for (let wire = 0; wire < 8; wire++) {
    const [angle, distance, radius] = [random() * Math.PI, random() * size, 1 + 2.5 * random()];
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    addEach(thickness, size, (column, row) => {
      const rest = 1 - ((column * cosine + row * sine - distance) / radius) ** 2;
      return rest > 0 ? 0.5 * Math.sqrt(rest) : 0;
    });
  }
  return thickness;
}

function addEach(image: Float32Array, size: number, value: (column: number, row: number) => number): void {
  for (let pixel = 0; pixel < image.length; pixel++) {
    image[pixel] = (image[pixel] ?? 0) + value(pixel % size, Math.floor(pixel / size));
  }
}

/** Numbers from 0 to 1 (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Box and Muller's. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Knuth's, for means below 700; above, where a normal number is as good. */
function poisson(mean: number, random: () => number): number {
  if (mean > 700) {
    return Math.max(Math.round(mean + normal(random) * Math.sqrt(mean)), 0);
  }
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) {
    count++;
  }
  return count;
}

/**
 * Peak signal-to-noise ratio in decibels, over the scale above the offset.
 *
 * @throws RangeError when the images differ in size
 */
export function psnr(image: Image, truth: Image): number {
  if (image.width !== truth.width || image.height !== truth.height) {
    throw new RangeError(`${image.width} × ${image.height} beside ${truth.width} × ${truth.height}`);
  }
  const sum = truth.counts.reduce((total, count, pixel) => total + (count - (image.counts[pixel] ?? 0)) ** 2, 0);
  return 10 * Math.log10((FULL_SCALE - OFFSET) ** 2 / (sum / truth.counts.length));
}

/** Tags of a baseline grey TIFF (TIFF 6.0, section 4), each with its type: 3 is 16 bits, 4 is 32. */
const TAGS = {
  imageWidth: [256, 4],
  imageLength: [257, 4],
  bitsPerSample: [258, 3],
  compression: [259, 3],
  photometricInterpretation: [262, 3],
  stripOffsets: [273, 4],
  samplesPerPixel: [277, 3],
  rowsPerStrip: [278, 4],
  stripByteCounts: [279, 4],
} as const;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 12;

/** A TIFF without compression, in one strip. npm's writer for 16 bits stamps geographic tags on everything. */
export function encodeTiff({ width, height, counts }: Image): Buffer {
  const values: Record<keyof typeof TAGS, number> = {
    imageWidth: width,
    imageLength: height,
    bitsPerSample: 16,
    compression: 1,
    photometricInterpretation: 1,
    stripOffsets: HEADER_BYTES + 2 + Object.keys(TAGS).length * ENTRY_BYTES + 4,
    samplesPerPixel: 1,
    rowsPerStrip: height,
    stripByteCounts: counts.length * 2,
  };
  const file = Buffer.alloc(values.stripOffsets + values.stripByteCounts);
  file.write("II", "latin1");
  file.writeUInt16LE(42, 2);
  file.writeUInt32LE(HEADER_BYTES, 4);
  file.writeUInt16LE(Object.keys(TAGS).length, HEADER_BYTES);
  for (const [index, [name, [tag, type]]] of Object.entries(TAGS).entries()) {
    const at = HEADER_BYTES + 2 + index * ENTRY_BYTES;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(1, at + 4);
    file.writeUInt32LE(values[name as keyof typeof TAGS], at + 8);
  }
  for (const [pixel, count] of counts.entries()) {
    file.writeUInt16LE(count, values.stripOffsets + pixel * 2);
  }
  return file;
}

/**
 * The first page of a TIFF.
 *
 * @throws RangeError when it is not grey of 16 bits
 */
export function decodeTiff(file: Uint8Array): Image {
  const [page] = decode(file, { pages: [0] });
  if (!page || !(page.data instanceof Uint16Array) || page.samplesPerPixel !== 1) {
    throw new RangeError(`a page of ${page?.bitsPerSample} bits and ${page?.samplesPerPixel} samples`);
  }
  return { width: page.width, height: page.height, counts: page.data };
}
