"""Recordings of the tests: speech by espeak-ng, and what is no speech."""

import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

HAPPY = "I am so happy to see you today my dear friend"
SAD = "nobody came to the house and the night was dark and cold"
RATE = 22_050


def speak(text: str, file: Path) -> bytes:
    """Return a text as WAV of 22,050 Hz. The voice is one that PocketSphinx hears well."""
    subprocess.run(["espeak-ng", "-v", "en-us+f5", "-s", "130", "-w", str(file), text], check=True, timeout=30)
    return file.read_bytes()


def overlap(said: str, heard: str) -> float:
    """Return the share of different words said that were heard."""
    words = set(said.lower().split())
    return len(words & set(heard.lower().split())) / len(words)


def hum(seconds: float, rate: int = RATE, channels: int = 1, loudness: float = 0.4) -> NDArray[np.float32]:
    """Return a tone."""
    time = np.arange(round(seconds * rate)) / rate
    tone = (loudness * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
    return np.repeat(tone[:, None], channels, axis=1)


def encoded(samples: NDArray[np.float32], kind: str, subtype: str | None = None, rate: int = RATE) -> bytes:
    """Return samples as a file of libsndfile's format."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()
