"""What every request passes first and last: its id, limits of its body, a caller that leaves, the log, the counters."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import structlog

from product_inference.log import logger
from product_inference.metrics import REQUEST_SECONDS, REQUESTS
from product_inference.problems import CONTENT_TYPE, Problem, internal, not_json, too_large, too_slow

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

log = logger(__name__)

QUIET = ("/healthz", "/readyz", "/metrics")
"""Paths that machines ask for all day long: logged only when they fail."""
COUNTED = ("/embeddings", "/attributes", *QUIET)
"""Paths that are counted by name; any other would be a label of the caller's choice."""
LEFT = 499
"""What the log and the counters call a request whose caller did not wait."""
_ID = re.compile(r"[\w.:=-]{1,128}")


def problem_headers(problem: Problem) -> dict[str, str]:
    """Return the headers of a problem's answer."""
    after = problem.retry_after_s
    return {"content-type": CONTENT_TYPE, **({} if after is None else {"retry-after": str(after)})}


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: App, max_body_bytes: int, request_seconds: float) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._request_seconds = request_seconds

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        scope["request_id"] = request_id
        begun = time.monotonic()
        status = LEFT

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                body = await self._body(scope, headers, receive)
                await self._serve(scope, body, receive, answer)
            except Problem as problem:
                await _send_problem(problem, scope["path"], request_id, answer)
            except Exception as error:
                # The last place that can answer.
                log.error("a request failed unexpectedly", exc_info=error)
                if status == LEFT:
                    await _send_problem(internal(), scope["path"], request_id, answer)
            finally:
                self._tell(scope, status, time.monotonic() - begun)

    async def _body(self, scope: Any, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Read the whole body, as far as it is allowed.

        Raises:
            Problem: 408, 413 or 415.
        """
        if scope["method"] != "POST":
            return b""
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise not_json(content_type)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._max_body_bytes:
            raise too_large(self._max_body_bytes)
        body = bytearray()
        try:
            async with asyncio.timeout(self._request_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise too_slow(self._request_seconds)
                    body += message.get("body", b"")
                    if len(body) > self._max_body_bytes:
                        raise too_large(self._max_body_bytes)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise too_slow(self._request_seconds) from None

    async def _serve(self, scope: Any, body: bytes, receive: Receive, send: Send) -> None:
        """Run the application, until it has answered or the caller is gone: nobody waits for the rest then."""
        given = False

        async def again() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            return await asyncio.Future()

        serving = asyncio.ensure_future(self._app(scope, again, send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((serving, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                serving.cancel()
            await serving
        except asyncio.CancelledError:
            if not serving.cancelled() or not leaving.done():
                raise
        finally:
            leaving.cancel()
            serving.cancel()

    def _tell(self, scope: Any, status: int, seconds: float) -> None:
        path = scope["path"]
        endpoint = path if path in COUNTED else "other"
        REQUESTS.labels(endpoint, str(status)).inc()
        REQUEST_SECONDS.labels(endpoint).observe(seconds)
        if status >= 400 or path not in QUIET:
            log.info("answered", method=scope["method"], path=path, status=status, ms=round(seconds * 1000, 1))


async def _gone(receive: Receive) -> None:
    """Wait until the caller is gone, or has its answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _request_id(headers: dict[bytes, bytes]) -> str:
    """Return the caller's id where it sends a sound one: its log and ours then tell of the same request."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if _ID.fullmatch(given) else secrets.token_hex(16)


async def _send_problem(problem: Problem, path: str, request_id: str, send: Send) -> None:
    body = orjson.dumps(problem.document(path, request_id))
    headers = [(name.encode(), value.encode()) for name, value in problem_headers(problem).items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
