"""Records of requests in the out-bucket: any task may be asked what became of a request.

A running request's record carries a heartbeat. A record that has been without one for too long belongs to a task that
died, and is told as failed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from denoise_service.problems import Problem

if TYPE_CHECKING:
    from denoise_service.store import Store

RECORDS_PREFIX = ".requests/"
_ID = re.compile(r"[0-9a-f]{32}")
_LOST_AFTER_HEARTBEATS = 6


def iso(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC with milliseconds, such as `2026-01-31T10:00:00.000Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Records:
    """What is known of requests, of this task's and others'."""

    def __init__(self, store: Store, heartbeat_s: float) -> None:
        self._store = store
        self._lost_after_s = heartbeat_s * _LOST_AFTER_HEARTBEATS

    def write(self, document: dict[str, Any]) -> None:
        """Store the document of a request, with the time as its heartbeat.

        Raises:
            Problem: 503 when S3 does not take it.
        """
        key = f"{RECORDS_PREFIX}{document['id']}.json"
        self._store.write_record(key, {**document, "heartbeatAt": iso(datetime.now(UTC))})

    def read(self, request_id: str) -> dict[str, Any] | None:
        """Read the document of a request; None where no task knows it.

        Raises:
            Problem: 503 when S3 does not answer.
        """
        if not _ID.fullmatch(request_id):
            return None
        record = self._store.read_record(f"{RECORDS_PREFIX}{request_id}.json")
        if record is None:
            return None
        heartbeat = datetime.fromisoformat(record.pop("heartbeatAt"))
        age_s = (datetime.now(UTC) - heartbeat).total_seconds()
        if record["status"] == "running" and age_s > self._lost_after_s:
            return failed(record, _lost(heartbeat))
        return record


def failed(document: dict[str, Any], problem: Problem) -> dict[str, Any]:
    """Return the document of a request as it is after a problem."""
    request_id = str(document["id"])
    return {**document, "status": "failed", "error": problem.document(f"/inference/{request_id}", request_id)}


def _lost(heartbeat: datetime) -> Problem:
    return Problem(
        503,
        "lost",
        "The request was lost",
        f"The task that worked on it has given no sign of life since {iso(heartbeat)}.",
        "Send the request again.",
    )
