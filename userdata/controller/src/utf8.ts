/** Cutting UTF-8 between characters. */

/** Bytes without a character's tail at their beginning. */
export function fromCharacterStart(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return bytes.subarray(start === -1 ? bytes.length : start);
}
