"""The service as a process of the tests, and waiting for it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).resolve().parents[4]
SERVICE = ROOT / "containers" / "product-inference" / "service"
MODEL = Path(os.environ.get("NANOGRID_MINILM_MODEL") or ROOT / ".local" / "models" / "all-minilm-l6-v2")
START_S = 60

T = TypeVar("T")


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ask: Callable[[], T], timeout_s: float, what: str) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)
    return answer


def environment(**own: str) -> dict[str, str]:
    """Return the environment of a service on the processor, with settings of the test's own."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("INFERENCE_")}
    return {
        **rest,
        "INFERENCE_MODEL_DIR": str(MODEL),
        "INFERENCE_PROVIDER": "cpu",
        "INFERENCE_HOST": "127.0.0.1",
        **own,
    }


def run_once(**own: str) -> "subprocess.CompletedProcess[str]":
    """Start a service that ends by itself, and return how."""
    command = [sys.executable, "-m", "product_inference"]
    return subprocess.run(
        command, cwd=SERVICE, env=environment(**own), capture_output=True, text=True, timeout=START_S, check=False
    )


class Service:
    """The service, as its container runs it."""

    def __init__(self, scratch: Path, **own: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._client = httpx.Client(timeout=30)
        self._log = scratch / f"service-{port}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "product_inference"],
                cwd=SERVICE,
                env=environment(INFERENCE_PORT=str(port), **own),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._ready, START_S, f"{self.url} is ready")

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Ask with JSON."""
        return self._client.post(f"{self.url}{path}", json=body, headers=headers)

    def get(self, path: str) -> httpx.Response:
        """Ask."""
        return self._client.get(f"{self.url}{path}")

    def metric(self, line: str) -> float:
        """Return the value of a line of the metrics; 0 when it is not there."""
        found = re.search(rf"^{re.escape(line)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return float(found.group(1)) if found else 0

    def log(self) -> str:
        """Return what it said."""
        return self._log.read_text()

    def stop(self) -> int:
        """Tell it to end, as ECS does, and return its exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()

    def _ready(self) -> bool:
        assert self.process.poll() is None, f"it has ended:\n{self.log()[-3000:]}"
        with suppress(httpx.HTTPError):
            return self.get("/readyz").status_code == 200
        return False
