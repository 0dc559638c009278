"""RFC 9457 problem documents: what was expected, what came, where, and what to do."""

from dataclasses import dataclass
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class FieldError:
    """One field that is wrong."""

    field: str
    """Name of the field in the body, or `body`."""
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
            "type": f"urn:denoise:problem:{self.kind}",
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
    named = ", ".join(each.field for each in errors)
    return Problem(
        400,
        "invalid-request",
        "The request is not valid",
        "; ".join(f"{each.field}: {each.detail}" for each in errors),
        f"Correct {named} and send the request again.",
        errors,
    )


def no_such_image(key: str) -> Problem:
    """404: the in-bucket has no object of that key."""
    detail = f"The in-bucket has no object {key!r}."
    remedy = "Check file, or upload the image first: GET /presign?mode=upload gives a URL for it."
    return Problem(404, "not-found", "Not found", detail, remedy, (FieldError("file", detail),))


def no_such_request(request_id: str) -> Problem:
    """404: no task knows the request."""
    detail = f"There is no request {request_id!r}."
    return Problem(404, "not-found", "Not found", detail, "Check the id; records are kept for some days only.")


def too_large(field: str, detail: str, remedy: str) -> Problem:
    """413: more than the service takes."""
    return Problem(413, "too-large", "The image is too large", detail, remedy, (FieldError(field, detail),))


def not_an_image(detail: str) -> Problem:
    """415: a file that is neither TIFF nor PNG."""
    remedy = "Send a grey TIFF or PNG whose name ends in .tif, .tiff or .png."
    return Problem(
        415, "unsupported-media-type", "The file's type is not supported", detail, remedy, (FieldError("file", detail),)
    )


def unusable_image(detail: str, remedy: str, field: str = "file") -> Problem:
    """422: a TIFF or PNG that the service cannot work with."""
    return Problem(422, "unusable-image", "The image cannot be denoised", detail, remedy, (FieldError(field, detail),))


def unavailable(detail: str, remedy: str = "Send the request again in a few seconds.", after_s: int = 5) -> Problem:
    """503: something that the service needs does not answer, or it has too much to do."""
    return Problem(503, "unavailable", "Denoise cannot do this now", detail, remedy, retry_after_s=after_s)


def internal() -> Problem:
    """500: our own error. What led to it is in the log."""
    return Problem(
        500,
        "internal",
        "Denoise failed",
        "An unexpected error happened in the service.",
        "Send the request again; if it fails again, give the operator the requestId.",
    )
