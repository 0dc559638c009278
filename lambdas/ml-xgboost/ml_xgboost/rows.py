"""Rows as they come: every value that is wrong is found, not the first alone.

Written out, since a validation library takes longer to import than all of this function: docs/benchmarks.md.
"""

import math
from collections.abc import Sequence
from typing import Any

from ml_xgboost.model import Feature
from ml_xgboost.problems import RowError, invalid_rows, too_large, unreadable

Row = dict[str, float]


def rows_of(body: Any, features: Sequence[Feature], max_rows: int) -> list[Row]:
    """Return the rows of a request's body.

    Args:
        body: parsed JSON: `{"row": {…}}`, or `{"rows": [{…}, …]}`.
        features: what each row has to have.
        max_rows: the most rows of one request.

    Raises:
        Problem: 400 for another shape, 413 for too many rows, 422 with every value that is wrong.
    """
    if not isinstance(body, dict) or len(body.keys() & {"row", "rows"}) != 1:
        raise unreadable(f"expected an object with either row or rows, got {_shape_of(body)}")
    others = sorted(body.keys() - {"row", "rows"})
    if others:
        raise unreadable(f"expected nothing beside row or rows, got {', '.join(others)}")
    rows = [body["row"]] if "row" in body else body["rows"]
    if not isinstance(rows, list) or not rows:
        raise unreadable(f"rows: expected a list with at least one row, got {_shape_of(rows)}")
    if len(rows) > max_rows:
        remedy = f"Send at most {max_rows} rows at a time."
        raise too_large(f"rows: expected at most {max_rows}, got {len(rows)}.", remedy)
    errors: list[RowError] = []
    checked = [_row_of(index, row, features, errors) for index, row in enumerate(rows)]
    if errors:
        raise invalid_rows(tuple(errors), len(rows))
    return checked


def _row_of(index: int, row: Any, features: Sequence[Feature], errors: list[RowError]) -> Row:
    if not isinstance(row, dict):
        errors.append(RowError(index, "row", f"expected an object, got {_shape_of(row)}"))
        return {}
    known = {each.name for each in features}
    errors.extend(RowError(index, name, "is no feature of the model") for name in row if name not in known)
    values: Row = {}
    for name in (each.name for each in features):
        if name not in row:
            errors.append(RowError(index, name, "is missing"))
            continue
        number = _number_of(row[name])
        if isinstance(number, str):
            errors.append(RowError(index, name, number))
        else:
            values[name] = number
    return values


def _number_of(value: Any) -> float | str:
    """Return the number, or what is wrong with it: every feature is a measured quantity."""
    # In Python, true is a number.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"expected a number, got {_shape_of(value)}"
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    # The model works with single precision.
    if not math.isfinite(number) or abs(number) > _LARGEST:
        return "expected a finite number of at most 1e30"
    if number < 0:
        return f"expected a number of 0 or more, got {value}"
    return number


_LARGEST = 1e30
_LONGEST_SHOWN = 40


def _shape_of(value: Any) -> str:
    """Say what came, in JSON's words and few of them."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value[:_LONGEST_SHOWN]!r}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object" + (f" with {', '.join(sorted(value)[:5])}" if value else " without members")
    return "a number"
