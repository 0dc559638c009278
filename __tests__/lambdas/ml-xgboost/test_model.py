"""The model through XGBoost's C API, beside the same model through XGBoost's own Python package."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import xgboost

from ml_training.data import wine
from ml_xgboost.booster import Booster, BoosterError
from ml_xgboost.model import MODEL_FOLDER, Model

FILE = MODEL_FOLDER / "model.ubj"


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


def test_it_predicts_what_xgboost_s_own_package_predicts_bit_for_bit() -> None:
    data = wine()
    own = xgboost.Booster(model_file=str(FILE))
    expected = own.predict(xgboost.DMatrix(data.rows.values, feature_names=own.feature_names))
    found = np.array(Booster(FILE.read_bytes()).predict(data.rows.values.tolist()), np.float32)
    np.testing.assert_array_equal(found, expected)


def test_a_row_has_the_same_answer_alone_and_in_a_batch(model: Model) -> None:
    rows = [dict(zip(wine().features, row, strict=True)) for row in wine().rows.values.tolist()]
    assert [model.predict([row])[0] for row in rows[:20]] == model.predict(rows)[:20]


def test_the_card_s_features_are_the_model_s_in_its_order_and_the_version_is_the_file_s(model: Model) -> None:
    own = xgboost.Booster(model_file=str(FILE))
    assert [each.name for each in model.features] == own.feature_names
    assert hashlib.sha256(FILE.read_bytes()).hexdigest().startswith(model.version)


def test_an_answer_names_the_features_that_are_outside_of_what_the_model_has_seen(model: Model) -> None:
    inside = {each.name: each.lowest for each in model.features}
    assert model.predict([inside])[0]["outside"] == []
    assert model.predict([{**inside, "hue": 99.0}])[0]["outside"] == ["hue"]


def test_probabilities_sum_to_one_and_the_class_has_the_greatest(model: Model) -> None:
    for answer in model.predict([{each.name: each.highest for each in model.features}]):
        found = answer["probabilities"]
        assert sum(found.values()) == pytest.approx(1, abs=1e-5)
        assert answer["class"] == max(found, key=found.get)


def test_a_file_that_is_no_model_is_refused_with_xgboost_s_words() -> None:
    with pytest.raises(BoosterError):
        Booster(b"no model")


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(BoosterError, match="A row has 2 values; the model takes 13"):
        Booster(FILE.read_bytes()).predict([[1.0, 2.0]])


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BoosterError, match=r"Install what requirements\.lock lists"):
        Booster(FILE.read_bytes())


def test_a_folder_without_a_model_fails_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Model(tmp_path)
