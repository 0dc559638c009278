"""Measures the models against other denoisers, and writes the tables of docs/denoise-models.md.

BM3D needs most of the time, so what other denoisers scored is kept in the cache; a run that was cut short goes on.
"""

import json
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from .architectures import ARCHITECTURES
from .baselines import FAMILIES, Filter, stabilised
from .inference import Model
from .noise import LEVEL, Image, Noise
from .scenes import scene
from .trials import LEVELS, SUBJECTS, Score, Trial, score, trials

TIMED_SIDE = 512
TIMED_RUNS = 3
# What each model promises to be better than.
GOALS = {"powerful": "BM3D", "efficient": "non-local means"}
SHARE_OF_BM3D_TIME = 0.1

Restore = Callable[[Trial], Image]

Table = dict[str, dict[str, dict[str, Score]]]
"""Scores by subject, level and method."""


@dataclass(frozen=True)
class Timing:
    """What one image of `TIMED_SIDE` squared costs one processor."""

    seconds: float


class Scores:
    """What other denoisers scored, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scores: dict[str, tuple[float, float]] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, key: str, trial: Trial, restore: Restore) -> Score:
        """Return the score of a key, measured if it is not known."""
        if key not in self._scores:
            self._scores[key] = astuple(score(trial, restore(trial)))
            unfinished = self._path.with_suffix(".partial")
            unfinished.write_text(json.dumps(self._scores))
            unfinished.rename(self._path)
        return Score(*self._scores[key])


def mean(scores: list[Score]) -> Score:
    """Return the mean of scores."""
    psnr, ssim = np.mean([astuple(one) for one in scores], axis=0)
    return Score(float(psnr), float(ssim))


def evaluate_baselines(cache: Path, scores: Scores) -> Table:
    """Return the scores of the noisy input and of every other denoiser at its best setting."""
    table: Table = {}
    for subject, level in product(SUBJECTS, LEVELS):
        cell = table.setdefault(subject, {}).setdefault(level, {})
        images = list(trials(cache, subject, level))
        cell["noisy"] = mean([score(trial, trial.prepared) for trial in images])
        for family in FAMILIES:
            tried: list[Score] = []
            for setting, restore in variants(family, images[0].noise):
                key = f"{subject}/{level}/{{}}/{family}/{setting}"
                tried.append(mean([scores.get(key.format(trial.name), trial, restore) for trial in images]))
            cell[family] = max(tried, key=lambda one: one.psnr)
        print(f"{subject}, {level}: " + ", ".join(f"{name} {one.psnr:.2f}" for name, one in cell.items()), flush=True)
    return table


def variants(family: str, noise: Noise) -> list[tuple[str, Restore]]:
    """Return every setting of a denoiser; those in `GOALS` work on stabilised values where photons make the noise."""
    settings = FAMILIES[family].items()
    if noise.photons is not None and family in GOALS.values():
        return [(f"{name}, stabilised", partial(_stabilised, restore)) for name, restore in settings]
    return [(name, partial(_plain, restore)) for name, restore in settings]


def _plain(restore: Filter, trial: Trial) -> Image:
    return restore(trial.prepared, trial.noise.strength(trial.clean))


def _stabilised(restore: Filter, trial: Trial) -> Image:
    return stabilised(restore, trial.prepared, trial.noise)


def evaluate_models(cache: Path, models: Path, table: Table) -> None:
    """Add the scores of the models to a table."""
    loaded = {name: Model(models / name / "1" / "model.onnx") for name in ARCHITECTURES}
    for subject, level in product(SUBJECTS, LEVELS):
        images = list(trials(cache, subject, level))
        for name, model in loaded.items():
            table[subject][level][name] = mean([score(trial, model.restore(trial.noisy)) for trial in images])


def time_methods(models: Path) -> dict[str, Timing]:
    """Return the processor's seconds for one image by each method, the best of some runs."""
    rng = np.random.default_rng(0)
    sigma = 25 * LEVEL
    noisy = Noise(sigma).add(scene(0, (TIMED_SIDE, TIMED_SIDE)), rng)
    # The settings that win at the middle level.
    chosen = {
        "Gaussian": "width 1.4",
        "median": "size 5",
        "non-local means": "patch 5, distance 6, h 0.7",
        "BM3D": "default profile",
    }
    runs: dict[str, Callable[[], Image]] = {
        family: partial(FAMILIES[family][name], noisy, sigma) for family, name in chosen.items()
    }
    for name in ARCHITECTURES:
        runs[name] = partial(Model(models / name / "1" / "model.onnx").restore, noisy)
    return {name: Timing(min(_seconds(run) for _ in range(TIMED_RUNS))) for name, run in runs.items()}


def _seconds(run: Callable[[], Image]) -> float:
    # The processor's own time, which other programs beside do not lengthen; all methods run on one thread.
    before = time.process_time()
    run()
    return time.process_time() - before


def missed(table: Table, timings: dict[str, Timing]) -> list[str]:
    """Return every goal that is not reached, in words."""
    words = [
        f"{subject}, {level}: {ours} has {cell[ours].psnr:.2f} dB, {theirs} has {cell[theirs].psnr:.2f} dB"
        for subject, levels in table.items()
        for level, cell in levels.items()
        for ours, theirs in GOALS.items()
        if cell[ours].psnr <= cell[theirs].psnr
    ]
    limit = SHARE_OF_BM3D_TIME * timings["BM3D"].seconds
    if timings["efficient"].seconds > limit:
        words.append(f"efficient needs {timings['efficient'].seconds:.3f} s, a tenth of BM3D's time is {limit:.3f} s")
    return words
