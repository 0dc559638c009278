"""Servers and waiting."""

import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

START_TIMEOUT_S = 60

T = TypeVar("T")


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_until(ask: Callable[[], T], timeout_s: float, what: str) -> T:
    """Asks until the answer is true, and gives it."""
    deadline = time.monotonic() + timeout_s
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.05)
    return answer


class Server:
    """A server process in a context: started, answering, and ended."""

    def __init__(self, arguments: Sequence[str], log: Path, port: int) -> None:
        self._arguments = arguments
        self._log = log
        self._port = port

    def __enter__(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._arguments, stdout=log, stderr=subprocess.STDOUT)
        wait_until(self._answers, START_TIMEOUT_S, f"{self._arguments[0]} answers; see {self._log}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"{self._arguments} has ended:\n{self._log.read_text()}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
            return True
        return False
