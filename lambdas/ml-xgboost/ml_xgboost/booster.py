"""XGBoost through its C API, by the shared library that its package brings.

The package `xgboost` imports NumPy and SciPy, which takes most of a second where the library takes some milliseconds;
every cold start would pay for it. docs/benchmarks.md has the figures. The functions used here are the documented
interface of the library for other languages: https://xgboost.readthedocs.io/en/stable/c.html
"""

import ctypes
import importlib.util
import json
from array import array
from collections.abc import Sequence
from pathlib import Path

_CONFIG = json.dumps(
    {
        "type": 0,
        "training": False,
        "iteration_begin": 0,
        "iteration_end": 0,
        "strict_shape": True,
        "missing": float("nan"),
        "cache_id": 0,
    }
).encode()


class BoosterError(Exception):
    """XGBoost refused a call; the message is its own."""


class Booster:
    """A model that predicts. It belongs to one thread."""

    def __init__(self, model: bytes) -> None:
        """Load a model.

        Args:
            model: a file that XGBoost has saved, as UBJSON or JSON.

        Raises:
            BoosterError: it is no model of XGBoost.
        """
        self._library = ctypes.CDLL(str(_library_file()))
        self._library.XGBGetLastError.restype = ctypes.c_char_p
        self._handle = ctypes.c_void_p()
        self._call("XGBoosterCreate", None, ctypes.c_uint64(0), ctypes.byref(self._handle))
        # A request has one processor at most, and threads would only wait for each other.
        self._call("XGBoosterSetParam", self._handle, b"nthread", b"1")
        self._call("XGBoosterLoadModelFromBuffer", self._handle, model, ctypes.c_uint64(len(model)))
        features = ctypes.c_uint64()
        self._call("XGBoosterGetNumFeature", self._handle, ctypes.byref(features))
        self.features = int(features.value)

    def predict(self, rows: Sequence[Sequence[float]]) -> list[list[float]]:
        """Return the probabilities of the classes, for each row.

        Args:
            rows: at least one; each has a number for each feature, in the order of the training.

        Raises:
            BoosterError: a row has another length.
        """
        values = array("f")
        for row in rows:
            if len(row) != self.features:
                raise BoosterError(f"A row has {len(row)} values; the model takes {self.features}.")
            values.extend(row)
        address, _ = values.buffer_info()
        # NumPy's array interface, which names an address: `values` lives until the call is over.
        matrix = {"data": [address, True], "shape": [len(rows), self.features], "typestr": "<f4", "version": 3}
        shape = ctypes.POINTER(ctypes.c_uint64)()
        dimensions = ctypes.c_uint64()
        result = ctypes.POINTER(ctypes.c_float)()
        self._call(
            "XGBoosterPredictFromDense",
            self._handle,
            json.dumps(matrix).encode(),
            _CONFIG,
            None,
            ctypes.byref(shape),
            ctypes.byref(dimensions),
            ctypes.byref(result),
        )
        count, classes = int(shape[0]), int(shape[1])
        flat = result[: count * classes]
        return [flat[start : start + classes] for start in range(0, count * classes, classes)]

    def _call(self, name: str, *arguments: object) -> None:
        if getattr(self._library, name)(*arguments) != 0:
            raise BoosterError(self._library.XGBGetLastError().decode())


def _library_file() -> Path:
    """Find the shared library without importing the package around it."""
    spec = importlib.util.find_spec("xgboost")
    if spec is None or not spec.submodule_search_locations:
        raise BoosterError("The package xgboost is not installed. Install what requirements.lock lists.")
    return Path(spec.submodule_search_locations[0]) / "lib" / "libxgboost.so"
