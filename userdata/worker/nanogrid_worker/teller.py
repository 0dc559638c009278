"""A line of what Redis has to be told, in order, so that no run waits for Redis."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable

import redis
from redis.exceptions import RedisError

from nanogrid_worker.log import logger

_WAITING = 200
# While Redis is away, it is asked once in so long; what can be missed is.
_AWAY_S = 2.0
_CLOSING_S = 5.0

Telling = Callable[[redis.Redis], None]

log = logger(__name__)


class Teller:
    """Tells Redis from a thread of its own, or from the caller's when there is no time to lose.

    Tellings that are due are told in the order in which they came. When Redis does not answer, the one that was on its
    way is lost, and logged; the others wait.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._lock = threading.Condition()
        self._telling = threading.Lock()
        self._line: list[tuple[float, int, Telling]] = []
        self._numbers = itertools.count()
        self._away_until = 0.0
        self._is_failing = False
        self._is_closing = False
        self._thread = threading.Thread(target=self._serve, name="teller", daemon=True)
        self._thread.start()

    @property
    def is_failing(self) -> bool:
        """Whether Redis did not answer the last time."""
        return self._is_failing

    def soon(self, telling: Telling, after_s: float = 0.0) -> None:
        """Has something told in the background."""
        with self._lock:
            self._stand_in_line(telling, after_s)
            self._lock.notify()

    def now(self, telling: Telling) -> None:
        """Tells what is due and then this, on the caller's thread: it waits for no other thread to wake up.

        While Redis fails, only the thread of its own waits for it.
        """
        with self._lock:
            self._stand_in_line(telling, 0.0)
        if not self._is_failing:
            self._tell_due()
        with self._lock:
            if self._line:
                self._lock.notify()

    def close(self) -> None:
        """Tells what waits, for a few seconds at most, and closes the connections."""
        with self._lock:
            self._is_closing = True
            self._lock.notify()
        self._thread.join(_CLOSING_S)
        self._client.close()

    def _stand_in_line(self, telling: Telling, after_s: float) -> None:
        if len(self._line) >= _WAITING:
            log.warning("Redis is behind, not told")
            return
        heapq.heappush(self._line, (time.monotonic() + after_s, next(self._numbers), telling))

    def _serve(self) -> None:
        while self._wait():
            self._tell_due()

    def _wait(self) -> bool:
        """Waits until something is due; False at the end."""
        with self._lock:
            while True:
                if self._is_closing:
                    return bool(self._line) and not self._is_failing
                due_at = self._line[0][0] if self._line else float("inf")
                wait_s = max(due_at, self._away_until) - time.monotonic()
                if wait_s <= 0:
                    return True
                self._lock.wait(None if wait_s == float("inf") else wait_s)

    def _tell_due(self) -> None:
        # Whoever holds this tells; another one waits for it, so that two never overtake each other.
        with self._telling:
            while time.monotonic() >= self._away_until and (telling := self._next()) is not None:
                try:
                    telling(self._client)
                    self._is_failing = False
                except RedisError as error:
                    self._is_failing = True
                    self._away_until = time.monotonic() + _AWAY_S
                    log.warning("Redis was not told", error=repr(error))

    def _next(self) -> Telling | None:
        with self._lock:
            is_due = bool(self._line) and (self._is_closing or self._line[0][0] <= time.monotonic())
            return heapq.heappop(self._line)[2] if is_due else None
