"""The way to the AI node: what passes, what is counted, what is refused, and what happens without one.

The AI node is a stand-in that speaks as much of Ollama's API as a call needs.
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clouds import Grid
from support.processes import wait_until
from support.servers import Recorder, Request, black_hole, recording
from support.worker import Worker

from nanogrid_worker.ai import MAX_BODY_BYTES, AiGateway, AiSocket

FINAL = {"done": True, "prompt_eval_count": 11, "eval_count": 5}


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket, as a function makes it."""

    def __init__(self, path: Path, timeout: float = 10) -> None:
        super().__init__("ai", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connects."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def call(path: Path, method: str, target: str, body: Any = None) -> tuple[int, bytes]:
    """One call; status and body."""
    connection = UnixConnection(path)
    data = None if body is None else json.dumps(body)
    connection.request(method, target, data, {"Content-Type": "application/json", "Authorization": "Bearer mine"})
    reply = connection.getresponse()
    result = reply.status, reply.read()
    connection.close()
    return result


@pytest.fixture
def node() -> Iterator[Recorder]:
    """The stand-in of the AI node."""

    def generate(request: Request) -> tuple[int, str, bytes]:
        if request.json().get("stream", True):
            lines = [json.dumps({"response": word}) for word in ("Hello", " there")] + [json.dumps(FINAL)]
            return 200, "application/x-ndjson", "\n".join(lines).encode()
        return 200, "application/json", json.dumps({"response": "Hello there", **FINAL}).encode()

    def chat_v1(request: Request) -> tuple[int, str, bytes]:
        usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
        if not request.json().get("stream"):
            return 200, "application/json", json.dumps(usage, indent=2).encode()
        return (
            200,
            "text/event-stream",
            f'data: {{"choices": []}}\n\ndata: {json.dumps(usage)}\n\ndata: [DONE]\n\n'.encode(),
        )

    with recording() as recorder:
        recorder.answers = {"/api/generate": generate, "/v1/chat/completions": chat_v1}
        recorder.body = b'{"models": []}'
        yield recorder


@pytest.fixture
def path(scratch: Path) -> Path:
    """Where a test's socket is."""
    return scratch / f"ai-{time.monotonic_ns()}.sock"


@pytest.fixture
def ai(node: Recorder, path: Path) -> Iterator[AiSocket]:
    """A sandbox's socket."""
    opened = AiGateway(node.url).listen(path)
    yield opened
    opened.close()


def counted(ai: AiSocket) -> tuple[int, int, int]:
    """Requests and tokens."""
    usage = ai.usage() or {}
    return usage.get("requests", 0), usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)


def test_calls_pass_and_are_counted(ai: AiSocket, node: Recorder, path: Path) -> None:
    """ai: calls pass in both APIs, streamed or not, and their tokens are counted; no credential goes along."""
    assert ai.usage() is None
    status, body = call(path, "POST", "/api/generate", {"model": "m", "prompt": "p"})
    assert (status, len(body.splitlines())) == (200, 3)
    assert counted(ai) == (1, 11, 5)
    status, body = call(path, "POST", "/api/generate", {"model": "m", "prompt": "p", "stream": False})
    assert json.loads(body)["response"] == "Hello there"
    assert counted(ai) == (2, 22, 10)
    call(path, "POST", "/v1/chat/completions", {"model": "m"})
    call(path, "POST", "/v1/chat/completions", {"model": "m", "stream": True})
    assert counted(ai) == (4, 36, 16)
    assert call(path, "GET", "/api/tags") == (200, b'{"models": []}')
    assert (ai.usage() or {})["duration_ms"] > 0
    assert {request.headers.get("Authorization") for request in node.requests} == {None}
    ai.reset()
    assert ai.usage() is None


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/api/pull"),
        ("DELETE", "/api/delete"),
        ("POST", "/api/create"),
        ("POST", "/api/copy"),
        ("POST", "/api/push"),
        ("GET", "/api/generate"),
        ("PUT", "/api/generate"),
        ("HEAD", "/api/blobs/sha256:0"),
        ("POST", "/api/generate/../pull"),
        ("GET", "http://169.254.169.254/latest/meta-data/"),
    ],
)
def test_all_else_is_refused(ai: AiSocket, node: Recorder, path: Path, method: str, target: str) -> None:
    """ai: whatever changes models, or leads elsewhere, is refused and never reaches the node."""
    status, body = call(path, method, target, {"model": "m"} if method == "POST" else None)
    assert status == 403
    assert method == "HEAD" or json.loads(body)["status"] == 403
    assert node.requests == []
    assert ai.usage() is None


def test_bodies_have_a_limit(ai: AiSocket, node: Recorder, path: Path) -> None:
    """ai: a body needs a length, and one over 32 MiB is refused unread."""
    assert ai.usage() is None
    for headers, expected in (
        ({"Content-Length": str(MAX_BODY_BYTES + 1)}, 413),
        ({"Content-Length": "9" * 5000}, 413),
        ({"Content-Length": "-1"}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
        ({}, 411),
    ):
        connection = UnixConnection(path)
        connection.putrequest("POST", "/api/generate")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == expected
        connection.close()
    assert node.requests == []


def test_four_calls_at_once_and_more_wait(ai: AiSocket, node: Recorder, path: Path) -> None:
    """ai: four calls of a sandbox run at once; the fifth waits, and none is lost."""
    may_answer = threading.Event()
    done: list[int] = []

    def tags(_: Request) -> tuple[int, str, bytes]:
        may_answer.wait(20)
        return 200, "application/json", b"{}"

    node.answers = {"/api/tags": tags}
    threads = [
        threading.Thread(target=lambda: done.append(call(path, "GET", "/api/tags")[0]), daemon=True) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(node.requests) == 4, 10, "four have arrived")
    time.sleep(0.3)
    assert len(node.requests) == 4
    may_answer.set()
    for thread in threads:
        thread.join(10)
    assert done == [200] * 6
    assert counted(ai)[0] == 6


def test_a_node_that_is_not_there_is_a_502(path: Path) -> None:
    """ai: a node that is not there is a 502 that says so, and the call is counted."""
    ai = AiGateway("http://127.0.0.1:1").listen(path)
    status, body = call(path, "POST", "/api/generate", {"model": "m"})
    assert (status, json.loads(body)["detail"]) == (502, "The AI node does not answer. Try again later.")
    assert counted(ai) == (1, 0, 0)
    ai.close()


def test_what_a_run_has_left_ends_with_it(path: Path) -> None:
    """ai: a call that waits for the node ends when its run does, and counts for no other run."""
    with black_hole() as port:
        ai = AiGateway(f"http://127.0.0.1:{port}").listen(path)
        connection = UnixConnection(path)
        connection.request("GET", "/api/tags")
        time.sleep(0.2)
        ai.reset()
        with pytest.raises(OSError):  # noqa: PT011 (closed or reset, as it comes)
            connection.getresponse()
        wait_until(lambda: threading.active_count() < 20, 5, "its thread ends")
        assert ai.usage() is None
        ai.close()
        with pytest.raises(OSError):  # noqa: PT011 (as above)
            call(path, "GET", "/api/tags")


ASK = """
import http.client, json, os, socket
class Ai(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ['NANOGRID_AI_SOCKET'])
def handler(event):
    ai = Ai('ai')
    ai.request('POST', '/api/generate', json.dumps({'model': 'm', 'prompt': event, 'stream': False}))
    reply = ai.getresponse()
    return [reply.status, json.loads(reply.read()).get('response')]
"""


def test_a_function_asks_the_ai_node_and_its_result_says_what_it_used(
    grid: Grid, start_worker: Callable[..., Worker], node: Recorder
) -> None:
    """worker: a function without network asks the AI node, and its result says what it used, run by run."""
    start_worker(AI_ENDPOINT=node.url)
    code = {"main.py": ASK}
    job = grid.job(code, input="hello")
    for _ in range(2):
        run = {**job, "job_id": grid.job()["job_id"]}
        grid.accept(run)
        grid.send(json.dumps(run))
        result = grid.result(run["job_id"])
        assert result["output"] == [200, "Hello there"]
        assert {**result["ai"], "duration_ms": 0} == {
            "requests": 1,
            "prompt_tokens": 11,
            "completion_tokens": 5,
            "duration_ms": 0,
        }
    assert grid.run("def handler(event): return 1\n")["ai"] is None


def test_without_the_ai_node_a_job_goes_on(grid: Grid, start_worker: Callable[..., Worker]) -> None:
    """worker: with the AI node away its function is told with a 502, and the job goes on."""
    start_worker(AI_ENDPOINT="http://127.0.0.1:1")
    result = grid.run({"main.py": ASK}, input="hello")
    assert (result["status"], result["output"], result["ai"]["requests"]) == ("SUCCESS", [502, None], 1)
