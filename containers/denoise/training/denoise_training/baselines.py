"""What the models are compared with: four denoisers that people use, each at its best.

All but BM3D are tuned on the very images that they are judged on, and all are told the noise's true strength; the
models are told nothing.
"""

from collections.abc import Callable

import bm3d
import numpy as np
from scipy import ndimage
from skimage.restoration import denoise_nl_means

from .noise import Image, Noise

Filter = Callable[[Image, float], Image]
"""Takes an image and the standard deviation of the noise in it."""


def _gaussian(width: float) -> Filter:
    return lambda image, _sigma: np.asarray(ndimage.gaussian_filter(image, width, mode="mirror"), np.float32)


def _median(size: int) -> Filter:
    return lambda image, _sigma: np.asarray(ndimage.median_filter(image, size, mode="mirror"), np.float32)


def _non_local_means(patch: int, distance: int, h: float) -> Filter:
    def restore(image: Image, sigma: float) -> Image:
        restored = denoise_nl_means(
            image, patch_size=patch, patch_distance=distance, h=h * sigma, sigma=sigma, fast_mode=True
        )
        return np.asarray(restored, np.float32)

    return restore


def _bm3d(image: Image, sigma: float) -> Image:
    return np.asarray(bm3d.bm3d(image, sigma), np.float32)


FAMILIES: dict[str, dict[str, Filter]] = {
    "Gaussian": {f"width {width}": _gaussian(width) for width in (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)},
    "median": {f"size {size}": _median(size) for size in (3, 5, 7)},
    "non-local means": {
        f"patch {patch}, distance {distance}, h {h}": _non_local_means(patch, distance, h)
        for patch, distance in ((5, 6), (7, 11))
        for h in (0.3, 0.5, 0.7, 0.9)
    },
    "BM3D": {"default profile": _bm3d},
}
"""The denoisers, each with the settings that are tried."""


def stabilised(restore: Filter, image: Image, noise: Noise) -> Image:
    """Denoise photon noise after making its strength the same everywhere, and undo that without bias.

    The generalised Anscombe transform, with the closed form of its exact unbiased inverse (Mäkitalo and Foi, 2013).

    Raises:
        ValueError: the noise has no photon part.
    """
    if noise.photons is None:
        raise ValueError("stabilised: expected noise with photons, got Gaussian noise alone. Use the filter itself.")
    read = noise.sigma * noise.photons
    forward = 2 * np.sqrt(np.maximum(image * noise.photons + 3 / 8 + read**2, 0))
    # To the scale of images, where filters have their defaults.
    low, high = float(forward.min()), float(forward.max())
    span = max(high - low, 1e-6)
    flat = restore(((forward - low) / span).astype(np.float32), 1 / span) * span + low
    d = np.maximum(flat, 2 * np.sqrt(3 / 8 + read**2))
    root = np.sqrt(3 / 2)
    counts = d**2 / 4 + root / 4 / d - 11 / 8 / d**2 + 5 / 8 * root / d**3 - 1 / 8 - read**2
    return np.asarray(np.maximum(counts, 0) / noise.photons, np.float32)
