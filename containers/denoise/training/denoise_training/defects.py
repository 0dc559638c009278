"""Defects of a detector: pixels and lines that answer with nothing, with full scale, or with a part of the signal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import Image


@dataclass(frozen=True)
class Defects:
    """Where a detector is defective, and what it reads there."""

    mask: NDArray[np.bool_]
    gain: Image
    """What the signal is multiplied by; 1 where the pixel is sound."""
    level: Image
    """What is added afterwards, as a part of full scale; 0 where the pixel is sound."""

    def apply(self, image: Image) -> Image:
        """Return `image` as the defective detector reads it."""
        return (image * self.gain + self.level).astype(np.float32)


def draw_defects(shape: tuple[int, int], rng: np.random.Generator, *, pixels: float, lines: int) -> Defects:
    """Return defects of a detector of `shape`.

    Args:
        shape: rows and columns.
        rng: the source of chance.
        pixels: the part of all pixels that is defective, such as 5e-4.
        lines: how many whole rows or columns are.
    """
    mask = rng.random(shape) < pixels
    gain = np.ones(shape, np.float32)
    level = np.zeros(shape, np.float32)
    # Dead, saturated, or weak.
    kind = rng.integers(3, size=shape)
    gain[mask] = np.where(kind == 2, rng.uniform(0.2, 0.7, shape), 0)[mask]
    level[mask] = (kind == 1)[mask]
    for _ in range(lines):
        row = bool(rng.integers(2))
        place = int(rng.integers(shape[0] if row else shape[1]))
        line = (place, slice(None)) if row else (slice(None), place)
        mask[line] = True
        gain[line] = 0 if rng.random() < 0.5 else rng.uniform(0.3, 0.8)
        level[line] = 0
    return Defects(mask, gain, level)
