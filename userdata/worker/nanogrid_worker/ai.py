"""The way to the AI node: one unix socket per sandbox, which passes calls of models on and counts what they use."""

import contextlib
import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nanogrid_worker.log import logger

MAX_BODY_BYTES = 32 * 1024 * 1024
CALLS_AT_ONCE = 4

_POST = {
    "/api/generate",
    "/api/chat",
    "/api/embed",
    "/api/embeddings",
    "/api/show",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
}
_GET = {"/api/tags", "/api/version", "/v1/models"}
_ALLOWED = {("POST", path) for path in _POST} | {("GET", path) for path in _GET}
_HELP = f"Allowed are POST of {', '.join(sorted(_POST))} and GET of {', '.join(sorted(_GET))}."

_CONNECT_TIMEOUT_S = 5.0
# A model that is not in memory yet takes minutes until its first word.
_REPLY_TIMEOUT_S = 900.0
_REQUEST_TIMEOUT_S = 60.0
_LINGER_S = 2.0
_CHUNK = 64 * 1024
# What counts stands in one line, or in all of a reply that is not streamed; longer ones are passed on uncounted.
_COUNTED_BYTES = 8 * 1024 * 1024
_BACKLOG = 64

log = logger(__name__)


@dataclass
class _Usage:
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    duration_ms: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, prompt_tokens: int, completion_tokens: int, duration_ms: float) -> None:
        with self.lock:
            self.requests += 1
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens
            self.duration_ms += duration_ms


class AiGateway:
    """The AI node, as sandboxes may use it.

    Args:
        endpoint: its URL, such as `http://10.0.20.100:11434`.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = urlsplit(endpoint)

    def listen(self, path: Path) -> "AiSocket":
        """Opens a socket for one sandbox."""
        return AiSocket(self, path)

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own for one call.

        Raises:
            OSError: the AI node does not answer.
        """
        kind = http.client.HTTPSConnection if self._endpoint.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._endpoint.hostname or "", self._endpoint.port, timeout=_CONNECT_TIMEOUT_S)
        connection.connect()
        connection.sock.settimeout(_REPLY_TIMEOUT_S)
        return connection

    def path_of(self, path: str) -> str:
        """A path below the endpoint's own."""
        return self._endpoint.path.rstrip("/") + path


class AiSocket:
    """One sandbox's socket: CALLS_AT_ONCE calls at most, further ones wait. Made by AiGateway.listen."""

    def __init__(self, gateway: AiGateway, path: Path) -> None:
        self.gateway = gateway
        self._usage = _Usage()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._slots = threading.Semaphore(CALLS_AT_ONCE)
        self._is_closed = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        # The sandbox's user connects; on this machine the folder above keeps everybody else out.
        path.chmod(0o666)
        self._listener.listen(_BACKLOG)
        threading.Thread(target=self._serve, name="ai", daemon=True).start()

    def usage(self) -> dict[str, Any] | None:
        """What was used since the last reset; None if nothing was."""
        usage = self._usage
        with usage.lock:
            if usage.requests == 0:
                return None
            return {
                "requests": usage.requests,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "duration_ms": round(usage.duration_ms, 3),
            }

    def reset(self) -> None:
        """Begins another run: counts from zero, and ends what the one before it has left."""
        self._usage = _Usage()
        self._hang_up()

    def close(self) -> None:
        """Ends all calls and the socket."""
        self._is_closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()
        # The thread may wait for a call to end, which it has no need to any more.
        self._slots.release()

    @contextlib.contextmanager
    def registered(self, connection: socket.socket) -> Iterator[None]:
        """Keeps a connection where reset() and close() find it."""
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)

    def _hang_up(self) -> None:
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            self._slots.acquire()
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_closed:
                client.close()
                return
            threading.Thread(target=self._answer, args=(client, self._usage), name="ai-call", daemon=True).start()

    def _answer(self, client: socket.socket, usage: _Usage) -> None:
        try:
            with client, self.registered(client):
                _Call(client, self, usage)
        except OSError as error:
            log.info("call of the AI node broken off", error=repr(error))
        finally:
            self._slots.release()


class _ClientGone(OSError):
    """Nobody waits for the reply any more."""


class _Call(BaseHTTPRequestHandler):
    """One call over one connection."""

    protocol_version = "HTTP/1.1"
    timeout = _REQUEST_TIMEOUT_S

    def __init__(self, client: socket.socket, ai: AiSocket, usage: _Usage) -> None:
        self._ai = ai
        self._usage = usage
        self._has_replied = False
        self._is_counted = False
        self._started = 0.0
        self._tokens = _TokenCounter()
        super().__init__(client, ("", 0), None)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Passes a GET on, if it is allowed."""
        self._pass_on()

    def do_POST(self) -> None:
        """Passes a POST on, if it is allowed."""
        self._pass_on()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what is no request, or has a method that is never passed on."""
        is_method = code == HTTPStatus.NOT_IMPLEMENTED
        self._problem(403 if is_method else code, f"{message or explain or 'This is no request.'} {_HELP}")

    def log_message(self, *_: object) -> None:
        """Says nothing: what a function does is no concern of the worker's log."""

    def _pass_on(self) -> None:
        self.close_connection = True
        path = self.path.partition("?")[0]
        if (self.command, path) not in _ALLOWED:
            self._problem(403, f"{self.command} {path} is not passed on to the AI node. {_HELP}")
            return
        length = self._length()
        if length is None:
            return
        self._started = time.monotonic()
        try:
            self._exchange(path, length)
        except _ClientGone:
            raise
        except (OSError, http.client.HTTPException) as error:
            log.warning("the AI node does not answer", error=repr(error))
            if self._has_replied:
                raise OSError("the AI node broke off its reply") from error
            self._count()
            self._problem(502, "The AI node does not answer. Try again later.")
        finally:
            self._count()

    def _count(self) -> None:
        """Counts the call, once: before its last byte, after which the run may be over."""
        if not self._is_counted:
            self._is_counted = True
            tokens = self._tokens
            self._usage.add(tokens.prompt, tokens.completion, (time.monotonic() - self._started) * 1000)

    def _length(self) -> int | None:
        text = self.headers.get("Content-Length", "0" if self.command == "GET" else "")
        if self.headers.get("Transfer-Encoding") or not text.isdecimal():
            self._problem(411, "Send the body with a Content-Length.")
            return None
        if len(text) > len(str(MAX_BODY_BYTES)) or int(text) > MAX_BODY_BYTES:
            self._problem(413, f"The body has more than {MAX_BODY_BYTES} bytes.")
            return None
        return int(text)

    def _exchange(self, path: str, length: int) -> None:
        node = self._ai.gateway.connect()
        with contextlib.closing(node), self._ai.registered(node.sock):
            node.putrequest(self.command, self._ai.gateway.path_of(path), skip_accept_encoding=True)
            for name in ("Content-Type", "Accept"):
                if value := self.headers.get(name):
                    node.putheader(name, value)
            if self.command == "POST":
                node.putheader("Content-Length", str(length))
            node.endheaders()
            while length > 0:
                data = self._from_client(min(_CHUNK, length))
                node.send(data)
                length -= len(data)
            self._await(node.sock)
            with contextlib.closing(node.getresponse()) as reply:
                self._relay(reply)

    def _from_client(self, size: int) -> bytes:
        with _client():
            data = self.rfile.read(size)
        if not data:
            raise _ClientGone("the function ended its call early")
        return data

    def _await(self, node: socket.socket) -> None:
        """Waits for the reply's first byte, or raises when the function hangs up: no model should work for nobody."""
        poll = select.poll()
        poll.register(node, select.POLLIN)
        poll.register(self.connection, select.POLLIN | select.POLLRDHUP)
        ready = dict(poll.poll(_REPLY_TIMEOUT_S * 1000))
        if not ready:
            raise TimeoutError("no reply in time")
        if node.fileno() not in ready and ready[self.connection.fileno()] & (select.POLLRDHUP | select.POLLHUP):
            raise _ClientGone("the function hung up")

    def _relay(self, reply: http.client.HTTPResponse) -> None:
        self._tokens.is_streamed = reply.headers.get_content_type() != "application/json"
        self._has_replied = True
        with _client():
            self.send_response_only(reply.status)
            self.send_header("Content-Type", reply.headers.get("Content-Type", "application/octet-stream"))
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Connection", "close")
            self.end_headers()
        while data := reply.read1(_CHUNK):
            self._tokens.take(data)
            with _client():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self._tokens.end()
        self._count()
        with _client():
            self.wfile.write(b"0\r\n\r\n")

    def _problem(self, status: int, detail: str) -> None:
        title = http.client.responses.get(status, "Error")
        body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self._linger()

    def _linger(self) -> None:
        """Takes what is still being sent, for a moment: whoever hangs up on a sender takes back its own answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_LINGER_S)
        deadline = time.monotonic() + _LINGER_S
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < deadline and self.connection.recv(_CHUNK):
                pass


@contextlib.contextmanager
def _client() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _ClientGone(str(error)) from error


class _TokenCounter:
    """Finds tokens in a reply as it passes by: in Ollama's last object, or in `usage` of the v1 API."""

    def __init__(self) -> None:
        self.prompt = 0
        self.completion = 0
        self.is_streamed = False
        self._pending = b""
        self._is_too_long = False

    def take(self, data: bytes) -> None:
        """Looks at the next bytes."""
        *lines, rest = data.split(b"\n") if self.is_streamed else [data]
        for line in lines:
            self._add(line)
            self.end()
        self._add(rest)

    def end(self) -> None:
        """Looks at a line, or a document, that is complete."""
        line, self._pending = self._pending, b""
        is_too_long, self._is_too_long = self._is_too_long, False
        if not is_too_long and (b"eval_count" in line or b'"usage"' in line):
            with contextlib.suppress(ValueError):
                self._count(json.loads(line.removeprefix(b"data:")))

    def _add(self, data: bytes) -> None:
        self._is_too_long = self._is_too_long or len(self._pending) + len(data) > _COUNTED_BYTES
        self._pending = b"" if self._is_too_long else self._pending + data

    def _count(self, message: object) -> None:
        if not isinstance(message, dict):
            return
        usage = message.get("usage")
        if isinstance(usage, dict):
            self.prompt += _whole(usage.get("prompt_tokens"))
            self.completion += _whole(usage.get("completion_tokens"))
        else:
            self.prompt += _whole(message.get("prompt_eval_count"))
            self.completion += _whole(message.get("eval_count"))


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
