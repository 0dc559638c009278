"""Functions' dependencies: resolved once per version in a sandbox of their own, stored, and kept unpacked on disk."""

import contextlib
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from nanogrid_worker.aws import Aws
from nanogrid_worker.cache import DiskCache
from nanogrid_worker.errors import Aborted, InfrastructureError, RunRefused, is_missing
from nanogrid_worker.log import logger
from nanogrid_worker.messages import Job
from nanogrid_worker.objects import download
from nanogrid_worker.outputs import Outputs
from nanogrid_worker.results import Outcome
from nanogrid_worker.sandbox.engine import Engine, Spec
from nanogrid_worker.sandbox.sandbox import LogListener, LogTail, Sandbox
from nanogrid_worker.unpack import DEPENDENCIES, unpack

KIND = "DependenciesUnresolved"
"""Type of the error of a job whose dependencies cannot be resolved."""

_BUILDERS = Path(__file__).parent / "sandbox" / "builders"
_RESULT = "dependencies.zip"
_LIST = "packages.json"
_SUMMARY = "summary.json"
_MIB = 1024 * 1024
# Tools unpack what they fetch, some compile it, and npm is many threads by itself.
_TMP_MB = 640
_PIDS = 256
_LOOK_EVERY_S = 0.2
_MAX_LISTED = 400
_MAX_LIST_BYTES = 4 * _MIB
# Another has stored the same key: before this one, or at the same moment.
_STORED_BY_ANOTHER = ("PreconditionFailed", "ConditionalRequestConflict")

log = logger(__name__)


class Stoppable(Protocol):
    """What can be stopped from another thread."""

    def abort(self) -> None:
        """Stops it."""


Stops = Callable[[Stoppable], None]
"""Takes what an abort of the job has to stop from now on. Raises Aborted when the abort came first."""


@dataclass(frozen=True)
class BuildOptions:
    """How dependencies are resolved.

    Attributes:
        network: the engine's network that builds are in, with the internet and nothing else; empty: no builds.
        python_index_url: package index that pip asks.
        node_registry_url: registry that npm asks.
        memory_mb: limit of one build, its files in /tmp and /output included, in MiB.
        timeout_s: limit of one build.
        max_mb: size of the resulting zip, in MiB.
        ca_file: certificates (PEM) that the index and the registry are trusted by; None for the publicly known ones.
            What SSL_CERT_FILE names, unless it is given, since that is what this machine's own programs trust.
    """

    network: str
    python_index_url: str
    node_registry_url: str
    memory_mb: int = 1024
    timeout_s: int = 600
    max_mb: int = 250
    ca_file: Path | None = field(default_factory=lambda: _path_in("SSL_CERT_FILE"))


class Package(BaseModel):
    """A package that was resolved."""

    name: str = Field(max_length=214)
    version: str = Field(max_length=64)


class Summary(BaseModel):
    """What a build's result says: the packages, not more than are readable, and the size of the zip."""

    packages: list[Package]
    bytes: int


_PACKAGES = TypeAdapter(list[Package])


class Dependencies:
    """Dependencies by their key in the code bucket. Safe to use from many threads.

    Below the folder, an entry has `files/` and `summary.json`. What is in the bucket never changes, so that an entry
    is as good as the object.

    Args:
        aws: clients.
        bucket: the code bucket.
        engine: where the sandboxes of builds come from.
        run_dir: folder for sockets.
        work_dir: folder for files on their way.
        folder: the cache's own.
        max_mb: size that the cache is held to, in MiB.
        images: image by runtime.
        options: see BuildOptions.
    """

    def __init__(
        self,
        aws: Aws,
        bucket: str,
        engine: Engine,
        run_dir: Path,
        work_dir: Path,
        folder: Path,
        max_mb: int,
        images: Mapping[str, str],
        options: BuildOptions,
    ) -> None:
        self._s3 = aws.s3
        self._bucket = bucket
        self._engine = engine
        self._run_dir = run_dir
        self._work_dir = work_dir
        self._images = images
        self._options = options
        self._cache = DiskCache(folder, max_mb)
        self._turns = _Turns()

    @contextlib.contextmanager
    def ready(self, job: Job, code: Path, on_log: LogListener, stops: Stops) -> Iterator[Path | None]:
        """The folder with a job's dependencies, which stays while the context does; None for a job that has none.

        It comes from this machine's cache, else from the bucket, else it is resolved and stored.

        Args:
            job: the job.
            code: its code, unpacked.
            on_log: hears what pip or npm prints.
            stops: hears what there is to stop.

        Raises:
            RunRefused: they cannot be resolved (KIND), or this worker resolves none.
            InfrastructureError: the bucket or the engine failed.
            Aborted: the job was stopped.
        """
        if job.dependencies_key is None:
            yield None
            return
        with self._entry(job, job.dependencies_key, code, on_log, stops) as entry:
            yield entry / "files"

    def build(self, job: Job, code: Path, on_log: LogListener, stops: Stops) -> Outcome:
        """Resolves a job's dependencies unless that was done; the outcome lists them.

        Raises:
            RunRefused, InfrastructureError, Aborted: as ready() does.
        """
        if job.dependencies_key is None:
            raise InfrastructureError("a build has no dependencies_key. The controller sends one with every build.")
        tail = LogTail()

        def listen(data: bytes) -> None:
            tail.add(data)
            on_log(data)

        started = time.monotonic()
        with self._entry(job, job.dependencies_key, code, listen, stops) as entry:
            summary = Summary.model_validate_json((entry / _SUMMARY).read_bytes())
        return tail.added_to(Outcome("ok", output=summary.model_dump()), (time.monotonic() - started) * 1000)

    @contextlib.contextmanager
    def _entry(self, job: Job, key: str, code: Path, on_log: LogListener, stops: Stops) -> Iterator[Path]:
        name = hashlib.sha256(key.encode()).hexdigest()
        with self._cache.used(name) as entry:
            if not entry.exists():
                with self._turns.turn(name, stops):
                    self._cache.ensure(name, lambda folder: self._fill(job, key, code, folder, on_log, stops))
            else:
                os.utime(entry)
            yield entry

    def _fill(self, job: Job, key: str, code: Path, folder: Path, on_log: LogListener, stops: Stops) -> None:
        archive = folder / _RESULT
        files = folder / "files"
        if self._fetch(key, archive):
            _unpack(archive, files)
        else:
            self._build(job, code, archive, on_log, stops)
            # Checked before it is stored, so that nobody ever finds a zip that cannot be used.
            _unpack(archive, files)
            if not self._store(key, archive):
                log.info("dependencies were stored by another", key=key)
                self._take_stored(key, archive, files)
        summary = Summary(packages=_packages(files / _LIST), bytes=archive.stat().st_size)
        (folder / _SUMMARY).write_text(summary.model_dump_json())
        archive.unlink()

    def _take_stored(self, key: str, archive: Path, files: Path) -> None:
        archive.unlink()
        shutil.rmtree(files)
        if not self._fetch(key, archive):
            raise InfrastructureError(f"s3://{self._bucket}/{key} is being stored by another; the next attempt has it")
        _unpack(archive, files)

    def _fetch(self, key: str, archive: Path) -> bool:
        """Writes the stored zip to a file; False if there is none."""
        descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            download(self._s3, self._bucket, key, descriptor, self._options.max_mb * _MIB)
        except InfrastructureError as error:
            archive.unlink()
            if is_missing(error):
                return False
            raise
        finally:
            os.close(descriptor)
        return True

    def _store(self, key: str, archive: Path) -> bool:
        """Stores a zip; False if there is one already."""
        try:
            with archive.open("rb") as body:
                self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=body, ContentLength=archive.stat().st_size, IfNoneMatch="*"
                )
        except ClientError as error:
            if error.response["Error"]["Code"] in _STORED_BY_ANOTHER:
                return False
            raise InfrastructureError(f"s3://{self._bucket}/{key} cannot be written: {error}") from error
        except BotoCoreError as error:
            raise InfrastructureError(f"s3://{self._bucket}/{key} cannot be written: {error}") from error
        return True

    def _build(self, job: Job, code: Path, archive: Path, on_log: LogListener, stops: Stops) -> None:
        """Resolves in a sandbox that has the network, no credentials, and the code to read; its zip is moved."""
        if not self._options.network:
            raise RunRefused(
                "infrastructure",
                "This worker resolves no dependencies, since it has no network for builds. Set EGRESS_NETWORK for the"
                " workers, or put the packages into the function's zip.",
            )
        started = time.monotonic()
        sandbox = Sandbox(self._engine, self._run_dir, self._work_dir, self._spec(job, code))
        try:
            stops(sandbox)
            outcome, outputs = sandbox.run(self._payload(job), self._options.timeout_s, on_log)
            log.info("dependencies built", reason=outcome.code, seconds=round(time.monotonic() - started, 1))
            shutil.move(self._result(outcome, outputs), archive)
        finally:
            sandbox.close()

    def _spec(self, job: Job, code: Path) -> Spec:
        image = self._images.get(job.runtime)
        if image is None:
            raise RunRefused("infrastructure", f"This worker has no runtime for {job.runtime}.")
        return Spec(
            image=image,
            memory_mb=self._options.memory_mb,
            job_id=job.job_id,
            code=_BUILDERS / job.runtime,
            source=code,
            network=self._options.network,
            pids=_PIDS,
            tmp_mb=_TMP_MB,
            tmp_exec=True,
            output_mb=self._options.max_mb,
        )

    def _payload(self, job: Job) -> dict[str, Any]:
        options = self._options
        index = {"python": options.python_index_url, "node": options.node_registry_url}[job.runtime]
        certificates = options.ca_file.read_text() if options.ca_file else None
        event = {"index_url": index, "certificates": certificates}
        return {"job_id": job.job_id, "handler": "main.handler", "input": event, "environment": {}}

    def _result(self, outcome: Outcome, outputs: Outputs) -> Path:
        """The zip that a build has left."""
        reasons = {
            "timeout": f"this took longer than {self._options.timeout_s} s",
            "out_of_memory": f"this needed more than {self._options.memory_mb} MiB of memory and files together",
            "exception": (outcome.error or {}).get("message") or outcome.message,
        }
        if outcome.code != "ok":
            reason = reasons.get(outcome.code, outcome.message)
            raise RunRefused("exception", f"The dependencies could not be resolved: {reason}", KIND)
        if [file.name for file in outputs.received] != [_RESULT]:
            raise RunRefused("exception", "The dependencies could not be resolved: the build left no zip.", KIND)
        return outputs.received[0].path


class _Turns:
    """Lets one thread at a time do what the others wait for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: set[str] = set()

    @contextlib.contextmanager
    def turn(self, name: str, stops: Stops) -> Iterator[None]:
        """Waits for the turn of a name, and has it.

        Raises:
            Aborted: the job was stopped while it waited.
        """
        waiter = _Waiter()
        stops(waiter)
        with self._changed:
            while name in self._taken:
                self._changed.wait(_LOOK_EVERY_S)
                if waiter.is_aborted:
                    raise Aborted
            self._taken.add(name)
        try:
            yield
        finally:
            with self._changed:
                self._taken.discard(name)
                self._changed.notify_all()


class _Waiter:
    """A job that waits for another's build."""

    def __init__(self) -> None:
        self.is_aborted = False

    def abort(self) -> None:
        """Ends the wait."""
        self.is_aborted = True


def _unpack(archive: Path, files: Path) -> None:
    files.mkdir()
    unpack(archive, files, DEPENDENCIES)


def _packages(file: Path) -> list[Package]:
    """The packages that a zip says it holds; none where it says nothing that can be read."""
    try:
        if file.stat().st_size > _MAX_LIST_BYTES:
            return []
        return _PACKAGES.validate_json(file.read_bytes())[:_MAX_LISTED]
    except (OSError, ValidationError):
        return []


def _path_in(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
