"""The data set: chemical analyses of 178 wines of three cultivars, which scikit-learn brings.

Forina, M. et al., PARVUS, 1991; UCI Machine Learning Repository, https://doi.org/10.24432/C5PC7J (CC BY 4.0).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

HELD_OUT_SHARE = 0.3


@dataclass(frozen=True)
class Rows:
    """Rows with their classes."""

    values: NDArray[np.float64]
    """(rows, features)"""
    classes: NDArray[np.int64]
    """Index of each row's class: (rows,)"""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.classes)


@dataclass(frozen=True)
class Wine:
    """The data set."""

    features: tuple[str, ...]
    classes: tuple[str, ...]
    rows: Rows


def wine() -> Wine:
    """Load the data set. Names of features become words of letters, digits and underscores."""
    bunch = load_wine()
    return Wine(
        features=tuple(str(name).replace("/", "_") for name in bunch.feature_names),
        classes=tuple(str(name) for name in bunch.target_names),
        rows=Rows(bunch.data, bunch.target),
    )


def split(rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """Split into rows to train with, and rows that are held out; each has the classes in the same shares.

    Args:
        rows: all of them.
        seed: the same one gives the same split.
    """
    train, held_out, train_classes, held_out_classes = train_test_split(
        rows.values, rows.classes, test_size=HELD_OUT_SHARE, random_state=seed, stratify=rows.classes
    )
    return Rows(train, train_classes), Rows(held_out, held_out_classes)
