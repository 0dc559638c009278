"""This worker among all: its entry in Redis, which the controller's status shows."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import redis

from nanogrid_worker import __version__
from nanogrid_worker.log import logger
from nanogrid_worker.teller import Teller
from nanogrid_worker.times import iso, now

KEY = "nanogrid:workers"
INTERVAL_S = 15.0
_GONE = timedelta(minutes=10)
_LOOK_EVERY = 8

log = logger(__name__)


class Presence:
    """Writes the entry every INTERVAL_S, removes it at the end, and those of workers that are long gone on its way.

    Args:
        teller: the way to Redis.
        worker_id: the entry's name.
        slots: jobs that run at once.
        runtimes: runtimes that the worker has.
        busy, warm: ask for the jobs that run, and the containers that wait.
    """

    def __init__(
        self,
        teller: Teller,
        worker_id: str,
        slots: int,
        runtimes: list[str],
        busy: Callable[[], int],
        warm: Callable[[], int],
    ) -> None:
        self._teller = teller
        self._worker_id = worker_id
        self._fixed = {"slots": slots, "runtimes": runtimes, "version": __version__, "started_at": iso(now())}
        self._busy = busy
        self._warm = warm
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Removes the entry."""
        self._stop.set()
        self._thread.join()
        self._teller.soon(self._remove)

    def _beat(self) -> None:
        beats = 0
        while True:
            self._teller.soon(self._write)
            if beats % _LOOK_EVERY == 0:
                self._teller.soon(_remove_gone)
            beats += 1
            if self._stop.wait(INTERVAL_S):
                return

    def _write(self, client: redis.Redis) -> None:
        entry = {
            "worker_id": self._worker_id,
            **self._fixed,
            "busy": self._busy(),
            "warm": self._warm(),
            "updated_at": iso(now()),
        }
        client.hset(KEY, self._worker_id, json.dumps(entry, separators=(",", ":")))

    def _remove(self, client: redis.Redis) -> None:
        client.hdel(KEY, self._worker_id)


def _remove_gone(client: redis.Redis) -> None:
    entries = client.hgetall(KEY)
    gone = [name for name, text in entries.items() if _is_gone(text)]
    if gone:
        client.hdel(KEY, *gone)
        log.info("entries of workers that are gone removed", entries=len(gone))


def _is_gone(text: bytes | str) -> bool:
    try:
        entry: dict[str, Any] = json.loads(text)
        return datetime.fromisoformat(entry["updated_at"]) < now() - _GONE
    except (ValueError, KeyError, TypeError):
        return True
