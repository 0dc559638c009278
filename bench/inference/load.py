"""Loads the service, and the model by itself, with the same texts in turns, and prints a line of JSON for each round.

`npm run bench:inference` runs it and writes what it prints into docs/benchmarks.md.
"""

import argparse
import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from texts import product_texts

SERVICE = Path(__file__).resolve().parents[2] / "containers" / "product-inference" / "service"
TEXTS = 2048
_READY_S = 60.0
_STOP_S = 20.0
_CALL_S = 120.0

Call = Callable[[], None]
Model = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Loop:
    """What is called again and again, and by how many threads."""

    kind: str
    """The model by itself with its threads spinning between runs, as is the default (`direct`), or parked as the
    service has them (`parked`); the service with answers in JSON's numbers (`float`) or in `base64`."""
    items: int
    """Texts of a call."""
    calls: Sequence[Call]
    """One for each thread."""


def main() -> int:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--items", nargs="+", type=int, default=[1, 8, 32, 64], help="texts of a request")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    given = parser.parse_args()
    texts = product_texts(TEXTS)
    with service(given.model) as port:
        models = {kind: _direct_model(given.model, spins) for kind, spins in (("direct", True), ("parked", False))}
        _check(port, models["direct"], texts[:3])
        loops = [loop for items in given.items for loop in _loops(port, models, texts, items)]
        # Whatever else the machine does meets all of them alike.
        for _ in range(given.rounds):
            for loop in loops:
                _print(loop, given.seconds)
    return 0


def _loops(port: int, models: dict[str, Model], texts: list[str], items: int) -> list[Loop]:
    """Return what is measured for a number of texts: the peers, and the service with few and with more callers."""
    batches = [texts[start : start + items] for start in range(0, TEXTS - items + 1, items)]
    callers = [1, 16] if items == 1 else [1, 4]
    return [
        *(Loop(kind, items, [_alone(model, batches)]) for kind, model in models.items()),
        *(Loop("float", items, [_caller(port, batches, "float", at) for at in range(count)]) for count in callers),
        Loop("base64", items, [_caller(port, batches, "base64", at) for at in range(callers[-1])]),
    ]


def _alone(model: Model, batches: list[list[str]]) -> Call:
    turn = itertools.cycle(batches)

    def call() -> None:
        model(next(turn))

    # The first run finds memory for the next ones.
    call()
    return call


def _direct_model(folder: Path, spinning: bool) -> Model:
    """Return the model as a program would call it without any service: a tokenizer, and a session of ONNX Runtime."""
    manifest = json.loads((folder / "model.json").read_text())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(manifest["maxTokens"])
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    session: Any = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])

    def run(texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = tokenizer.encode_batch(list(texts))
        ids = np.array([each.ids for each in encoded], np.int64)
        mask = np.array([each.attention_mask for each in encoded], np.int64)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = session.run(None, feeds)[0]
        vectors = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        found: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return found

    return run


def _caller(port: int, batches: list[list[str]], encoding: str, start: int) -> Call:
    """Return a call to the service, on a connection of its own. What it does with the vectors is another machine's."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CALL_S)
    bodies = [json.dumps({"texts": batch, "encoding": encoding}) for batch in batches]
    turn = itertools.cycle(bodies[start:] + bodies[:start])

    def call() -> None:
        connection.request("POST", "/embeddings", next(turn), {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status

    return call


def _check(port: int, direct: Model, texts: list[str]) -> None:
    """See that both give the same vectors: otherwise there is nothing to compare."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CALL_S)
    connection.request("POST", "/embeddings", json.dumps({"texts": texts}), {"content-type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    np.testing.assert_allclose(answer["embeddings"], direct(texts), atol=1e-4)


def _run(loop: Loop, seconds: float) -> tuple[float, list[float]]:
    """Make each call again as soon as it has its answer, for some seconds and until all have answered.

    Returns:
        Texts a second, and the seconds of each call.
    """
    with ThreadPoolExecutor(len(loop.calls)) as threads:
        begun = time.perf_counter()
        parts = list(threads.map(lambda call: _repeat(call, begun + seconds), loop.calls))
        took = time.perf_counter() - begun
    each = [one for part in parts for one in part]
    return len(each) * loop.items / took, each


def _repeat(call: Call, end: float) -> list[float]:
    each = []
    while (begun := time.perf_counter()) < end:
        call()
        each.append(time.perf_counter() - begun)
    return each


def _print(loop: Loop, seconds: float) -> None:
    items_per_second, each = _run(loop, seconds)
    p50, p99 = np.percentile(each, [50, 99])
    line = {
        "items": loop.items,
        "kind": loop.kind,
        "callers": len(loop.calls),
        "itemsPerSecond": items_per_second,
        "p50Ms": float(p50) * 1e3,
        "p99Ms": float(p99) * 1e3,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


@contextmanager
def service(model: Path) -> Iterator[int]:
    """Start the service on the processor with its own defaults, and yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    own = {"MODEL_DIR": str(model.resolve()), "PROVIDER": "cpu", "HOST": "127.0.0.1", "PORT": str(port)}
    environment = {
        **os.environ,
        **{f"INFERENCE_{name}": value for name, value in own.items()},
        "INFERENCE_LOG_LEVEL": "WARNING",
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "product_inference"], cwd=SERVICE, env=environment, stdout=log, stderr=log
        )
        try:
            _wait_ready(process, port, log)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_ready(process: "subprocess.Popen[bytes]", port: int, log: Any) -> None:
    deadline = time.monotonic() + _READY_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    log.seek(0)
    raise RuntimeError(f"the service is not ready. It says:\n{log.read().decode()[-3000:]}")


if __name__ == "__main__":
    sys.exit(main())
