"""The worker: puts its parts together, checks that it can work, and serves the queue until it is told to stop."""

import contextlib
import os
import random
import socket
import threading
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.archive import Archive
from nanogrid_worker.aws import connect
from nanogrid_worker.code import CodeStore
from nanogrid_worker.execution import Executor, Places
from nanogrid_worker.jobs import JobsTable
from nanogrid_worker.log import logger
from nanogrid_worker.queue import TaskQueue
from nanogrid_worker.sandbox.engine import Engine, life_of
from nanogrid_worker.sandbox.protections import check_protections
from nanogrid_worker.settings import Settings
from nanogrid_worker.status import StatusBoard

_ARCHIVE_DRAIN_S = 15.0
_LONGEST_PAUSE_S = 30.0
_HEARTBEAT_S = 60

log = logger(__name__)


def new_worker_id() -> str:
    """Names this process among all workers, past and present."""
    return f"{socket.gethostname()}:{life_of(os.getpid())}"


class Agent:
    """A worker process.

    Raises:
        ProtectionMissing: functions could not be run safely here.
    """

    def __init__(self, settings: Settings, worker_id: str) -> None:
        self._drain_timeout_s = settings.drain_timeout_s
        self._stopping = threading.Event()
        run_dir = _folder(settings.run_dir)
        cache_dir = _folder(settings.cache_dir)
        work_dir = _folder(cache_dir / "files")
        aws = connect(settings)
        images = {"python": settings.runtime_image_python}
        self._engine = Engine(settings.sandbox_cpus, settings.sandbox_runtime, life_of(os.getpid()))
        log.info("leftovers removed", containers=self._engine.remove_leftovers())
        for image in images.values():
            check_protections(self._engine, run_dir, work_dir, image)
        self._queue = TaskQueue(aws, settings)
        self._board = StatusBoard(settings)
        jobs = JobsTable(aws, settings.jobs_table, worker_id, settings.visibility_timeout_s)
        code = CodeStore(aws, settings.s3_code_bucket, cache_dir / "code", settings.cache_mb)
        self._archive = Archive(settings.gcp_bucket_name, code, jobs) if settings.gcp_bucket_name else None
        self._executor = Executor(
            aws=aws,
            queue=self._queue,
            jobs=jobs,
            board=self._board,
            code=code,
            engine=self._engine,
            archive=self._archive,
            places=Places(run_dir, work_dir, settings.s3_user_data_bucket, images),
            worker_id=worker_id,
        )
        self._slots = [
            threading.Thread(target=self._serve, name=f"slot-{number}", daemon=True)
            for number in range(settings.concurrency)
        ]

    def run(self) -> None:
        """Serves until stop() is called, then drains: waits for what runs, and gives back what takes too long."""
        for slot in self._slots:
            slot.start()
        log.info("worker is ready", slots=len(self._slots))
        # One line a minute, whatever the slots do: an alarm counts them and rings when an agent falls silent.
        while not self._stopping.wait(_HEARTBEAT_S):
            log.info("worker.heartbeat", slots=sum(slot.is_alive() for slot in self._slots))
        log.info("draining", timeout_s=self._drain_timeout_s)
        if not self._ended_within(self._drain_timeout_s):
            self._executor.abort_all()
            self._ended_within(None)
        if self._archive is not None:
            self._archive.close(_ARCHIVE_DRAIN_S)
        self._engine.close()
        self._board.close()
        log.info("worker has ended")

    def stop(self) -> None:
        """Asks for the end. Safe in a signal handler."""
        self._stopping.set()

    def _serve(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                message = self._queue.receive()
                failures = 0
            except (BotoCoreError, ClientError) as error:
                failures += 1
                pause_s = min(_LONGEST_PAUSE_S, 2.0**failures) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
                log.warning("queue does not answer", error=repr(error), pause_s=round(pause_s, 1))
                self._stopping.wait(pause_s)
                continue
            if message is None:
                continue
            if self._stopping.is_set():
                with contextlib.suppress(BotoCoreError, ClientError):
                    self._queue.give_back(message)
                return
            self._executor.execute(message)

    def _ended_within(self, timeout_s: float | None) -> bool:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        for slot in self._slots:
            slot.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(slot.is_alive() for slot in self._slots)


def _folder(path: Path) -> Path:
    """A folder that only this worker's user can enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path
