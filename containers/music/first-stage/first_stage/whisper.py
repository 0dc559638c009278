"""Whisper, by faster-whisper: the large model, on a GPU."""

import importlib
from pathlib import Path
from typing import Any, Literal

from first_stage.models import Transcript
from music_common.stage import ModelMissing

FILES = ("model.bin", "config.json", "tokenizer.json")
"""What a folder of CTranslate2 weights has at least."""
COMPUTE = {"cuda": "float16", "cpu": "int8"}
"""Arithmetic for each device: Whisper-large takes about 10 GB with what it computes on."""


class Whisper:
    """faster-whisper with weights from a folder; nothing is downloaded.

    Args:
        folder: CTranslate2 weights, such as those of Systran/faster-whisper-large-v3.
        device: `cuda` or `cpu`.

    Raises:
        ModelMissing: naming what is not there, or cannot be loaded.
    """

    def __init__(self, folder: Path, device: Literal["cuda", "cpu"]) -> None:
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise ModelMissing(
                f"MUSIC_WHISPER_DIR: {folder} has no {', '.join(missing)}. "
                "Put the CTranslate2 weights of Whisper there, or set MUSIC_TRANSCRIBER to sphinx."
            )
        library = _library()
        try:
            self._model = library.WhisperModel(
                str(folder), device=device, compute_type=COMPUTE[device], local_files_only=True
            )
        except (RuntimeError, ValueError) as error:
            raise ModelMissing(f"MUSIC_WHISPER_DIR, MUSIC_DEVICE: the weights cannot be loaded: {error}") from None
        self._name = f"whisper ({folder.name})"

    def transcribe(self, recording: Path) -> Transcript:
        """Return what is said: silence is left out by voice activity, and no sentence leans on the one before."""
        segments, info = self._model.transcribe(
            str(recording), beam_size=5, vad_filter=True, condition_on_previous_text=False
        )
        text = " ".join(segment.text.strip() for segment in segments)
        return Transcript(text, info.language, self._name)


def _library() -> Any:
    try:
        return importlib.import_module("faster_whisper")
    except ImportError as error:
        raise ModelMissing(
            f"faster-whisper is not installed: {error}. Use the image for GPUs (requirements-gpu.lock)."
        ) from None
