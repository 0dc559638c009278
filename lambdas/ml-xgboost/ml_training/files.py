"""The files of a model: what XGBoost saves, its card, and an example of rows that it has not seen."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xgboost

from ml_training.data import Rows, Wine, split, wine
from ml_training.training import PARAMETERS, ROUNDS, SEED, cross_validate, evaluate, train

MODEL_FILE = "model.ubj"
CARD_FILE = "card.json"
EXAMPLE_ROWS = 12
_VERSION_DIGITS = 12
_DIGITS = 6


@dataclass(frozen=True)
class Made:
    """What one training gives."""

    model: bytes
    card: dict[str, Any]
    example: str
    """CSV with a header, of held-out rows."""

    def write(self, folder: Path, example: Path) -> None:
        """Write the model and its card into a folder, and the example to its place."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_FILE).write_bytes(self.model)
        (folder / CARD_FILE).write_text(json.dumps(self.card, indent=2) + "\n")
        example.write_text(self.example)


def make(seed: int = SEED) -> Made:
    """Train, judge, and describe a model.

    Args:
        seed: of the split and of the training.
    """
    data = wine()
    seen, held_out = split(data.rows, seed)
    model = train(seen, data.features, len(data.classes), seed)
    saved = bytes(model.save_raw("ubj"))
    card = {
        "name": "wine",
        "version": hashlib.sha256(saved).hexdigest()[:_VERSION_DIGITS],
        "description": "Tells the cultivar of a wine from its chemical analysis.",
        "features": _features(data, seen),
        "classes": list(data.classes),
        "training": {
            "data": "scikit-learn: load_wine",
            "rows": len(seen),
            "seed": seed,
            "rounds": ROUNDS,
            "parameters": PARAMETERS,
            "xgboost": xgboost.__version__,
        },
        "heldOut": evaluate(model, held_out, data.classes),
        "crossValidation": cross_validate(data.rows, data.features, len(data.classes), seed).document(),
    }
    return Made(saved, card, _example(data, held_out))


def _features(data: Wine, seen: Rows) -> list[dict[str, Any]]:
    """Name each feature, with the least and the greatest value that the model has seen."""
    lowest, highest = seen.values.min(axis=0), seen.values.max(axis=0)
    return [
        {"name": name, "lowest": round(float(least), _DIGITS), "highest": round(float(greatest), _DIGITS)}
        for name, least, greatest in zip(data.features, lowest, highest, strict=True)
    ]


def _example(data: Wine, held_out: Rows) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(data.features)
    writer.writerows([f"{value:g}" for value in row] for row in held_out.values[:EXAMPLE_ROWS])
    return text.getvalue()
