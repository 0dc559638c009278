"""One request at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from standins.http import call


class OneAtATime:
    """The emulator was written for a server with a single thread; its state has no locks.

    Cloud Storage promises that a precondition and the write that it guards are one step.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        with self._lock:
            reply = call(self._application, environ)
        return reply.send(start_response)
