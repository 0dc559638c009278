"""Cancelled jobs, as the controller tells them. Who misses one finds its lease lost at the next heartbeat."""

import contextlib
import random
import threading
from collections.abc import Callable

import redis
from redis.exceptions import RedisError

from nanogrid_worker.log import logger

CHANNEL = "nanogrid:cancel"
_POLL_S = 1.0
_PAUSE_S = 5.0

log = logger(__name__)


class Cancellations:
    """Listens on a connection of its own, which is made again whenever it is lost.

    Args:
        client: makes the connection.
        on_cancel: called with the job's id, from another thread.
    """

    def __init__(self, client: redis.Redis, on_cancel: Callable[[str], None]) -> None:
        self._client = client
        self._on_cancel = on_cancel
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="cancellations", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening."""
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except RedisError as error:
                log.warning("cancellations are not heard", error=repr(error))
                self._stop.wait(random.uniform(0.5, 1.0) * _PAUSE_S)  # noqa: S311 (jitter)

    def _listen(self) -> None:
        subscription = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        with contextlib.closing(subscription) as events:
            events.subscribe(CHANNEL)
            while not self._stop.is_set():
                message = events.get_message(timeout=_POLL_S)
                if message is not None:
                    self._on_cancel(message["data"].decode("utf-8", "replace"))
