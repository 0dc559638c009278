"""Functions' code: fetched, checked against its hash, unpacked, and kept by hash in a bounded cache on disk."""

import base64
import binascii
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nanogrid_worker.aws import Aws
from nanogrid_worker.cache import DiskCache
from nanogrid_worker.errors import InfrastructureError
from nanogrid_worker.messages import Job
from nanogrid_worker.objects import download
from nanogrid_worker.unpack import unpack

MAX_ZIP_BYTES = 256 * 1024 * 1024
MAX_INPUT_BYTES = 64 * 1024 * 1024


class CodeStore:
    """Code by the SHA-256 of its zip. Below the folder: `<sha256>/code.zip` and, unpacked, `<sha256>/function/`."""

    def __init__(self, aws: Aws, bucket: str, folder: Path, max_mb: int) -> None:
        self._s3 = aws.s3
        self._bucket = bucket
        self._folder = folder
        self._cache = DiskCache(folder, max_mb)

    @contextlib.contextmanager
    def unpacked(self, job: Job) -> Iterator[Path]:
        """The folder with a job's code, which stays while the context does.

        Raises:
            InfrastructureError: the code cannot be fetched, or is not what its hash says.
            RunRefused: it is no zip that may be unpacked.
        """
        with self._entry(job) as entry:
            yield entry / "function"

    def zip_bytes(self, job: Job) -> bytes:
        """The zip of a job's code."""
        with self._entry(job) as entry:
            return (entry / "code.zip").read_bytes()

    def input_of(self, job: Job) -> bytes | None:
        """A large input as JSON, from the code bucket; None where the message has the input itself."""
        if job.input_key is None:
            return None
        with tempfile.TemporaryFile(dir=self._folder) as file:
            download(self._s3, self._bucket, job.input_key, file.fileno(), MAX_INPUT_BYTES)
            file.seek(0)
            return file.read()

    @contextlib.contextmanager
    def _entry(self, job: Job) -> Iterator[Path]:
        with self._cache.used(job.code_sha256) as entry:
            self._cache.ensure(job.code_sha256, lambda folder: self._fill(job, folder))
            yield entry

    def _fill(self, job: Job, folder: Path) -> None:
        archive = folder / "code.zip"
        self._fetch(job, archive)
        function = folder / "function"
        function.mkdir()
        unpack(archive, function)

    def _fetch(self, job: Job, archive: Path) -> None:
        descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if job.code is None:
                sha256 = download(self._s3, self._bucket, job.code_key, descriptor, MAX_ZIP_BYTES)
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


def _decoded(code: str) -> bytes:
    try:
        return base64.b64decode(code, validate=True)
    except binascii.Error as error:
        raise InfrastructureError(f"the message's code is not base64: {error}") from error
