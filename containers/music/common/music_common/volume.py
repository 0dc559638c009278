"""The volume that the services share: a folder for each run below its user's, whole files only, one writer at a time.

Layout, below the volume's root:

    runs/<user>/<run>/run.json              what the user asked for, and how far it is (the back alone writes it)
    runs/<user>/<run>/input.wav             the recording: 16 kHz, mono, 16 bits (the back)
    runs/<user>/<run>/transcript.json       the words (first-stage)
    runs/<user>/<run>/mood.json             the mood (first-stage)
    runs/<user>/<run>/candidates/<n>.wav    the music, with <n>.json beside it (second-stage)
    active/<user>.<run>                     empty; there while a run waits or runs (the back)

<user> is a digest of the user's name, <run> a random id. Nobody finds a run without both.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from music_common.problems import not_found, unavailable, volume_full

_REFERENCE = re.compile(r"[0-9a-f]{32}/[0-9a-f]{32}")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LOCK_POLL_S = 0.1
_LOCK_RETRY_S = 5


def user_folder(user: str) -> str:
    """Return the name of a user's folder: a digest, so that no name can lead out of the volume."""
    return hashlib.sha256(user.encode()).hexdigest()[:32]


class Volume:
    """The shared volume."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, run: str) -> Path:
        """Return the folder of a run.

        Args:
            run: `<user>/<run>`, both 32 hex digits.

        Raises:
            Problem: 404 where it is no such reference, or no such run.
        """
        if not _REFERENCE.fullmatch(run):
            raise not_found(f"run {run[:80]!r}")
        folder = self.root / "runs" / run
        if not folder.is_dir():
            raise not_found(f"run {run!r}")
        return folder

    def writable(self) -> bool:
        """Return whether the volume is there, and takes a file."""
        probe = self.root / f".probe-{os.getpid()}"
        try:
            probe.touch()
            probe.unlink()
        except OSError:
            return False
        return True

    def free_bytes(self) -> int:
        """Return how much room is left."""
        return shutil.disk_usage(self.root).free


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears under its name only when it is complete.

    Raises:
        Problem: 507 where the volume has no room; nothing is left behind then.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    with room():
        try:
            path.parent.mkdir(exist_ok=True)
            with unfinished.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise


@contextmanager
def room() -> Iterator[None]:
    """Turn the system's word for a full volume into an error that a caller understands.

    Raises:
        Problem: 507.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise volume_full(f"The volume does not take more: {error.strerror}.") from error
        raise


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document whole.

    Raises:
        Problem: 507 where the volume has no room.
    """
    with whole_file(path) as file:
        file.write(json.dumps(document).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a document; None where there is none."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return document


@contextmanager
def only_one(path: Path, wait_s: float) -> Iterator[None]:
    """Hold a lock beside a file that is about to be made. A holder that dies lets go of it.

    Args:
        path: the file.
        wait_s: how long to wait for another holder.

    Raises:
        Problem: 503 where another one holds it for longer, 507 where the volume has no room.
    """
    with room():
        path.parent.mkdir(exist_ok=True)
        lock = path.with_name(f".{path.name}.lock").open("ab")
    with lock:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise unavailable(f"{path.name} is being made by another request.", _LOCK_RETRY_S) from None
                time.sleep(_LOCK_POLL_S)
        yield
