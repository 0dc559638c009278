"""The images that models are trained on, prepared once and kept as 16-bit arrays in a folder for each split."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image as Pictures

from .noise import Image
from .photographs import Split, photographs
from .scenes import scene

FULL_SCALE = 65_535
SCENE_SIZE = 512
# Seeds of the scenes; the ranges share none.
SCENE_SEEDS: dict[Split, range] = {
    "train": range(240),
    "validation": range(1_000_000, 1_000_008),
    "test": range(2_000_000, 2_000_008),
}
# The longest side of photographs in training. Halving a photograph hides what JPEG and its camera's noise left.
PHOTOGRAPH_SIDES = (1280, 640)


def grey(path: Path, side: int, *, halve: bool = True) -> Image:
    """Return a photograph's luminance from 0 to 1, its longest side at most `side` pixels, and halved at least."""
    with Pictures.open(path) as picture:
        luminance = picture.convert("RGB").convert("L") if picture.mode != "L" else picture.copy()
    # 8 bits in, float out: averaging pixels brings finer levels.
    exact = luminance.convert("F")
    side = min(side, max(exact.size) // 2) if halve else side
    exact.thumbnail((side, side), Pictures.Resampling.LANCZOS)
    return np.clip(np.asarray(exact, np.float32) / 255, 0, 1)


def prepare(cache: Path) -> None:
    """Fetch the photographs and make the scenes of training and validation, into `cache`; what is there stays."""
    for split in ("train", "validation"):
        folder = cache / split
        folder.mkdir(parents=True, exist_ok=True)
        for photograph in photographs(cache / "packages", split):
            for side in PHOTOGRAPH_SIDES:
                store(folder / f"photograph-{photograph.name}-{side}.npy", partial(grey, photograph.path, side))
        for seed in SCENE_SEEDS[split]:
            store(folder / f"scene-{seed}.npy", partial(scene, seed, (SCENE_SIZE, SCENE_SIZE)))


def store(path: Path, make: Callable[[], Image]) -> None:
    """Write an image to `path` as 16 bits, if it is not there yet."""
    if path.exists():
        return
    unfinished = path.with_suffix(".partial")
    with unfinished.open("wb") as file:
        np.save(file, np.rint(np.clip(make(), 0, 1) * FULL_SCALE).astype(np.uint16))
    unfinished.rename(path)
