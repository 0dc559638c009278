"""S3's errors as S3 words them, for what is refused before moto sees it."""

from __future__ import annotations

from xml.sax.saxutils import escape

from standins.http import Reply


class S3Refusal(Exception):
    """A request that S3 refuses: status, code, message, and the members that S3 adds to its error."""

    def __init__(self, status: int, code: str, message: str, **details: str | int) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def reply(self, method: str) -> Reply:
        """The answer to a request of this method: a HEAD gets no body."""
        members = {"Code": self.code, "Message": self.message, **self.details, "RequestId": "STANDIN"}
        inner = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in members.items())
        document = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
        body = b"" if method == "HEAD" else document.encode()
        return Reply(self.status, [("Content-Type", "application/xml")], body)
