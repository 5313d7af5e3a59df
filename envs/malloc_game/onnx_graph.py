"""Programs from ONNX networks, by `onnx` alone: its shape inference gives the sizes."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .builder import Builder
from .costs import meetings
from .importers import require
from .program import Program

#: Nodes that only name their first input's memory anew.
_VIEWS = frozenset({"Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
#: Nodes that read of their first input only what they give.
_PARTS = frozenset({"Gather", "GatherElements", "GatherND", "Slice"})
#: Nodes that read only the shape of their input.
_SHAPES = frozenset({"Shape", "Size"})

#: Flops per element of the output.
_PER_OUTPUT = {
    **dict.fromkeys(
        """
        Abs Add And BitShift Ceil Clip Div Equal Floor Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Neg
        Not Or PRelu Reciprocal Relu Round Sign Sub Sum Where Xor
        """.split(),
        1,
    ),
    **dict.fromkeys(("Elu", "HardSigmoid", "LeakyRelu", "Selu", "Sigmoid", "Softplus", "ThresholdedRelu"), 2),
    "BatchNormalization": 2,
    "Gelu": 4,
    "HardSwish": 4,
    **dict.fromkeys(("Hardmax", "LogSoftmax", "Softmax"), 4),
    **dict.fromkeys(("GroupNormalization", "InstanceNormalization", "LayerNormalization", "RMSNormalization"), 8),
}


@dataclasses.dataclass(frozen=True)
class _Tensor:
    dims: tuple[int, ...]
    dtype: str
    itemsize: int

    @property
    def elements(self) -> int:
        return math.prod(self.dims)


@dataclasses.dataclass(frozen=True)
class _Node:
    """What the flops of a node depend on; an input that is left out is None."""

    inputs: tuple[_Tensor | None, ...]
    outputs: tuple[_Tensor, ...]
    attributes: Mapping[str, Any]

    def dims(self, number: int) -> tuple[int, ...]:
        tensor = self.inputs[number]
        assert tensor is not None
        return tensor.dims


def from_onnx(path: str | os.PathLike[str], name: str | None = None, dims: Mapping[str, int] | None = None) -> Program:
    """See `Program.from_onnx`."""
    onnx, inliner = require("onnx"), require("onnx.inliner")
    model = onnx.load(os.fspath(path), load_external_data=False)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in (dims or {}):
                dim.dim_value = (dims or {})[dim.dim_param]
    try:
        model = onnx.shape_inference.infer_shapes(inliner.inline_local_functions(model), data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise ValueError(f"The shapes of the ONNX network {os.fspath(path)!r} cannot be inferred: {error}") from None
    return _Import(onnx, model.graph).run(name or model.graph.name or Path(path).stem)


class _Import:
    def __init__(self, onnx: Any, graph: Any) -> None:
        self.onnx, self.graph = onnx, graph
        self.builder = Builder()
        self.values: dict[str, int] = {}  # tensor -> buffer
        self.tensors = {entry.name: self.tensor(entry.data_type, entry.dims) for entry in graph.initializer}
        self.read = {name for node in graph.node for name in node.input if name} | {
            value.name for value in graph.output
        }
        self.unknown: dict[str, str] = {}  # tensor -> the dimension whose extent is not known
        for value in (*graph.input, *graph.output, *graph.value_info):
            shape = value.type.tensor_type.shape
            missing = [dim.dim_param or "?" for dim in shape.dim if not dim.HasField("dim_value")]
            if missing or not value.type.tensor_type.HasField("shape"):
                self.unknown[value.name] = missing[0] if missing else "?"
            else:
                extents = [dim.dim_value for dim in shape.dim]
                self.tensors.setdefault(value.name, self.tensor(value.type.tensor_type.elem_type, extents))

    def tensor(self, data_type: int, dims: Any) -> _Tensor:
        dtype = self.onnx.helper.tensor_dtype_to_np_dtype(data_type)
        # HLO's words: float32 is f32, int64 is s64, bool is pred.
        word = re.sub(r"^bool$", "pred", str(dtype))
        word = re.sub(r"^(b?)float", r"\1f", re.sub(r"^int", "s", re.sub(r"^uint", "u", word)))
        return _Tensor(tuple(dims), word, dtype.itemsize)

    def run(self, name: str) -> Program:
        graph = self.graph
        for entry in (*graph.input, *graph.initializer):
            if entry.name not in self.values:
                self.values[entry.name] = self.allocate(entry.name, "param", f"Input {entry.name!r}")
        for number, node in enumerate(graph.node):
            self.node(f"Node {number} ({node.op_type} {node.name!r})".replace(" ''", ""), node)
        return self.builder.build(name, "onnx", [self.values[entry.name] for entry in graph.output])

    def allocate(self, name: str, kind: str, what: str) -> int:
        if name not in self.tensors:
            dim = self.unknown.get(name, "?")
            remedy = f"pass dims={{{dim!r}: ...}}" if dim != "?" else "export the network with fixed shapes"
            raise ValueError(f"{what} of the ONNX network: the shape of {name!r} cannot be inferred; {remedy}.")
        tensor = self.tensors[name]
        return self.builder.buffer(kind, tensor.elements * tensor.itemsize, tensor.dims, tensor.dtype)

    def node(self, what: str, node: Any) -> None:
        attributes = {entry.name: self.onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        if any(entry.type in (entry.GRAPH, entry.GRAPHS) for entry in node.attribute):
            raise ValueError(
                f"{what} of the ONNX network chooses or repeats a part of it. A program is a list of instructions: "
                "export the network without control flow, its loops unrolled."
            )
        if missing := [name for name in node.input if name and name not in self.values]:
            raise ValueError(f"{what} of the ONNX network uses {missing[0]!r}, which nothing before it gives.")
        # Nobody makes what nobody reads, such as the mask of a Dropout.
        outputs = [name for name in node.output if name in self.read]
        if not outputs:
            return
        if node.op_type == "Constant":
            self.values[outputs[0]] = self.allocate(outputs[0], "const", what)
            return
        if node.op_type in _VIEWS and len(outputs) == 1:
            self.values[outputs[0]] = self.values[node.input[0]]
            return
        for name in outputs:
            self.values[name] = self.allocate(name, "temp", what)
        made = [self.builder.size(self.values[name]) for name in outputs]
        reads = []
        for position, name in enumerate(node.input):
            if name:
                size = self.builder.size(self.values[name])
                if node.op_type in _SHAPES:
                    size = 0
                elif node.op_type in _PARTS and position == 0:
                    size = made[0]
                reads.append((self.values[name], size))
        shapes = _Node(
            tuple(self.tensors.get(name) if name else None for name in node.input),
            tuple(self.tensors[name] for name in outputs),
            attributes,
        )
        mxu = _MXU[node.op_type](shapes) if node.op_type in _MXU else 0
        writes = [(self.values[name], size) for name, size in zip(outputs, made, strict=True)]
        self.builder.instruction(node.op_type, reads, writes, mxu + _other(node.op_type, shapes), mxu)


def _other(op: str, node: _Node) -> int:
    """Return the flops of a node that are not of a matrix product or convolution."""
    output = node.outputs[0].elements
    if op in _PER_OUTPUT:
        return _PER_OUTPUT[op] * output
    if op.startswith(("Reduce", "Arg", "CumSum", "GlobalAverage", "GlobalMax")):
        return max(math.prod(node.dims(0)) - output, 0)
    if op in ("AveragePool", "MaxPool", "LpPool"):
        window: int = math.prod(node.attributes["kernel_shape"])
        return output * (window - 1)
    # The bias, where there is one.
    if op in ("Conv", "ConvTranspose", "Gemm") and len(node.inputs) > 2 and node.inputs[2] is not None:
        return output
    return 0


def _matmul(node: _Node) -> int:
    return 2 * node.outputs[0].elements * node.dims(0)[-1]


def _gemm(node: _Node) -> int:
    return 2 * node.outputs[0].elements * node.dims(0)[0 if node.attributes.get("transA") else 1]


def _conv(node: _Node) -> int:
    inputs, kernel, outputs = node.dims(0)[2:], node.dims(1)[2:], node.outputs[0].dims[2:]
    rank = len(inputs)
    strides = node.attributes.get("strides", [1] * rank)
    dilations = node.attributes.get("dilations", [1] * rank)
    pads = list(node.attributes.get("pads", [0] * rank))[:rank]
    if node.attributes.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER"):
        for axis in range(rank):
            span = (outputs[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
            both = max(span - inputs[axis], 0)
            pads[axis] = both // 2 if node.attributes["auto_pad"] == b"SAME_UPPER" else both - both // 2
    axes = zip(inputs, kernel, outputs, strides, pads, dilations, strict=True)
    count: int = math.prod(meetings(*axis) for axis in axes)
    return 2 * math.prod(node.outputs[0].dims[:2]) * node.dims(1)[1] * count


def _conv_transpose(node: _Node) -> int:
    return 2 * math.prod(node.dims(0)) * math.prod(node.dims(1)[1:])


def _einsum(node: _Node) -> int:
    letters = node.attributes["equation"].decode().replace(" ", "").split("->")[0].split(",")
    if len(letters) < 2 or any("." in part for part in letters):
        return 0
    extents = {
        letter: extent
        for number, part in enumerate(letters)
        for letter, extent in zip(part, node.dims(number), strict=True)
    }
    return 2 * math.prod(extents.values())


def _recurrent(node: _Node) -> int:
    # Inputs are (time, batch, features); weights (directions, gates * hidden, features) and (.., .., hidden).
    time, batch, _ = node.dims(0)
    return 2 * time * batch * (math.prod(node.dims(1)) + math.prod(node.dims(2)))


#: Flops of matrix products and convolutions.
_MXU: dict[str, Callable[[_Node], int]] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent),
}
