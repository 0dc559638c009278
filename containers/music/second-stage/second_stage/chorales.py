"""A small model of harmony: beats of four voices, each drawn as often as it followed the two before it in Bach.

`python -m chorale_training` in ../training counts them; chorales.json.gz is what it wrote.
"""

import gzip
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

MODEL = Path(__file__).with_name("chorales.json.gz")
FORMAT = 1
"""Version of the file's layout that this reads."""
ENDING_BEATS = 12
"""Beats by which a piece may be longer than asked for, to come to an end that Bach's chorales have."""
ENOUGH = 2
"""Continuations that a pair of beats needs; with fewer, one beat alone decides, or the piece would be one of Bach's."""

Mode = Literal["major", "minor"]
Beat = tuple[int, ...]
"""Soprano, alto, tenor and bass, in semitones above the tonic near middle C."""


class _Counts:
    def __init__(self, pairs: list[list[int]]) -> None:
        self.beats = np.array([beat for beat, _ in pairs])
        times = np.array([times for _, times in pairs], dtype=float)
        self.shares = times / times.sum()

    def draw(self, random: np.random.Generator) -> int:
        return int(random.choice(self.beats, p=self.shares))


class Chorales:
    """The model, read once."""

    def __init__(self, file: Path = MODEL) -> None:
        model: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
        if model["format"] != FORMAT:
            raise ValueError(f"{file}: expected format {FORMAT}, got {model['format']}")
        self._modes = model["modes"]

    def compose(self, mode: Mode, beats: int, random: np.random.Generator) -> list[Beat]:
        """Return a piece of at least so many beats that ends as a chorale ends.

        Args:
            mode: major or minor.
            beats: the least length.
            random: where chance comes from.
        """
        model = self._modes[mode]
        endings = {beat for beat, _ in model["endings"]}
        piece = [_Counts(model["openings"]).draw(random)]
        while len(piece) < beats or (piece[-1] not in endings and len(piece) < beats + ENDING_BEATS):
            piece.append(self._next(model, piece, endings if len(piece) >= beats else set(), random))
        if piece[-1] not in endings:
            piece.append(_Counts(model["endings"]).draw(random))
        return [tuple(model["beats"][beat]) for beat in piece]

    def _next(self, model: dict[str, Any], piece: list[int], wanted: set[int], random: np.random.Generator) -> int:
        contexts = [str(piece[-1])]
        if len(piece) > 1:
            contexts.insert(0, f"{piece[-2]},{piece[-1]}")
        known = [model["after_two" if "," in context else "after_one"].get(context, []) for context in contexts]
        for pairs in known:
            fitting = [pair for pair in pairs if pair[0] in wanted]
            if fitting:
                return _Counts(fitting).draw(random)
        for pairs in known:
            if len(pairs) >= ENOUGH or (pairs and pairs is known[-1]):
                return _Counts(pairs).draw(random)
        # Nothing ever followed: it was the last beat of a chorale, and another one begins.
        return _Counts(model["openings"]).draw(random)
