"""One message, from its arrival to its end: claim, fetch, run, store, tell, delete."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker import outputs
from nanogrid_worker.aws import Aws
from nanogrid_worker.code import CodeStore
from nanogrid_worker.dependencies import Dependencies
from nanogrid_worker.duties import Duties
from nanogrid_worker.errors import Aborted, InfrastructureError, MalformedMessage, RunRefused, is_missing
from nanogrid_worker.heartbeat import Heartbeat, Pacemaker
from nanogrid_worker.jobs import AlreadyFinal, Claimed, HeldElsewhere, JobsTable
from nanogrid_worker.live_log import LiveLog
from nanogrid_worker.log import logger
from nanogrid_worker.messages import Job, parse_job
from nanogrid_worker.queue import Message, TaskQueue
from nanogrid_worker.results import Document, Outcome, document
from nanogrid_worker.retry import retrying
from nanogrid_worker.sandbox.pool import Pool, Version
from nanogrid_worker.sandbox.sandbox import LogTail
from nanogrid_worker.secrets import SecretStore
from nanogrid_worker.status import StatusBoard
from nanogrid_worker.teller import Teller
from nanogrid_worker.times import now

# The client has tried several times itself when one of these fails. The lease holds in the meantime.
_FINISH_ATTEMPTS = 5
_FINISH_WAIT_S = 5.0

log = logger(__name__)


@dataclass(frozen=True)
class Scope:
    """What this worker does, and for whom.

    Attributes:
        worker_id: the worker, in leases and results.
        runtimes: runtimes that it has an image for.
        has_egress: whether functions may have a network.
        has_archive: whether what succeeds is archived.
        user_data_bucket: where output files go.
        hand_over_after_s: age of a message at which it moves into the jobs table.
    """

    worker_id: str
    runtimes: frozenset[str]
    has_egress: bool
    has_archive: bool
    user_data_bucket: str
    hand_over_after_s: float


class Stoppable(Protocol):
    """What runs for a job and can be stopped from another thread."""

    def abort(self) -> None:
        """Stops it."""


class Busyness(Protocol):
    """Who wants to know when jobs run: see group.Group."""

    def job_started(self) -> None:
        """A job begins."""

    def job_ended(self) -> None:
        """A job has ended."""


class Executor:
    """Runs messages. One instance serves all threads of a worker."""

    def __init__(
        self,
        *,
        aws: Aws,
        queue: TaskQueue,
        jobs: JobsTable,
        board: StatusBoard,
        teller: Teller,
        code: CodeStore,
        dependencies: Dependencies,
        secrets: SecretStore,
        pool: Pool,
        duties: Duties,
        group: Busyness | None,
        scope: Scope,
    ) -> None:
        self._aws = aws
        self._queue = queue
        self._jobs = jobs
        self._board = board
        self._teller = teller
        self._code = code
        self._dependencies = dependencies
        self._secrets = secrets
        self._pool = pool
        self._duties = duties
        self._group = group
        self._scope = scope
        self._pacemaker = Pacemaker()
        self._lock = threading.Lock()
        self._running: dict[str, Abort] = {}
        self._is_leaving = False

    def execute(self, message: Message) -> None:
        """Does all that a message asks for. Never raises: what fails is logged, and the message comes again."""
        with structlog.contextvars.bound_contextvars(message_id=message.id, receives=message.receives):
            try:
                job = parse_job(message.body)
                with structlog.contextvars.bound_contextvars(job_id=job.job_id):
                    self._execute(message, job)
            except MalformedMessage as error:
                # Left to the redrive policy, which puts it where somebody looks.
                log.error("message is not a job", error=str(error))
                self._retry_later(message)
            except Exception:
                log.exception("message failed")
                self._retry_later(message)

    def busy(self) -> int:
        """Jobs that run now."""
        with self._lock:
            return len(self._running)

    def cancel(self, job_id: str) -> None:
        """Stops a job, if it runs here."""
        with self._lock:
            abort = self._running.get(job_id)
        if abort is not None:
            log.info("job is cancelled", job_id=job_id)
            abort.set()

    def abort_all(self) -> None:
        """Stops what runs and what is about to; each job is given back."""
        with self._lock:
            self._is_leaving = True
            aborts = list(self._running.values())
        for abort in aborts:
            abort.set()

    def _execute(self, message: Message, job: Job) -> None:
        with self._registered(job) as abort:
            if abort is None:
                log.info("job runs here already")
                self._queue.keep(message)
                return
            match self._jobs.claim(job.job_id):
                case AlreadyFinal(status):
                    log.info("job is final already", status=status)
                    self._queue.delete(message)
                case HeldElsewhere(owner, remaining_s):
                    log.info("job is held elsewhere", owner=owner, remaining_s=remaining_s)
                    self._queue.look_again(message, remaining_s)
                case Claimed() as claimed:
                    self._claimed(message, job, claimed, abort)

    def _claimed(self, message: Message, job: Job, claimed: Claimed, abort: "Abort") -> None:
        log.info("job started", function_id=job.function_id, version=job.function_version, attempt=claimed.attempt)
        self._board.status(job.job_id, "PROCESSING")
        heartbeat = Heartbeat(
            self._pacemaker,
            self._queue,
            self._jobs,
            message,
            job.job_id,
            self._scope.hand_over_after_s,
            on_lost=abort.set,
        )
        try:
            # What was leased for the run is given back when everybody has been told.
            with heartbeat, contextlib.ExitStack() as leased:
                result = self._result(job, claimed, abort, leased)
                owes = self._owes(job, result)
                is_written = self._finish(job, result, owes)
                if is_written:
                    self._board.result(result)
                handled_ms = (time.monotonic() - message.received_at) * 1000
        except Aborted:
            self._give_back(message, job, claimed, heartbeat)
            return
        except Exception as error:
            self._failed(job, claimed, heartbeat, error)
            if not heartbeat.is_handed_over:
                raise
            log.exception("job failed")
            return
        if not is_written:
            self._lost(message, job, heartbeat)
            return
        if not heartbeat.is_handed_over:
            self._queue.delete(message)
        if owes:
            self._duties.deliver_soon(job.job_id)
        log.info(
            "job ended",
            status=result["status"],
            reason=result["exit_reason"]["code"],
            start=result["start"],
            duration_ms=result["duration_ms"],
            handled_ms=round(handled_ms, 3),
        )

    def _result(self, job: Job, claimed: Claimed, abort: "Abort", leased: contextlib.ExitStack) -> Document:
        printed = _Printed(LiveLog(self._teller, job.job_id, claimed.attempt))
        try:
            outcome = self._outcome(job, claimed, abort, printed, leased)
        except RunRefused as refused:
            error = {"type": refused.kind, "message": str(refused), "traceback": ""} if refused.kind else None
            outcome = printed.tail.added_to(Outcome(refused.code, str(refused), error=error), elapsed_ms=0)
        finally:
            printed.live_log.close()
        return document(job, outcome, self._scope.worker_id, claimed.started_at, now(), claimed.attempt)

    def _outcome(
        self, job: Job, claimed: Claimed, abort: "Abort", printed: "_Printed", leased: contextlib.ExitStack
    ) -> Outcome:
        if job.deadline is not None and claimed.started_at > job.deadline:
            raise RunRefused("timeout", "The job could not be started before its deadline.")
        if job.runtime not in self._scope.runtimes:
            raise RunRefused("infrastructure", f"This worker has no runtime for {job.runtime}.")
        if job.egress and not self._scope.has_egress:
            raise RunRefused("infrastructure", "This worker gives functions no network.")
        try:
            with self._code.unpacked(job) as code:
                if job.kind == "build":
                    return self._dependencies.build(job, code, printed.write, abort.stops)
                with self._dependencies.ready(job, code, printed.write, abort.stops) as dependencies:
                    version = Version(
                        tenant=job.tenant,
                        function_id=job.function_id,
                        function_version=job.function_version,
                        runtime=job.runtime,
                        memory_mb=job.memory_mb,
                        egress=job.egress,
                        code=code,
                        dependencies=dependencies,
                    )
                    return self._run(job, version, abort, printed.live_log, leased)
        except InfrastructureError as error:
            if not is_missing(error):
                raise
            message = "The function's code or the job's input is not there any more: its function was deleted."
            raise RunRefused("exception", message, "FunctionDeleted") from error

    def _payload(self, job: Job) -> dict[str, Any]:
        trace = {"TRACEPARENT": job.traceparent} if job.traceparent else {}
        return {
            "job_id": job.job_id,
            "handler": job.handler,
            "input": self._input(job),
            "environment": {**job.environment, **self._secrets.environment(job), **trace},
        }

    def _run(
        self, job: Job, version: Version, abort: "Abort", live_log: LiveLog, leased: contextlib.ExitStack
    ) -> Outcome:
        payload = self._payload(job)
        lease = leased.enter_context(self._pool.lease(version, job.job_id))
        abort.stops(lease)
        outcome, files = lease.run(payload, job.timeout_s, live_log.write)
        uploaded = outputs.upload(self._aws, self._scope.user_data_bucket, job, files.received)
        return replace(outcome, files=tuple(uploaded), start=lease.start)

    def _input(self, job: Job) -> Any:
        data = self._code.input_of(job)
        if data is None:
            return job.input
        try:
            return json.loads(data)
        except ValueError as error:
            raise InfrastructureError(f"input {job.input_key} is not JSON: {error}") from error

    def _owes(self, job: Job, result: Document) -> list[str]:
        is_archived = self._scope.has_archive and job.kind == "run" and result["status"] == "SUCCESS"
        return [*(["ARCHIVE"] if is_archived else []), *(["CALLBACK"] if job.callback_url else [])]

    def _finish(self, job: Job, result: Document, owes: list[str]) -> bool:
        # What has run for hours is not lost because the table does not answer for a moment.
        for attempt in retrying("finish", (BotoCoreError, ClientError), _FINISH_ATTEMPTS, _FINISH_WAIT_S):
            with attempt:
                return self._jobs.finish(job.job_id, result, owes)
        raise AssertionError("retrying() ends with a result or an error")

    @contextlib.contextmanager
    def _registered(self, job: Job) -> "Iterator[Abort | None]":
        """Keeps a duplicate from running twice in this process, whose lease both deliveries would share."""
        abort = Abort()
        with self._lock:
            is_first = self._running.setdefault(job.job_id, abort) is abort
            if self._is_leaving:
                abort.set()
        if not is_first:
            yield None
            return
        if self._group is not None:
            self._group.job_started()
        try:
            yield abort
        finally:
            with self._lock:
                del self._running[job.job_id]
            if self._group is not None:
                self._group.job_ended()

    def _give_back(self, message: Message, job: Job, claimed: Claimed, heartbeat: Heartbeat) -> None:
        is_handed_over = heartbeat.is_handed_over
        if not self._jobs.release(job.job_id, is_handed_over=is_handed_over, attempt=claimed.attempt):
            self._lost(message, job, heartbeat)
            return
        self._board.status(job.job_id, "PENDING")
        if is_handed_over:
            self._duties.send_again(job.job_id)
        else:
            self._queue.give_back(message)
        log.info("job given back")

    def _failed(self, job: Job, claimed: Claimed, heartbeat: Heartbeat, error: Exception) -> None:
        """Lets go of a job that failed for a reason of ours: the next worker need not wait for the lease to end."""
        reason = str(error) if isinstance(error, InfrastructureError) else f"The worker failed: {type(error).__name__}"
        is_handed_over = heartbeat.is_handed_over
        try:
            is_ours = self._jobs.release(
                job.job_id, is_handed_over=is_handed_over, attempt=claimed.attempt, error=reason
            )
            if is_ours:
                self._board.status(job.job_id, "PENDING")
            if is_ours and is_handed_over:
                self._duties.send_again(job.job_id)
        except (BotoCoreError, ClientError) as failure:
            log.warning("job waits for its lease to end", error=repr(failure))

    def _lost(self, message: Message, job: Job, heartbeat: Heartbeat) -> None:
        status = self._jobs.status(job.job_id)
        log.warning("result dropped: the job is not ours any more", status=status)
        if status not in ("PENDING", "PROCESSING") and not heartbeat.is_handed_over:
            self._queue.delete(message)

    def _retry_later(self, message: Message) -> None:
        try:
            self._queue.retry_later(message)
        except (BotoCoreError, ClientError) as error:
            log.warning("message waits for its visibility to end", error=repr(error))


class _Printed:
    """What is printed before a run begins: by what resolves its dependencies. A run keeps its own log."""

    def __init__(self, live_log: LiveLog) -> None:
        self.live_log = live_log
        self.tail = LogTail()

    def write(self, data: bytes) -> None:
        self.live_log.write(data)
        self.tail.add(data)


class Abort:
    """A wish to stop one job, which holds whether there is anything to stop yet or not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._running: Stoppable | None = None

    def set(self) -> None:
        """Stops the job."""
        with self._lock:
            self._is_set = True
            if self._running is not None:
                self._running.abort()

    def stops(self, running: Stoppable) -> None:
        """Names what there is to stop.

        Raises:
            Aborted: the wish came first.
        """
        with self._lock:
            self._running = running
            if self._is_set:
                raise Aborted
