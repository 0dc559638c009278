"""Shapes as X-rays see them: how much of each lies in the way of the ray that ends in a pixel.

Every function returns the thickness on the grid of a `Canvas`; lengths are pixels, thickness is in units of the shape's
own greatest one, so that 1 is the way through its middle.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .noise import Image


@dataclass(frozen=True)
class Canvas:
    """The grid that shapes are drawn on."""

    shape: tuple[int, int]

    def rotated(self, row: float, column: float, angle: float) -> tuple[Image, Image]:
        """Return each pixel's coordinates about a centre, turned by `angle` (radians)."""
        rows = np.arange(self.shape[0], dtype=np.float32)[:, None] - np.float32(row)
        columns = np.arange(self.shape[1], dtype=np.float32)[None, :] - np.float32(column)
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return rows * cos - columns * sin, rows * sin + columns * cos


def ellipsoid(u: Image, v: Image, half_height: float, half_width: float) -> Image:
    """Return the thickness of a solid ellipsoid about the origin of the coordinates `u`, `v`."""
    inside = 1 - (u / np.float32(half_height)) ** 2 - (v / np.float32(half_width)) ** 2
    return np.asarray(np.sqrt(np.maximum(inside, 0)), np.float32)


def rod(distance: Image, radius: float) -> Image:
    """Return the thickness of a solid rod or wire at `distance` from its axis."""
    return np.asarray(np.sqrt(np.maximum(1 - (distance / np.float32(radius)) ** 2, 0)), np.float32)


def tube(distance: Image, radius: float, wall: float) -> Image:
    """Return the thickness of a hollow tube with a wall of `wall` (a part of its radius)."""
    inner = max(1 - wall, 0.05)
    hollow = (rod(distance, radius) - np.float32(inner) * rod(distance, radius * inner)).astype(np.float32)
    return (hollow / np.float32(np.sqrt(1 - inner**2))).astype(np.float32)


def plate(u: Image, v: Image, half_height: float, half_width: float, bevel: float = 0.7) -> Image:
    """Return the thickness of a rectangular plate whose edges rise over `bevel` pixels."""
    inside = np.minimum(half_height - np.abs(u), half_width - np.abs(v))
    return np.clip(inside / np.float32(bevel) + 0.5, 0, 1).astype(np.float32)


def mesh(u: Image, v: Image, pitch: float, radius: float) -> Image:
    """Return the thickness of a woven mesh: wires of `radius`, one every `pitch` pixels in both directions."""

    def wires(across: Image) -> Image:
        return rod((across + pitch / 2) % np.float32(pitch) - np.float32(pitch / 2), radius)

    return np.asarray(wires(u) + wires(v), np.float32)


def fractal(shape: tuple[int, int], rng: np.random.Generator, slope: float, coarsest: int = 4) -> Image:
    """Return a random field whose amplitude falls with frequency to the power of `slope`, with mean 0 and deviation 1.

    It is summed from octaves that are enlarged smoothly, which needs less memory than a Fourier transform of its size.
    """
    field = np.zeros(shape, np.float32)
    octaves = max(int(np.log2(max(shape) / coarsest)), 1)
    for octave in range(octaves + 1):
        cells = coarsest * 2**octave
        step = max(shape) / cells
        grid = rng.standard_normal((int(shape[0] / step) + 4, int(shape[1] / step) + 4)).astype(np.float32)
        enlarged = ndimage.zoom(grid, step, order=3 if octave < octaves else 1)[: shape[0], : shape[1]]
        field[: enlarged.shape[0], : enlarged.shape[1]] += np.float32(2.0 ** (-slope * octave)) * enlarged
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), np.float32)


def curve_distance(canvas: Canvas, rng: np.random.Generator, wiggle: float) -> tuple[Image, Image]:
    """Return the distance from a random curve across the canvas, and the place along it, both in pixels.

    Args:
        canvas: the grid.
        rng: the source of chance.
        wiggle: how far the curve strays from a straight line, as a part of the canvas.
    """
    size = float(max(canvas.shape))
    row, column = rng.uniform(0, canvas.shape[0]), rng.uniform(0, canvas.shape[1])
    across, along = canvas.rotated(row, column, rng.uniform(0, np.pi))
    offset = np.zeros_like(along)
    slope = np.zeros_like(along)
    for harmonic in range(1, 4):
        wave = np.float32(2 * np.pi * harmonic * rng.uniform(0.5, 1.5) / size)
        height = np.float32(size * wiggle * rng.normal() / harmonic**1.5)
        phase = np.float32(rng.uniform(0, 2 * np.pi))
        offset += height * np.sin(wave * along + phase, dtype=np.float32)
        slope += height * wave * np.cos(wave * along + phase, dtype=np.float32)
    return ((across - offset) / np.sqrt(1 + slope**2)).astype(np.float32), along
