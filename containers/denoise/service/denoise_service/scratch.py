"""Folders for images on their way. None outlives its request; after a kill, the next start removes them."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from denoise_service.log import logger

log = logger(__name__)
_LOCK = ".lock"


class Scratch:
    """A folder of this process' own, with a folder for each request.

    The process holds a lock in its folder for as long as it lives: a folder whose lock is free was left behind by a
    process that was killed, and is removed at the next start.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (root / _LOCK).open("w") as one_at_a_time:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            _sweep(root)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
            self._lock = (self._folder / _LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """Give a folder that is gone afterwards, whatever happens."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def close(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()


def _sweep(root: Path) -> None:
    for folder in (path for path in root.iterdir() if path.is_dir()):
        try:
            with (folder / _LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
        except BlockingIOError:
            continue
        except OSError as error:
            log.warning("a folder of an earlier process cannot be removed", folder=str(folder), error=str(error))
        else:
            log.info("removed what an earlier process left", folder=str(folder))
