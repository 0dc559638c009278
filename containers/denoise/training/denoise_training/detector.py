"""Frames as a flat detector delivers them: 16-bit counts on an offset, with photon and read noise, and defects."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .defects import Defects, draw_defects
from .noise import Image, Noise
from .scenes import scene

FULL_SCALE = 65_535
OFFSET = 1_000
"""What a detector counts without any signal; noise falls on either side of it."""
PIXEL_DEFECTS = 5e-4
NEIGHBOURS = 2
"""How far from a defective pixel sound ones are taken in its place."""
ROWS_A_LINE = 384
"""A line is defective for about so many rows: eight in a frame of 3072 rows."""


@dataclass(frozen=True)
class Frame:
    """An exposure, and what it would have been without noise."""

    counts: NDArray[np.uint16]
    clean: Image
    """The signal from 0 to 1, without offset."""
    defects: Defects

    def signal(self) -> Image:
        """Return the counts without their offset, on the scale of `clean`: what a network takes."""
        return (self.counts.astype(np.float32) - OFFSET) / np.float32(FULL_SCALE - OFFSET)

    def corrected(self) -> Image:
        """Return the signal with each defective pixel replaced by the median of the sound ones about it.

        Detectors' software does so from a map of defects, before anything else.
        """
        signal = self.signal()
        sound = np.pad(np.where(self.defects.mask, np.nan, signal), NEIGHBOURS, mode="symmetric")
        window = 2 * NEIGHBOURS + 1
        for row, column in np.argwhere(self.defects.mask):
            signal[row, column] = np.nanmedian(sound[row : row + window, column : column + window])
        return signal


def frame(seed: int, shape: tuple[int, int], noise: Noise) -> Frame:
    """Return a detector's exposure of the scene of a seed."""
    rng = np.random.default_rng([seed, 0xF4A3E])
    clean = scene(seed, shape)
    defects = draw_defects(shape, rng, pixels=PIXEL_DEFECTS, lines=max(round(shape[0] / ROWS_A_LINE), 1))
    read = defects.apply(noise.add(clean, rng))
    counts = np.clip(np.rint(read * (FULL_SCALE - OFFSET) + OFFSET), 0, FULL_SCALE).astype(np.uint16)
    return Frame(counts, clean, defects)
