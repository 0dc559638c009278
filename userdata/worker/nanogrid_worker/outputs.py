"""Files that a run left in /output: checked as they arrive from the sandbox, then uploaded to the user-data bucket."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.aws import Aws
from nanogrid_worker.errors import InfrastructureError
from nanogrid_worker.messages import Job
from nanogrid_worker.results import OutputFile

MAX_FILES = 100
MAX_TOTAL_BYTES = 64 * 1024 * 1024
MAX_NAME_BYTES = 512

# Neither a way out, nor control characters, nor what is no text (surrogates stand for bytes that are not UTF-8).
_SEGMENT = r"(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f\\\ud800-\udfff]{1,255}"
_NAME = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*")


class OutputsRefused(Exception):
    """The sandbox sent files that are too many, too large or badly named; the message is for the user."""


@dataclass(frozen=True)
class Received:
    """A file that arrived in full."""

    name: str
    path: Path
    bytes: int
    sha256: str


class Outputs:
    """Files on their way from one run. What the sandbox says of them is counted and checked here.

    Args:
        folder: where they are kept, made when the first one comes.
        max_files: how many a run may leave.
        max_total_bytes: how large they may be together.
    """

    def __init__(self, folder: Path, max_files: int = MAX_FILES, max_total_bytes: int = MAX_TOTAL_BYTES) -> None:
        self._folder = folder
        self._max_files = max_files
        self._max_total_bytes = max_total_bytes
        self._received: list[Received] = []
        self._names: set[str] = set()
        self._total = 0
        self._name = ""
        self._remaining = 0
        self._size = 0
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None

    @property
    def received(self) -> tuple[Received, ...]:
        """Files that have arrived, in the order of arrival."""
        return tuple(self._received)

    def announce(self, name: object, size: object) -> None:
        """Takes a file's header.

        Raises:
            OutputsRefused: the file must not be taken.
        """
        if self._file is not None:
            raise OutputsRefused("A file in /output was announced before the one before it was complete.")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(_utf8(name)) > MAX_NAME_BYTES:
            raise OutputsRefused(f"A file in /output has a name that cannot be kept: {str(name)[:100]!r}.")
        if not isinstance(size, int) or size < 0 or name in self._names:
            raise OutputsRefused(f"A file in /output was announced wrongly: {name!r}.")
        self._names.add(name)
        self._total += size
        if len(self._names) > self._max_files:
            raise OutputsRefused(f"/output has more than {self._max_files} files.")
        if self._total > self._max_total_bytes:
            raise OutputsRefused(f"The files in /output have more than {self._max_total_bytes} bytes together.")
        self._name, self._size, self._remaining, self._digest = name, size, size, hashlib.sha256()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = (self._folder / str(len(self._received))).open("xb")
        self._close_if_complete()

    def take(self, data: bytes) -> None:
        """Takes the next bytes of the file announced last.

        Raises:
            OutputsRefused: more came than was announced.
        """
        if self._file is None or len(data) > self._remaining:
            raise OutputsRefused("A file in /output sent more bytes than it had announced.")
        self._file.write(data)
        self._digest.update(data)
        self._remaining -= len(data)
        self._close_if_complete()

    def discard(self) -> None:
        """Forgets what has arrived."""
        self._received.clear()

    def remove(self) -> None:
        """Removes what has arrived from the disk."""
        self.close()
        if self._names:
            shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """Lets go of a file that never became complete."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _close_if_complete(self) -> None:
        if self._file is None or self._remaining > 0:
            return
        self._file.close()
        self._file = None
        path = self._folder / str(len(self._received))
        self._received.append(Received(self._name, path, self._size, self._digest.hexdigest()))


def upload(aws: Aws, bucket: str, job: Job, files: tuple[Received, ...]) -> Iterator[OutputFile]:
    """Uploads files one by one, yielding each as it lies in the bucket.

    Raises:
        InfrastructureError: the bucket cannot be written.
    """
    for file in files:
        key = f"{job.tenant}/{job.job_id}/{file.name}"
        try:
            with file.path.open("rb") as body:
                aws.s3.put_object(Bucket=bucket, Key=key, Body=body, ContentLength=file.bytes)
        except (BotoCoreError, ClientError) as error:
            raise InfrastructureError(f"s3://{bucket}/{key} cannot be written: {error}") from error
        yield OutputFile(file.name, file.bytes, file.sha256, key)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
