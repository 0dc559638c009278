"""RFC 9457 problem documents: what was expected, what came, where, and what to do."""

from dataclasses import dataclass
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class FieldError:
    """One field that is wrong."""

    field: str
    """Its place in the body, such as `texts.3`, or `body`."""
    detail: str


class Problem(Exception):
    """An error that answers a request.

    Attributes:
        status: of HTTP.
        kind: the last part of the document's `type`, the same for each problem of the kind.
        title: the same for each problem of the kind.
        detail: what is wrong this time.
        remedy: what the caller can do.
        errors: the fields that are wrong.
        retry_after_s: when it is worth another attempt; None: at once or never.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        remedy: str,
        errors: tuple[FieldError, ...] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.remedy = remedy
        self.errors = errors
        self.retry_after_s = retry_after_s

    def document(self, instance: str, request_id: str) -> dict[str, Any]:
        """Return the problem as JSON.

        Args:
            instance: path of the request.
            request_id: the id that the log has.
        """
        fields = [{"field": each.field, "detail": each.detail} for each in self.errors]
        return {
            "type": f"urn:product-inference:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "remedy": self.remedy,
            "instance": instance,
            "requestId": request_id,
            **({"field": fields[0]["field"], "errors": fields} if fields else {}),
        }


def invalid(*errors: FieldError) -> Problem:
    """400: fields that are wrong."""
    named = ", ".join(dict.fromkeys(each.field for each in errors))
    return Problem(
        400,
        "invalid-request",
        "The request is not valid",
        "; ".join(f"{each.field}: {each.detail}" for each in errors),
        f"Correct {named} and send the request again.",
        errors,
    )


def too_slow(seconds: float) -> Problem:
    """408: the body did not come."""
    detail = f"The body was not complete after {seconds:g} s."
    return Problem(408, "request-timeout", "The request is too slow", detail, "Send the request again.")


def too_large(most: int) -> Problem:
    """413: a body over the limit."""
    detail = f"The body may have at most {most} bytes."
    remedy = "Send the texts in several requests."
    return Problem(413, "too-large", "The body is too large", detail, remedy, (FieldError("body", detail),))


def not_json(content_type: str) -> Problem:
    """415: a body that does not say that it is JSON."""
    detail = f"expected application/json, got {content_type or 'none'}"
    remedy = "Send the body as application/json."
    title = "The content type is not supported"
    error = FieldError("header Content-Type", detail)
    return Problem(415, "unsupported-media-type", title, detail, remedy, (error,))


def failed_items(fields: tuple[str, ...]) -> Problem:
    """500: the model fails on some texts of the request; others of other requests are not touched by it."""
    errors = tuple(FieldError(field, "the model failed on it") for field in fields)
    detail = f"The model failed on {', '.join(fields)}."
    remedy = "Send the request without them; if they fail again, give the operator the requestId."
    return Problem(500, "item-failed", "The model failed", detail, remedy, errors)


def unavailable(detail: str, after_s: int = 1) -> Problem:
    """503: too much to do, or about to end."""
    remedy = "Send the request again after Retry-After seconds."
    title = "The service cannot do this now"
    return Problem(503, "unavailable", title, detail, remedy, retry_after_s=after_s)


def internal() -> Problem:
    """500: our own error. What led to it is in the log."""
    return Problem(
        500,
        "internal",
        "The service failed",
        "An unexpected error happened in the service.",
        "Send the request again; if it fails again, give the operator the requestId.",
    )
