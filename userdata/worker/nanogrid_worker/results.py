"""The result document: everything that a user is told about a run."""

import json
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from nanogrid_worker.errors import ExitCode
from nanogrid_worker.messages import Job
from nanogrid_worker.times import iso

EXIT_CODES: frozenset[str] = frozenset(get_args(ExitCode))

MAX_OUTPUT_BYTES = 128 * 1024
MAX_LOG_BYTES = 64 * 1024
MAX_DOCUMENT_BYTES = 256 * 1024
MAX_TEXT_BYTES = 16 * 1024

# A suggestion leaves room for larger input than was seen, and for the interpreter that waits beside the run.
_SUGGESTED_HEADROOM = 1.3
_RUNNER_MB = 16
_SUGGESTED_STEP_MB = 64

Document = dict[str, Any]

Start = Literal["warm", "prewarmed", "cold"]
"""What a run began with: a container of its version, a waiting one of its runtime, or a new one."""


@dataclass(frozen=True)
class OutputFile:
    """A file that a run left in /output, as it lies in the user-data bucket."""

    name: str
    bytes: int
    sha256: str
    key: str


@dataclass(frozen=True)
class Outcome:
    """What came of a run, before it is written down.

    Attributes:
        start: the container that it began with; None when nothing ran.
        ai: requests, tokens and milliseconds of its calls to the AI node; None without any.
    """

    code: ExitCode
    message: str = ""
    output: Any = None
    error: dict[str, str] | None = None
    logs: bytes = b""
    logs_truncated: bool = False
    duration_ms: float = 0.0
    peak_memory_mb: float | None = None
    files: tuple[OutputFile, ...] = field(default=())
    start: Start | None = None
    ai: dict[str, Any] | None = None

    @property
    def status(self) -> Literal["SUCCESS", "FAILED"]:
        """The job's final status."""
        return "SUCCESS" if self.code == "ok" else "FAILED"


def document(
    job: Job, outcome: Outcome, worker_id: str, started_at: datetime, finished_at: datetime, attempt: int
) -> Document:
    """Writes an outcome down, within the size that the jobs table takes."""
    queue_ms = (started_at - job.enqueued_at).total_seconds() * 1000
    result: Document = {
        "job_id": job.job_id,
        "function_id": job.function_id,
        "function_version": job.function_version,
        "worker_id": worker_id,
        "status": outcome.status,
        "exit_reason": {"code": outcome.code, "message": outcome.message},
        "output": outcome.output,
        "error": outcome.error,
        "logs": outcome.logs.decode("utf-8", "replace"),
        "logs_truncated": outcome.logs_truncated,
        "files": [vars(file) for file in outcome.files],
        "started_at": iso(started_at),
        "finished_at": iso(finished_at),
        "queue_ms": round(max(0.0, queue_ms), 3),
        "duration_ms": round(outcome.duration_ms, 3),
        "attempt": attempt,
        "start": outcome.start,
        "ai": outcome.ai,
        "peak_memory_mb": None if outcome.peak_memory_mb is None else round(outcome.peak_memory_mb, 1),
        "suggested_memory_mb": suggested_memory_mb(outcome, job.memory_mb),
    }
    while len(encode(result)) > MAX_DOCUMENT_BYTES and result["logs"]:
        # Control characters take six bytes each as JSON, so that logs within their limit can still be too long.
        result["logs"] = result["logs"][len(result["logs"]) // 2 + 1 :]
        result["logs_truncated"] = True
    return result


def manifest(result: Document) -> Document:
    """What the archive keeps of a result."""
    return {key: value for key, value in result.items() if key not in ("logs", "logs_truncated", "output")}


def encode(result: Document) -> bytes:
    """A document as compact JSON."""
    return json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def suggested_memory_mb(outcome: Outcome, memory_mb: int) -> int | None:
    """A memory limit that the run would have fitted in with room to spare; twice the limit that it has burst."""
    if outcome.code == "out_of_memory":
        return memory_mb * 2
    if outcome.peak_memory_mb is None:
        return None
    wanted = (outcome.peak_memory_mb + _RUNNER_MB) * _SUGGESTED_HEADROOM
    return max(1, math.ceil(wanted / _SUGGESTED_STEP_MB)) * _SUGGESTED_STEP_MB
