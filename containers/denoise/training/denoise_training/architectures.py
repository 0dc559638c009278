"""The sizes of the models, and what follows from them."""

from dataclasses import dataclass

MULTIPLE = 8
"""Rows and columns that a network takes are multiples of this."""


@dataclass(frozen=True)
class Architecture:
    """The size of a network. Tuples go from half of the resolution to an eighth."""

    channels: tuple[int, int, int]
    blocks: tuple[int, int, int]
    """Residual blocks at each resolution, on the way down and again on the way up; the last ones are passed once."""
    views: int = 1
    """Mirrored and turned copies of an image, up to 8, whose results are averaged: their errors differ."""


ARCHITECTURES = {
    "efficient": Architecture(channels=(32, 64, 64), blocks=(1, 1, 1)),
    "powerful": Architecture(channels=(64, 64, 64), blocks=(2, 2, 1), views=8),
}


def multiply_adds(architecture: Architecture) -> float:
    """Return the multiplications with addition that a network needs for a pixel of its input."""
    half, quarter, eighth = architecture.channels
    first, second, third = architecture.blocks
    at_half = 9 * (2 * 4 * half + 4 * first * half**2) + 2 * half * quarter
    at_quarter = 9 * 4 * second * quarter**2 + 4 * half * quarter + 2 * quarter * eighth
    at_eighth = 9 * 2 * third * eighth**2 + 4 * quarter * eighth
    return architecture.views * (at_half / 4 + at_quarter / 16 + at_eighth / 64)


def reach(architecture: Architecture) -> int:
    """Return how many pixels away, at most, a pixel of the input changes the result: a multiple of `MULTIPLE`.

    An image may be denoised in tiles that start at multiples of `MULTIPLE` and overlap their neighbours by this much
    on each side: the result is that of the whole.
    """
    first, second, third = architecture.blocks
    convolutions = 2 * (2 + 4 * first) + 4 * 4 * second + 8 * 2 * third
    # Features stand for squares of up to MULTIPLE pixels.
    return -(-(convolutions + MULTIPLE - 1) // MULTIPLE) * MULTIPLE
