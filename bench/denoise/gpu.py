"""What the models reach on a GPU under CUDA and TensorRT: images a second, against the roofline of the same device.

`npm run bench:denoise -- --gpu --python <python>` runs it with a Python that has numpy, onnx and onnxruntime-gpu (and
TensorRT's libraries where TensorRT is to be measured). The roofline is what the device itself reaches in a matrix
product of float32, over the multiplications with addition that the model needs for an image. Prints one JSON line for
each measurement, and nothing where there is no GPU.
"""

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models import model_file, names

CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"
_SECONDS = 5.0


def main() -> int:
    """Measure what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provider", choices=[CUDA, TENSORRT, CPU], help="only this one; the processor is for trying")
    parser.add_argument("--sides", nargs="+", type=int, default=[512, 3072])
    parser.add_argument("--product", type=int, default=8192, help="side of the matrices of the roofline")
    given = parser.parse_args()
    there = onnxruntime.get_available_providers()
    device = "processor" if given.provider == CPU else _gpu()
    if device is None:
        return 0
    for provider in [given.provider] if given.provider else [each for each in (CUDA, TENSORRT) if each in there]:
        peak = _products_per_second(provider, given.product)
        for model in names():
            needed = multiply_adds(model)
            for side in given.sides:
                image = np.random.default_rng(6).random((1, 1, side, side), np.float32)
                rate = _rate(_session(str(model_file(model)), provider), "noisy", image, provider)
                line = {"device": device, "provider": provider, "model": model, "side": side, "imagesPerSecond": rate}
                bound = {"multiplyAddsPerSecond": peak, "rooflineImagesPerSecond": peak / (needed * side**2)}
                sys.stdout.write(json.dumps(line | bound) + "\n")
                sys.stdout.flush()
    return 0


def multiply_adds(model: str) -> float:
    """Return a model's multiplications with addition for each pixel, counted in its convolutions."""
    side = 64
    loaded = onnx.load(model_file(model))
    for dim, value in zip(loaded.graph.input[0].type.tensor_type.shape.dim, (1, 1, side, side), strict=True):
        dim.dim_value = value
    graph = onnx.shape_inference.infer_shapes(loaded).graph
    weights = {each.name: list(each.dims) for each in graph.initializer}
    shapes = {
        each.name: [dim.dim_value for dim in each.type.tensor_type.shape.dim]
        for each in [*graph.value_info, *graph.input, *graph.output]
    }
    total = 0.0
    for node in graph.node:
        # A transposed convolution uses its weights for each pixel that it reads, the other for each that it writes.
        if node.op_type in ("Conv", "ConvTranspose"):
            _, channels, rows, columns = shapes[node.output[0] if node.op_type == "Conv" else node.input[0]]
            total += channels * rows * columns * float(np.prod(weights[node.input[1]][1:]))
    return total / side**2


def _gpu() -> str | None:
    """Return the name of the first GPU, None where there is none."""
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],  # noqa: S607 (where the driver put it)
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip().splitlines()[0]


def _session(model: bytes | str, provider: str) -> Any:
    session = onnxruntime.InferenceSession(model, providers=[provider])
    took = session.get_providers()
    if took[0] != provider:
        raise SystemExit(f"ONNX Runtime has no {provider} here, and took {took}: its libraries are missing.")
    return session


def _products_per_second(provider: str, side: int) -> float:
    """Return the multiplications with addition a second of a matrix product in float32."""
    matrix = np.random.default_rng(6).random((side, side), np.float32)
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [tensor("a", TensorProto.FLOAT, [side, side])],
        [tensor("c", TensorProto.FLOAT, [side, side])],
        [numpy_helper.from_array(matrix, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return _rate(_session(model.SerializeToString(), provider), "a", matrix, provider) * float(side) ** 3


def _rate(session: Any, name: str, values: NDArray[np.float32], provider: str) -> float:
    """Return runs a second, with input and output on the device: what the link to it costs is not the model's."""
    device = "cpu" if provider == CPU else "cuda"
    binding = session.io_binding()
    binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(values, device, 0))
    binding.bind_output(session.get_outputs()[0].name, device)
    for _ in range(3):
        session.run_with_iobinding(binding)
    binding.synchronize_outputs()
    begun, runs = time.perf_counter(), 0
    while time.perf_counter() - begun < _SECONDS:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        runs += 1
    return runs / (time.perf_counter() - begun)


if __name__ == "__main__":
    sys.exit(main())
