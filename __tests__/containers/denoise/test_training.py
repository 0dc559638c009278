"""Training: the same numbers from the same seed, through interruptions too, and files that answer as networks do."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from denoise_training.images import store
from denoise_training.scenes import scene

torch = pytest.importorskip("torch", reason="torch is in requirements.lock, not in the environment of the tests")

from denoise_training.architectures import ARCHITECTURES  # noqa: E402
from denoise_training.export import export, load  # noqa: E402
from denoise_training.inference import Model  # noqa: E402
from denoise_training.network import Denoiser  # noqa: E402
from denoise_training.patches import Patches  # noqa: E402
from denoise_training.training import Options, Trainer, read_checkpoint  # noqa: E402

WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    for split, first in (("train", 0), ("validation", 10)):
        (folder / split).mkdir()
        for seed in range(first, first + 2):
            store(folder / split / f"scene-{seed}.npy", lambda s=seed: scene(s, (96, 96)))
            store(folder / split / f"photograph-{seed}.npy", lambda s=seed: scene(s + 50, (96, 96)))
    return folder


def options(cache: Path, checkpoint: Path, steps: int = 6) -> Options:
    return Options(
        model="efficient", cache=cache, checkpoint=checkpoint, steps=steps, batch=2, patch=32, bfloat16=False
    )


def losses(trainer: Trainer, cache: Path, steps: int) -> list[float]:
    patches = Patches(cache / "train", trainer.options.seed, 2, 32)
    return [trainer.advance(patches.batch(trainer.step)) for _ in range(steps)]


def test_a_seed_gives_the_same_losses_again(cache: Path, tmp_path: Path) -> None:
    first, second = (losses(Trainer(options(cache, tmp_path / "none.pt")), cache, 4) for _ in range(2))
    assert first == second


def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been(cache: Path, tmp_path: Path) -> None:
    unbroken = losses(Trainer(options(cache, tmp_path / "none.pt")), cache, 6)
    first = Trainer(options(cache, tmp_path / "model.pt"))
    before = losses(first, cache, 3)
    first.save()
    after = losses(Trainer(options(cache, tmp_path / "model.pt")), cache, 3)
    assert before + after == unbroken


def test_training_lowers_the_loss(cache: Path, tmp_path: Path) -> None:
    seen = losses(Trainer(options(cache, tmp_path / "none.pt", steps=60)), cache, 60)
    assert np.mean(seen[-10:]) < np.mean(seen[:10]) - 1


def test_a_checkpoint_of_another_model_is_refused(cache: Path, tmp_path: Path) -> None:
    Trainer(options(cache, tmp_path / "model.pt")).save()
    with pytest.raises(ValueError, match="expected a checkpoint of powerful, found one of efficient"):
        Trainer(Options(model="powerful", cache=cache, checkpoint=tmp_path / "model.pt"))


def test_sigterm_ends_a_run_after_its_step_with_a_checkpoint(cache: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "model.pt"
    command = [sys.executable, "-m", "denoise_training", "--cache", str(cache), "train", "efficient", "--minutes", "5"]
    folder = Path(__file__).resolve().parents[3] / "containers" / "denoise" / "training"
    with subprocess.Popen([*command, "--checkpoint", str(checkpoint)], cwd=folder, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert b"begins" in run.stdout.readline()
        time.sleep(0.5)
        run.send_signal(signal.SIGTERM)
        assert run.wait(WAIT_SECONDS) == 0
    assert read_checkpoint(checkpoint)["step"] >= 1


def test_the_onnx_file_answers_as_the_checkpoint_s_average_does(cache: Path, tmp_path: Path) -> None:
    trainer = Trainer(options(cache, tmp_path / "model.pt"))
    losses(trainer, cache, 3)
    trainer.save()
    path = export(tmp_path / "model.pt", tmp_path)
    noisy = np.random.default_rng(0).random((2, 1, 48, 64), np.float32)
    name, network = load(tmp_path / "model.pt")
    with torch.no_grad():
        expected = network(torch.from_numpy(noisy)).numpy()
    assert name == "efficient"
    np.testing.assert_allclose(Model(path).run(noisy), expected, atol=1e-5)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_network_without_biases_scales_with_its_input(name: str) -> None:
    torch.manual_seed(0)
    network = Denoiser(ARCHITECTURES[name])
    noisy = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(3 * noisy), 3 * network(noisy), rtol=1e-4, atol=1e-4)
