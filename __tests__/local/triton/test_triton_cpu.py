"""Triton on a processor: it serves the committed models as they are, over both protocols, and batches requests."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "containers" / "denoise" / "models"
START = [sys.executable, "-m", "triton_cpu"]
START_S = 120
TILE = np.random.default_rng(2).random((1, 1, 64, 96), np.float32)


@dataclass(frozen=True)
class Server:
    """A server that is ready."""

    http: int
    grpc: int
    metrics: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(url: str) -> bool:
    try:
        read(url)
    except (urllib.error.URLError, OSError):
        return False
    return True


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 (this server's own)
        text: str = answer.read().decode()
        return text


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server with one of the models, without its warm-up: the service's tests start it with all as they are."""
    folder = Path(tempfile.mkdtemp(prefix="triton-cpu-"))
    shutil.copytree(MODELS / "efficient", folder / "models" / "efficient")
    config = folder / "models" / "efficient" / "config.pbtxt"
    text = config.read_text()
    # Long enough that requests which are sent together are found together.
    text = text[: text.index("model_warmup")].replace("microseconds: 2000 ", "microseconds: 500000 ")
    config.write_text(text.replace("microseconds: 2000\n", "microseconds: 500000\n"))
    running = Server(free_port(), free_port(), free_port())
    ports = [f"--http-port={running.http}", f"--grpc-port={running.grpc}", f"--metrics-port={running.metrics}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*START, f"--model-repository={folder / 'models'}", *ports, "--threads=1", "--", "--exit-timeout-secs=1"],
            env={**os.environ, "PYTHONPATH": str(ROOT / "local" / "triton")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + START_S
    while not answers(f"http://127.0.0.1:{running.http}/v2/health/ready"):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.1)
    yield running
    process.terminate()
    process.wait(20)
    shutil.rmtree(folder)


def expected() -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(MODELS / "efficient" / "1" / "model.onnx"))
    (clean,) = session.run(["clean"], {"noisy": TILE})
    return np.asarray(clean)


def test_grpc_and_http_give_what_the_model_file_gives(server: Server) -> None:
    for module, port in ((tritonclient.grpc, server.grpc), (tritonclient.http, server.http)):
        client = module.InferenceServerClient(f"127.0.0.1:{port}")
        noisy = module.InferInput("noisy", TILE.shape, "FP32")
        noisy.set_data_from_numpy(TILE)
        clean = client.infer("efficient", [noisy]).as_numpy("clean")
        client.close()
        assert np.abs(clean - expected()).max() < 1e-5


def test_tiles_that_are_sent_together_run_together(server: Server) -> None:
    def ask(_: int) -> NDArray[np.float32]:
        client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}")
        noisy = tritonclient.grpc.InferInput("noisy", TILE.shape, "FP32")
        noisy.set_data_from_numpy(TILE)
        return np.asarray(client.infer("efficient", [noisy], client_timeout=30).as_numpy("clean"))

    before = executions(server)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(ask, range(8)))
    assert all(np.abs(result - expected()).max() < 1e-5 for result in results)
    assert executions(server) - before < 8


def executions(server: Server) -> float:
    lines = read(f"http://127.0.0.1:{server.metrics}/metrics").splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("nv_inference_exec_count{"))


def test_a_shape_that_the_network_cannot_take_is_an_error_and_not_the_end(server: Server) -> None:
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}")
    odd = tritonclient.grpc.InferInput("noisy", [1, 1, 63, 95], "FP32")
    odd.set_data_from_numpy(np.zeros((1, 1, 63, 95), np.float32))
    with pytest.raises(tritonclient.grpc.InferenceServerException, match="onnxruntime"):
        client.infer("efficient", [odd])
    assert client.is_model_ready("efficient")
    client.close()


def test_a_folder_that_is_none_is_refused_in_a_sentence() -> None:
    ended = subprocess.run(
        [*START, "--model-repository=/nowhere"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "local" / "triton")},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert "--model-repository: /nowhere is no folder. Name the one that holds the models." in ended.stderr
