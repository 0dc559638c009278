"""What can go wrong, by who has to act on it."""

from typing import Literal

from botocore.exceptions import ClientError

ExitCode = Literal["ok", "exception", "timeout", "out_of_memory", "output_too_large", "infrastructure", "cancelled"]
"""How a run ended, as the result document says it."""


class InfrastructureError(Exception):
    """Ours: the message goes back to the queue, is tried again, and ends in the dead-letter queue."""


class MalformedMessage(InfrastructureError):
    """A message that is not a job; no retry can help, and the redrive policy takes it away."""


class RunRefused(Exception):
    """A job that this worker will never run; a result that says why, and no retry.

    Attributes:
        code: the exit reason's code.
        kind: the error's type, as the user sees it; None where the error is not the function's.
    """

    def __init__(self, code: ExitCode, message: str, kind: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind


class Aborted(Exception):
    """The run was stopped from outside: its lease is lost, its job was cancelled, or the worker is leaving."""


class ProtectionMissing(Exception):
    """A protection of the sandbox cannot be applied here; the worker must not start."""


def is_missing(error: BaseException) -> bool:
    """Whether an error was caused by an object that is not in its bucket (any more)."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response["Error"]["Code"] in ("NoSuchKey", "404")
