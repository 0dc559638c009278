"""`python -m chorale_training OUTPUT`: counts the chorales of music21's corpus into the second stage's model."""

import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from music21 import corpus, key

VOICES = 4
"""Soprano, alto, tenor and bass."""
MIN_SHARE = 0.5
"""A piece whose key is less sure than this is left out: its degrees would be wrong."""

Slice = tuple[int, ...]
"""One beat: the four voices, from the soprano down, in semitones above the tonic of the octave of middle C."""


def pieces() -> Iterator[tuple[str, list[Slice]]]:
    """Yield the mode and the beats of each chorale that has four voices and a sure key."""
    for score in corpus.chorales.Iterator(1, 371, returnType="stream"):
        found = score.analyze("key")
        if not isinstance(found, key.Key) or len(score.parts) != VOICES or found.correlationCoefficient < MIN_SHARE:
            continue
        tonic = 60 + found.tonic.pitchClass - (12 if found.tonic.pitchClass > 6 else 0)
        voices = [_pitch_of_each_beat(part) for part in score.parts]
        beats = [beat for beat in zip(*voices, strict=False) if None not in beat]
        slices = [tuple(pitch - tonic for pitch in beat) for beat in beats]
        if len(slices) >= 16 and all(upper >= lower for each in slices for upper, lower in [(each[0], each[3])]):
            yield found.mode, slices


def _pitch_of_each_beat(part: Any) -> list[int | None]:
    """Return the pitch that sounds at each quarter; None at a rest."""
    notes = part.flatten().notesAndRests
    sounding: list[int | None] = [None] * int(part.duration.quarterLength)
    for note in notes:
        pitch = note.pitch.midi if note.isNote else None
        first = -int(-float(note.offset) // 1)
        last = -int(-float(note.offset + note.duration.quarterLength) // 1)
        for beat in range(first, min(last, len(sounding))):
            sounding[beat] = pitch
    return sounding


def count(chorales: list[tuple[str, list[Slice]]]) -> dict[str, Any]:
    """Return the model: for each mode its beats, and how often each follows one and two others."""
    modes: dict[str, Any] = {}
    for mode in ("major", "minor"):
        sequences = [slices for each, slices in chorales if each == mode]
        beats = sorted({each for slices in sequences for each in slices})
        number = {each: index for index, each in enumerate(beats)}
        after_one: defaultdict[str, Counter[int]] = defaultdict(Counter)
        after_two: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for slices in sequences:
            steps = [number[each] for each in slices]
            for earlier, before, following in zip([-1, *steps], steps, steps[1:], strict=False):
                after_one[str(before)][following] += 1
                if earlier >= 0:
                    after_two[f"{earlier},{before}"][following] += 1
        modes[mode] = {
            "beats": beats,
            "openings": _counts(Counter(number[slices[0]] for slices in sequences)),
            "endings": _counts(Counter(number[slices[-1]] for slices in sequences)),
            "after_one": {context: _counts(counter) for context, counter in sorted(after_one.items())},
            "after_two": {context: _counts(counter) for context, counter in sorted(after_two.items())},
            "pieces": len(sequences),
        }
    return modes


def _counts(counter: Counter[int]) -> list[list[int]]:
    return [[beat, times] for beat, times in sorted(counter.items())]


def main() -> None:
    """Write the model as compressed JSON: the same bytes for the same corpus."""
    modes = count(list(pieces()))
    model = {"format": 1, "corpus": f"music21 {version('music21')}, Bach's chorales", "modes": modes}
    text = json.dumps(model, separators=(",", ":"), sort_keys=True).encode()
    Path(sys.argv[1]).write_bytes(gzip.compress(text, 9, mtime=0))
    for mode, each in modes.items():
        print(f"{mode}: {each['pieces']} chorales, {len(each['beats'])} different beats")


if __name__ == "__main__":
    main()
