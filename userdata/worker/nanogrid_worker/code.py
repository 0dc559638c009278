"""Functions' code: fetched, checked against its hash, unpacked, and kept by hash in a bounded cache on disk."""

import base64
import binascii
import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.aws import Aws
from nanogrid_worker.errors import InfrastructureError, RunRefused
from nanogrid_worker.log import logger
from nanogrid_worker.messages import Job
from nanogrid_worker.unpack import unpack

MAX_ZIP_BYTES = 256 * 1024 * 1024
MAX_INPUT_BYTES = 64 * 1024 * 1024
_CHUNK = 1024 * 1024
_MIB = 1024 * 1024

log = logger(__name__)


class CodeStore:
    """Code by the SHA-256 of its zip. Below the folder: `<sha256>/code.zip` and, unpacked, `<sha256>/function/`."""

    def __init__(self, aws: Aws, bucket: str, folder: Path, max_mb: int) -> None:
        self._s3 = aws.s3
        self._bucket = bucket
        self._folder = folder
        self._max_bytes = max_mb * _MIB
        self._lock = threading.Lock()
        self._in_use: Counter[str] = Counter()
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob(".*"):
            shutil.rmtree(unfinished)

    @contextlib.contextmanager
    def unpacked(self, job: Job) -> Iterator[Path]:
        """The folder with a job's code, which stays while the context does.

        Raises:
            InfrastructureError: the code cannot be fetched, or is not what its hash says.
            RunRefused: it is no zip that may be unpacked.
        """
        with self._used(job.code_sha256):
            yield self._entry(job) / "function"

    def zip_bytes(self, job: Job) -> bytes:
        """The zip of a job's code."""
        with self._used(job.code_sha256):
            return (self._entry(job) / "code.zip").read_bytes()

    def input_of(self, job: Job) -> bytes | None:
        """A large input as JSON, from the code bucket; None where the message has the input itself."""
        if job.input_key is None:
            return None
        with tempfile.TemporaryFile(dir=self._folder) as file:
            self._download(job.input_key, file.fileno(), MAX_INPUT_BYTES)
            file.seek(0)
            return file.read()

    @contextlib.contextmanager
    def _used(self, sha256: str) -> Iterator[None]:
        with self._lock:
            self._in_use[sha256] += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_use[sha256] -= 1

    def _entry(self, job: Job) -> Path:
        entry = self._folder / job.code_sha256
        if not entry.exists():
            self._add(job, entry)
            self._evict()
        os.utime(entry)
        return entry

    def _add(self, job: Job, entry: Path) -> None:
        making = Path(tempfile.mkdtemp(prefix=".", dir=self._folder))
        try:
            archive = making / "code.zip"
            self._fetch(job, archive)
            function = making / "function"
            function.mkdir()
            unpack(archive, function)
            # Sandboxes run under another user, who enters by a mount of this folder alone.
            making.chmod(0o755)
            making.rename(entry)
        except OSError:
            # Another job of the same code may have been first; its entry is as good.
            if not entry.exists():
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def _fetch(self, job: Job, archive: Path) -> None:
        descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if job.code is None:
                sha256 = self._download(job.code_key, descriptor, MAX_ZIP_BYTES)
                source = f"s3://{self._bucket}/{job.code_key}"
            else:
                data = _decoded(job.code)
                os.write(descriptor, data)
                sha256 = hashlib.sha256(data).hexdigest()
                source = "the message"
        finally:
            os.close(descriptor)
        if sha256 != job.code_sha256:
            raise InfrastructureError(f"code from {source} has SHA-256 {sha256}, expected {job.code_sha256}")

    def _download(self, key: str, descriptor: int, max_bytes: int) -> str:
        """Writes an object to a file; its SHA-256."""
        digest = hashlib.sha256()
        try:
            reply = self._s3.get_object(Bucket=self._bucket, Key=key)
            if reply["ContentLength"] > max_bytes:
                message = f"{key} has {reply['ContentLength']} bytes; a worker takes {max_bytes}."
                raise RunRefused("exception", message, "TooLarge")
            with contextlib.closing(reply["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK):
                    digest.update(chunk)
                    os.write(descriptor, chunk)
        except (BotoCoreError, ClientError) as error:
            raise InfrastructureError(f"s3://{self._bucket}/{key} cannot be read: {error}") from error
        return digest.hexdigest()

    def _evict(self) -> None:
        """Removes what was used longest ago until the cache fits, sparing what is in use."""
        entries = sorted((e for e in self._folder.iterdir() if not e.name.startswith(".")), key=_used_at)
        sizes = {entry: _size(entry) for entry in entries}
        total = sum(sizes.values())
        for entry in entries:
            if total <= self._max_bytes:
                return
            with self._lock:
                if self._in_use[entry.name] > 0:
                    continue
                gone = entry.with_name(f".{entry.name}")
                entry.rename(gone)
            shutil.rmtree(gone)
            total -= sizes[entry]
            log.info("code evicted", sha256=entry.name, bytes=sizes[entry])


def _decoded(code: str) -> bytes:
    try:
        return base64.b64decode(code, validate=True)
    except binascii.Error as error:
        raise InfrastructureError(f"the message's code is not base64: {error}") from error


def _used_at(entry: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return entry.stat().st_mtime
    return 0.0


def _size(entry: Path) -> int:
    return sum(path.lstat().st_size for path in entry.rglob("*"))
