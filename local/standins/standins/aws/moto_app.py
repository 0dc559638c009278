"""moto as one WSGI application that can be called from many threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from standins.http import call, raw_path

#: Calls that run a user's code, which may call back: they would wait for themselves under the lock.
_RUNS_CODE = re.compile(r"^/\d{4}-\d\d-\d\d/functions/[^/]+/(invocations|invoke-async)")


class MotoApplication:
    """moto, one request at a time.

    moto's state has no locks: a conditional write reads, compares and stores in steps, and a describe walks over dicts
    that a create is changing. AWS promises that a conditional write is atomic; jobs' leases and Terraform's state lock
    rest on it.
    """

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self.idle = threading.Condition(threading.RLock())
        """Held while moto works; notified when a message has been sent (a long poll waits on it)."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        path = raw_path(environ)
        # moto looks there for the path before decoding: an S3 key may hold an encoded slash.
        environ["RAW_URI"] = path
        if _RUNS_CODE.match(path):
            return call(self._moto, environ).send(start_response)
        with self.idle:
            reply = call(self._moto, environ)
        return reply.send(start_response)
