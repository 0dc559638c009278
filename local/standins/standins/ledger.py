"""What the stand-ins say about themselves: /standins/health and /standins/unsupported, on both ports."""

from __future__ import annotations

import logging
import re
import threading
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

import cbor2

from standins import __version__
from standins.http import Reply, call, json_reply, raw_path, read_body

log = logging.getLogger("standins")

#: Bytes of a reply that are kept to say what was missing.
EXCERPT = 400


class Status:
    """What both ports know of the run: who it is, since when, and which requests it could not answer."""

    def __init__(self, aws_url: str, gcp_url: str) -> None:
        self._urls = {"aws": aws_url, "gcp": gcp_url}
        self._instance = uuid.uuid4().hex
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._messages: dict[tuple[str, str, int], str] = {}

    def health(self) -> dict[str, Any]:
        """The document of /standins/health. Another instance id means that everything made before is gone."""
        return {
            "status": "ok",
            "version": __version__,
            "instance": self._instance,
            "uptime_s": round(time.monotonic() - self._started, 3),
            **self._urls,
        }

    def record(self, cloud: str, operation: str, status: int, message: str) -> None:
        """Counts a request that was answered with 5xx."""
        key = (cloud, operation, status)
        with self._lock:
            self._counts[key] += 1
            self._messages[key] = message
        log.warning("%s %s: answered %d: %s", cloud, operation, status, message)

    def unsupported(self) -> list[dict[str, Any]]:
        """The document of /standins/unsupported: operations answered with 5xx so far, how often, the last reason."""
        with self._lock:
            return [
                {
                    "cloud": cloud,
                    "operation": operation,
                    "status": status,
                    "count": count,
                    "message": self._messages[key],
                }
                for key, count in self._counts.items()
                for cloud, operation, status in [key]
            ]


class Ledger:
    """Answers /standins/…, turns what the cloud behind it lacks into a quick 501, and records every 5xx."""

    def __init__(self, cloud: str, application: WSGIApplication, status: Status) -> None:
        self._cloud = cloud
        self._application = application
        self._status = status

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        path = raw_path(environ)
        if path == "/standins/health":
            return json_reply(200, self._status.health()).send(start_response)
        if path == "/standins/unsupported":
            return json_reply(200, self._status.unsupported()).send(start_response)
        operation = operation_name(environ)
        began = time.monotonic()
        try:
            reply = call(self._application, environ)
        except NotImplementedError as error:
            reply = self._error(environ, 501, "NotImplemented", f"the stand-in lacks {operation}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever fails in there is to be answered and recorded
            log.error("%s %s\n%s", self._cloud, operation, traceback.format_exc())
            reply = self._error(environ, 500, "InternalFailure", f"the stand-in failed at {operation}: {error!r}")
        if reply.status >= 500:
            self._status.record(self._cloud, operation, reply.status, reply.body[:EXCERPT].decode("utf-8", "replace"))
        else:
            log.debug("%s %s: %d in %.0f ms", self._cloud, operation, reply.status, (time.monotonic() - began) * 1000)
        return reply.send(start_response)

    def _error(self, environ: WSGIEnvironment, status: int, code: str, message: str) -> Reply:
        if self._cloud == "gcp":
            return json_reply(status, {"error": {"code": status, "message": message, "status": code}})
        content_type = str(environ.get("CONTENT_TYPE", ""))
        if "cbor" in content_type:
            headers = [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
            return Reply(status, headers, cbor2.dumps({"__type": code, "message": message}))
        if "json" in content_type or "HTTP_X_AMZ_TARGET" in environ:
            return json_reply(status, {"__type": code, "message": message}, {"x-amzn-errortype": code})
        error = f"<Error><Type>Receiver</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        envelopes = {"s3": error, "ec2": f"<Response><Errors>{error}</Errors></Response>"}
        body = envelopes.get(_service(environ), f"<ErrorResponse>{error}</ErrorResponse>")
        return Reply(status, [("Content-Type", "text/xml")], body.encode())


def operation_name(environ: WSGIEnvironment) -> str:
    """The operation that a request asks for, as an operator would say it: `autoscaling.CreateAutoScalingGroup`."""
    service, path = _service(environ), raw_path(environ)
    operation = f"{environ.get('REQUEST_METHOD')} {path}"
    if environ.get("HTTP_X_AMZ_TARGET"):
        operation = str(environ["HTTP_X_AMZ_TARGET"]).rsplit(".", 1)[-1]
    elif "/operation/" in path and environ.get("HTTP_SMITHY_PROTOCOL"):
        operation = path.rsplit("/", 1)[-1]
    elif str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        operation = parse_qs(read_body(environ).decode("utf-8", "replace")).get("Action", [operation])[0]
    return f"{service}.{operation}" if service else operation


def _service(environ: WSGIEnvironment) -> str:
    """The service that a request was signed for; empty when it was not signed."""
    scope = re.search(r"Credential=[^/]*/[^/]*/[^/]*/([^/]+)/", str(environ.get("HTTP_AUTHORIZATION", "")))
    return scope[1] if scope else ""
