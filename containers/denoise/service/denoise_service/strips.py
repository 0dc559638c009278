"""Blocks of rows: an image passes through the service as a stream of them, never as a whole."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.unsignedinteger[Any]]
"""Whole rows of an image, [rows, columns]."""


class Window:
    """Rows of a stream that can be asked for again as long as they are not passed."""

    def __init__(self, blocks: Iterator[Rows]) -> None:
        self._blocks = blocks
        self._held: list[Rows] = []
        self._first = 0
        self._stop = 0

    def take(self, start: int, stop: int) -> Rows:
        """Return the rows from `start` to before `stop`, and forget all before `start`.

        Args:
            start: not less than at the last call.
            stop: not over the rows of the stream.
        """
        while self._stop < stop:
            block = next(self._blocks)
            self._held.append(block)
            self._stop += len(block)
        held = (
            np.concatenate(self._held)[start - self._first :]
            if len(self._held) > 1
            else self._held[0][start - self._first :]
        )
        self._held, self._first = [held], start
        return held[: stop - start]


def in_blocks(rows: Iterable[Rows], count: int) -> Iterator[Rows]:
    """Cut a stream into blocks of `count` rows; the last may have fewer."""
    held: list[Rows] = []
    size = 0
    for block in rows:
        start = 0
        while start < len(block):
            part = block[start : start + count - size]
            held.append(part)
            start += len(part)
            size += len(part)
            if size == count:
                yield np.concatenate(held) if len(held) > 1 else held[0]
                held, size = [], 0
    if held:
        yield np.concatenate(held)
