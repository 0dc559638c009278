"""The training: the same seed gives the committed model and the figures on its card."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from ml_training.data import split, wine
from ml_training.files import CARD_FILE, MODEL_FILE, Made, make
from ml_training.training import SEED

PROJECT = Path(__file__).resolve().parents[3]
MODEL = PROJECT / "lambdas" / "ml-xgboost" / "model"
EXAMPLE = PROJECT / "examples" / "wine.csv"
CARD = json.loads((MODEL / CARD_FILE).read_text())


@pytest.fixture(scope="module")
def made() -> Made:
    return make()


def test_training_again_from_the_seed_gives_the_committed_metrics(made: Made) -> None:
    assert made.card["heldOut"] == CARD["heldOut"]
    assert made.card["crossValidation"] == CARD["crossValidation"]


def test_training_again_gives_the_committed_model_and_card_byte_by_byte(made: Made) -> None:
    assert made.model == (MODEL / MODEL_FILE).read_bytes()
    assert made.card == CARD


def test_another_seed_gives_another_model() -> None:
    data = wine()
    _, held_out = split(data.rows, SEED)
    _, other = split(data.rows, SEED + 1)
    assert not np.array_equal(held_out.values, other.values)


def test_no_held_out_row_was_trained_with() -> None:
    seen, held_out = split(wine().rows, SEED)
    trained = {row.tobytes() for row in seen.values}
    assert not [row for row in held_out.values if row.tobytes() in trained]
    assert len(seen) + len(held_out) == len(wine().rows) == 178


def test_the_model_is_better_than_nearest_neighbours_on_the_same_rows() -> None:
    seen, held_out = split(wine().rows, SEED)
    neighbours = KNeighborsClassifier().fit(seen.values, seen.classes).predict(held_out.values)
    assert CARD["heldOut"]["accuracy"] > accuracy_score(held_out.classes, neighbours) + 0.1


def test_the_example_has_rows_that_the_model_has_not_seen(made: Made) -> None:
    assert made.example == EXAMPLE.read_text()
    with EXAMPLE.open() as file:
        rows = [[float(value) for value in row.values()] for row in csv.DictReader(file)]
    _, held_out = split(wine().rows, SEED)
    np.testing.assert_array_equal(np.array(rows), held_out.values[: len(rows)])
