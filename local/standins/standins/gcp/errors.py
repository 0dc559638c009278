"""Errors as Google's JSON APIs word them."""

from __future__ import annotations

from standins.http import Reply, json_reply


class ApiError(Exception):
    """An error that is answered to the client."""

    def __init__(self, code: int, status: str, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.reason = reason or status

    def reply(self) -> Reply:
        """The HTTP reply."""
        details = {"domain": "global", "reason": self.reason, "message": self.message}
        return json_reply(
            self.code,
            {"error": {"code": self.code, "status": self.status, "message": self.message, "errors": [details]}},
        )


def not_found(what: str) -> ApiError:
    """The error for something that does not exist."""
    return ApiError(404, "NOT_FOUND", f"{what} was not found.", "notFound")


def already_exists(what: str) -> ApiError:
    """The error for a name that is taken."""
    return ApiError(409, "ALREADY_EXISTS", f"{what} already exists.", "conflict")


def precondition_failed() -> ApiError:
    """The error for a precondition that does not hold."""
    message = "At least one of the pre-conditions you specified did not hold."
    return ApiError(412, "FAILED_PRECONDITION", message, "conditionNotMet")
