"""How an image is cut into tiles whose results fit together without seams.

A network looks only so far: what lies further from a pixel than its reach does not change that pixel's result by a grey
level of 16 bits. So tiles overlap by their margins, of each only the core is kept, and cores meet exactly: there is
nothing to blend. Tiles start at multiples of 8, as the network halves the resolution three times, and all have one
shape, so that Triton runs them together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MULTIPLE = 8
BORDER = 16
"""Pixels mirrored about an image, so that its edges have neighbours too."""
LEAST = 64
"""The smallest side that the models' configuration allows."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis of the padded image: from `start`, of which the core is kept."""

    start: int
    length: int
    core_start: int
    core_stop: int


class Axis:
    """One axis of an image: how it is padded, and its tiles."""

    def __init__(self, length: int, tile: int, margin: int) -> None:
        padded = max(LEAST, -(-(length + 2 * BORDER) // MULTIPLE) * MULTIPLE)
        self.length = length
        self.sources: NDArray[np.intp] = np.pad(np.arange(length), (BORDER, padded - length - BORDER), mode="symmetric")
        """For each padded position, the pixel of the image that is there."""
        # A last tile of border alone gives nothing.
        self.spans = [span for span in _spans(padded, tile, margin) if span.core_start < length + BORDER]

    def kept(self, span: Span) -> slice:
        """Return the pixels of the image that a tile's core gives."""
        start, stop = (min(max(edge - BORDER, 0), self.length) for edge in (span.core_start, span.core_stop))
        return slice(start, stop)

    def core(self, span: Span) -> slice:
        """Return where in the tile those pixels are."""
        kept = self.kept(span)
        return slice(kept.start + BORDER - span.start, kept.stop + BORDER - span.start)


def _spans(padded: int, tile: int, margin: int) -> list[Span]:
    if padded <= tile:
        return [Span(0, padded, 0, padded)]
    assert tile > 2 * margin, f"a tile of {tile} pixels has no core between margins of {margin}"
    spans = []
    core_start = 0
    while core_start < padded:
        start = min(max(core_start - margin, 0), padded - tile)
        core_stop = padded if start + tile == padded else start + tile - margin
        spans.append(Span(start, tile, core_start, core_stop))
        core_start = core_stop
    return spans
