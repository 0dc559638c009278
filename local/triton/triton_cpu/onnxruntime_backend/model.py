"""The backend `onnxruntime` on a processor: what NVIDIA's backend of that name does with a model, in Python.

Triton's Python backend loads this file for every model whose configuration names the backend; there is one process for
each instance of a model.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """One instance of a model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load `model.onnx` of the version that Triton asks for.

        Args:
            args: Triton's: the model's folder, its version, and its configuration as JSON.
        """
        config = json.loads(args["model_config"])
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._outputs = [tensor["name"] for tensor in config["output"]]
        self._threads = int(os.environ.get("TRITON_CPU_THREADS", "0")) or os.cpu_count() or 1
        file = (
            Path(args["model_repository"]) / args["model_version"] / (config["default_model_filename"] or "model.onnx")
        )
        self._together = _session(file, self._threads)
        self._alone = _session(file, 1)
        self._pool = ThreadPoolExecutor(self._threads)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run the requests that the batcher put together: one on each thread, and on all threads what is left over.

        A GPU does them best in one go. On a processor, threads that share a request wait for each other after every
        layer; with a request each they do not. All are answered together: whoever has an answer before Triton has the
        batch back sends a request that the batcher finds only after half a second.
        """
        tensors = [self._tensors(request) for request in requests]
        even = len(tensors) - len(tensors) % self._threads
        answers = list(self._pool.map(lambda each: self._run(self._alone, each), tensors[:even]))
        return answers + [self._run(self._together, each) for each in tensors[even:]]

    def finalize(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _tensors(self, request: Any) -> dict[str, Any]:
        return {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}

    def _run(self, session: Any, tensors: dict[str, Any]) -> Any:
        try:
            results = session.run(self._outputs, tensors)
        except Exception as error:  # noqa: BLE001 (onnxruntime's errors have no class in common)
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"onnxruntime: {error}"))
        named = zip(self._outputs, results, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, result) for name, result in named])


def _session(file: Path, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Within a run, threads spin for the next piece of work; between two, that would take the processor from those who
    # bring the next one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
