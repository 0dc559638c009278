"""Denoises counts of 16 bits, little-endian, from standard input to standard output.

Arguments: the model, the pixels of each side, what the detector counts without a signal. `npm run docs:screenshots`
runs it, so that the pictures of the page show what a model gives.
"""

import sys

import numpy as np
import onnxruntime

from models import model_file

BORDER = 16
"""Pixels mirrored about the image, as the service does it."""
FULL_SCALE = 65_535


def main() -> int:
    """Denoise one square image."""
    model, side, offset = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    counts = np.frombuffer(sys.stdin.buffer.read(), "<u2").reshape(side, side)
    signal = (counts.astype(np.float32) - offset) / (FULL_SCALE - offset)
    padded = np.pad(signal, BORDER, mode="symmetric")[np.newaxis, np.newaxis]
    session = onnxruntime.InferenceSession(str(model_file(model)), providers=["CPUExecutionProvider"])
    (clean,) = session.run(["clean"], {"noisy": padded})
    restored = clean[0, 0, BORDER:-BORDER, BORDER:-BORDER] * (FULL_SCALE - offset) + offset
    sys.stdout.buffer.write(np.clip(np.rint(restored), 0, FULL_SCALE).astype("<u2").tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
