"""Dynamic batching: texts of several requests run together, and each request gets its own vectors back."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from product_inference.log import logger
from product_inference.metrics import (
    BATCH_ITEMS,
    FAILED_ITEMS,
    INFERENCE_SECONDS,
    QUEUE_ITEMS,
    QUEUE_WAIT_SECONDS,
    TOKENS,
)
from product_inference.model import Tokens, Vectors

log = logger(__name__)

FULL = 8
"""Texts that keep a processor or a GPU busy together: fewer are not cut for the sake of padding."""
SPREAD = 1.3
"""How much longer than its shortest text the longest of a full run may be."""

Run = Callable[[Sequence[Tokens]], Vectors]


class QueueFull(Exception):
    """There is no place for so many texts."""


class Closed(Exception):
    """The batcher takes no more texts."""


class ItemsFailed(Exception):
    """The model failed on some texts of a request.

    Attributes:
        indices: of the texts, in the order of the request.
    """

    def __init__(self, indices: tuple[int, ...]) -> None:
        super().__init__(f"the model failed on {len(indices)} texts")
        self.indices = indices


@dataclass(eq=False)
class _Job:
    """A request's texts, on their way."""

    vectors: Vectors
    left: int
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Vectors]"
    failed: list[int] = field(default_factory=list)

    def finish(self) -> None:
        """Answer. Runs in the event loop."""
        if self.answer.done():
            return
        if self.failed:
            self.answer.set_exception(ItemsFailed(tuple(sorted(self.failed))))
        else:
            self.answer.set_result(self.vectors)


@dataclass(eq=False, slots=True)
class _Item:
    job: _Job
    index: int
    tokens: Tokens
    since: float


class Batcher:
    """Runs what waits, as much of it together as the limits allow, in a thread of its own."""

    def __init__(
        self, run: Run, dimensions: int, *, max_batch: int, batch_tokens: int, max_wait_s: float, queue: int
    ) -> None:
        """Start.

        Args:
            run: the model.
            dimensions: of a vector.
            max_batch: texts of one run.
            batch_tokens: tokens of one run, padding included; one text runs however long it is.
            max_wait_s: how long the first text waits for others to come.
            queue: texts that may wait.
        """
        self._run = run
        self._dimensions = dimensions
        self._max_batch = max_batch
        self._batch_tokens = batch_tokens
        self._max_wait_s = max_wait_s
        self._queue = queue
        self._waiting: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether texts are worked on."""
        return self._thread.is_alive()

    async def submit(self, batch: Sequence[Tokens]) -> Vectors:
        """Wait for the vectors of a request's texts. When it is cancelled, texts that have not run yet do not run.

        Args:
            batch: the texts' tokens, at least one text.

        Raises:
            QueueFull: nothing of it was taken.
            Closed: the service is ending.
            ItemsFailed: the model failed on some of them.
        """
        loop = asyncio.get_running_loop()
        vectors = np.empty((len(batch), self._dimensions), np.float32)
        job = _Job(vectors, len(batch), loop, loop.create_future())
        now = time.monotonic()
        items = [_Item(job, index, tokens, now) for index, tokens in enumerate(batch)]
        with self._changed:
            if self._closing:
                raise Closed
            if len(self._waiting) + len(items) > self._queue:
                raise QueueFull
            self._waiting.extend(items)
            QUEUE_ITEMS.set(len(self._waiting))
            self._changed.notify()
        try:
            return await job.answer
        except asyncio.CancelledError:
            self._forget(job)
            raise

    def _forget(self, job: _Job) -> None:
        """Take out of the queue what nobody waits for any more."""
        with self._changed:
            self._waiting = deque(item for item in self._waiting if item.job is not job)
            QUEUE_ITEMS.set(len(self._waiting))

    def close(self) -> None:
        """Let what waits run, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next():
            # Neighbours of about the same length need little padding.
            batch.sort(key=lambda item: len(item.tokens))
            for part in self._parts(batch):
                self._run_part(part)

    def _next(self) -> list[_Item]:
        """Return what runs next; nothing once all is done and the batcher is closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return []
                while (rest := self._rest()) > 0:
                    self._changed.wait(rest)
                batch: list[_Item] = []
                while self._waiting and len(batch) < self._max_batch:
                    batch.append(self._waiting.popleft())
                QUEUE_ITEMS.set(len(self._waiting))
                if batch:
                    return batch

    def _rest(self) -> float:
        """Return how long the first text still waits for others, in seconds."""
        if self._closing or not self._waiting or len(self._waiting) >= self._max_batch:
            return 0
        return self._waiting[0].since + self._max_wait_s - time.monotonic()

    def _parts(self, batch: Sequence[_Item]) -> list[list[_Item]]:
        """Cut a batch, sorted by length, where much would be padding, or over the limit of tokens."""
        parts: list[list[_Item]] = [[]]
        for item in batch:
            part, length = parts[-1], len(item.tokens)
            is_over = part and (len(part) + 1) * length > self._batch_tokens
            is_padded = len(part) >= FULL and length > SPREAD * len(part[0].tokens)
            if is_over or is_padded:
                parts.append([])
            parts[-1].append(item)
        return parts

    def _run_part(self, part: Sequence[_Item]) -> None:
        """Run texts together; where that fails, in halves, so that a text fails alone."""
        begun = time.monotonic()
        try:
            vectors = self._run([item.tokens for item in part])
            sound = np.asarray(np.isfinite(vectors).all(axis=1), np.bool_)
        except Exception as error:
            # What fails here must not end the thread.
            log.warning("a run of the model failed", items=len(part), exc_info=error)
            if len(part) > 1:
                middle = len(part) // 2
                self._run_part(part[:middle])
                self._run_part(part[middle:])
                return
            vectors, sound = np.zeros((1, self._dimensions), np.float32), np.zeros(1, np.bool_)
        took = time.monotonic() - begun
        self._count(part, begun, took)
        for item, vector, is_sound in zip(part, vectors, sound, strict=True):
            if is_sound:
                item.job.vectors[item.index] = vector
            else:
                FAILED_ITEMS.inc()
                item.job.failed.append(item.index)
            item.job.left -= 1
            if item.job.left == 0:
                item.job.loop.call_soon_threadsafe(item.job.finish)

    @staticmethod
    def _count(part: Sequence[_Item], begun: float, took: float) -> None:
        BATCH_ITEMS.observe(len(part))
        INFERENCE_SECONDS.observe(took)
        for item in part:
            QUEUE_WAIT_SECONDS.observe(begun - item.since)
        read = sum(len(item.tokens) for item in part)
        TOKENS.labels("text").inc(read)
        TOKENS.labels("padding").inc(len(part) * max(len(item.tokens) for item in part) - read)
