"""The model with its card: what it takes, what it answers, and how good it was on rows that it had not seen."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ml_xgboost.booster import Booster

MODEL_FOLDER = Path(__file__).resolve().parent.parent / "model"
_MODEL_FILE = "model.ubj"
_CARD_FILE = "card.json"
_DIGITS = 6


class Feature(NamedTuple):
    """A number that every row has. No dataclass: to import those takes ten times as long."""

    name: str
    lowest: float
    """Of the rows that the model was trained with."""
    highest: float


class Model:
    """The model, ready to predict.

    Attributes:
        name: what it was made for.
        version: the beginning of the SHA-256 of its file: another model has another version.
        features: in the order of the training.
        classes: in the order of the probabilities.
        card: the whole card, for whoever wants to read it.
    """

    def __init__(self, folder: Path = MODEL_FOLDER) -> None:
        """Load the model.

        Args:
            folder: has the model's file and its card.
        """
        card: dict[str, Any] = json.loads((folder / _CARD_FILE).read_bytes())
        self.card = card
        self.name = str(card["name"])
        self.version = str(card["version"])
        self.features = tuple(Feature(each["name"], each["lowest"], each["highest"]) for each in card["features"])
        self.classes: tuple[str, ...] = tuple(card["classes"])
        self._booster = Booster((folder / _MODEL_FILE).read_bytes())
        # The first prediction makes what later ones use: it belongs to the start, not to the first request.
        self._booster.predict([[each.lowest for each in self.features]])

    def predict(self, rows: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
        """Return a prediction for each row: class, probabilities, and the features outside of what the model has seen.

        Args:
            rows: at least one, each with every feature.
        """
        found = self._booster.predict([[row[each.name] for each in self.features] for row in rows])
        return [self._answer(row, probabilities) for row, probabilities in zip(rows, found, strict=True)]

    def _answer(self, row: Mapping[str, float], probabilities: Sequence[float]) -> dict[str, Any]:
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        outside = [each.name for each in self.features if not each.lowest <= row[each.name] <= each.highest]
        return {
            "class": self.classes[best],
            "probabilities": {
                name: round(probability, _DIGITS) for name, probability in zip(self.classes, probabilities, strict=True)
            },
            "outside": outside,
        }
