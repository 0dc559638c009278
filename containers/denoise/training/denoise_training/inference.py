"""Runs an ONNX file on images of any size."""

from pathlib import Path

import numpy as np
import onnxruntime

from .architectures import MULTIPLE
from .noise import Image

INPUT, OUTPUT = "noisy", "clean"
BORDER = 16
"""Pixels mirrored about an image, so that its edges have neighbours too."""


class Model:
    """A denoiser in an ONNX file, on this machine's processor."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, tiles: np.ndarray) -> np.ndarray:
        """Return tiles [N, 1, rows, columns] denoised; rows and columns are multiples of 8."""
        (clean,) = self._session.run([OUTPUT], {INPUT: tiles})
        return np.asarray(clean)

    def restore(self, image: Image) -> Image:
        """Return an image of any size denoised."""
        rows, columns = image.shape
        fill = [BORDER + (-(length + 2 * BORDER)) % MULTIPLE for length in image.shape]
        padded = np.pad(image, ((BORDER, fill[0]), (BORDER, fill[1])), mode="symmetric")
        clean = self.run(np.ascontiguousarray(padded[None, None], np.float32))[0, 0]
        return np.asarray(clean[BORDER : BORDER + rows, BORDER : BORDER + columns], np.float32)
