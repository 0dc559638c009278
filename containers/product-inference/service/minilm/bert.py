"""A BERT encoder as an ONNX graph, with the weights of a checkpoint in the format of Hugging Face's transformers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
"""The first that has Gelu."""
IR_VERSION = 10
MASKED = float(np.finfo(np.float32).min)
"""Added to the attention scores of padding."""

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class BertShape:
    """What config.json says of the encoder."""

    layers: int
    hidden: int
    heads: int
    layer_norm_epsilon: float


class _Graph:
    """Nodes and weights, in the order in which they were added."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def node(self, operator: str, inputs: list[str], name: str, **attributes: object) -> str:
        """Add a node with one output, and return the output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Add a constant, once for a name, and return the name."""
        self.initializers.setdefault(name, numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str) -> str:
        """Add a weight of the checkpoint as it is."""
        return self.constant(name, self._weights[name])

    def linear(self, source: str, name: str) -> str:
        """Add a fully connected layer. The checkpoint's matrix has a row for each output."""
        matrix = self.constant(f"{name}.weight", np.ascontiguousarray(self._weights[f"{name}.weight"].T))
        product = self.node("MatMul", [source, matrix], f"{name}.product")
        return self.node("Add", [product, self.weight(f"{name}.bias")], name)

    def layer_norm(self, source: str, name: str, epsilon: float) -> str:
        """Add a layer normalisation over the last axis."""
        inputs = [source, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.node("LayerNormalization", inputs, name, axis=-1, epsilon=epsilon)


def bert_model(weights: Weights, shape: BertShape) -> onnx.ModelProto:
    """Return the encoder: `input_ids`, `attention_mask` and `token_type_ids` in, `last_hidden_state` out.

    Args:
        weights: the checkpoint's tensors by name, such as `embeddings.word_embeddings.weight`.
        shape: sizes of the encoder.
    """
    graph = _Graph(weights)
    state = _embeddings(graph, shape)
    mask = _attention_bias(graph)
    for layer in range(shape.layers):
        state = _layer(graph, f"encoder.layer.{layer}", state, mask, shape)
    graph.node("Identity", [state], "last_hidden_state")
    sides = ["batch", "sequence"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, sides)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*sides, shape.hidden])
    made = helper.make_graph(graph.nodes, "bert", inputs, [output], list(graph.initializers.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="minilm")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model


def _embeddings(graph: _Graph, shape: BertShape) -> str:
    """Words, positions and types, added up."""
    words = graph.node("Gather", [graph.weight("embeddings.word_embeddings.weight"), "input_ids"], "words")
    types = graph.node("Gather", [graph.weight("embeddings.token_type_embeddings.weight"), "token_type_ids"], "types")
    zero, one = (graph.constant(f"int.{value}", np.array(value, np.int64)) for value in (0, 1))
    sizes = graph.node("Shape", ["input_ids"], "sizes")
    length = graph.node("Gather", [sizes, one], "length", axis=0)
    range_ = graph.node("Range", [zero, length, one], "range")
    places = graph.node("Gather", [graph.weight("embeddings.position_embeddings.weight"), range_], "places")
    both = graph.node("Add", [words, types], "words_and_types")
    everything = graph.node("Add", [both, places], "embedded")
    return graph.layer_norm(everything, "embeddings.LayerNorm", shape.layer_norm_epsilon)


def _attention_bias(graph: _Graph) -> str:
    """Nought where a token is, next to minus infinity where padding is: of shape [batch, 1, 1, sequence]."""
    axes = graph.constant("mask.axes", np.array([1, 2], np.int64))
    wide = graph.node("Unsqueeze", ["attention_mask", axes], "mask.wide")
    number = graph.node("Cast", [wide], "mask.number", to=TensorProto.FLOAT)
    absent = graph.node("Sub", [graph.constant("float.1", np.array(1, np.float32)), number], "mask.absent")
    return graph.node("Mul", [absent, graph.constant("float.masked", np.array(MASKED, np.float32))], "mask")


def _layer(graph: _Graph, name: str, state: str, mask: str, shape: BertShape) -> str:
    """One block: attention and a feed-forward network, each with what came in added and normalised."""
    size = shape.hidden // shape.heads
    # 0 keeps a size of the input: batch and sequence.
    split = graph.constant("heads", np.array([0, 0, shape.heads, size], np.int64))
    joined = graph.constant("joined", np.array([0, 0, shape.hidden], np.int64))

    def heads(kind: str, order: list[int]) -> str:
        flat = graph.linear(state, f"{name}.attention.self.{kind}")
        apart = graph.node("Reshape", [flat, split], f"{name}.{kind}.heads")
        return graph.node("Transpose", [apart], f"{name}.{kind}.turned", perm=order)

    query, key, value = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    scores = graph.node("MatMul", [query, key], f"{name}.scores")
    root = graph.constant("root", np.array(size**0.5, np.float32))
    scaled = graph.node("Div", [scores, root], f"{name}.scaled")
    masked = graph.node("Add", [scaled, mask], f"{name}.masked")
    shares = graph.node("Softmax", [masked], f"{name}.shares", axis=-1)
    context = graph.node("MatMul", [shares, value], f"{name}.context")
    back = graph.node("Transpose", [context], f"{name}.context.turned", perm=[0, 2, 1, 3])
    merged = graph.node("Reshape", [back, joined], f"{name}.context.joined")
    attended = graph.linear(merged, f"{name}.attention.output.dense")
    added = graph.node("Add", [attended, state], f"{name}.attention.added")
    calm = graph.layer_norm(added, f"{name}.attention.output.LayerNorm", shape.layer_norm_epsilon)
    inner = graph.node("Gelu", [graph.linear(calm, f"{name}.intermediate.dense")], f"{name}.gelu")
    outer = graph.linear(inner, f"{name}.output.dense")
    return graph.layer_norm(
        graph.node("Add", [outer, calm], f"{name}.added"), f"{name}.output.LayerNorm", shape.layer_norm_epsilon
    )
