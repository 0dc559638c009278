"""Keeps a job this worker's while it runs: the message hidden and the lease renewed, together."""

import json
import threading
import time
from collections.abc import Callable
from types import TracebackType

from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.jobs import JobsTable
from nanogrid_worker.log import logger
from nanogrid_worker.queue import Message, TaskQueue

# A table that does not answer is not asked without pause.
_SHORTEST_BEAT_S = 1.0
_RETRY_START_S = 1.0

log = logger(__name__)


class Pacemaker:
    """Starts the threads of heartbeats when their first beat is due: most jobs have ended by then, and cost none.

    Each that beats has a thread of its own, so that a call that hangs for one job leaves the others' leases alone.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[Heartbeat, float] = {}
        self._looks_at = float("inf")
        threading.Thread(target=self._serve, name="pacemaker", daemon=True).start()

    def expect(self, heartbeat: "Heartbeat", due_at: float) -> None:
        """Starts a heartbeat at a time by time.monotonic(), unless it is forgotten before."""
        with self._changed:
            self._due[heartbeat] = due_at
            if due_at < self._looks_at:
                self._changed.notify()

    def forget(self, heartbeat: "Heartbeat") -> None:
        """Leaves a heartbeat alone: it has been started, or never will be."""
        with self._changed:
            self._due.pop(heartbeat, None)

    def _serve(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for heartbeat in [heartbeat for heartbeat, due_at in self._due.items() if due_at <= now]:
                    self._start(heartbeat)
                self._looks_at = min(self._due.values(), default=float("inf"))
                self._changed.wait(None if self._looks_at == float("inf") else self._looks_at - now)

    def _start(self, heartbeat: "Heartbeat") -> None:
        try:
            heartbeat.start()
        except RuntimeError as error:
            log.warning("heartbeat not started, trying again", error=repr(error))
            self._due[heartbeat] = time.monotonic() + _RETRY_START_S
        else:
            del self._due[heartbeat]


class Heartbeat:
    """A context in which a claimed job stays ours, or `on_lost` is called once.

    The lease decides: the message's visibility only keeps other workers from asking in vain. A lease that could not be
    renewed for as long as it lasts counts as lost.

    SQS lets go of a receipt after 12 hours. Before that the message moves into the jobs table and is deleted, and the
    lease alone says whose the job is.

    Args:
        pacemaker: starts it when its first beat is due.
        queue, jobs: where the message and the lease are.
        message: the job's message.
        job_id: the job.
        hand_over_after_s: age of the message at which it moves.
        on_lost: called from another thread when the job is not ours any more.
    """

    def __init__(
        self,
        pacemaker: Pacemaker,
        queue: TaskQueue,
        jobs: JobsTable,
        message: Message,
        job_id: str,
        hand_over_after_s: float,
        on_lost: Callable[[], None],
    ) -> None:
        self._pacemaker = pacemaker
        self._queue = queue
        self._jobs = jobs
        self._message = message
        self._job_id = job_id
        self._hand_over_at = message.received_at + hand_over_after_s
        self._on_lost = on_lost
        self._interval_s = queue.visibility_s / 3
        self._renewed_at = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = log.bind(job_id=job_id)
        self.is_handed_over = False
        """Whether the message has moved into the table. Settled when the context has ended."""

    def start(self) -> None:
        """Begins to beat, at once."""
        thread = threading.Thread(target=self._beat, name=f"heartbeat-{self._job_id}", daemon=True)
        thread.start()
        self._thread = thread

    def __enter__(self) -> "Heartbeat":
        self._renewed_at = time.monotonic()
        self._pacemaker.expect(self, self._renewed_at + self._next_beat_s())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pacemaker.forget(self)
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self) -> None:
        while not self._stop.is_set():
            try:
                if not self._renew():
                    self._log.warning("lease lost")
                    self._on_lost()
                    return
                self._renewed_at = time.monotonic()
            except (BotoCoreError, ClientError) as error:
                self._log.warning("lease not renewed", error=repr(error))
                if time.monotonic() - self._renewed_at > self._jobs.lease_s:
                    self._on_lost()
                    return
            self._see_to_message()
            self._stop.wait(self._next_beat_s())

    def _next_beat_s(self) -> float:
        if self.is_handed_over:
            return self._interval_s
        return min(self._interval_s, max(_SHORTEST_BEAT_S, self._hand_over_at - time.monotonic()))

    def _renew(self) -> bool:
        if self.is_handed_over or time.monotonic() < self._hand_over_at:
            return self._jobs.renew(self._job_id, self.is_handed_over)
        # The copy in the bucket is there for good; the table takes no second one.
        body = json.dumps({**json.loads(self._message.body), "code": None}, ensure_ascii=False, separators=(",", ":"))
        self.is_handed_over = self._jobs.hand_over(self._job_id, body)
        if self.is_handed_over:
            self._log.info("job handed over to its lease")
            self._delete()
        return self.is_handed_over

    def _see_to_message(self) -> None:
        if self.is_handed_over:
            return
        try:
            self._queue.keep(self._message)
        except (BotoCoreError, ClientError) as error:
            self._log.warning("message not kept hidden", error=repr(error))

    def _delete(self) -> None:
        try:
            self._queue.delete(self._message)
        except (BotoCoreError, ClientError) as error:
            # It comes again, finds the lease, and waits.
            self._log.warning("message not deleted", error=repr(error))
