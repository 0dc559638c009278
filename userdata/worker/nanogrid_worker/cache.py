"""Folders by name on disk, kept until there are too many, and never taken from whoever uses one."""

import contextlib
import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from nanogrid_worker.log import logger

_MIB = 1024 * 1024

log = logger(__name__)


class DiskCache:
    """A bounded cache of folders. Safe to use from many threads.

    Args:
        folder: where the entries are; nobody else's.
        max_mb: size that it is held to, in MiB. What is in use may make it larger.
    """

    def __init__(self, folder: Path, max_mb: int) -> None:
        self._folder = folder
        self._max_bytes = max_mb * _MIB
        self._lock = threading.Lock()
        self._in_use: Counter[str] = Counter()
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob(".*"):
            shutil.rmtree(unfinished)

    @contextlib.contextmanager
    def used(self, name: str) -> Iterator[Path]:
        """Where the entry of a name is, or will be: it stays while the context does."""
        with self._lock:
            self._in_use[name] += 1
        try:
            yield self._folder / name
        finally:
            with self._lock:
                self._in_use[name] -= 1

    def ensure(self, name: str, fill: Callable[[Path], None]) -> None:
        """Makes an entry that is not there; called while it is in use.

        Args:
            name: what it is called.
            fill: puts its files into an empty folder. What it raises leaves no entry.
        """
        entry = self._folder / name
        if not entry.exists():
            self._add(entry, fill)
            self._evict()
        os.utime(entry)

    def _add(self, entry: Path, fill: Callable[[Path], None]) -> None:
        making = Path(tempfile.mkdtemp(prefix=".", dir=self._folder))
        try:
            fill(making)
            # Sandboxes run under another user, who enters by a mount of this folder alone.
            making.chmod(0o755)
            making.rename(entry)
        except OSError:
            # Another thread may have been first; its entry is as good.
            if not entry.exists():
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)

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
            log.info("cache entry evicted", entry=entry.name, bytes=sizes[entry])


def _used_at(entry: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return entry.stat().st_mtime
    return 0.0


def _size(entry: Path) -> int:
    return sum(path.lstat().st_size for path in entry.rglob("*"))
