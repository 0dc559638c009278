"""Loads Triton and ONNX Runtime with the same tiles, in turns, and prints one JSON line for each measurement.

`npm run bench:denoise` runs it and writes what it prints into docs/benchmarks.md.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import tritonclient.grpc
from numpy.typing import NDArray

from models import model_file, names
from servers import PLAIN, triton

_CALL_S = 600.0
BATCH = 8
"""What Triton puts together at most, for ONNX Runtime itself."""

Call = Callable[[], None]
Tiles = NDArray[np.float32]


@dataclass(frozen=True)
class Loop:
    """What is called again and again, and by how many threads."""

    kind: str
    """ONNX Runtime as it comes (`direct`), as the server has it (`direct-parked`), and that with eight tiles at a time
    (`direct-batch`); Triton with and without dynamic batching (`batching`, `plain`)."""
    calls: Sequence[Call]
    """One for each thread."""
    tiles: int = 1
    """That a call holds."""


def main() -> int:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=names(), default=names())
    parser.add_argument("--tiles", nargs="+", type=int, default=[256, 512], help="sides of the tiles in pixels")
    parser.add_argument("--concurrency", nargs="+", type=int, default=[1, 2, 4, 8], help="requests in flight")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of each model")
    given = parser.parse_args()
    with triton(given.threads) as address:
        for model in given.models:
            spinning, parked = (_session(model, given.threads, spins) for spins in (True, False))
            for tile in given.tiles:
                rng = np.random.default_rng(tile)
                one = rng.random((1, 1, tile, tile), np.float32)
                several = rng.random((BATCH, 1, tile, tile), np.float32)
                loops = [
                    Loop("direct", [_direct(spinning, one)]),
                    Loop("direct-parked", [_direct(parked, one)]),
                    Loop("direct-batch", [_direct(parked, several)], BATCH),
                    *(
                        Loop(kind, [_caller(address, name, one) for _ in range(concurrency)])
                        for kind, name in (("batching", model), ("plain", f"{model}{PLAIN}"))
                        for concurrency in given.concurrency
                    ),
                ]
                # Whatever else the machine does meets all of them alike.
                for _ in range(given.rounds):
                    for loop in loops:
                        _print(model, tile, loop, given.seconds)
    return 0


def _run(loop: Loop, seconds: float) -> tuple[float, list[float]]:
    """Make each call again as soon as it has its answer, for some seconds and until all have answered.

    Returns:
        Tiles a second, and the seconds of each call.
    """
    with ThreadPoolExecutor(len(loop.calls)) as threads:
        begun = time.perf_counter()
        parts = list(threads.map(lambda call: _repeat(call, begun + seconds), loop.calls))
        took = time.perf_counter() - begun
    each = [one for part in parts for one in part]
    return len(each) * loop.tiles / took, each


def _repeat(call: Call, end: float) -> list[float]:
    each = []
    while (begun := time.perf_counter()) < end:
        call()
        each.append(time.perf_counter() - begun)
    return each


def _session(model: str, threads: int, spinning: bool) -> Any:
    """Return a session whose threads spin until the next run, as is the default, or are parked after each."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "0" if spinning else "1")
    return onnxruntime.InferenceSession(str(model_file(model)), options, providers=["CPUExecutionProvider"])


def _direct(session: Any, tiles: Tiles) -> Call:
    def call() -> None:
        session.run(["clean"], {"noisy": tiles})

    # The first run finds memory for the next ones.
    call()
    return call


def _caller(address: str, model: str, tile: Tiles) -> Call:
    """Return a call as the service makes it: one tile, over gRPC, on a connection of its own."""
    client = tritonclient.grpc.InferenceServerClient(address)
    assert client.is_model_ready(model, client_timeout=_CALL_S)

    def call() -> None:
        noisy = tritonclient.grpc.InferInput("noisy", list(tile.shape), "FP32")
        noisy.set_data_from_numpy(tile)
        clean = client.infer(model, [noisy], client_timeout=_CALL_S).as_numpy("clean")
        assert clean.shape == tile.shape

    return call


def _print(model: str, tile: int, loop: Loop, seconds: float) -> None:
    tiles_per_second, each = _run(loop, seconds)
    p50, p99 = np.percentile(each, [50, 99])
    line = {
        "model": model,
        "tile": tile,
        "kind": loop.kind,
        "concurrency": len(loop.calls),
        "tilesPerSecond": tiles_per_second,
        "p50Ms": float(p50) * 1e3,
        "p99Ms": float(p99) * 1e3,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
