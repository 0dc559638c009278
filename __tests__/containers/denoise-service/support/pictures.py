"""Images of the tests: detector frames from a seed, and files of every kind."""

import io
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from denoise_training.detector import FULL_SCALE, OFFSET, Frame, frame
from denoise_training.noise import Noise
from numpy.typing import NDArray

MEDIUM = Noise(sigma=2 / 255, photons=100)


def exposure(seed: int = 993, shape: tuple[int, int] = (256, 256), noise: Noise = MEDIUM) -> Frame:
    """Return a detector's exposure of a scene that no model was trained on."""
    return frame(seed, shape, noise)


def psnr(counts: NDArray[Any], taken: Frame) -> float:
    """Return the decibels of an image's error below full scale."""
    signal = (counts.astype(np.float64) - OFFSET) / (FULL_SCALE - OFFSET)
    return float(-10 * np.log10(np.mean((signal - taken.clean) ** 2)))


def tiff(*pages: NDArray[Any], **options: Any) -> bytes:
    """Return pages as a TIFF."""
    file = io.BytesIO()
    how = {name: options.pop(name) for name in ("bigtiff", "byteorder") if name in options}
    with tifffile.TiffWriter(file, **how) as writer:
        for page in pages:
            writer.write(page, **{"photometric": "minisblack", "metadata": None, **options})
    return file.getvalue()


def png(values: NDArray[Any]) -> bytes:
    """Return an image as a PNG."""
    return bytes(imagecodecs.png_encode(values))


def pages_of(data: bytes) -> NDArray[Any]:
    """Return the pages of a TIFF, [pages, rows, columns]."""
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        return np.stack([page.asarray() for page in opened.pages])
