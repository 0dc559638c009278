"""Small pieces that every WSGI layer here needs: reading a body, calling an inner application, answering JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass
class Reply:
    """A complete HTTP reply."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def replace_header(self, name: str, value: str) -> None:
        """Sets a header to one value."""
        self.headers = [(key, old) for key, old in self.headers if key.lower() != name.lower()] + [(name, value)]

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request with this reply."""
        self.replace_header("Content-Length", self.header("Content-Length") or str(len(self.body)))
        start_response(f"{self.status} {_phrase(self.status)}", self.headers)
        return [self.body]


def json_reply(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply with a JSON document as its body."""
    all_headers = {"Content-Type": "application/json", **(headers or {})}
    return Reply(status, list(all_headers.items()), json.dumps(document).encode())


def read_body(environ: WSGIEnvironment) -> bytes:
    """The request's whole body; it can be read again after."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    write_body(environ, body)
    return body


def write_body(environ: WSGIEnvironment, body: bytes) -> None:
    """Replaces the request's body."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def raw_path(environ: WSGIEnvironment) -> str:
    """The request's path as it was sent: percent signs undecoded, without the host that a request to a proxy has."""
    target = str(environ.get("REQUEST_URI") or environ.get("PATH_INFO") or "/")
    if not target.startswith("/"):
        target = urlsplit(target).path or "/"
    return target.split("?", 1)[0]


def call(application: WSGIApplication, environ: WSGIEnvironment) -> Reply:
    """Runs a WSGI application and waits for its whole reply."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> Any:
        started.append((status, headers))
        return written.append

    chunks = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()
    status, headers = started[-1]
    return Reply(int(status.split(" ", 1)[0]), list(headers), b"".join(written) + body)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
