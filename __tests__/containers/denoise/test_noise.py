"""Noise: as strong as it says, without bias, and within the bounds that training promises."""

import numpy as np
import pytest

from denoise_training.noise import LEVEL, Noise, draw_noise

SIGNAL = np.full((400, 400), 0.4, np.float32)


@pytest.mark.parametrize("noise", [Noise(0.1), Noise(0.01, photons=50), Noise(0.05, photons=1000)])
def test_noise_has_the_variance_of_its_photons_and_its_read_noise_and_no_bias(noise: Noise) -> None:
    noisy = noise.add(SIGNAL, np.random.default_rng(1))
    expected = noise.sigma**2 + (0 if noise.photons is None else 0.4 / noise.photons)
    assert noisy.dtype == np.float32
    assert float(noisy.var()) == pytest.approx(expected, rel=0.03)
    assert float(noisy.mean()) == pytest.approx(0.4, abs=0.002)
    assert noise.strength(SIGNAL) == pytest.approx(expected**0.5, rel=1e-4)


def test_noise_of_a_dark_image_keeps_its_negative_half() -> None:
    noisy = Noise(0.02, photons=100).add(np.zeros((200, 200), np.float32), np.random.default_rng(2))
    assert float((noisy < 0).mean()) == pytest.approx(0.5, abs=0.02)


def test_training_draws_every_strength_from_2_to_60_grey_levels_with_and_without_photons() -> None:
    rng = np.random.default_rng(3)
    drawn = [draw_noise(rng) for _ in range(2_000)]
    strengths = [noise.sigma if noise.photons is None else noise.photons**-0.5 for noise in drawn]
    assert 2 * LEVEL <= min(strengths) < 2.2 * LEVEL
    assert 55 * LEVEL < max(strengths) <= 60 * LEVEL
    assert sum(noise.photons is None for noise in drawn) / len(drawn) == pytest.approx(0.5, abs=0.05)
