"""The stand-in of Atlas on the port of AWS, since peerings are made in there."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from standins.atlas.kinds import KINDS, Attributes, Kind, RefusedError
from standins.http import Reply, json_reply, raw_path, read_body

_PATH = re.compile(r"^/standins/atlas/(?P<kind>\w+)(?:/(?P<id>[^/]+))?$")


class Atlas:
    """Answers below /standins/atlas: one collection a resource type, objects in the form of the provider's attributes.

    It is no Admin API: only the stand-in of the provider speaks it.
    """

    def __init__(self, application: WSGIApplication, lock: threading.Condition) -> None:
        self._application = application
        self._lock = lock
        objects: dict[str, dict[str, Attributes]] = {}
        self._kinds = {kind.name: kind(objects) for kind in KINDS}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        match = _PATH.match(raw_path(environ))
        if match is None:
            return self._application(environ, start_response)
        # Under moto's own lock: the peerings are moto's objects.
        with self._lock:
            reply = self._answer(environ, match["kind"], unquote(match["id"] or ""))
        return reply.send(start_response)

    def _answer(self, environ: WSGIEnvironment, name: str, object_id: str) -> Reply:
        kind = self._kinds.get(name)
        if kind is None:
            return _refusal(404, "RESOURCE_NOT_FOUND", f"The stand-in of Atlas has no {name}.")
        try:
            return _do(kind, str(environ["REQUEST_METHOD"]), object_id, environ)
        except RefusedError as error:
            return _refusal(error.status, error.code, str(error))


def _do(kind: Kind, method: str, object_id: str, environ: WSGIEnvironment) -> Reply:
    if method == "POST":
        created = kind.create(_body(environ))
        kind.own[created["id"]] = created
        return json_reply(201, created)
    wanted = parse_qs(str(environ.get("QUERY_STRING", ""))).get("import", [])
    each = kind.own.get(object_id) or next((one for one in kind.own.values() if kind.import_id(one) in wanted), None)
    if each is None:
        return _refusal(404, "RESOURCE_NOT_FOUND", f"No {kind.name} {object_id or ', '.join(wanted)} exists.")
    if method == "PUT":
        each = kind.update(each, _body(environ))
        kind.own[object_id] = each
    elif method == "DELETE":
        kind.delete(each)
        del kind.own[object_id]
        return Reply(204)
    return json_reply(200, kind.read(each))


def _body(environ: WSGIEnvironment) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(read_body(environ))
    return body


def _refusal(status: int, code: str, detail: str) -> Reply:
    return json_reply(status, {"errorCode": code, "detail": detail})
