"""RFC 9457 problem documents: what was expected, what came, where, and what to do."""

from typing import Any, NamedTuple

CONTENT_TYPE = "application/problem+json"


class RowError(NamedTuple):
    """One value that is wrong."""

    row: int | None
    """Index of the row, from 0; None for what is about the whole body."""
    field: str
    """Name of the feature, of another member of the body, or `body`."""
    detail: str


class Problem(Exception):
    """An error that answers a request.

    Attributes:
        status: of HTTP.
        kind: the last part of the document's `type`, the same for each problem of the kind.
        title: the same for each problem of the kind.
        detail: what is wrong this time.
        remedy: what the caller can do.
        errors: every value that is wrong.
        headers: of the answer, besides the common ones.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        remedy: str,
        errors: tuple[RowError, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.remedy = remedy
        self.errors = errors
        self.headers = headers or {}

    def document(self, instance: str, request_id: str) -> dict[str, Any]:
        """Return the problem as JSON.

        Args:
            instance: path of the request.
            request_id: the id that the log has.
        """
        errors = [
            {**({} if each.row is None else {"row": each.row}), "field": each.field, "detail": each.detail}
            for each in self.errors
        ]
        return {
            "type": f"urn:ml-xgboost:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "remedy": self.remedy,
            "instance": instance,
            "requestId": request_id,
            **({"errors": errors} if errors else {}),
        }


def unreadable(detail: str) -> Problem:
    """400: the body is no JSON object of the shape that is documented."""
    return Problem(
        400,
        "invalid-request",
        "The request is not valid",
        f"body: {detail}",
        'Send {"row": {…}} for one row, or {"rows": [{…}, …]} for some, as JSON in UTF-8.',
        (RowError(None, "body", detail),),
    )


def invalid_rows(errors: tuple[RowError, ...], rows: int) -> Problem:
    """422: rows that the model cannot take."""
    wrong = len({each.row for each in errors})
    return Problem(
        422,
        "invalid-rows",
        "Rows are not valid",
        f"{len(errors)} values in {wrong} of {rows} rows are wrong.",
        "Correct what errors lists, or leave those rows out: nothing was predicted.",
        errors,
    )


def not_found(path: str) -> Problem:
    """404: there is one path."""
    return Problem(404, "not-found", "Not found", f"There is nothing at {path}.", "Send the request to /.")


def not_allowed(method: str) -> Problem:
    """405: another method."""
    return Problem(
        405,
        "method-not-allowed",
        "The method is not allowed",
        f"{method} is not answered here.",
        "POST rows to predict, or GET the model's card.",
        headers={"allow": "GET, POST"},
    )


def unsupported_type(content_type: str) -> Problem:
    """415: the body is not JSON."""
    came = repr(content_type) if content_type else "none"
    return Problem(
        415,
        "unsupported-media-type",
        "The content type is not supported",
        f"content-type: expected application/json, got {came}.",
        "Send JSON, and say so: content-type: application/json.",
    )


def too_large(detail: str, remedy: str) -> Problem:
    """413: more than one request may have."""
    return Problem(413, "too-large", "The request is too large", detail, remedy)


def internal() -> Problem:
    """500: our own error. What led to it is in the log."""
    return Problem(
        500,
        "internal",
        "The function failed",
        "An unexpected error happened in the function.",
        "Send the request again; if it fails again, give the operator the requestId.",
    )
