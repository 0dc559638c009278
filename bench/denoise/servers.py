"""A Triton for measurements: the service's model repository, once as it is and once without dynamic batching."""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import tritonclient.grpc

from models import MODELS, PROJECT, names

PLAIN = "-plain"
"""Ends the name of a model that has no dynamic batching."""
_READY_S = 120.0
_STOP_S = 10.0


def without_batching(config: str, model: str) -> str:
    """Return a model's configuration under another name and without its block `dynamic_batching`.

    Raises:
        ValueError: the configuration has no such block, or no such name.
    """
    start = config.find("dynamic_batching {")
    if start < 0 or f'name: "{model}"' not in config:
        raise ValueError(f"the configuration of {model} has no dynamic_batching, or another name")
    depth, end = 0, start
    for match in re.finditer(r"[{}]", config[start:]):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            end = start + match.end()
            break
    rest = config[:start] + config[end:]
    return rest.replace(f'name: "{model}"', f'name: "{model}{PLAIN}"', 1)


@contextmanager
def triton(threads: int) -> Iterator[str]:
    """Start a Triton with each model twice, and yield the address of its gRPC.

    Args:
        threads: threads of each model.
    """
    with tempfile.TemporaryDirectory(prefix="denoise-bench-") as folder:
        repository = Path(folder) / "models"
        for model in names():
            shutil.copytree(MODELS / model, repository / model)
            shutil.copytree(MODELS / model, repository / f"{model}{PLAIN}")
            config = repository / f"{model}{PLAIN}" / "config.pbtxt"
            config.write_text(without_batching(config.read_text(), model))
        http, grpc, metrics = _free_ports(3)
        ports = ["--http-port", str(http), "--grpc-port", str(grpc), "--metrics-port", str(metrics)]
        options = ["--model-repository", str(repository), "--threads", str(threads), *ports]
        log = (Path(folder) / "triton.log").open("w+")
        child = subprocess.Popen(
            [sys.executable, "-m", "triton_cpu", *options], cwd=PROJECT / "local" / "triton", stdout=log, stderr=log
        )
        try:
            _wait(f"127.0.0.1:{grpc}", child, Path(log.name))
            yield f"127.0.0.1:{grpc}"
        finally:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(_STOP_S)
            child.kill()
            child.wait()
            log.close()


def _wait(address: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _READY_S
    with tritonclient.grpc.InferenceServerClient(address) as client:
        while time.monotonic() < end:
            if child.poll() is not None:
                break
            with suppress(tritonclient.grpc.InferenceServerException):
                if client.is_server_ready(client_timeout=2.0):
                    return
            time.sleep(0.2)
    raise SystemExit(f"Triton is not ready after {_READY_S:.0f} s. It says:\n{log.read_text()[-3000:]}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
