"""gcp-storage-emulator as a WSGI application."""

from __future__ import annotations

import io
from collections.abc import Iterable
from email.message import Message
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from gcp_storage_emulator.server import Router
from gcp_storage_emulator.storage import Storage

from standins.http import Reply, raw_path, read_body


class _Exchange:
    """One request in the shape of the standard library's request handler, which the emulator's router works on."""

    def __init__(self, environ: WSGIEnvironment, storage: Storage) -> None:
        self.storage = storage
        query = environ.get("QUERY_STRING")
        self.path = raw_path(environ) + (f"?{query}" if query else "")
        self.server = self
        self.server_address = (environ["SERVER_NAME"], environ["SERVER_PORT"])
        body = read_body(environ)
        self.headers = Message()
        for key, value in environ.items():
            if key.startswith("HTTP_"):
                self.headers[key[5:].replace("_", "-")] = value
        if environ.get("CONTENT_TYPE"):
            self.headers["Content-Type"] = environ["CONTENT_TYPE"]
        # The server has undone chunked encoding.
        del self.headers["Transfer-Encoding"]
        self.headers["Content-Length"] = str(len(body))
        self.rfile = io.BytesIO(body)
        self.wfile = io.BytesIO()
        self.reply = Reply(500)

    def send_response(self, status: int, _phrase: str | None = None) -> None:
        self.reply.status = status

    def send_header(self, name: str, value: Any) -> None:
        self.reply.headers.append((name, str(value)))

    def end_headers(self) -> None:
        """The reply's headers need no end here."""


class Emulator:
    """The emulator brings a server with one thread and without keep-alive; here its router answers behind ours."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        exchange = _Exchange(environ, self._storage)
        Router(exchange).handle(environ["REQUEST_METHOD"].replace("HEAD", "GET"))
        exchange.reply.body = exchange.wfile.getvalue()
        return exchange.reply.send(start_response)
