"""An image through the model: bands of tiles, in a stream, so that memory does not grow with the image's height."""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from denoise_service import strength
from denoise_service.images import Image
from denoise_service.metrics import TILES
from denoise_service.problems import unusable_image
from denoise_service.strips import Rows, Window
from denoise_service.tiles import Axis, Span
from denoise_service.triton import MODELS, Triton

_BANDS_AHEAD = 2
"""Bands whose tiles are in Triton's hands at once: while one is put together, the next keeps the GPU busy."""

_LEAST_CORE = 128
"""Side of what is kept of a tile, at least: small tiles grow where margins are wide."""


@dataclass(frozen=True)
class Recipe:
    """What to do with each value and tile."""

    model: str
    strength: float
    offset: int
    """What the detector counts without any signal."""
    bits: int
    """Bits that the detector fills."""
    tile: int
    """Side of a tile, in pixels; larger where its margins ask for it."""
    request_id: str

    @property
    def largest(self) -> int:
        """The largest value there is."""
        return int(2**self.bits - 1)

    @property
    def scale(self) -> np.float32:
        """What full scale is, above the offset."""
        return np.float32(self.largest - self.offset)


class Pipeline:
    """Runs tiles in Triton, a bounded number at once."""

    def __init__(self, triton: Triton, threads: int) -> None:
        self._triton = triton
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tile")

    def bands(self, image: Image, page: int, recipe: Recipe, cancelled: threading.Event) -> Iterator[Rows]:
        """Give the denoised rows of a page, from the top.

        Raises:
            Problem: 503 when Triton is away for too long, 422 when the page cannot be decoded.
            CancelledError: `cancelled` was set.
        """
        run = _Run(self._triton, self._pool, image, recipe)
        source = Window(image.rows(page))
        pending: deque[tuple[Rows, list[Future[None]]]] = deque()
        try:
            for span in run.rows.spans:
                if cancelled.is_set():
                    raise CancelledError
                pending.append(run.start(span, source))
                if len(pending) == _BANDS_AHEAD:
                    yield _finished(*pending.popleft())
            while pending:
                yield _finished(*pending.popleft())
        finally:
            run.given_up.set()
            for _, futures in pending:
                for future in futures:
                    future.cancel()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)


def check_values(image: Image, bits: int) -> None:
    """Decode every page once, before any is denoised.

    Raises:
        Problem: 422 when a page cannot be decoded, or has values that `bits` cannot hold. They are not clipped: that
            would falsify a measurement, and the scale of the image would be wrong besides.
    """
    for page in range(image.pages):
        for block in image.rows(page):
            found = int(block.max())
            if found >= 2**bits:
                detail = f"Page {page + 1} has the value {found}; {bits} bits hold {2**bits - 1} at most."
                raise unusable_image(detail, f"Send using_bits as {_holding(found)}.", "using_bits")


def _holding(value: int) -> int:
    return next(bits for bits in (8, 12, 14, 16) if value < 2**bits)


def _finished(band: Rows, futures: list[Future[None]]) -> Rows:
    for future in futures:
        future.result()
    return band


class _Run:
    """One page."""

    def __init__(self, triton: Triton, pool: ThreadPoolExecutor, image: Image, recipe: Recipe) -> None:
        margin = strength.margin(recipe.strength, MODELS[recipe.model])
        tile = max(recipe.tile, 2 * margin + _LEAST_CORE)
        self.rows = Axis(image.height, tile, margin)
        self.columns = Axis(image.width, tile, margin)
        self.given_up = threading.Event()
        self._triton = triton
        self._pool = pool
        self._recipe = recipe

    def start(self, span: Span, source: Window) -> tuple[Rows, list[Future[None]]]:
        """Hand the tiles of a band to the pool; the band is whole when all of them are done."""
        wanted = self.rows.sources[span.start : span.start + span.length]
        first = int(wanted.min())
        noisy = source.take(first, int(wanted.max()) + 1)
        kept = self.rows.kept(span)
        band = np.empty((kept.stop - kept.start, self.columns.length), noisy.dtype)
        return band, [self._pool.submit(self._fill, band, noisy, first, span, across) for across in self.columns.spans]

    def _fill(self, band: Rows, noisy: Rows, first: int, down: Span, across: Span) -> None:
        recipe = self._recipe
        rows = self.rows.sources[down.start : down.start + down.length] - first
        columns = self.columns.sources[across.start : across.start + across.length]
        signal = (noisy[np.ix_(rows, columns)].astype(np.float32) - np.float32(recipe.offset)) / recipe.scale
        result = strength.denoise(signal, recipe.strength, self._model)
        core = result[self.rows.core(down), self.columns.core(across)]
        values = np.rint(core * recipe.scale + np.float32(recipe.offset))
        band[:, self.columns.kept(across)] = np.clip(values, 0, recipe.largest)

    def _model(self, tile: strength.Tile) -> strength.Tile:
        recipe = self._recipe
        clean = self._triton.infer(recipe.model, tile, recipe.request_id, self.given_up)
        TILES.labels(recipe.model).inc()
        return clean
