"""Detector frames: 16-bit counts on an offset, with defects that a map can take out."""

import numpy as np

from denoise_training.defects import draw_defects
from denoise_training.detector import OFFSET, frame
from denoise_training.noise import Noise

SHAPE = (160, 192)


def test_a_frame_counts_in_16_bits_and_its_signal_is_the_scene_with_noise() -> None:
    exposure = frame(7, SHAPE, Noise(0.005))
    assert exposure.counts.dtype == np.uint16
    sound = ~exposure.defects.mask
    error = (exposure.signal() - exposure.clean)[sound]
    assert abs(float(error.mean())) < 5e-4
    assert abs(float(error.std()) - 0.005) < 5e-4


def test_a_frame_keeps_noise_below_its_offset() -> None:
    dark = frame(0, SHAPE, Noise(0.002))
    dead = dark.defects.mask & (dark.defects.gain == 0) & (dark.defects.level == 0)
    assert dead.any()
    assert (dark.counts[dead] == OFFSET).all()


def test_a_frame_is_the_same_from_the_same_seed() -> None:
    first, second = (frame(5, SHAPE, Noise(0.01, photons=100)) for _ in range(2))
    np.testing.assert_array_equal(first.counts, second.counts)


def test_defects_are_as_many_pixels_and_lines_as_asked_for() -> None:
    defects = draw_defects((500, 500), np.random.default_rng(4), pixels=0.01, lines=0)
    assert 0.008 < float(defects.mask.mean()) < 0.012
    lines = draw_defects((500, 500), np.random.default_rng(4), pixels=0, lines=2).mask
    assert int(lines.all(axis=0).sum() + lines.all(axis=1).sum()) == 2


def test_sound_pixels_read_what_they_did() -> None:
    image = np.random.default_rng(5).random((64, 64), np.float32)
    defects = draw_defects(image.shape, np.random.default_rng(6), pixels=0.05, lines=1)
    read = defects.apply(image)
    np.testing.assert_array_equal(read[~defects.mask], image[~defects.mask])
    assert float(np.abs(read - image)[defects.mask].mean()) > 0.1


def test_a_map_of_defects_takes_them_out() -> None:
    exposure = frame(9, SHAPE, Noise(0.005))
    before = np.abs(exposure.signal() - exposure.clean)[exposure.defects.mask].mean()
    after = np.abs(exposure.corrected() - exposure.clean)[exposure.defects.mask].mean()
    assert float(after) < float(before) / 5
