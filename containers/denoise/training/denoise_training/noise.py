"""Noise of a detector: photon noise, which grows with the signal, and read noise, which does not.

Images are float32 on the scale from 0 (no signal) to 1 (full scale); noise may leave it on either side, and is not
clipped, since a detector's offset keeps negative noise too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

# One grey level of 8 bits, in which noise levels are customarily given.
LEVEL = 1 / 255


@dataclass(frozen=True)
class Noise:
    """What makes an image noisy."""

    sigma: float
    """Standard deviation of the Gaussian part, as a part of full scale."""

    photons: float | None = None
    """Photons that a pixel at full scale collects; None leaves photon noise out."""

    def add(self, clean: Image, rng: np.random.Generator) -> Image:
        """Return `clean` as one exposure shows it."""
        signal = clean if self.photons is None else rng.poisson(np.maximum(clean, 0) * self.photons) / self.photons
        return (signal + self.sigma * rng.standard_normal(clean.shape, dtype=np.float32)).astype(np.float32)

    def strength(self, clean: Image) -> float:
        """Return the standard deviation of the noise, averaged (in squares) over `clean`."""
        photon_variance = 0.0 if self.photons is None else float(np.maximum(clean, 0).mean()) / self.photons
        return float(np.sqrt(self.sigma**2 + photon_variance))


def draw_noise(rng: np.random.Generator) -> Noise:
    """Return a noise as in training: half of the time Gaussian, else Poisson with some read noise.

    Its standard deviation at full scale lies between 2/255 and 60/255, evenly in its logarithm.
    """
    strength = float(np.exp(rng.uniform(np.log(2 * LEVEL), np.log(60 * LEVEL))))
    if rng.random() < 0.5:
        return Noise(sigma=strength)
    return Noise(sigma=float(rng.uniform(0.05, 0.5)) * strength, photons=1 / strength**2)
