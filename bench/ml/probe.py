"""One start of the ML function, or of what it is compared with, in a fresh process: prints its parts' times as JSON.

Usage: python probe.py function|package  (run in lambdas/ml-xgboost)
"""

import time

STARTED = time.perf_counter()


def function() -> dict[str, float]:
    """Start as the handler does, part by part, then answer."""
    marks = [STARTED]

    def mark() -> float:
        marks.append(time.perf_counter())
        return (marks[-1] - marks[-2]) * 1_000

    import awslambdaric.bootstrap  # noqa: F401

    client = mark()
    import ctypes  # noqa: F401
    import importlib.util  # noqa: F401
    import json  # noqa: F401

    library = mark()
    import ml_xgboost.booster
    import ml_xgboost.model
    import ml_xgboost.problems
    import ml_xgboost.rows
    import ml_xgboost.settings

    own = mark()
    ml_xgboost.booster.ctypes.CDLL(str(ml_xgboost.booster._library_file()))
    shared = mark()
    model = ml_xgboost.model.Model()
    load = mark()
    import ml_xgboost.handler  # loads the model a second time, which is not counted

    mark()
    row = {each.name: each.lowest for each in model.features}
    request = {"requestId": "r", "http": {"method": "POST"}}

    class Context:
        aws_request_id = "i"

    def event(body: object) -> dict[str, object]:
        text = ml_xgboost.handler.json.dumps(body)
        return {
            "rawPath": "/",
            "headers": {"content-type": "application/json"},
            "requestContext": request,
            "body": text,
        }

    one, many = event({"row": row}), event({"rows": [row] * 1_000})
    silence()
    mark()
    ml_xgboost.handler.handler(one, Context())
    first = mark()
    ml_xgboost.handler.handler(one, Context())
    warm = mark()
    ml_xgboost.handler.handler(many, Context())
    thousand = mark()
    return {
        "client": client,
        "library": library,
        "own": own,
        "shared": shared,
        "load": load,
        "first": first,
        "warm": warm,
        "thousand": thousand,
        "mebibytes": mebibytes(),
    }


def package() -> dict[str, float]:
    """Start with XGBoost's own Python package, then predict one row."""
    import sys

    # It is in this environment for the training alone, and an image would not have it.
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    import numpy

    numpy_ms = (time.perf_counter() - STARTED) * 1_000
    import xgboost

    imported = (time.perf_counter() - STARTED) * 1_000
    model = xgboost.Booster(model_file="model/model.ubj")
    loaded = (time.perf_counter() - STARTED) * 1_000
    model.inplace_predict(numpy.zeros((1, model.num_features()), numpy.float32))
    return {
        "numpy": numpy_ms,
        "package": imported - numpy_ms,
        "load": loaded - imported,
        "first": (time.perf_counter() - STARTED) * 1_000 - loaded,
        "mebibytes": mebibytes(),
    }


def silence() -> None:
    """Let the log go nowhere: what is printed here is the result."""
    import io

    import ml_xgboost.handler

    ml_xgboost.handler.sys = type("Sys", (), {"stdout": io.StringIO()})  # type: ignore[attr-defined]


def mebibytes() -> float:
    """Return the most memory that the process has had."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


if __name__ == "__main__":
    import json
    import sys

    sys.stdout.write(json.dumps({"function": function, "package": package}[sys.argv[1]]()))
