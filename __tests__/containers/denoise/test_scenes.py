"""Scenes: the same from the same seed, and none shared between what is trained on and what is judged on."""

from itertools import combinations

import numpy as np
import pytest

from denoise_training.images import SCENE_SEEDS
from denoise_training.scenes import scene

SHAPE = (96, 128)


def test_a_seed_gives_the_same_scene_again_and_another_seed_another() -> None:
    np.testing.assert_array_equal(scene(3, SHAPE), scene(3, SHAPE))
    assert float(np.abs(scene(3, SHAPE) - scene(4, SHAPE)).mean()) > 0.01


@pytest.mark.parametrize("seed", range(12))
def test_a_scene_lies_on_the_scale_and_shows_something(seed: int) -> None:
    image = scene(seed, SHAPE)
    assert image.shape == SHAPE
    assert image.dtype == np.float32
    assert 0 <= image.min() < image.max() <= 1
    assert image.std() > 0.005


def test_training_validation_and_test_share_no_scene() -> None:
    for one, other in combinations(SCENE_SEEDS.values(), 2):
        assert set(one).isdisjoint(other)
