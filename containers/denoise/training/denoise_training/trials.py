"""What denoisers are judged on: photographs and detector frames that none was trained on, at three levels of noise."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from .detector import frame
from .images import SCENE_SEEDS, grey
from .noise import LEVEL, Image, Noise
from .photographs import photographs

SIDE = 256
"""Rows and columns of a test image: the middle of a photograph, or a small detector. BM3D needs seconds for it."""
READ_NOISE = 2 * LEVEL
LEVELS = ("low", "medium", "high")
_SIGMAS = (10, 25, 50)
_PHOTONS = (600, 100, 25)

GAUSSIAN, PHOTON, DETECTOR = "photographs, Gaussian noise", "photographs, photon noise", "detector frames, photon noise"
SUBJECTS = (GAUSSIAN, PHOTON, DETECTOR)


@dataclass(frozen=True)
class Trial:
    """An image to denoise, with the answer."""

    name: str
    clean: Image
    noisy: Image
    """What the models get."""
    prepared: Image
    """What the other denoisers get: the same, but for a detector's defects, which are taken out by their map."""
    noise: Noise


@dataclass(frozen=True)
class Score:
    """How near a restored image comes to the clean one."""

    psnr: float
    """Decibels, of full scale."""
    ssim: float


def noise_of(subject: str, level: str) -> Noise:
    """Return the noise of a level."""
    place = LEVELS.index(level)
    if subject == GAUSSIAN:
        return Noise(_SIGMAS[place] * LEVEL)
    return Noise(READ_NOISE, photons=_PHOTONS[place])


def describe(noise: Noise) -> str:
    """Return a noise in words for a table."""
    return f"σ {noise.sigma / LEVEL:.0f}/255" if noise.photons is None else f"{noise.photons:.0f} photons"


def trials(cache: Path, subject: str, level: str) -> Iterator[Trial]:
    """Yield the trials of a subject at a level; the same each time."""
    noise = noise_of(subject, level)
    if subject == DETECTOR:
        for seed in SCENE_SEEDS["test"]:
            exposure = frame(seed, (SIDE, SIDE), noise)
            yield Trial(f"scene-{seed}", exposure.clean, exposure.signal(), exposure.corrected(), noise)
        return
    for number, photograph in enumerate(photographs(cache / "packages", "test")):
        # The pictures of scikit-image are used as they are, like everywhere else.
        clean = _middle(grey(photograph.path, 1280, halve=photograph.package != "scikit-image"))
        rng = np.random.default_rng([number, SUBJECTS.index(subject), LEVELS.index(level), 0x7E57])
        noisy = noise.add(clean, rng)
        yield Trial(photograph.name, clean, noisy, noisy, noise)


def score(trial: Trial, restored: Image) -> Score:
    """Return how well an image was restored. Values off the scale are cut for everyone."""
    restored = np.clip(restored, 0, 1)
    ssim = structural_similarity(
        trial.clean, restored, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return Score(float(peak_signal_noise_ratio(trial.clean, restored, data_range=1)), float(ssim))


def _middle(image: Image) -> Image:
    rows, columns = ((length - SIDE) // 2 for length in image.shape)
    return image[rows : rows + SIDE, columns : columns + SIDE]
