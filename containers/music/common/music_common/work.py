"""The line for work: one at a time has the model, some wait, the rest is turned away."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from music_common.problems import Problem, unavailable

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
_RETRY_AFTER_S = 10


class Line:
    """Requests that want the model.

    Args:
        registry: gets the metrics.
        places: requests that may wait.
        stuck_after_s: work that takes longer counts as stuck, and the process as dead.
    """

    def __init__(self, registry: CollectorRegistry, places: int, stuck_after_s: float) -> None:
        self._places = places
        self._stuck_after_s = stuck_after_s
        self._model = threading.Lock()
        self._state = threading.Lock()
        self._waiting = 0
        self._since: float | None = None
        self._depth = Gauge("music_stage_waiting", "Requests that wait for the model.", registry=registry)
        self._busy = Gauge("music_stage_busy", "1 while the model works.", registry=registry)
        self._work = Counter(
            "music_stage_work_total",
            "Pieces of work by what became of them: done, found (it had been done before), failed, refused.",
            ["step", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "music_stage_seconds", "Seconds with the model.", ["step"], buckets=_SECONDS, registry=registry
        )

    def found(self, step: str) -> None:
        """Count work that had been done before."""
        self._work.labels(step, "found").inc()

    @contextmanager
    def turn(self, step: str) -> Iterator[None]:
        """Wait for the model, and have it.

        Raises:
            Problem: 503 where too many wait.
        """
        with self._state:
            if self._waiting > self._places:
                self._work.labels(step, "refused").inc()
                raise unavailable(f"{self._places} requests wait already.", _RETRY_AFTER_S)
            self._waiting += 1
            self._depth.set(max(0, self._waiting - 1))
        try:
            with self._model, self._at_work(step):
                yield
        finally:
            with self._state:
                self._waiting -= 1
                self._depth.set(max(0, self._waiting - 1))

    @contextmanager
    def _at_work(self, step: str) -> Iterator[None]:
        self._since = time.monotonic()
        self._busy.set(1)
        try:
            yield
        except Problem:
            self._work.labels(step, "refused").inc()
            raise
        except BaseException:
            self._work.labels(step, "failed").inc()
            raise
        else:
            self._work.labels(step, "done").inc()
            self._seconds.labels(step).observe(time.monotonic() - self._since)
        finally:
            self._since = None
            self._busy.set(0)

    def stuck_s(self) -> float | None:
        """Return for how long the work has been stuck; None where it is not."""
        since = self._since
        if since is None:
            return None
        took = time.monotonic() - since
        return took if took > self._stuck_after_s else None
