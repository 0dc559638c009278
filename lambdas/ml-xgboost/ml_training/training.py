"""Training and evaluation: the same seed gives the same model and the same figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss
from sklearn.model_selection import RepeatedStratifiedKFold

from ml_training.data import Rows

SEED = 20_261
ROUNDS = 80
PARAMETERS: dict[str, Any] = {
    "objective": "multi:softprob",
    "max_depth": 3,
    "eta": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "tree_method": "exact",
    # The sum of gradients in another order would be another sum.
    "nthread": 1,
}
FOLDS = 10
REPEATS = 5
_DIGITS = 6


@dataclass(frozen=True)
class CrossValidation:
    """Accuracy over folds of all rows: a held-out part as small as this says little alone."""

    accuracies: tuple[float, ...]

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        values = np.array(self.accuracies)
        return {
            "folds": FOLDS,
            "repeats": REPEATS,
            "accuracyMean": round(float(values.mean()), _DIGITS),
            "accuracyStandardDeviation": round(float(values.std(ddof=1)), _DIGITS),
            "accuracyLowest": round(float(values.min()), _DIGITS),
        }


def train(rows: Rows, features: Sequence[str], classes: int, seed: int = SEED) -> xgboost.Booster:
    """Train a model.

    Args:
        rows: what it learns from.
        features: names, in the order of the rows' values.
        classes: how many there are.
        seed: of the rows and features that each round takes.
    """
    data = xgboost.DMatrix(rows.values, label=rows.classes, feature_names=list(features))
    return xgboost.train({**PARAMETERS, "num_class": classes, "seed": seed}, data, num_boost_round=ROUNDS)


def probabilities(model: xgboost.Booster, values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the probabilities of the classes: (rows, classes)."""
    found: NDArray[np.float32] = model.predict(xgboost.DMatrix(values, feature_names=model.feature_names))
    return found


def evaluate(model: xgboost.Booster, held_out: Rows, classes: Sequence[str]) -> dict[str, Any]:
    """Return the metrics on rows that the model has not seen, as JSON."""
    found = probabilities(model, held_out.values)
    guessed = found.argmax(axis=1)
    recalls = confusion_matrix(held_out.classes, guessed)
    return {
        "rows": len(held_out),
        "accuracy": round(float(accuracy_score(held_out.classes, guessed)), _DIGITS),
        "macroF1": round(float(f1_score(held_out.classes, guessed, average="macro")), _DIGITS),
        "logLoss": round(float(log_loss(held_out.classes, found)), _DIGITS),
        "confusion": {
            name: dict(zip(classes, (int(count) for count in counts), strict=True))
            for name, counts in zip(classes, recalls, strict=True)
        },
    }


def cross_validate(rows: Rows, features: Sequence[str], classes: int, seed: int = SEED) -> CrossValidation:
    """Train and judge on repeated folds of all rows, which keep the classes' shares."""
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=seed)
    accuracies = []
    for chosen, left in folds.split(rows.values, rows.classes):
        model = train(Rows(rows.values[chosen], rows.classes[chosen]), features, classes, seed)
        guessed = probabilities(model, rows.values[left]).argmax(axis=1)
        accuracies.append(float(accuracy_score(rows.classes[left], guessed)))
    return CrossValidation(tuple(accuracies))
