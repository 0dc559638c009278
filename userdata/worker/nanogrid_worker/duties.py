"""Duties: what a final job owes is delivered, and jobs whose worker has died without a message are queued again.

The worker that ends a job delivers at once, in the background. Every worker looks through the index of duties from time
to time, for what others could not do.
"""

import queue
import random
import threading
import time
from datetime import datetime

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.archive import Archive
from nanogrid_worker.callbacks import Callbacks
from nanogrid_worker.duty_index import DutyIndex, Owing
from nanogrid_worker.log import logger
from nanogrid_worker.queue import TaskQueue
from nanogrid_worker.results import encode
from nanogrid_worker.times import epoch_s, now

CALLBACK_ATTEMPTS = 8
_FIRST_WAIT_S = 60
_LONGEST_WAIT_S = 3600
_WAITING = 200
_THREADS = 4
# How long a taken duty is this worker's: longer than a callback and an upload together may take.
_DELIVERING_S = 120
_SENDING_S = 60

log = logger(__name__)


class Duties:
    """The line of what this worker delivers, and the look for what others left.

    Args:
        index: where duties are.
        task_queue: where messages are sent again.
        archive: where copies go; None leaves them owed.
        callbacks: posts results.
        sweep_s: time between two looks.
    """

    def __init__(
        self, index: DutyIndex, task_queue: TaskQueue, archive: Archive | None, callbacks: Callbacks, sweep_s: float
    ) -> None:
        self._index = index
        self._task_queue = task_queue
        self._archive = archive
        self._callbacks = callbacks
        self._sweep_s = sweep_s
        self._line: queue.Queue[str | None] = queue.Queue(maxsize=_WAITING)
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._stop = threading.Event()
        self._deliverers = [
            threading.Thread(target=self._deliver_all, name=f"deliverer-{number}", daemon=True)
            for number in range(_THREADS)
        ]
        self._sweeper = threading.Thread(target=self._sweep_all, name="sweeper", daemon=True)
        for thread in (*self._deliverers, self._sweeper):
            thread.start()

    def deliver_soon(self, job_id: str) -> bool:
        """Puts a final job in the line; False if it is full, and then a sweep will find the job."""
        with self._lock:
            if job_id in self._known:
                return True
            try:
                self._line.put_nowait(job_id)
            except queue.Full:
                return False
            self._known.add(job_id)
            return True

    def send_again(self, job_id: str) -> None:
        """Sends the message of a job whose lease has ended, if it is still there to be sent."""
        found = self._index.unsent(job_id)
        if found is None:
            return
        duty, unsent = found
        taken = self._index.take(duty, _SENDING_S) if duty.due_at <= epoch_s(now()) else None
        if taken is None:
            return
        if unsent is not None:
            self._task_queue.send_again(unsent.message, unsent.tenant)
            log.info("job queued again", job_id=job_id)
        self._index.done(taken)

    def close(self, timeout_s: float) -> None:
        """Delivers what waits, for so long at most."""
        self._stop.set()
        deadline = time.monotonic() + timeout_s
        for _ in self._deliverers:
            try:
                self._line.put(None, timeout=max(0.0, deadline - time.monotonic()))
            except queue.Full:
                break
        for thread in self._deliverers:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._callbacks.close()

    def _sweep_all(self) -> None:
        while not self._stop.wait(self._sweep_s * random.uniform(0.7, 1.3)):  # noqa: S311 (jitter)
            try:
                self._sweep()
            except (BotoCoreError, ClientError) as error:
                log.warning("duties not looked through", error=repr(error))

    def _sweep(self) -> None:
        for duty in self._index.due("LEASE"):
            self.send_again(duty.job_id)
        for duty in self._index.due("DELIVER"):
            if self._stop.is_set() or not self.deliver_soon(duty.job_id):
                return

    def _deliver_all(self) -> None:
        while (job_id := self._line.get()) is not None:
            with structlog.contextvars.bound_contextvars(job_id=job_id):
                try:
                    self._deliver(job_id)
                except (BotoCoreError, ClientError) as error:
                    log.warning("not delivered, job stays owed", error=repr(error))
                except Exception:
                    # One job that cannot be delivered must not take the others' thread.
                    log.exception("not delivered, job stays owed")
            with self._lock:
                self._known.discard(job_id)

    def _deliver(self, job_id: str) -> None:
        found = self._index.owing(job_id)
        if found is None:
            return
        duty, owing = found
        taken = self._index.take(duty, _DELIVERING_S)
        if taken is None:
            return
        callback_status, attempts = self._call_back(owing)
        left = owing.owes
        if callback_status in ("DELIVERED", "FAILED"):
            left -= {"CALLBACK"}
        if "ARCHIVE" in owing.owes and self._archive is not None and self._archive.store(owing):
            left -= {"ARCHIVE"}
        self._index.settle(taken, left, _next_at(owing, left, attempts), callback_status, attempts)

    def _call_back(self, owing: Owing) -> tuple[str | None, int]:
        if "CALLBACK" not in owing.owes:
            return None, owing.attempts
        attempts = owing.attempts + 1
        if self._callbacks.post(owing.callback_url, owing.job_id, encode(owing.result)):
            return "DELIVERED", attempts
        return "FAILED" if attempts >= CALLBACK_ATTEMPTS else "PENDING", attempts


def _next_at(owing: Owing, left: frozenset[str], attempts: int) -> int:
    """When what is left is tried again: after a minute, then two, four, up to an hour."""
    if "CALLBACK" in left:
        wait_s = _FIRST_WAIT_S << (attempts - 1)
    else:
        wait_s = epoch_s(now()) - epoch_s(datetime.fromisoformat(owing.finished_at))
    return epoch_s(now()) + min(_LONGEST_WAIT_S, max(_FIRST_WAIT_S, wait_s))
