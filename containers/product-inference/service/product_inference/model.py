"""A sentence embedding model: its tokenizer, its network in ONNX Runtime, and what becomes of the network's output."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from product_inference.manifest import BadModel, open_folder

Vectors = NDArray[np.float32]
"""One row a text, each of length one."""
Tokens = Sequence[int]

_PROVIDERS: dict[str, list[Any]] = {
    # Shapes change with every batch: the exhaustive search for algorithms would begin anew each time.
    "cuda": [("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"})],
    "cpu": ["CPUExecutionProvider"],
}


class EmbeddingModel:
    """A model from a folder. Calls may come from any thread; runs of the network do not overlap by themselves."""

    def __init__(self, folder: Path, provider: Literal["cuda", "cpu"], threads: int = 0) -> None:
        """Load it.

        Args:
            folder: a folder as product_inference.manifest describes it.
            provider: where the network runs. Nothing else differs between the two.
            threads: of one run on the processor; 0: one a core.

        Raises:
            BadModel: the folder holds no model, or the provider does not work here.
        """
        self.manifest = open_folder(folder)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.manifest.max_tokens)
        self._session = _session(folder / "model.onnx", provider, threads)
        self._inputs = {each.name for each in self._session.get_inputs()}
        self._output = self._session.get_outputs()[0].name
        dimensions = self.run([self.tokens([""])[0]]).shape[1]
        if dimensions != self.manifest.dimensions:
            raise BadModel(
                f"{folder}: the network has {dimensions} dimensions, its manifest {self.manifest.dimensions}."
            )

    def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Return each text's tokens, at most as many as the model reads."""
        return [each.ids for each in self._tokenizer.encode_batch(texts)]

    def run(self, batch: Sequence[Tokens]) -> Vectors:
        """Return the vectors of texts that run together, padded to the longest.

        Raises:
            Exception: whatever ONNX Runtime says, such as that memory does not suffice.
        """
        length = max(map(len, batch))
        ids = np.zeros((len(batch), length), np.int64)
        mask = np.zeros((len(batch), length), np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            feeds["token_type_ids"] = np.zeros_like(ids)
        states: NDArray[np.float32] = self._session.run([self._output], feeds)[0]
        return normalised(_pooled(states, mask, self.manifest.pooling))


def normalised(vectors: NDArray[np.floating[Any]]) -> Vectors:
    """Return the rows with length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _pooled(states: NDArray[np.float32], mask: NDArray[np.int64], pooling: str) -> NDArray[np.float32]:
    if pooling == "cls":
        first: NDArray[np.float32] = states[:, 0]
        return first
    weights = mask[:, :, np.newaxis].astype(np.float32)
    sums: NDArray[np.float32] = np.matmul(weights.transpose(0, 2, 1), states)[:, 0]
    means: NDArray[np.float32] = sums / weights.sum(axis=1)
    return means


def _session(file: Path, provider: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin until the next run are in the way of whatever else a processor has to do.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    wanted = _PROVIDERS[provider]
    name = wanted[0][0] if provider == "cuda" else wanted[0]
    if name not in onnxruntime.get_available_providers():
        there = ", ".join(onnxruntime.get_available_providers())
        raise BadModel(f"{name} is not in this build of ONNX Runtime ({there}). Set INFERENCE_PROVIDER to cpu.")
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=wanted)
    except Exception as error:  # noqa: BLE001 (ONNX Runtime has no base class of its errors)
        raise BadModel(f"{file}: {error}") from None
    # Without a driver or a library of CUDA, ONNX Runtime would go on with the processor without a word.
    if name not in session.get_providers():
        raise BadModel(
            f"{name} does not work here. Run on a machine with NVIDIA's driver, or set INFERENCE_PROVIDER to cpu."
        )
    return session
