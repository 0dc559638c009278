"""One message, from its arrival to its end: claim, fetch, run, store, tell, delete."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker import outputs
from nanogrid_worker.archive import Archive
from nanogrid_worker.aws import Aws
from nanogrid_worker.code import CodeStore
from nanogrid_worker.errors import Aborted, InfrastructureError, MalformedMessage, RunRefused
from nanogrid_worker.heartbeat import Heartbeat
from nanogrid_worker.jobs import AlreadyFinal, Claimed, HeldElsewhere, JobsTable
from nanogrid_worker.log import logger
from nanogrid_worker.messages import Job, parse_job
from nanogrid_worker.queue import Message, TaskQueue
from nanogrid_worker.results import Outcome, document
from nanogrid_worker.sandbox.engine import Engine
from nanogrid_worker.sandbox.sandbox import Sandbox
from nanogrid_worker.status import StatusBoard
from nanogrid_worker.times import now

log = logger(__name__)


@dataclass(frozen=True)
class Places:
    """Where runs live on this machine, and what they run in."""

    run_dir: Path
    work_dir: Path
    user_data_bucket: str
    images: dict[str, str]


class Executor:
    """Runs messages. One instance serves all threads of a worker."""

    def __init__(
        self,
        *,
        aws: Aws,
        queue: TaskQueue,
        jobs: JobsTable,
        board: StatusBoard,
        code: CodeStore,
        engine: Engine,
        archive: Archive | None,
        places: Places,
        worker_id: str,
    ) -> None:
        self._aws = aws
        self._queue = queue
        self._jobs = jobs
        self._board = board
        self._code = code
        self._engine = engine
        self._archive = archive
        self._places = places
        self._worker_id = worker_id
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

    def abort_all(self) -> None:
        """Stops what runs and what is about to; each job is given back."""
        with self._lock:
            self._is_leaving = True
            for abort in self._running.values():
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
        try:
            with Heartbeat(self._queue, self._jobs, message, job.job_id, abort.set):
                self._board.status(job.job_id, "PROCESSING")
                outcome = self._outcome(job, claimed, abort)
                result = document(job, outcome, self._worker_id, claimed.started_at, now())
                archive = self._archive if outcome.code == "ok" else None
                is_written = self._jobs.finish(job.job_id, result, archive_owed=archive is not None)
        except Aborted:
            self._give_back(message, job)
            return
        except BaseException:
            # The next worker need not wait for the lease to end.
            with contextlib.suppress(BotoCoreError, ClientError):
                self._jobs.release(job.job_id)
            raise
        if not is_written:
            self._lost(message, job)
            return
        self._board.result(result)
        self._queue.delete(message)
        if archive is not None:
            archive.add(job, result)
        log.info("job ended", status=outcome.status, reason=outcome.code, duration_ms=result["duration_ms"])

    def _outcome(self, job: Job, claimed: Claimed, abort: "Abort") -> Outcome:
        try:
            if job.deadline is not None and claimed.started_at > job.deadline:
                raise RunRefused("timeout", "The job could not be started before its deadline.")
            image = self._places.images.get(job.runtime)
            if image is None:
                raise RunRefused("infrastructure", f"This worker has no runtime for {job.runtime}.")
            if job.egress:
                raise RunRefused("infrastructure", "This worker gives functions no network.")
            event = self._input(job)
            with self._code.unpacked(job) as code, self._sandbox(job, image, code, abort) as sandbox:
                payload = {
                    "job_id": job.job_id,
                    "handler": job.handler,
                    "input": event,
                    "environment": job.environment,
                }
                outcome, files = sandbox.run(payload, job.timeout_s)
                bucket = self._places.user_data_bucket
                return replace(outcome, files=tuple(outputs.upload(self._aws, bucket, job, files.received)))
        except RunRefused as refused:
            error = {"type": refused.kind, "message": str(refused), "traceback": ""} if refused.kind else None
            return Outcome(refused.code, str(refused), error=error)

    def _input(self, job: Job) -> Any:
        data = self._code.input_of(job)
        if data is None:
            return job.input
        try:
            return json.loads(data)
        except ValueError as error:
            raise InfrastructureError(f"input {job.input_key} is not JSON: {error}") from error

    @contextlib.contextmanager
    def _sandbox(self, job: Job, image: str, code: Path, abort: "Abort") -> Iterator[Sandbox]:
        sandbox = Sandbox(
            self._engine,
            self._places.run_dir,
            self._places.work_dir,
            image=image,
            code=code,
            memory_mb=job.memory_mb,
            job_id=job.job_id,
        )
        try:
            abort.stops(sandbox)
            yield sandbox
        finally:
            sandbox.close()

    @contextlib.contextmanager
    def _registered(self, job: Job) -> "Iterator[Abort | None]":
        """Keeps a duplicate from running twice in this process, whose lease both deliveries would share."""
        abort = Abort()
        with self._lock:
            is_first = self._running.setdefault(job.job_id, abort) is abort
            if self._is_leaving:
                abort.set()
        try:
            yield abort if is_first else None
        finally:
            if is_first:
                with self._lock:
                    del self._running[job.job_id]

    def _give_back(self, message: Message, job: Job) -> None:
        if not self._jobs.release(job.job_id):
            self._lost(message, job)
            return
        self._board.status(job.job_id, "PENDING")
        self._queue.give_back(message)
        log.info("job given back")

    def _lost(self, message: Message, job: Job) -> None:
        status = self._jobs.status(job.job_id)
        log.warning("result dropped: the job is not ours any more", status=status)
        if status not in ("PENDING", "PROCESSING"):
            self._queue.delete(message)

    def _retry_later(self, message: Message) -> None:
        try:
            self._queue.retry_later(message)
        except (BotoCoreError, ClientError) as error:
            log.warning("message waits for its visibility to end", error=repr(error))


class Abort:
    """A wish to stop one job, which holds whether its sandbox is there yet or not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._sandbox: Sandbox | None = None

    def set(self) -> None:
        """Stops the job."""
        with self._lock:
            self._is_set = True
            if self._sandbox is not None:
                self._sandbox.abort()

    def stops(self, sandbox: Sandbox) -> None:
        """Names what there is to stop.

        Raises:
            Aborted: the wish came first.
        """
        with self._lock:
            self._sandbox = sandbox
            if self._is_set:
                raise Aborted
