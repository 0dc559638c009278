"""Four voices become sound: harmonics with an envelope for each note, a place left or right, a room around it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from second_stage.chorales import Beat
from second_stage.models import Samples

MIDDLE_C_HZ = 261.6256
PEAK = 0.89
"""Loudest sample: -1 dB below full scale."""
PANS = (0.35, 0.65, 0.45, 0.5)
"""Place of soprano, alto, tenor and bass: 0 is left, 1 is right."""
LEVELS = (1.0, 0.7, 0.7, 0.85)
FADE_S = 0.25


@dataclass(frozen=True)
class Instrument:
    """How a note sounds."""

    name: str
    harmonics: tuple[float, ...]
    """Strength of the fundamental and of what is above it."""
    attack_s: float
    release_s: float
    decay_s: float | None
    """Time in which a struck note falls to 37 %; None: it sounds on, as of an organ."""


INSTRUMENTS = (
    Instrument("organ", (1, 0.6, 0.35, 0.25, 0.1, 0.12, 0.05, 0.08), 0.03, 0.12, None),
    Instrument("strings", (1, 0.55, 0.4, 0.3, 0.22, 0.16, 0.1, 0.07), 0.12, 0.25, None),
    Instrument("piano", (1, 0.45, 0.25, 0.14, 0.1, 0.06), 0.004, 0.3, 0.9),
    Instrument("music box", (1, 0.1, 0.35, 0.05, 0.18), 0.002, 0.5, 0.5),
)


def render(
    piece: list[Beat], beat_s: float, transposed: int, instrument: Instrument, seconds: float, rate: int
) -> Samples:
    """Return a piece as stereo sound.

    Args:
        piece: the beats.
        beat_s: seconds of a beat.
        transposed: semitones by which all of it is higher.
        instrument: how it sounds.
        seconds: length of the result; the last beat sounds on to its end.
        rate: samples a second.
    """
    length = round(seconds * rate)
    dry = np.zeros((length, 2))
    for voice, (pan, level) in enumerate(zip(PANS, LEVELS, strict=True)):
        for start, beats, pitch in _notes([beat[voice] for beat in piece]):
            is_last = start + beats == len(piece)
            note_s = seconds - start * beat_s - FADE_S if is_last else beats * beat_s
            note = level * _note(pitch + transposed, max(note_s, 0.05), instrument, rate)
            first = round(start * beat_s * rate)
            part = note[: max(0, length - first)]
            dry[first : first + len(part)] += part[:, None] * np.array(
                [np.cos(pan * np.pi / 2), np.sin(pan * np.pi / 2)]
            )
    wet = _in_a_room(dry, rate)
    fade = round(FADE_S * rate)
    wet[-fade:] *= np.linspace(1, 0, fade)[:, None]
    return (wet * (PEAK / max(float(np.abs(wet).max()), 1e-9))).astype(np.float32)


def _notes(pitches: list[int]) -> list[tuple[int, int, int]]:
    """Return first beat, beats and pitch of each note: a pitch that stays is struck again at every other beat."""
    notes: list[tuple[int, int, int]] = []
    for beat, pitch in enumerate(pitches):
        if notes and notes[-1][2] == pitch and beat % 2 == 1:
            start, beats, _ = notes[-1]
            notes[-1] = (start, beats + 1, pitch)
        else:
            notes.append((beat, 1, pitch))
    return notes


def _note(semitones: int, seconds: float, instrument: Instrument, rate: int) -> NDArray[np.float64]:
    time = np.arange(round((seconds + instrument.release_s) * rate)) / rate
    hertz = MIDDLE_C_HZ * 2 ** (semitones / 12)
    sound = np.zeros_like(time)
    for number, strength in enumerate(instrument.harmonics, start=1):
        if hertz * number < rate / 2:
            sound += strength * np.sin(2 * np.pi * hertz * number * time)
    envelope = np.minimum(1, time / instrument.attack_s) * np.clip((time[-1] - time) / instrument.release_s, 0, 1)
    if instrument.decay_s is not None:
        envelope *= np.exp(-time / instrument.decay_s)
    note: NDArray[np.float64] = sound * envelope / sum(instrument.harmonics)
    return note


def _in_a_room(dry: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Add what walls send back: noise that dies away, the same for every piece."""
    echo_s, share = 1.2, 0.18
    time = np.arange(round(echo_s * rate)) / rate
    walls = np.random.default_rng(1685).standard_normal((len(time), 2)) * np.exp(-time * 6 / echo_s)[:, None]
    walls *= share / np.sqrt((walls**2).sum(axis=0))
    size = 1 << (len(dry) + len(walls)).bit_length()
    echoes = np.fft.irfft(np.fft.rfft(dry, size, axis=0) * np.fft.rfft(walls, size, axis=0), size, axis=0)
    wet: NDArray[np.float64] = dry + echoes[: len(dry)]
    return wet
