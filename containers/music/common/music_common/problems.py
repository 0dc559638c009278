"""RFC 9457 problem documents: what is wrong, in which field, and what to do."""

from typing import Any

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """An error that answers a request.

    Attributes:
        status: of HTTP.
        kind: the last part of the document's `type`, the same for each problem of the kind.
        title: the same for each problem of the kind.
        detail: what is wrong this time.
        remedy: what the caller can do.
        field: the field that is wrong: a name in the body, `body`, `audio`, or `header …`; None where none is.
        retry_after_s: when it is worth another attempt; None: at once or never.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        remedy: str,
        field: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.remedy = remedy
        self.field = field
        self.retry_after_s = retry_after_s

    def document(self, instance: str, request_id: str) -> dict[str, Any]:
        """Return the problem as JSON.

        Args:
            instance: path of the request.
            request_id: the id that the log has.
        """
        return {
            "type": f"urn:music:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "remedy": self.remedy,
            "instance": instance,
            "requestId": request_id,
            **({"field": self.field} if self.field else {}),
        }


def invalid(field: str, detail: str) -> Problem:
    """400: a field that is missing, unknown, or out of range."""
    return Problem(
        400,
        "invalid-request",
        "The request is not valid",
        f"{field}: {detail}",
        f"Correct {field} and send the request again.",
        field,
    )


def not_found(what: str) -> Problem:
    """404: there is none, or it is another user's."""
    return Problem(
        404, "not-found", "Not found", f"There is no {what}.", "Check the id; runs are kept for some days only."
    )


def conflict(detail: str, remedy: str) -> Problem:
    """409: the run is not in a state for it."""
    return Problem(409, "conflict", "The run is not in a state for that", detail, remedy)


def too_large(field: str, detail: str, remedy: str) -> Problem:
    """413: more than the service takes."""
    return Problem(413, "too-large", "The recording is too large", detail, remedy, field)


def not_audio(detail: str) -> Problem:
    """415: the content is of no format that the service takes."""
    return Problem(
        415,
        "unsupported-media-type",
        "The format is not supported",
        detail,
        "Send WAV, FLAC, OGG or MP3. The content decides, not the name.",
        "audio",
    )


def unusable_audio(detail: str, remedy: str) -> Problem:
    """422: of a format that the service takes, and yet not to be used."""
    return Problem(422, "unusable-recording", "The recording cannot be used", detail, remedy, "audio")


def volume_full(detail: str) -> Problem:
    """507: nothing more can be written. It is told at once: waiting would not make room."""
    return Problem(
        507,
        "volume-full",
        "The volume is full",
        detail,
        "Delete runs that are no longer needed, or ask the operator for a larger volume.",
    )


def unavailable(
    detail: str, retry_after_s: int, remedy: str = "Wait as long as Retry-After says, and try again."
) -> Problem:
    """503: not now."""
    return Problem(503, "unavailable", "The service is not available", detail, remedy, retry_after_s=retry_after_s)


def internal() -> Problem:
    """500: a fault of the service, of which the log has more."""
    return Problem(
        500,
        "internal",
        "The service failed",
        "Something unexpected happened.",
        "Try again; if it fails again, give the operator the requestId.",
    )
