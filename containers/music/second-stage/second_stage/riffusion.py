"""Riffusion, by diffusers: Stable Diffusion that draws spectrograms. About 30 GB of GPU memory."""

import importlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from music_common.stage import ModelMissing
from second_stage.models import Order, Samples
from second_stage.spectrogram import FRAMES_A_SECOND, HEIGHT, MAX_HZ, N_FFT, RATE, WINDOW, magnitudes

FILES = (
    "model_index.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
)
"""What a folder of weights has at least, besides the weights themselves."""
WIDTH = 512
"""Columns of a picture, the width that the model was trained with: 5.12 s."""
CROSSFADE_S = 0.25
STEPS = 50
GUIDANCE = 7.0
GRIFFIN_LIM_ITERATIONS = 32
PROMPTS = {
    "joyful": "joyful upbeat pop, bright piano, hand claps, major key",
    "bright": "warm acoustic guitar, light drums, hopeful, major key",
    "calm": "calm ambient piano, soft pads, slow",
    "wistful": "wistful piano ballad, strings, slow, minor key",
    "sombre": "sombre cello, dark ambient, very slow, minor key",
}
"""What the model is told for each mood of the first stage."""
AGAINST = "distortion, noise, clipping, spoken words"


class Riffusion:
    """Riffusion with weights from a folder; nothing is downloaded.

    Args:
        folder: weights in diffusers' layout, such as those of riffusion/riffusion-model-v1.
        device: `cuda` or `cpu`.

    Raises:
        ModelMissing: naming what is not there.
    """

    name = "riffusion"
    rate = RATE

    def __init__(self, folder: Path, device: Literal["cuda", "cpu"]) -> None:
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise ModelMissing(
                f"MUSIC_RIFFUSION_DIR: {folder} has no {', '.join(missing)}. "
                "Put Riffusion's weights there, or set MUSIC_GENERATOR to small."
            )
        diffusers, self._torch, self._transforms = (
            _library(name) for name in ("diffusers", "torch", "torchaudio.transforms")
        )
        self._device = device
        pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
            folder,
            dtype=self._torch.float16 if device == "cuda" else self._torch.float32,
            # It looks for pictures of people; spectrograms have none.
            safety_checker=None,
            requires_safety_checker=False,
            local_files_only=True,
        )
        self._pipeline = pipeline.to(device)
        self._pipeline.set_progress_bar_config(disable=True)

    def generate(self, order: Order) -> Samples:
        """Return the music, mono: pictures of 5.12 s, one after another, each blended into the next."""
        clip_s = WIDTH / FRAMES_A_SECOND
        clips = [self._clip(order, order.seed)]
        while sum(map(len, clips)) / self.rate - CROSSFADE_S * (len(clips) - 1) < order.seconds:
            clips.append(self._clip(order, order.seed + len(clips)))
            if len(clips) > order.seconds / (clip_s - CROSSFADE_S) + 2:
                raise RuntimeError(f"{len(clips)} clips are not {order.seconds} s long")
        sound = joined(clips, round(CROSSFADE_S * self.rate))[: round(order.seconds * self.rate)]
        peak = max(float(np.abs(sound).max()), 1e-9)
        return (sound * (0.89 / peak)).astype(np.float32)[:, None]

    def _clip(self, order: Order, seed: int) -> np.ndarray:
        torch = self._torch
        picture = self._pipeline(
            PROMPTS[order.mood],
            negative_prompt=AGAINST,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            height=HEIGHT,
            width=WIDTH,
            generator=torch.Generator(self._device).manual_seed(seed % 2**63),
        ).images[0]
        mel = torch.from_numpy(magnitudes(np.asarray(picture.convert("RGB")))).to(self._device)
        from_mel = self._transforms.InverseMelScale(
            n_stft=N_FFT // 2 + 1, n_mels=HEIGHT, sample_rate=RATE, f_min=0, f_max=MAX_HZ, norm=None, mel_scale="htk"
        ).to(self._device)
        # Chance begins its phases; the seed makes them the same.
        torch.manual_seed(seed % 2**63)
        to_sound = self._transforms.GriffinLim(
            n_fft=N_FFT, n_iter=GRIFFIN_LIM_ITERATIONS, win_length=WINDOW, hop_length=RATE // FRAMES_A_SECOND, power=1.0
        ).to(self._device)
        sound: np.ndarray = to_sound(from_mel(mel)).cpu().numpy()
        return sound


def joined(clips: list[np.ndarray], overlap: int) -> np.ndarray:
    """Return clips one after another, each blended into the next over so many samples."""
    sound = clips[0]
    into = np.linspace(0, 1, overlap, dtype=np.float32)
    for clip in clips[1:]:
        blend = sound[-overlap:] * (1 - into) + clip[:overlap] * into
        sound = np.concatenate([sound[:-overlap], blend, clip[overlap:]])
    return sound


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelMissing(
            f"{name} is not installed: {error}. Use the image for GPUs (requirements-gpu.lock)."
        ) from None
