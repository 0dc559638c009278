"""Where requests are taken: a bounded number is worked on, a bounded number waits, and each has a record."""

import secrets
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import structlog

from denoise_service.inference import Inference
from denoise_service.log import logger
from denoise_service.metrics import REFUSED, REQUESTS, RUNNING, WAITING
from denoise_service.order import Order
from denoise_service.problems import Problem, internal, unavailable
from denoise_service.records import Records, failed

log = logger(__name__)
_LAST_MOMENTS_S = 5.0


class Job:
    """A request that this task has."""

    def __init__(self, order: Order) -> None:
        self.id = secrets.token_hex(16)
        self.order = order
        self.problem: Problem | None = None
        self.document: dict[str, Any] = {
            "id": self.id,
            "status": "running",
            "file": order.file,
            "output": order.target,
            "model": order.model,
            "strength": order.strength,
        }
        self.done = threading.Event()
        """Set when the document is final and its record written."""
        self.cancelled = threading.Event()
        self.announced = False
        """Whether the client was given the id to poll, so that the record has to be kept alive."""
        self.lock = threading.Lock()
        """Held while the record is written: none may follow the final one."""


class Desk:
    """Takes requests, has them worked on, and answers what became of them."""

    def __init__(
        self, inference: Inference, records: Records, concurrency: int, queue: int, heartbeat_s: float
    ) -> None:
        self._inference = inference
        self._records = records
        self._places = threading.Semaphore(concurrency + queue)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="image")
        self._jobs: dict[str, Job] = {}
        self._closing = threading.Event()
        self._heartbeat_s = heartbeat_s
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    @property
    def closing(self) -> bool:
        """Whether no more requests are taken."""
        return self._closing.is_set()

    def take(self, order: Order) -> Job:
        """Take a request.

        Raises:
            Problem: 503 when the queue is full, or the task is leaving.
        """
        if self.closing:
            raise unavailable("This task is leaving.", after_s=1)
        if not self._places.acquire(blocking=False):
            REFUSED.inc()
            raise unavailable("The queue is full.", "Send the request again after Retry-After seconds.", after_s=10)
        job = Job(order)
        self._jobs[job.id] = job
        WAITING.inc()
        self._pool.submit(self._work, job)
        return job

    def announce(self, job: Job) -> None:
        """Let other tasks know of a request that goes on after its answer."""
        with job.lock:
            job.announced = True
            if not job.done.is_set():
                self._record(job)

    def find(self, request_id: str) -> dict[str, Any] | None:
        """Return the document of a request of any task; None where nobody knows it.

        Raises:
            Problem: 503 when S3 does not answer.
        """
        job = self._jobs.get(request_id)
        return job.document if job else self._records.read(request_id)

    def close(self, drain_s: float) -> None:
        """Take no more requests, let the others go on for `drain_s`, and then end them as failed."""
        self._closing.set()
        deadline = time.monotonic() + drain_s
        jobs = list(self._jobs.values())
        log.info("leaving", requests=len(jobs), drain_s=drain_s)
        for job in jobs:
            job.done.wait(max(0, deadline - time.monotonic()))
            job.cancelled.set()
        last = time.monotonic() + _LAST_MOMENTS_S
        for job in jobs:
            if not job.done.wait(max(0, last - time.monotonic())):
                self._finish(job, failed(job.document, _left()))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, job: Job) -> None:
        WAITING.dec()
        with structlog.contextvars.bound_contextvars(request_id=job.id), RUNNING.track_inprogress():
            start = time.monotonic()
            try:
                log.info(
                    "started", **{key: value for key, value in job.document.items() if key not in ("id", "status")}
                )
                if job.cancelled.is_set():
                    raise CancelledError
                done = self._inference.run(job.order, job.id, job.cancelled)
                document = {**job.document, "status": "succeeded", **done}
            except CancelledError:
                document = self._fail(job, _left())
            except Problem as problem:
                document = self._fail(job, problem)
            except Exception:
                log.exception("failed unexpectedly")
                document = self._fail(job, internal())
            self._finish(job, document)
            self._places.release()
            log.info(
                "finished",
                status=document["status"],
                seconds=round(time.monotonic() - start, 3),
                steps=document.get("steps"),
                problem=job.problem.detail if job.problem else None,
            )

    def _fail(self, job: Job, problem: Problem) -> dict[str, Any]:
        job.problem = problem
        return failed(job.document, problem)

    def _finish(self, job: Job, document: dict[str, Any]) -> None:
        with job.lock:
            if job.done.is_set():
                return
            job.document = document
            written = self._record(job)
            job.done.set()
        REQUESTS.labels(job.order.model, document["status"]).inc()
        if written:
            # One whose record could not be written is remembered for as long as the task lives.
            del self._jobs[job.id]

    def _record(self, job: Job) -> bool:
        try:
            self._records.write(job.document)
        except Problem as problem:
            log.error("the record cannot be written", id=job.id, error=problem.detail)
            return False
        return True

    def _beat(self) -> None:
        """Keep records of running requests alive, until the process ends."""
        while True:
            time.sleep(self._heartbeat_s)
            for job in list(self._jobs.values()):
                with job.lock:
                    if job.announced and not job.done.is_set():
                        self._record(job)


def _left() -> Problem:
    return Problem(
        503,
        "interrupted",
        "The request was interrupted",
        "The task that worked on it had to leave before it was done.",
        "Send the request again.",
        retry_after_s=1,
    )
