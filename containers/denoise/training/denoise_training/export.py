"""Writes a checkpoint's average network as an ONNX file for Triton's model repository."""

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.export import Dim

from .architectures import ARCHITECTURES, MULTIPLE
from .inference import INPUT, OUTPUT, Model
from .network import Averaged, Denoiser
from .training import read_checkpoint

OPSET = 18
# Axes that stay free. Rows and columns count in steps of MULTIPLE.
LARGEST = {"batch": 256, "rows": 8192, "columns": 8192}
LARGEST_BYTES = 4_000_000
TOLERANCE = 1e-4


def load(checkpoint: Path) -> tuple[str, nn.Module]:
    """Return a checkpoint's model name and its average network, with its views."""
    state = read_checkpoint(checkpoint)
    architecture = ARCHITECTURES[state["model"]]
    network = Denoiser(architecture)
    network.load_state_dict(state["average"])
    return state["model"], (network if architecture.views == 1 else Averaged(network, architecture.views)).eval()


def export(checkpoint: Path, models: Path) -> Path:
    """Write `<models>/<name>/1/model.onnx`, and check that it answers as the network does.

    Raises:
        ValueError: the file is too large to keep, or answers differently.
    """
    name, network = load(checkpoint)
    path = models / name / "1" / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    batch, rows, columns = (Dim(axis, max=LARGEST[axis]) for axis in LARGEST)
    program = torch.onnx.export(
        network,
        (torch.rand(2, 1, 8 * MULTIPLE, 9 * MULTIPLE),),
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: batch, 2: MULTIPLE * rows, 3: MULTIPLE * columns},),
        external_data=False,
        verbose=False,
    )
    # Nodes carry the names and stack traces of this program's source otherwise.
    model = program.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    onnx.save(model, path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError(
            f"{path}: expected at most {LARGEST_BYTES} bytes, got {path.stat().st_size}. Make the network smaller."
        )
    check = torch.rand(2, 1, 5 * MULTIPLE, 6 * MULTIPLE)
    with torch.no_grad():
        expected = network(check).numpy()
    error = float(np.abs(Model(path).run(check.numpy()) - expected).max())
    if error > TOLERANCE:
        raise ValueError(f"{path}: expected the network's answer within {TOLERANCE}, got {error:.2e} off.")
    return path
