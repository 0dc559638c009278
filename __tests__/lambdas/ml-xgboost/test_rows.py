"""Rows: every value that is wrong is told, with its row and its field."""

from typing import Any

import pytest

from ml_xgboost.model import Feature
from ml_xgboost.problems import Problem
from ml_xgboost.rows import rows_of
from ml_xgboost.settings import SettingsError, read_settings

FEATURES = (Feature("a", 0, 1), Feature("b", 0, 1))
GOOD = {"a": 1, "b": 2.5}


def refusal(body: Any, max_rows: int = 10) -> Problem:
    with pytest.raises(Problem) as caught:
        rows_of(body, FEATURES, max_rows)
    return caught.value


def test_one_row_and_a_batch_are_taken() -> None:
    assert rows_of({"row": GOOD}, FEATURES, 10) == [{"a": 1.0, "b": 2.5}]
    assert rows_of({"rows": [GOOD, {"b": 0, "a": 0}]}, FEATURES, 10) == [{"a": 1.0, "b": 2.5}, {"a": 0.0, "b": 0.0}]


def test_every_value_that_is_wrong_is_told_with_its_row_and_field() -> None:
    problem = refusal({"rows": [{"a": "x"}, GOOD, {"a": -1, "b": None, "c": 1}, 5]})
    assert (problem.status, problem.kind) == (422, "invalid-rows")
    assert [tuple(each) for each in problem.errors] == [
        (0, "a", "expected a number, got the text 'x'"),
        (0, "b", "is missing"),
        (2, "c", "is no feature of the model"),
        (2, "a", "expected a number of 0 or more, got -1"),
        (2, "b", "expected a number, got null"),
        (3, "row", "expected an object, got a number"),
    ]
    assert problem.detail == "6 values in 3 of 4 rows are wrong."


@pytest.mark.parametrize("value", [True, "1", [1], {"v": 1}, None, 10**400, float("inf"), 1e31])
def test_what_is_no_finite_number_is_refused(value: Any) -> None:
    assert [each.field for each in refusal({"row": {**GOOD, "a": value}}).errors] == ["a"]


@pytest.mark.parametrize("body", [None, [], 1, {}, {"row": GOOD, "rows": [GOOD]}, {"rows": []}, {"rows": GOOD}])
def test_another_shape_is_400_and_says_what_to_send(body: Any) -> None:
    problem = refusal(body)
    assert problem.status == 400
    assert problem.remedy.startswith('Send {"row"')


def test_a_member_beside_the_rows_is_named() -> None:
    assert "got model" in refusal({"rows": [GOOD], "model": "x"}).detail


def test_too_many_rows_are_413_and_the_limit_is_told() -> None:
    problem = refusal({"rows": [GOOD] * 3}, max_rows=2)
    assert (problem.status, problem.remedy) == (413, "Send at most 2 rows at a time.")


def test_the_most_rows_are_a_setting() -> None:
    assert read_settings({}).max_rows == 1000
    assert read_settings({"ML_MAX_ROWS": "7"}).max_rows == 7


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "ten", "10001", "٣"])
def test_a_wrong_setting_fails_the_start_and_names_itself(text: str) -> None:
    with pytest.raises(SettingsError, match="ML_MAX_ROWS: expected a whole number from 1 to 10000"):
        read_settings({"ML_MAX_ROWS": text})
