"""Whether and why the worker leaves, and how long its jobs may take to end."""

import threading
import time
from datetime import datetime, timedelta

from nanogrid_worker.log import logger
from nanogrid_worker.notices import Notice
from nanogrid_worker.times import now

# What is left of a spot instance's two minutes when jobs are given back: the stop of a sandbox and a few calls.
_BEFORE_SPOT = timedelta(seconds=20)

log = logger(__name__)


class Leaving:
    """The end of a worker, told by a signal, by its group's hook or by the spot market, in any order.

    Args:
        terminate_s: how long jobs may go on after SIGTERM.
        hook_s: how long after the group's hook.
    """

    def __init__(self, terminate_s: float, hook_s: float) -> None:
        self._terminate_s = terminate_s
        self._hook_s = hook_s
        self._lock = threading.Lock()
        self._until = float("inf")
        self.begins = threading.Event()
        """Set as soon as no further job may be taken."""
        self.ends = threading.Event()
        """Set when the process has to end. After a notice alone it stays: its unit would start it again."""

    def terminate(self) -> None:
        """Notes SIGTERM or SIGINT."""
        self.ends.set()
        self.begins.set()

    def notice(self, notice: Notice) -> None:
        """Notes a notice."""
        if notice.kind == "hook":
            self._shorten(self._hook_s)
        else:
            self._shorten(_seconds_until(notice.at))
        log.info("the machine has to go", notice=notice.kind, at=str(notice.at) if notice.at else None)
        self.begins.set()

    def wait_for_end_of(self, thread: threading.Thread) -> bool:
        """Waits for a thread while there is time; False when there is none left."""
        while thread.is_alive():
            if self.ends.is_set():
                self._terminated()
            left_s = self._until - time.monotonic()
            if left_s <= 0:
                return False
            # In short steps: the time that is left may get shorter.
            thread.join(min(0.5, left_s))
        return True

    def _terminated(self) -> None:
        with self._lock:
            terminate_s, self._terminate_s = self._terminate_s, float("inf")
        self._shorten(terminate_s)

    def _shorten(self, seconds: float) -> None:
        with self._lock:
            self._until = min(self._until, time.monotonic() + seconds)


def _seconds_until(at: datetime | None) -> float:
    return (at - now() - _BEFORE_SPOT).total_seconds() if at else 0.0
