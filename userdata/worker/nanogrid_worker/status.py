"""A job's view and its events in Redis. They make answers fast and are never needed; the jobs table is the truth."""

import itertools
import json
import time
from typing import Any

import redis
from redis.exceptions import RedisError

from nanogrid_worker.results import Document
from nanogrid_worker.teller import Teller
from nanogrid_worker.times import iso, now

_TTL_S = 24 * 3600
# A status of some seconds ago may have been overtaken by another worker's; a result never is.
_STALE_S = 5.0
_RESULT_ATTEMPTS = 5
_AGAIN_S = 3.0


class StatusBoard:
    """Where waiting controllers look, and what they listen to."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    def status(self, job_id: str, status: str) -> None:
        """Tells that a job has changed its status, in the background."""
        view = {"job_id": job_id, "status": status, "updated_at": iso(now())}
        stale_at = time.monotonic() + _STALE_S

        def tell(client: redis.Redis) -> None:
            if time.monotonic() < stale_at:
                _tell(client, view)

        self._teller.soon(tell)

    def result(self, result: Document) -> None:
        """Tells a job's result, at once if Redis answers."""
        view = {"updated_at": result["finished_at"], **result}
        attempts = itertools.count(1)

        def tell(client: redis.Redis) -> None:
            try:
                _tell(client, view)
            except RedisError:
                if next(attempts) < _RESULT_ATTEMPTS:
                    self._teller.soon(tell, _AGAIN_S)
                raise

        self._teller.now(tell)


def _tell(client: redis.Redis, view: dict[str, Any]) -> None:
    text = json.dumps(view, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    key = f"nanogrid:job:{view['job_id']}"
    with client.pipeline(transaction=False) as both:
        both.set(key, text, ex=_TTL_S)
        both.publish(f"{key}:events", text)
        both.execute()
