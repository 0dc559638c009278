"""The worker: puts its parts together, checks that it can work, and serves the queue until it has to leave."""

import contextlib
import gc
import os
import random
import socket
import threading
from pathlib import Path

import requests
from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.ai import AiGateway
from nanogrid_worker.archive import Archive
from nanogrid_worker.aws import Aws, connect
from nanogrid_worker.callbacks import Callbacks
from nanogrid_worker.cancellations import Cancellations
from nanogrid_worker.code import CodeStore
from nanogrid_worker.dependencies import BuildOptions, Dependencies
from nanogrid_worker.duties import Duties
from nanogrid_worker.duty_index import DutyIndex
from nanogrid_worker.execution import Executor, Scope
from nanogrid_worker.group import Group
from nanogrid_worker.jobs import JobsTable
from nanogrid_worker.leaving import Leaving
from nanogrid_worker.log import logger
from nanogrid_worker.notices import Metadata, Notice, Notices
from nanogrid_worker.presence import Presence
from nanogrid_worker.queue import TaskQueue
from nanogrid_worker.redis_client import connect_redis
from nanogrid_worker.sandbox.engine import Engine, life_of
from nanogrid_worker.sandbox.pool import Pool, PoolLimits
from nanogrid_worker.sandbox.protections import check_protections
from nanogrid_worker.secrets import SecretStore
from nanogrid_worker.settings import Settings
from nanogrid_worker.status import StatusBoard
from nanogrid_worker.teller import Teller

_DUTIES_DRAIN_S = 15.0
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
        self._leaving = Leaving(settings.drain_timeout_s, settings.hook_drain_timeout_s)
        run_dir = _folder(settings.run_dir)
        cache_dir = _folder(settings.cache_dir)
        work_dir = _folder(cache_dir / "files")
        aws = connect(settings)
        images = settings.runtime_images
        self._engine = Engine(settings.sandbox_cpus, settings.sandbox_runtime, life_of(os.getpid()))
        log.info("leftovers removed", containers=self._engine.remove_leftovers())
        for image in images.values():
            check_protections(
                self._engine,
                run_dir,
                work_dir,
                image,
                egress_network=settings.egress_network,
                require_user_namespaces=settings.require_user_namespaces,
            )
        self._queue = TaskQueue(aws, settings)
        self._teller = Teller(connect_redis(settings, "nanogrid-worker"))
        code = CodeStore(aws, settings.s3_code_bucket, cache_dir / "code", settings.cache_mb)
        dependencies = Dependencies(
            aws,
            settings.s3_code_bucket,
            self._engine,
            run_dir,
            work_dir,
            cache_dir / "dependencies",
            settings.cache_mb,
            images,
            BuildOptions(
                network=settings.egress_network,
                python_index_url=settings.dependencies_python_index_url,
                node_registry_url=settings.dependencies_node_registry_url,
            ),
        )
        limits = PoolLimits(
            prewarmed=settings.prewarmed,
            max_warm=settings.warm_max,
            pause_after_s=settings.warm_pause_after_s,
            keep_s=settings.warm_keep_s,
            egress_network=settings.egress_network,
        )
        ai = AiGateway(settings.ai_endpoint) if settings.ai_endpoint else None
        self._pool = Pool(self._engine, run_dir, work_dir, images, limits, ai)
        self._duties = Duties(
            DutyIndex(aws, settings.jobs_table),
            self._queue,
            Archive(settings.gcp_bucket_name, code) if settings.gcp_bucket_name else None,
            Callbacks(settings.environment, settings.callback_allowed_cidrs),
            settings.duty_sweep_s,
        )
        metadata = Metadata() if settings.asg_name else None
        self._group = _group(aws, settings, metadata) if metadata else None
        self._executor = Executor(
            aws=aws,
            queue=self._queue,
            jobs=JobsTable(aws, settings.jobs_table, worker_id, settings.visibility_timeout_s),
            board=StatusBoard(self._teller),
            teller=self._teller,
            code=code,
            dependencies=dependencies,
            secrets=SecretStore(aws, settings.secrets_prefix),
            pool=self._pool,
            duties=self._duties,
            group=self._group,
            scope=Scope(
                worker_id=worker_id,
                runtimes=frozenset(images),
                has_egress=bool(settings.egress_network),
                has_archive=bool(settings.gcp_bucket_name),
                user_data_bucket=settings.s3_user_data_bucket,
                hand_over_after_s=settings.hand_over_after_s,
            ),
        )
        self._presence = Presence(
            self._teller,
            worker_id,
            settings.concurrency,
            sorted(images),
            self._executor.busy,
            self._pool.warm,
        )
        self._cancellations = Cancellations(
            connect_redis(settings, "nanogrid-worker-cancellations"), self._executor.cancel
        )
        self._notices = Notices(metadata, self._on_notice) if metadata else None
        self._slots = [
            threading.Thread(target=self._serve, name=f"slot-{number}", daemon=True)
            for number in range(settings.concurrency)
        ]

    def run(self) -> None:
        """Serves until it has to leave, then drains: waits for what runs, and gives back what takes too long.

        After SIGTERM it returns. After a notice it stays, drained, until SIGTERM comes with the end of the machine.
        """
        # What is there now is there for good: no collection has to look at it, with a job waiting.
        gc.collect()
        gc.freeze()
        for slot in self._slots:
            slot.start()
        log.info("worker is ready", slots=len(self._slots))
        self._beat_until(self._leaving.begins)
        self._drain()
        if not self._leaving.ends.is_set():
            log.info("drained, waiting for the machine to end")
            self._beat_until(self._leaving.ends)
        self._close()
        log.info("worker has ended")

    def stop(self) -> None:
        """Asks for the end."""
        self._leaving.terminate()

    def _on_notice(self, notice: Notice) -> None:
        self._leaving.notice(notice)
        if notice.kind == "hook" and self._group is not None:
            self._group.at_hook()

    def _beat_until(self, event: threading.Event) -> None:
        # One line a minute, whatever the slots do: an alarm counts them and rings when an agent falls silent.
        while not event.wait(_HEARTBEAT_S):
            log.info("worker.heartbeat", slots=sum(slot.is_alive() for slot in self._slots))

    def _drain(self) -> None:
        log.info("draining", jobs=self._executor.busy())
        if not all(self._leaving.wait_for_end_of(slot) for slot in self._slots):
            self._executor.abort_all()
        for slot in self._slots:
            slot.join()
        self._duties.close(_DUTIES_DRAIN_S)
        self._presence.close()
        if self._group is not None:
            self._group.drained()

    def _close(self) -> None:
        if self._notices is not None:
            self._notices.close()
        if self._group is not None:
            self._group.close()
        self._cancellations.close()
        self._pool.close()
        self._engine.close()
        self._teller.close()

    def _serve(self) -> None:
        failures = 0
        while not self._leaving.begins.is_set():
            try:
                message = self._queue.receive()
                failures = 0
            except (BotoCoreError, ClientError) as error:
                failures += 1
                pause_s = min(_LONGEST_PAUSE_S, 2.0**failures) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
                log.warning("queue does not answer", error=repr(error), pause_s=round(pause_s, 1))
                self._leaving.begins.wait(pause_s)
                continue
            if message is None:
                continue
            if self._leaving.begins.is_set():
                with contextlib.suppress(BotoCoreError, ClientError):
                    self._queue.give_back(message)
                return
            self._executor.execute(message)


def _group(aws: Aws, settings: Settings, metadata: Metadata) -> Group | None:
    try:
        instance_id = metadata.read("instance-id")
    except requests.RequestException as error:
        log.error("this machine does not know its name, and is not protected from scale-in", error=repr(error))
        return None
    return Group(aws, settings.asg_name, instance_id, settings.lifecycle_hook_name) if instance_id else None


def _folder(path: Path) -> Path:
    """A folder that only this worker's user can enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path
