"""Recordings: what is sent is checked by its content, and kept as the stages take it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from music_common.problems import not_audio, too_large, unusable_audio
from music_common.volume import whole_file

RATE = 16_000
"""Samples a second of what is kept: what models of speech take."""
FORMATS = {"WAV": "WAV", "WAVEX": "WAV", "RF64": "WAV", "FLAC": "FLAC", "OGG": "OGG", "MP3": "MP3", "MPEG": "MP3"}
"""Formats by libsndfile's names."""
RATES = (8_000, 192_000)
CHANNELS = 8
LEAST_S = 0.3
SILENCE = 0.001
"""Loudest sample, of 1, below which a recording counts as silent: -60 dB."""
_BLOCK = 65_536
_CUT_OFF = re.compile(r"\bdata : \d+ \(should be \d+\)")
"""What libsndfile notes about a WAV whose data ends before its header says."""


@dataclass(frozen=True)
class Recording:
    """What was sent."""

    format: str
    """WAV, FLAC, OGG or MP3."""
    seconds: float
    rate: int
    """Samples a second."""
    channels: int

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def keep(sent: Path, kept: Path, most_s: float) -> Recording:
    """Check a recording, and keep it as WAV of 16 kHz, mono, 16 bits. In blocks: its length does not matter to memory.

    Args:
        sent: as it came.
        kept: file of the result, there when it is complete.
        most_s: seconds that it may last.

    Raises:
        Problem: 413, 415 or 422; 507 where the volume is full.
    """
    with _opened(sent) as source:
        kind = FORMATS.get(source.format)
        if kind is None:
            raise not_audio(f"The content is {source.format_info}.")
        if not RATES[0] <= source.samplerate <= RATES[1]:
            detail = f"The recording has {source.samplerate:,} samples a second; expected {RATES[0]:,} to {RATES[1]:,}."
            raise unusable_audio(detail, "Convert it to 44,100 Hz.")
        if source.channels > CHANNELS:
            raise unusable_audio(f"The recording has {source.channels} channels.", f"Mix it to at most {CHANNELS}.")
        if _CUT_OFF.search(source.extra_info):
            raise unusable_audio("The file ends before its header says.", "Send it again; it was cut off.")
        with whole_file(kept) as file, soundfile.SoundFile(file, "w", RATE, 1, "PCM_16", format="WAV") as target:
            frames, peak = _copy(source, target, most_s)
            seconds = frames / source.samplerate
            if seconds < LEAST_S:
                raise unusable_audio(f"The recording lasts {seconds:.2f} s.", f"Send {LEAST_S} s or more.")
            if peak < SILENCE:
                raise unusable_audio("The recording is silent.", "Check the microphone, and record it again.")
        return Recording(kind, round(seconds, 3), source.samplerate, source.channels)


@contextmanager
def _opened(sent: Path) -> Iterator[soundfile.SoundFile]:
    # libsndfile would take a name's ending for a format: it gets the content without a name.
    with sent.open("rb") as content:
        try:
            source = soundfile.SoundFile(content)
        except (soundfile.LibsndfileError, TypeError) as error:
            raise not_audio(f"The content is no sound that is known here: {_said(error)}") from None
        with source:
            yield source


def _copy(source: soundfile.SoundFile, target: soundfile.SoundFile, most_s: float) -> tuple[int, float]:
    """Copy what is said. Return the frames of the source, and its loudest sample."""
    resampler = soxr.ResampleStream(source.samplerate, RATE, 1, dtype="float32")
    frames, peak = 0, 0.0
    for block in _blocks(source):
        frames += len(block)
        if frames > most_s * source.samplerate:
            raise too_large("audio", f"The recording lasts over {most_s:.0f} s.", "Send a shorter part of it.")
        mono = block.mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            raise unusable_audio("Some samples are no numbers.", "Export it anew, as WAV of 16 bits.")
        peak = max(peak, float(np.abs(mono).max(initial=0)))
        target.write(np.clip(resampler.resample_chunk(mono), -1, 1))
    target.write(np.clip(resampler.resample_chunk(np.zeros(0, np.float32), last=True), -1, 1))
    return frames, peak


def _blocks(source: soundfile.SoundFile) -> Iterator[NDArray[np.float32]]:
    while True:
        try:
            block = source.read(_BLOCK, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            detail = f"The recording is damaged: {_said(error)}"
            raise unusable_audio(detail, "Play it to its end; where that fails, record or export it again.") from None
        if len(block) == 0:
            return
        yield block


def _said(error: Exception) -> str:
    said = str(getattr(error, "error_string", error))
    return said if said.endswith(".") else f"{said}."
