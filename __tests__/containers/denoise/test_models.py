"""The models as they are committed: their files, their configuration, and what they do to images they never saw."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from skimage.restoration import denoise_nl_means
from tritonclient.grpc import model_config_pb2

from denoise_training.architectures import ARCHITECTURES, MULTIPLE, multiply_adds, reach
from denoise_training.detector import frame
from denoise_training.images import SCENE_SEEDS
from denoise_training.inference import INPUT, OUTPUT, Model
from denoise_training.noise import Image
from denoise_training.trials import DETECTOR, LEVELS, noise_of

MODELS = Path(__file__).resolve().parents[3] / "containers" / "denoise" / "models"
NAMES = sorted(ARCHITECTURES)
GREY_LEVEL = 1 / 65_535


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str) -> Model:
    return Model(MODELS / name / "1" / "model.onnx")


def psnr(image: Image, clean: Image) -> float:
    """Return the decibels of an image's error below full scale."""
    return float(-10 * np.log10(np.mean((image - clean) ** 2)))


def test_the_repository_holds_every_architecture_and_nothing_else() -> None:
    assert sorted(path.name for path in MODELS.iterdir() if path.is_dir()) == NAMES


def test_a_file_is_small_enough_to_keep_and_valid(name: str) -> None:
    path = MODELS / name / "1" / "model.onnx"
    assert path.stat().st_size < 4_000_000
    onnx.checker.check_model(onnx.load(path), full_check=True)


def test_the_configuration_is_triton_s_and_names_what_the_file_has(name: str) -> None:
    text = (MODELS / name / "config.pbtxt").read_text(encoding="utf-8")
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    graph = onnx.load(MODELS / name / "1" / "model.onnx").graph
    assert config.name == name
    assert [tensor.name for tensor in config.input] == [tensor.name for tensor in graph.input] == [INPUT]
    assert [tensor.name for tensor in config.output] == [tensor.name for tensor in graph.output] == [OUTPUT]
    assert all(size % MULTIPLE == 0 for warm_up in config.model_warmup for size in warm_up.inputs[INPUT].dims[1:])


def test_it_takes_batches_of_any_shape_in_multiples_of_8(model: Model) -> None:
    tiles = np.random.default_rng(1).random((3, 1, 40, 88), np.float32)
    together = model.run(tiles)
    assert together.shape == tiles.shape
    np.testing.assert_allclose(together[1:2], model.run(tiles[1:2]), atol=GREY_LEVEL)


def test_an_image_of_any_size_keeps_its_size(model: Model) -> None:
    assert model.restore(np.zeros((37, 101), np.float32)).shape == (37, 101)


def test_a_brighter_image_gives_a_brighter_result_and_nothing_else(model: Model) -> None:
    noisy = frame(SCENE_SEEDS["validation"][0], (64, 64), noise_of(DETECTOR, "medium")).signal()
    np.testing.assert_allclose(model.restore(4 * noisy), 4 * model.restore(noisy), atol=4 * GREY_LEVEL)


def test_powerful_makes_the_same_of_an_image_however_it_is_turned() -> None:
    powerful = Model(MODELS / "powerful" / "1" / "model.onnx")
    noisy = np.random.default_rng(2).random((1, 1, 64, 96), np.float32)
    restored = powerful.run(noisy)
    for turn in (lambda image: image[..., ::-1], lambda image: image.swapaxes(2, 3), lambda image: image[..., ::-1, :]):
        np.testing.assert_allclose(powerful.run(np.ascontiguousarray(turn(noisy))), turn(restored), atol=GREY_LEVEL)


@pytest.mark.parametrize("level", LEVELS)
def test_it_is_ahead_of_non_local_means_on_detector_frames_that_were_never_trained_on(model: Model, level: str) -> None:
    noise = noise_of(DETECTOR, level)
    gains = []
    for seed in SCENE_SEEDS["test"][:4]:
        exposure = frame(seed, (160, 160), noise)
        sigma = noise.strength(exposure.clean)
        means = denoise_nl_means(
            exposure.corrected(), patch_size=5, patch_distance=6, h=0.7 * sigma, sigma=sigma, fast_mode=True
        )
        gains.append(psnr(model.restore(exposure.signal()), exposure.clean) - psnr(means, exposure.clean))
    assert float(np.mean(gains)) > 0.5


def test_dead_pixels_and_lines_are_filled_without_a_map(model: Model) -> None:
    exposure = frame(SCENE_SEEDS["test"][1], (192, 192), noise_of(DETECTOR, "low"))
    place = exposure.defects.mask
    before = float(np.abs(exposure.signal() - exposure.clean)[place].mean())
    after = float(np.abs(model.restore(exposure.signal()) - exposure.clean)[place].mean())
    assert after < before / 4


def test_powerful_is_ahead_of_efficient() -> None:
    efficient, powerful = (Model(MODELS / name / "1" / "model.onnx") for name in ("efficient", "powerful"))
    noise = noise_of(DETECTOR, "medium")
    exposures = [frame(seed, (160, 160), noise) for seed in SCENE_SEEDS["test"][:4]]
    gains = [
        psnr(powerful.restore(one.signal()), one.clean) - psnr(efficient.restore(one.signal()), one.clean)
        for one in exposures
    ]
    assert float(np.mean(gains)) > 0
    assert multiply_adds(ARCHITECTURES["efficient"]) < multiply_adds(ARCHITECTURES["powerful"]) / 3


def test_a_tile_with_its_surroundings_gives_what_the_whole_image_gives(name: str, model: Model) -> None:
    margin = reach(ARCHITECTURES[name])
    whole_side, start, side = 2 * margin + 96, margin + 32, 32
    noisy = frame(SCENE_SEEDS["test"][2], (whole_side, whole_side), noise_of(DETECTOR, "high")).signal()[None, None]
    whole = model.run(noisy)
    around = slice(start - margin, start + side + margin)
    tile = model.run(np.ascontiguousarray(noisy[:, :, around, around]))
    inside, place = slice(margin, margin + side), slice(start, start + side)
    assert float(np.abs(tile[:, :, inside, inside] - whole[:, :, place, place]).max()) < GREY_LEVEL
    assert margin % MULTIPLE == 0


def test_an_input_further_away_than_the_reach_changes_nothing(name: str, model: Model) -> None:
    margin = reach(ARCHITECTURES[name])
    side = 2 * margin + 2 * MULTIPLE
    dark = np.zeros((1, 1, side, side), np.float32)
    lit = dark.copy()
    lit[..., margin, margin] = 1
    changed = np.argwhere(np.abs(model.run(lit) - model.run(dark))[0, 0] > 0)
    assert int(np.abs(changed - margin).max()) <= margin
