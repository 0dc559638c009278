"""Trains a network, from its checkpoint on where there is one.

A step's batch depends on the seed and the step alone, so that a run with `steps` gives the same network again on the
same machine. A run with `minutes` fits the machine instead: its learning rate follows the clock.
"""

import math
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from .architectures import ARCHITECTURES
from .network import Denoiser
from .patches import Batch, Patches

WARM_UP_STEPS = 200
VALIDATION_BATCHES = 6
AVERAGE_STEPS = 500


@dataclass(frozen=True)
class Options:
    """How to train."""

    model: str
    cache: Path
    """The folder that `prepare` filled."""
    checkpoint: Path
    steps: int | None = None
    """Ends after this many steps; the learning rate follows them."""
    minutes: float | None = None
    """Ends after this much time, that of earlier runs from the same checkpoint included; for runs without `steps`."""
    seed: int = 6
    batch: int = 16
    patch: int = 96
    learning_rate: float = 1e-3
    threads: int = 1
    report_steps: int = 500
    bfloat16: bool = True
    """Multiply in bfloat16, which is several times faster on processors with AMX and slow on others."""


def loss_of(clean: Tensor, restored: Tensor) -> Tensor:
    """Return the mean squared error in decibels, averaged over patches: each level of noise weighs alike."""
    error = (restored - clean).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(error + 1e-7).mean()


class Trainer:
    """A network in training."""

    def __init__(self, options: Options) -> None:
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        self.options = options
        self.network = Denoiser(ARCHITECTURES[options.model]).to(memory_format=torch.channels_last)
        # The average over steps is what is kept: it is better than any single step's network.
        self.average = Denoiser(ARCHITECTURES[options.model]).to(memory_format=torch.channels_last)
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=options.learning_rate, weight_decay=1e-4)
        self.step = 0
        self.seconds = 0.0
        self._stopped = False
        if options.checkpoint.exists():
            self._load()

    def train(self) -> float:
        """Train to the end, or until SIGTERM or SIGINT, and return the validation's PSNR in decibels."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        patches = Patches(self.options.cache / "train", self.options.seed, self.options.batch, self.options.patch)
        validation = Patches(
            self.options.cache / "validation", self.options.seed, self.options.batch, self.options.patch
        )
        held_out = [validation.batch(step) for step in range(VALIDATION_BATCHES)]
        self._say("begins")
        losses: list[float] = []
        mark = time.monotonic()
        before = self.seconds
        reported = mark
        while self._progress() < 1 and not self._stopped:
            losses.append(self.advance(patches.batch(self.step)))
            self.seconds = before + time.monotonic() - mark
            if self.step % self.options.report_steps == 0:
                rate = len(losses) * self.options.batch / (time.monotonic() - reported)
                psnr = self.validate(held_out)
                self._say(f"loss {sum(losses) / len(losses):.3f} dB  validation {psnr:.3f} dB  {rate:.1f} images/s")
                self.save()
                losses, reported = [], time.monotonic()
        self.save()
        return self.validate(held_out)

    def advance(self, batch: Batch) -> float:
        """Take one step and return its loss in decibels."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        noisy = batch.noisy.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.options.bfloat16):
            restored = self.network(noisy)
        loss = loss_of(batch.clean, restored)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        keep = min(1 - 1 / AVERAGE_STEPS, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        return loss.item()

    def validate(self, batches: list[Batch]) -> float:
        """Return the average network's PSNR over batches, in decibels."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.options.bfloat16):
            losses = [loss_of(batch.clean, self.average(batch.noisy)).item() for batch in batches]
        return -sum(losses) / len(losses)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        path = self.options.checkpoint
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        state = {
            "model": self.options.model,
            "seed": self.options.seed,
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(state, partial)
        partial.rename(path)

    def _load(self) -> None:
        state = read_checkpoint(self.options.checkpoint)
        if state["model"] != self.options.model:
            raise ValueError(
                f"{self.options.checkpoint}: expected a checkpoint of {self.options.model}, "
                f"found one of {state['model']}. "
                "Name another file with --checkpoint."
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _progress(self) -> float:
        if self.options.steps is not None:
            return self.step / self.options.steps
        return self.seconds / 60 / (self.options.minutes or 1)

    def _rate(self) -> float:
        warm_up = min((self.step + 1) / WARM_UP_STEPS, 1)
        return self.options.learning_rate * warm_up * (0.01 + 0.99 * (1 + math.cos(math.pi * self._progress())) / 2)

    def _say(self, words: str) -> None:
        print(f"{self.options.model}  step {self.step}  {self.seconds / 60:.1f} min  {words}", flush=True)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped = True


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content. Only numbers are read from it, never code."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content
