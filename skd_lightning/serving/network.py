"""The network of a tagger, from the vectors of words to emissions, as ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from skd_lightning.errors import UserError

Arrays = Mapping[str, np.ndarray]
OPSET, IR = 17, 8
"""Versions of the operators and of the format, old enough for any onnxruntime of the last years."""
HEAD, CONTEXT = "head.emissions", "encoder.context"
"""Beginnings of the names of weights."""


def network_onnx(context: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Return the content of an ONNX file.

    Inputs ``vectors`` (words, batch, size) float32 and ``lengths`` (batch,) int32, the words of each sentence, at least
    1; output ``emissions`` (words, batch, tags) float32, anything at padding.

    Args:
        context: ``name`` and ``settings`` of the context network.
        arrays: weights of the tagger by name.

    Raises:
        UserError: the context is none that is written as ONNX, or the onnx library is not installed.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError:
        raise UserError(
            "saving a network needs the onnx library: pip install 'skd-lightning[train]'"
        ) from None
    if context["name"] not in _CONTEXTS:
        raise UserError(f"a {context['name']} is not written as ONNX; there are {', '.join(_CONTEXTS)}")
    graph = Graph()
    states = _CONTEXTS[context["name"]](graph, arrays, "vectors")
    weight, bias = arrays[f"{HEAD}.weight"], arrays[f"{HEAD}.bias"]
    scores = graph.add("MatMul", states, graph.constant("head.weight", weight.T))
    graph.add("Add", scores, graph.constant("head.bias", bias), output="emissions")
    size, tags = _input_size(arrays), len(bias)
    made = helper.make_graph(
        graph.nodes,
        "tagger",
        [
            helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["words", "batch", size]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
        ],
        [helper.make_tensor_value_info("emissions", TensorProto.FLOAT, ["words", "batch", tags])],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR, producer_name="skd_lightning")
    content: bytes = model.SerializeToString()
    return content


class Graph:
    """Nodes and constants of an ONNX graph, in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, values: np.ndarray) -> str:
        """Add a constant, floats as float32, and return its name."""
        from onnx import numpy_helper

        kind = np.float32 if values.dtype.kind == "f" else np.int64
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=kind), name))
        return name

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return the output's name."""
        from onnx import helper

        output = output or f"{kind.lower()}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


def _input_size(arrays: Arrays) -> int:
    first = arrays.get(f"{CONTEXT}.forward_lstms.0.weight_ih_l0")
    return int((arrays[f"{HEAD}.weight"] if first is None else first).shape[1])


def _bilstm(graph: Graph, arrays: Arrays, states: str) -> str:
    """Add the layers of a bidirectional LSTM; ``sequence_lens`` lets it begin at each sentence's own end."""
    layer = 0
    while f"{CONTEXT}.forward_lstms.{layer}.weight_ih_l0" in arrays:
        sides = [f"{CONTEXT}.{side}_lstms.{layer}" for side in ("forward", "backward")]
        weights, recurrent = (
            np.stack([_gates(arrays[f"{side}.weight_{part}_l0"]) for side in sides]) for part in ("ih", "hh")
        )
        bias = np.stack(
            [
                np.concatenate([_gates(arrays[f"{side}.bias_{part}_l0"]) for part in ("ih", "hh")])
                for side in sides
            ]
        )
        hidden = recurrent.shape[2]
        both = graph.add(
            "LSTM",
            states,
            graph.constant(f"lstm.{layer}.weights", weights),
            graph.constant(f"lstm.{layer}.recurrent", recurrent),
            graph.constant(f"lstm.{layer}.bias", bias),
            "lengths",
            direction="bidirectional",
            hidden_size=hidden,
        )  # (words, directions, batch, hidden)
        beside = graph.add("Transpose", both, perm=[0, 2, 1, 3])
        states = graph.add(
            "Reshape", beside, graph.constant(f"lstm.{layer}.shape", np.array([0, 0, 2 * hidden]))
        )
        layer += 1
    return states


def _gates(weights: np.ndarray) -> np.ndarray:
    """Return weights of the gates in ONNX's order (input, output, forget, cell) from PyTorch's (i, f, g, o)."""
    of_input, of_forget, of_cell, of_output = np.split(weights, 4)
    return np.concatenate([of_input, of_output, of_forget, of_cell])


_CONTEXTS: dict[str, Callable[[Graph, Arrays, str], str]] = {
    "BiLSTM": _bilstm,
    "NoContext": lambda graph, arrays, states: states,
}
