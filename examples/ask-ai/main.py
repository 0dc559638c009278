"""Asks the model on the AI node, which is reached through a unix socket: no network, no key, no dependency."""

import http.client
import json
import os
import socket
from typing import Any

DEFAULT_MODEL = "llama3.2:3b"
# A model that is not in memory yet is loaded first.
TIMEOUT_S = 300
LONGEST_QUESTION = 20_000


def handler(event: dict[str, Any]) -> dict[str, Any]:
    """Answers `{"question": ..., "model": ...}`; without a model, the one that MODEL names."""
    question = event.get("question")
    if not isinstance(question, str) or not 0 < len(question) <= LONGEST_QUESTION:
        raise ValueError(f"question: expected a text of 1 to {LONGEST_QUESTION} characters")
    model = event.get("model") or os.environ.get("MODEL", DEFAULT_MODEL)
    print(f"asking {model}")
    reply = call("POST", "/api/generate", {"model": model, "prompt": question, "stream": False})
    return {"model": model, "answer": reply["response"].strip(), "tokens": reply.get("eval_count")}


def call(method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """One call of Ollama's API."""
    if "NANOGRID_AI_SOCKET" not in os.environ:
        raise RuntimeError("this NanoGrid has no AI node: its operator has to enable nanogrid.ai")
    connection = UnixConnection(os.environ["NANOGRID_AI_SOCKET"])
    try:
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read().decode("utf-8", "replace")
    finally:
        connection.close()
    if reply.status != http.HTTPStatus.OK:
        raise RuntimeError(f"the AI node answered {reply.status}: {text[:1000]}")
    answer: dict[str, Any] = json.loads(text)
    return answer


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("ai-node", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connects to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
