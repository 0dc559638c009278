"""What the stage asks of its models, whichever they are."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Transcript:
    """What was said."""

    text: str
    """The words; empty where none were heard."""
    language: str
    """ISO 639-1 code of the language."""
    model: str
    """The model that heard them."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


class Transcriber(Protocol):
    """Speech to text."""

    def transcribe(self, recording: Path) -> Transcript:
        """Return what is said in a recording: WAV of 16 kHz, mono, 16 bits."""


@dataclass(frozen=True)
class Sentiment:
    """How a text feels."""

    scores: dict[str, float]
    """Shares of `positive`, `neutral` and `negative`; they sum to 1."""
    model: str
    """The model that judged."""

    @property
    def valence(self) -> float:
        """From -1, all negative, to 1, all positive."""
        return self.scores["positive"] - self.scores["negative"]


class Classifier(Protocol):
    """Text to sentiment."""

    def classify(self, text: str) -> Sentiment:
        """Return how a text feels."""
