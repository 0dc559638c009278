"""The small generator: harmony by chorales.py, sound by synth.py. On the processor, for laptops and tests."""

import numpy as np

from second_stage.chorales import Chorales
from second_stage.models import Order, Samples
from second_stage.synth import INSTRUMENTS, render

BPM = (58, 112)
"""Beats a minute of the saddest and of the happiest music."""
KEYS = range(-4, 4)
"""Semitones by which a piece is moved."""
REST_S = 1.5
"""Time for the last beat to sound on."""


class Small:
    """A chorale in the mood's mode and tempo; the seed chooses its notes, its key and its instrument."""

    name = "chorales"
    rate = 44_100

    def __init__(self) -> None:
        self._chorales = Chorales()

    def generate(self, order: Order) -> Samples:
        """Return the music, stereo."""
        random = np.random.default_rng(order.seed)
        slow, fast = BPM
        bpm = slow + (fast - slow) * (order.valence + 1) / 2 + random.uniform(-4, 4)
        beat_s = 60 / bpm
        beats = max(2, round((order.seconds - REST_S) / beat_s))
        instrument = INSTRUMENTS[random.integers(len(INSTRUMENTS))]
        transposed = int(random.choice(KEYS))
        piece = self._chorales.compose("minor" if order.valence < 0 else "major", beats, random)
        # What the ending took longer is made up for by the tempo, so that it is heard.
        fitting_s = min(beat_s, (order.seconds - REST_S) / len(piece))
        return render(piece, fitting_s, transposed, instrument, order.seconds, self.rate)
