"""X-ray-like scenes, made from a seed: what a flat detector would see without noise.

A scene sums the attenuation of shapes in front of an uneven beam. The same seed and shape give the same scene. It
stands in for radiographs, which no free package carries in number.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from .noise import Image
from .shapes import Canvas, curve_distance, ellipsoid, fractal, mesh, plate, rod, tube

Part = Callable[[Canvas, np.random.Generator], Image]


def _organs(canvas: Canvas, rng: np.random.Generator) -> Image:
    thickness = np.zeros(canvas.shape, np.float32)
    size = max(canvas.shape)
    for _ in range(rng.integers(3, 12)):
        u, v = canvas.rotated(rng.uniform(0, size), rng.uniform(0, size), rng.uniform(0, np.pi))
        thickness += np.float32(rng.uniform(-0.3, 0.8)) * ellipsoid(
            u, v, size * rng.uniform(0.02, 0.35), size * rng.uniform(0.02, 0.35)
        )
    return np.asarray(np.maximum(thickness, 0), np.float32)


def _beads(canvas: Canvas, rng: np.random.Generator) -> Image:
    thickness = np.zeros(canvas.shape, np.float32)
    radius, weight = rng.uniform(1.2, 9), rng.uniform(0.1, 0.8)
    for _ in range(rng.integers(10, 60)):
        row, column = rng.uniform(0, canvas.shape[0]), rng.uniform(0, canvas.shape[1])
        own = radius * rng.uniform(0.6, 1.4)
        rows = slice(max(int(row - own - 1), 0), int(row + own + 2))
        columns = slice(max(int(column - own - 1), 0), int(column + own + 2))
        window = thickness[rows, columns]
        u, v = Canvas((window.shape[0], window.shape[1])).rotated(row - rows.start, column - columns.start, 0)
        window += np.float32(weight) * ellipsoid(u, v, own, own)
    return thickness


def _pipes(canvas: Canvas, rng: np.random.Generator) -> Image:
    thickness = np.zeros(canvas.shape, np.float32)
    for _ in range(rng.integers(1, 5)):
        distance, _ = curve_distance(canvas, rng, rng.uniform(0, 0.08))
        thickness += np.float32(rng.uniform(0.1, 0.7)) * tube(distance, rng.uniform(4, 50), rng.uniform(0.05, 0.5))
    return thickness


def _wires(canvas: Canvas, rng: np.random.Generator) -> Image:
    thickness = np.zeros(canvas.shape, np.float32)
    for _ in range(rng.integers(2, 14)):
        distance, _ = curve_distance(canvas, rng, rng.uniform(0, 0.15))
        thickness += np.float32(rng.uniform(0.05, 1.0)) * rod(distance, rng.uniform(0.8, 3.5))
    return thickness


def _mesh(canvas: Canvas, rng: np.random.Generator) -> Image:
    pitch = rng.uniform(5, 40)
    u, v = canvas.rotated(rng.uniform(0, 40), rng.uniform(0, 40), rng.uniform(0, np.pi))
    woven = mesh(u, v, pitch, pitch * rng.uniform(0.1, 0.3))
    window = plate(u, v, canvas.shape[0] * rng.uniform(0.2, 1.2), canvas.shape[1] * rng.uniform(0.2, 1.2))
    return (np.float32(rng.uniform(0.05, 0.5)) * woven * window).astype(np.float32)


def _bones(canvas: Canvas, rng: np.random.Generator) -> Image:
    thickness = np.zeros(canvas.shape, np.float32)
    for _ in range(rng.integers(1, 4)):
        distance, along = curve_distance(canvas, rng, rng.uniform(0, 0.06))
        radius = rng.uniform(15, 90)
        # Bones widen towards their joints; their inside is a web of struts along the load.
        width = np.float32(radius) * (1 + np.float32(0.25) * np.sin(along / np.float32(radius * 3), dtype=np.float32))
        shell = tube((distance / width).astype(np.float32), 1.0, rng.uniform(0.1, 0.35))
        stretched = ndimage.gaussian_filter(rng.standard_normal(canvas.shape).astype(np.float32), (1.2, 2.5))
        struts = np.abs(stretched / max(float(stretched.std()), 1e-6)).astype(np.float32)
        core = rod((distance / width).astype(np.float32), 0.85)
        thickness += np.float32(rng.uniform(0.2, 0.8)) * shell
        thickness += np.float32(rng.uniform(0.03, 0.2)) * core * struts
    return thickness


def _plates(canvas: Canvas, rng: np.random.Generator) -> Image:
    thickness = np.zeros(canvas.shape, np.float32)
    angle = rng.uniform(0, np.pi)
    for _ in range(rng.integers(3, 20)):
        u, v = canvas.rotated(rng.uniform(0, canvas.shape[0]), rng.uniform(0, canvas.shape[1]), angle)
        thickness += np.float32(rng.uniform(0.03, 0.4)) * plate(
            u, v, rng.uniform(2, 80), rng.uniform(2, 80), rng.uniform(0.5, 3)
        )
    return thickness


def _texture(canvas: Canvas, rng: np.random.Generator) -> Image:
    field = fractal(canvas.shape, rng, rng.uniform(0.6, 1.5))
    if rng.random() < 0.3:
        field = -np.abs(field)
    return np.asarray(np.float32(rng.uniform(0.03, 0.25)) * (field - field.min()), np.float32)


PARTS: tuple[tuple[Part, float], ...] = (
    (_organs, 0.7),
    (_beads, 0.35),
    (_pipes, 0.45),
    (_wires, 0.45),
    (_mesh, 0.3),
    (_bones, 0.5),
    (_plates, 0.4),
    (_texture, 0.8),
)
"""What a scene may hold, each with the chance that it does."""


def vignetting(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return the beam's strength over the detector, 1 where it is greatest."""
    row, column = rng.uniform(0.3, 0.7) * shape[0], rng.uniform(0.3, 0.7) * shape[1]
    u, v = Canvas(shape).rotated(row, column, 0)
    falloff = np.float32(rng.uniform(0, 0.6)) * (u**2 + v**2) / np.float32(max(shape) ** 2 / 2)
    return (1 / (1 + falloff)).astype(np.float32)


def scene(seed: int, shape: tuple[int, int] = (512, 512)) -> Image:
    """Return the scene of a seed, on the scale from 0 to 1."""
    rng = np.random.default_rng([seed, 0x5CE7E])
    canvas = Canvas(shape)
    attenuation = np.zeros(shape, np.float32)
    for part, chance in PARTS:
        if rng.random() < chance:
            attenuation += part(canvas, rng)
    # However much is in the way, the thickest place lets some of the beam through.
    attenuation *= np.float32(rng.uniform(0.5, 3.0) / max(float(np.percentile(attenuation, 99)), 0.3))
    image = np.float32(rng.uniform(0.5, 1.0)) * vignetting(shape, rng) * np.exp(-attenuation)
    # The scintillator spreads each photon's light over its neighbours.
    return np.asarray(ndimage.gaussian_filter(image, rng.uniform(0.35, 0.9)), np.float32)
