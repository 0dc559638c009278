"""The patches that a network is trained on, drawn from prepared images and made noisy."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .defects import draw_defects
from .images import FULL_SCALE
from .noise import Image, draw_noise

PHOTOGRAPH_SHARE = 0.75
DEFECT_SHARE = 0.25
"""The part of the scenes, not of the photographs, that shows a detector's defects."""


@dataclass(frozen=True)
class Batch:
    """Patches as a network takes them: [patches, 1, rows, columns], float32 on the scale from 0 to 1."""

    noisy: torch.Tensor
    clean: torch.Tensor


class Patches:
    """Draws patches from a folder of prepared images. A step's batch depends on the seed and the step alone."""

    def __init__(self, folder: Path, seed: int, batch: int, size: int) -> None:
        """Args: `folder` as `prepare` fills it; `batch` patches of `size` x `size` pixels a step."""
        self._photographs = self._load(folder, "photograph-*.npy")
        self._scenes = self._load(folder, "scene-*.npy")
        self._seed, self._batch, self._size = seed, batch, size

    @staticmethod
    def _load(folder: Path, pattern: str) -> list[NDArray[np.uint16]]:
        images = [np.load(path) for path in sorted(folder.glob(pattern))]
        if not images:
            raise FileNotFoundError(f"{folder}: expected {pattern}, found none. Run `prepare` first.")
        return images

    def batch(self, step: int) -> Batch:
        """Return the batch of a step."""
        rng = np.random.default_rng([self._seed, step])
        pairs = [self._pair(rng) for _ in range(self._batch)]
        noisy, clean = (torch.from_numpy(np.stack(images)[:, None]) for images in zip(*pairs, strict=True))
        return Batch(noisy, clean)

    def _pair(self, rng: np.random.Generator) -> tuple[Image, Image]:
        is_photograph = rng.random() < PHOTOGRAPH_SHARE
        images = self._photographs if is_photograph else self._scenes
        image = images[rng.integers(len(images))]
        row, column = (int(rng.integers(length - self._size + 1)) for length in image.shape)
        patch = image[row : row + self._size, column : column + self._size]
        patch = np.rot90(patch, int(rng.integers(4)))
        turned = np.ascontiguousarray(patch if rng.random() < 0.5 else patch.T)
        clean = turned.astype(np.float32) / np.float32(FULL_SCALE)
        if rng.random() < 0.5:
            # A shorter exposure of the same.
            clean *= np.float32(rng.uniform(0.3, 1))
        noisy = draw_noise(rng).add(clean, rng)
        if not is_photograph and rng.random() < DEFECT_SHARE:
            pixels = float(np.exp(rng.uniform(np.log(1e-4), np.log(3e-3))))
            noisy = draw_defects(noisy.shape, rng, pixels=pixels, lines=int(rng.integers(2))).apply(noisy)
        return noisy, clean
