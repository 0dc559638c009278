"""What the stage asks of its model, whichever it is."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Sound: a row for each sample, a column for each channel, from -1 to 1."""


@dataclass(frozen=True)
class Order:
    """What one candidate shall be. The same order gives the same sound on the same machine."""

    mood: str
    """One of the moods of the first stage."""
    valence: float
    """From -1, sad, to 1, happy."""
    seconds: float
    """Length."""
    seed: int
    """Each candidate of a run has its own."""


class Generator(Protocol):
    """Music from an order."""

    name: str
    rate: int
    """Samples a second."""

    def generate(self, order: Order) -> Samples:
        """Return the music, `order.seconds` long."""
