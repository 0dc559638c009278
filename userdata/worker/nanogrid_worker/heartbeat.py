"""Keeps a job this worker's while it runs: the message hidden and the lease renewed, together."""

import threading
import time
from collections.abc import Callable
from types import TracebackType

from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.jobs import JobsTable
from nanogrid_worker.log import logger
from nanogrid_worker.queue import Message, TaskQueue

log = logger(__name__)


class Heartbeat:
    """A context in which a claimed job stays ours, or `on_lost` is called once.

    The lease decides: the message's visibility only keeps other workers from asking in vain. A lease that could not be
    renewed for as long as it lasts counts as lost.
    """

    def __init__(
        self, queue: TaskQueue, jobs: JobsTable, message: Message, job_id: str, on_lost: Callable[[], None]
    ) -> None:
        self._queue = queue
        self._jobs = jobs
        self._message = message
        self._job_id = job_id
        self._on_lost = on_lost
        self._interval_s = queue.visibility_s / 3
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{job_id}", daemon=True)
        self._log = log.bind(job_id=job_id)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        renewed = time.monotonic()
        while not self._stop.wait(self._interval_s):
            try:
                if not self._jobs.renew(self._job_id):
                    self._log.warning("lease lost")
                    self._on_lost()
                    return
                renewed = time.monotonic()
            except (BotoCoreError, ClientError) as error:
                self._log.warning("lease not renewed", error=repr(error))
                if time.monotonic() - renewed > self._jobs.lease_s:
                    self._on_lost()
                    return
            try:
                self._queue.keep(self._message)
            except (BotoCoreError, ClientError) as error:
                self._log.warning("message not kept hidden", error=repr(error))
