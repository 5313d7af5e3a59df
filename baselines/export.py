"""Policies as ONNX files, for game engines and controllers: `rlx export`.

A file has an input for each part of the observation that the policy reads, and rules out inside what the mask forbids.
The graph is put together here, operator by operator, not by PyTorch: of its exporters (2.13) the new one writes no
opset below 18 and does not take a module called ``global``, and the old one ties the transformer to one size of batch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import gymnasium
import numpy as np
import onnx
import typer
from gymnasium import spaces
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from rlx import __version__
from rlx.registry.experts import make_expert, mask_of

from .commands import EnvKwargs, console, json_object
from .compare.files import write_json
from .compare.manifest import MANIFEST, read_settings
from .networks import ACTION_NETWORKS
from .observations import MASK, Entry, Inputs
from .policy import (
    RETURN_SCALE,
    SCORE_SCALE,
    AssetsPolicy,
    Layers,
    MlpPolicy,
    QPolicy,
    SoftmaxPolicy,
    allowed_by,
    describe_space,
    load_policy,
)
from .qweb import WORDS
from .sindy import PolynomialPolicy
from .stl_planners import NeuralPlanner

if TYPE_CHECKING:
    from .fullyconv import Values
    from .networks import Attention

Array = NDArray[Any]
Constant = Array | float | Sequence[int]
Env = gymnasium.Env[Any, Any]
Policy = MlpPolicy | AssetsPolicy | QPolicy | SoftmaxPolicy

#: The newest that Unity's Sentis reads before version 2.6; onnxruntime reads it from version 1.10 on.
OPSET, IR_VERSION = 15, 8
#: Observations by which a file is checked, and how many of them a golden file holds.
CHECKED, GOLDEN = 32, 4
#: By which outputs may differ from the policy's: as a share of the largest, or of 1.
TOLERANCE = 1e-5
#: What an action is worth that a mask forbids; infinity is no JSON.
FORBIDDEN = -1e9

_OPERATORS = {"relu": "Relu", "tanh": "Tanh"}


class Graph:
    """An ONNX graph that grows. Values are told by their names."""

    def __init__(self, parts: Mapping[str, Array]) -> None:
        """Start empty.

        Args:
            parts: what there is to read: a batch of each part of the observation.
        """
        self.parts = parts
        self.inputs: dict[str, onnx.ValueInfoProto] = {}
        self.outputs: list[onnx.ValueInfoProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def __call__(self, operator: str, *inputs: str | Constant, name: str = "", **attributes: Any) -> str:
        """Append an operator on values and constants; return the name of its result."""
        name = name or f"{operator}_{len(self.nodes)}"
        values = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        self.nodes.append(helper.make_node(operator, values, [name], name=name, **attributes))
        return name

    def read(self, name: str) -> str:
        """Return a part of the observation, which becomes an input.

        Raises:
            ValueError: there is no such part.
        """
        if name not in self.parts:
            raise ValueError(f"The policy reads {name!r}, but the observation has only {', '.join(self.parts)}.")
        self.inputs.setdefault(name, _described(name, self.parts[name]))
        return name

    def tell(self, name: str, value: str, like: Array) -> None:
        """Make ``value`` an output called ``name``, a batch of what ``like`` is a batch of."""
        self("Identity", value, name=name)
        self.outputs.append(_described(name, like))

    def model(self, metadata: Mapping[str, str]) -> onnx.ModelProto:
        """Return the graph as a model, checked."""
        graph = helper.make_graph(self.nodes, "policy", list(self.inputs.values()), self.outputs, self.weights)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="rlx")
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model

    def _constant(self, value: Constant) -> str:
        array, name = np.asarray(value, order="C"), f"constant_{len(self.weights)}"
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.weights.append(numpy_helper.from_array(array, name))
        return name


def _described(name: str, array: Array) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, kind, ["batch", *array.shape[1:]])


# ------------------------------------------------------------------------------------------------------- observations


def parts_of(observation: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, Array]]:
    """Yield each part of an observation, in int32 or float32, with its name: keys and indices with slashes between.

    The only part of an observation that is no `Dict` or `Tuple` is called ``observation``.
    """
    if isinstance(observation, dict | tuple):
        items = observation.items() if isinstance(observation, dict) else enumerate(observation)
        for key, value in items:
            yield from parts_of(value, (*path, key))
    else:
        array = np.asarray(observation)
        yield _name(path), array.astype(np.float32 if array.dtype.kind == "f" else np.int32)


def _name(path: tuple[Any, ...]) -> str:
    return "/".join(map(str, path)) or "observation"


def _numbers(graph: Graph, inputs: Inputs) -> tuple[list[str], list[str]]:
    """Return what `Inputs.read` does: all numbers (B, n), and each picture (B, channels, height, width)."""
    numbers, pictures = [], []
    for entry in inputs.entries:
        part = graph.read(_name(entry.path))
        if entry.classes:
            place = graph("Sub", part, np.array(entry.start, np.int32))
            x = graph("Gather", np.eye(entry.classes, dtype=np.float32), place)
        elif entry.is_picture and graph.parts[part].dtype == np.float32:
            # Learners keep pictures in half precision.
            half = graph("Cast", part, to=onnx.TensorProto.FLOAT16)
            x = graph("Cast", half, to=onnx.TensorProto.FLOAT)
        else:
            x = graph("Cast", part, to=onnx.TensorProto.FLOAT)
        if entry.is_picture:
            pictures.append(x)
        else:
            numbers.append(graph("Reshape", x, [-1, entry.size]))
    return numbers, pictures


# ----------------------------------------------------------------------------------------------------------- networks


def _hidden(graph: Graph, x: str, layers: Layers, activation: str) -> str:
    for weight, bias in layers:
        x = graph(_OPERATORS[activation], graph("Gemm", x, weight, bias))
    return x


def _layers(graph: Graph, x: str, layers: Layers, activation: str) -> str:
    *hidden, (weight, bias) = layers
    return graph("Gemm", _hidden(graph, x, hidden, activation), weight, bias)


def _flat(graph: Graph, features: Any) -> str:
    """Return numbers, and what convolutions leave of each picture."""
    numbers, pictures = _numbers(graph, features.inputs)
    activation = _OPERATORS[features.architecture.activation]
    for x, convolution in zip(pictures, features.convolutions, strict=True):
        for layer in list(convolution)[::2]:
            weight, bias = _array(layer.weight), _array(layer.bias)
            x = graph(activation, graph("Conv", x, weight, bias, strides=[4, 4], pads=[2, 2, 2, 2]))
        numbers.append(graph("Flatten", x))
    return graph("Concat", *numbers, axis=1)


def _onehot(graph: Graph, features: Any) -> str:
    numbers = [graph("Flatten", graph.read(name)) for name in features.names]
    places = graph("Add", graph("Concat", *numbers, axis=1), features.starts.astype(np.int32))
    rows = graph("Gather", _array(features.table.weight), places)
    return graph("Tanh", graph("ReduceSum", rows, [1], keepdims=0))


def _fullyconv(graph: Graph, features: Any) -> str:
    """Return what `FullyConv` tells of each action, (B, actions, size)."""
    pixels = []
    for name, (values, *convolution) in features.convolutions.items():
        x = _picture(graph, graph.read(name), values)
        for layer, margin in zip(convolution[::2], (2, 1), strict=True):
            x = graph("Relu", graph("Conv", x, _array(layer.weight), _array(layer.bias), pads=[margin] * 4))
        pixels.append(graph("Reshape", x, [0, 0, -1]))
    pixel = graph("Concat", *pixels, axis=1)
    numbers = [_log1p(graph, graph("Flatten", graph.read(name))) for name in features.numbers]
    told = graph("Concat", graph("Flatten", pixel), *numbers, axis=1)
    state = graph("Relu", _linear(graph, told, features.joint))
    first = graph("Unsqueeze", graph("Relu", _linear(graph, state, features.first)), [1])
    return graph("Concat", first, graph("Transpose", pixel, perm=[0, 2, 1]), axis=1)


def _picture(graph: Graph, picture: str, values: Values) -> str:
    """Return what `Values` tells of pictures (B, layers, height, width)."""
    told = []
    if values.layers:
        there = graph("Gather", picture, np.array(values.layers), axis=1)
        is_kind = graph("Equal", there, np.array(values.values, np.int32)[:, None, None])
        told.append(graph("Cast", is_kind, to=onnx.TensorProto.FLOAT))
    if values.amounts:
        told.append(_log1p(graph, graph("Gather", picture, np.array(values.amounts), axis=1)))
    return graph("Concat", *told, axis=1)


def _log1p(graph: Graph, numbers: str) -> str:
    return graph("Log", graph("Add", graph("Cast", numbers, to=onnx.TensorProto.FLOAT), 1.0))


def _linear(graph: Graph, x: str, layer: Any) -> str:
    """Apply a linear layer of torch to the last axis of ``x``."""
    x = graph("MatMul", x, _array(layer.weight).T)
    return x if layer.bias is None else graph("Add", x, _array(layer.bias))


def _array(parameter: Any) -> Array:
    array: Array = parameter.detach().numpy()
    return array


def _maps(graph: Graph, features: Any) -> str:
    pictures = _PICTURES[features.architecture.network](graph, features)
    columns = []
    for x, convolution in zip(pictures, features.convolutions.values(), strict=True):
        x = graph("Transpose", x, perm=[0, 3, 1, 2])
        for layer in list(convolution)[::2]:
            x = graph("Relu", graph("Conv", x, _array(layer.weight), _array(layer.bias), pads=[1, 1, 1, 1]))
        columns.append(graph("Flatten", x))
    for part in features.statistics:
        numbers = graph("Concat", *map(graph.read, part.names), axis=1)
        x = graph("Flatten", graph("Gather", _array(part.embedding.weight), numbers))
        columns.append(graph("Relu", _linear(graph, x, part.layer)))
    x = graph("Relu", _linear(graph, graph("Concat", *columns, axis=1), features.joint))
    previous = graph("Cast", graph.read("previous"), to=onnx.TensorProto.FLOAT)
    x = _linear(graph, graph("Concat", x, previous, axis=1), features.last)
    return x if features.is_last_linear else graph("Relu", x)


def _categorical(graph: Graph, features: Any) -> list[str]:
    """Return a picture (B, height, width, depth) of each map."""
    return [graph("Gather", _array(table.weight), graph.read(name)) for name, table in features.tiles.items()]


def _dense(graph: Graph, features: Any) -> list[str]:
    pictures = []
    for name, table in features.tiles.items():
        rows = graph("Add", graph.read(name), np.array(features.starts[name], np.int32))
        x = graph("ReduceSum", graph("Gather", _array(table.weight), rows), [3], keepdims=0)
        pictures.append(graph("Tanh", x))
    return pictures


def _transformer(graph: Graph, features: Any) -> list[str]:
    lists = [
        graph("Tanh", _linear(graph, graph("Gather", graph.read("entities"), kind, axis=1), layer))
        for kind, layer in enumerate(features.kinds)
    ]
    entities = graph("Concat", *lists, axis=1)
    is_there = graph("Cast", graph("Flatten", graph.read("entity_mask")), to=onnx.TensorProto.BOOL)
    bias = graph("Unsqueeze", graph("Where", is_there, 0.0, FORBIDDEN), [1, 2])
    size = int(np.prod(graph.parts["entity_mask"].shape[1:]))
    pictures = []
    for name, tiles in zip(features.tiles, _categorical(graph, features), strict=True):
        attended = _attention(graph, features.attention[name], entities, bias)
        # Fetched by a product with one-hot rows, which all engines can do batch by batch; place 0 is no entity.
        place = graph("Gather", np.eye(size + 1, size, k=-1, dtype=np.float32), graph.read(f"{name}_index"))
        there = graph("MatMul", place, graph("Unsqueeze", attended, [1]))
        pictures.append(graph("Concat", tiles, there, axis=3))
    return pictures


def _attention(graph: Graph, block: Attention, entities: str, bias: str) -> str:
    """Return what `Attention.forward` does."""

    def split(layer: Any) -> str:
        heads = graph("Reshape", _linear(graph, x, layer), [0, 0, block.heads, -1])
        return graph("Transpose", heads, perm=[0, 2, 1, 3])

    x = _normalized(graph, entities, block.before)
    questions, keys, values = (split(layer) for layer in (block.questions, block.keys, block.values))
    scale = (block.keys.out_features // block.heads) ** -0.5
    heed = graph("Mul", graph("MatMul", questions, graph("Transpose", keys, perm=[0, 1, 3, 2])), scale)
    heeded = graph("MatMul", graph("Softmax", graph("Add", heed, bias), axis=3), values)
    joined = graph("Reshape", graph("Transpose", heeded, perm=[0, 2, 1, 3]), [0, 0, -1])
    x = graph("Add", entities, _linear(graph, joined, block.mix))
    return _normalized(graph, graph("Add", x, _linear(graph, x, block.layer)), block.after)


def _normalized(graph: Graph, x: str, layer: Any) -> str:
    """Return what a `LayerNorm` does, for which this opset has no operator."""
    x = graph("Sub", x, graph("ReduceMean", x, axes=[-1]))
    variance = graph("ReduceMean", graph("Mul", x, x), axes=[-1])
    x = graph("Div", x, graph("Sqrt", graph("Add", variance, layer.eps)))
    return graph("Add", graph("Mul", x, _array(layer.weight)), _array(layer.bias))


def _pages(graph: Graph, features: Any) -> str:
    """Return what `QWeb` tells of each action, (B, actions, size)."""
    elements, element_mask = graph.read("elements"), graph.read("element_mask")
    fields, is_field = graph.read("fields"), _is_there(graph, graph.read("field_mask"))
    first = graph("Slice", graph("Gather", fields, np.array(-1), axis=2), [0], [WORDS], [2])
    attributes, parts, words = (
        _embedded(graph, features.tokens, texts) for texts in (elements, fields, graph("Unsqueeze", first, [3]))
    )
    parts = graph("Concat", parts, words, axis=2)
    encoded = graph("Relu", _linear(graph, graph("Reshape", parts, [0, 0, -1]), features.field))
    told = [
        graph("Reshape", attributes, [0, 0, -1]),
        graph("Cast", graph.read("features"), to=onnx.TensorProto.FLOAT),
        *_found(graph, features, attributes, parts, encoded, is_field),
    ]
    if features.variant.has_overlap:
        told.append(_overlap(graph, elements, fields))
    x = graph("Relu", _linear(graph, graph("Concat", *told, axis=2), features.element))
    is_there = _is_there(graph, element_mask)
    x = graph("Mul", x, graph("Unsqueeze", graph("Cast", is_there, to=onnx.TensorProto.FLOAT), [2]))
    if features.variant.is_recurrent:
        x = graph("Add", x, _recurrent(graph, features.readers, x, element_mask))
    click, typing = _array(features.kinds.weight)
    deeds = graph(
        "Concat",
        graph("Unsqueeze", graph("Add", _mean(graph, encoded, is_field), click), [1]),
        graph("Add", encoded, typing),
        axis=1,
    )
    doers, deeds = (graph("Reshape", encoded, [0, 0, features.products, -1]) for encoded in (x, deeds))
    doers, deeds = graph("Transpose", doers, perm=[0, 2, 1, 3]), graph("Transpose", deeds, perm=[0, 2, 3, 1])
    pairs = graph("Transpose", graph("MatMul", doers, deeds), perm=[0, 2, 3, 1])
    pairs = graph("Mul", pairs, (features.page.in_features / features.products) ** -0.5)
    page = graph("Relu", _linear(graph, _mean(graph, x, is_there), features.page))
    return graph("Reshape", graph("Add", pairs, graph("Unsqueeze", page, [1, 2])), [0, -1, features.size])


def _is_there(graph: Graph, mask: str) -> str:
    return graph("Cast", mask, to=onnx.TensorProto.BOOL)


def _embedded(graph: Graph, table: Any, texts: str) -> str:
    """Return the mean (B, n, texts, width) of the tokens' embeddings of texts (B, n, texts, tokens), 0 without any."""
    is_token = graph("Cast", _is_there(graph, texts), to=onnx.TensorProto.FLOAT)
    rows = graph("Mul", graph("Gather", _array(table.weight), texts), graph("Unsqueeze", is_token, [4]))
    count = graph("Max", graph("ReduceSum", is_token, [3], keepdims=1), 1.0)
    return graph("Div", graph("ReduceSum", rows, [3], keepdims=0), count)


def _mean(graph: Graph, encodings: str, is_there: str) -> str:
    """Return the mean (B, size) of those of the encodings (B, n, size) that are there."""
    weights = graph("Unsqueeze", graph("Cast", is_there, to=onnx.TensorProto.FLOAT), [2])
    count = graph("Max", graph("ReduceSum", weights, [1], keepdims=0), 1.0)
    return graph("Div", graph("ReduceSum", graph("Mul", encodings, weights), [1], keepdims=0), count)


def _found(graph: Graph, features: Any, attributes: str, parts: str, fields: str, is_field: str) -> list[str]:
    """Return what `rlx.baselines.qweb.attend` does."""
    count, width = graph.parts["fields"].shape[1], features.tokens.embedding_dim
    kinds = features.field.in_features // width
    keys = graph("Transpose", graph("Reshape", parts, [0, count * kinds, width]), perm=[0, 2, 1])
    logits = graph("MatMul", graph("ReduceSum", attributes, [2], keepdims=0), keys)
    logits = graph("Transpose", graph("Reshape", logits, [0, 0, count, kinds]), perm=[0, 1, 3, 2])
    logits = graph("Mul", logits, width**-0.5)
    logits = graph("Where", graph("Unsqueeze", is_field, [1, 2]), logits, FORBIDDEN)
    heeded = graph("Softmax", graph("Pad", logits, [0, 0, 0, 1, 0, 0, 0, 0]), axis=3)  # place 0: no field
    heeded = graph("Slice", heeded, [1], [1 + count], [3])
    size = graph.parts["elements"].shape[1]
    found = graph("MatMul", graph("Reshape", heeded, [0, size * kinds, count]), fields)
    told = [graph("Reshape", found, [0, size, -1])]
    if features.variant.has_overlap:
        key_and_value = graph("Slice", heeded, [0], [2], [2])
        same = graph("ReduceProd", key_and_value, axes=[2], keepdims=0)
        told.append(graph("ReduceSum", same, [2], keepdims=1))
    return told


def _overlap(graph: Graph, elements: str, fields: str) -> str:
    """Return what `rlx.baselines.qweb.overlap` does, (B, elements, fields * parts)."""
    there = graph("Unsqueeze", graph("Reshape", elements, [0, 0, -1]), [2, 3])
    shares = []
    for place in range(graph.parts["fields"].shape[3]):
        word = graph("Unsqueeze", graph("Gather", fields, [place], axis=3), [1])  # (B, 1, F, parts, 1)
        same = graph("Cast", graph("Equal", there, word), to=onnx.TensorProto.FLOAT)
        shares.append(graph("ReduceMax", same, axes=[4], keepdims=1))
    is_word = graph("Cast", _is_there(graph, graph("Unsqueeze", fields, [1])), to=onnx.TensorProto.FLOAT)
    found = graph("ReduceSum", graph("Mul", graph("Concat", *shares, axis=4), is_word), [4], keepdims=0)
    count = graph("Max", graph("ReduceSum", is_word, [4], keepdims=0), 1.0)
    return graph("Reshape", graph("Div", found, count), [0, 0, -1])


def _recurrent(graph: Graph, layers: Any, x: str, mask: str) -> str:
    """Return what two LSTMs of torch, ahead and back, make of (B, n, size), with 0 where nothing is there."""

    def weights(name: str) -> Array:
        directions = (_array(getattr(layer, name)) for layer in layers)
        # The gates: torch has input, forget, cell, output; ONNX has input, output, forget, cell.
        return np.stack([np.concatenate([np.split(one, 4)[gate] for gate in (0, 3, 1, 2)]) for one in directions])

    lengths = graph("Max", graph("ReduceSum", mask, [1], keepdims=0), np.array(1, np.int32))
    bias = np.concatenate([weights("bias_ih_l0"), weights("bias_hh_l0")], axis=1)
    sequence = graph("Transpose", x, perm=[1, 0, 2])
    read = graph(
        "LSTM", sequence, weights("weight_ih_l0"), weights("weight_hh_l0"), bias, lengths,
        hidden_size=layers[0].hidden_size, direction="bidirectional",
    )  # fmt: skip
    return graph("Reshape", graph("Transpose", read, perm=[2, 0, 1, 3]), [0, 0, -1])


_PICTURES: dict[str, Callable[[Graph, Any], list[str]]] = {
    "categorical": _categorical,
    "dense": _dense,
    "transformer": _transformer,
}
_FEATURES: dict[str, Callable[[Graph, Any], str]] = {
    "mlp": _flat,
    "onehot": _onehot,
    "fullyconv": _fullyconv,
    **dict.fromkeys(_PICTURES, _maps),
    **dict.fromkeys(ACTION_NETWORKS, _pages),
}


# ----------------------------------------------------------------------------------------------------------- policies


def _actions(graph: Graph, policy: MlpPolicy) -> str:
    """Return the actions of a `Box`, (B, ...)."""
    low, high = policy.action_space.low.ravel(), policy.action_space.high.ravel()
    x = graph("Flatten", graph.read("observation"))
    x = _layers(graph, x, policy.layers, policy.activation)
    x = graph("Tanh", x) if policy.squash == "tanh" else graph("Clip", x, -1.0, 1.0)
    x = graph("Add", graph("Mul", x, (high - low) / 2), (high + low) / 2)
    return graph("Reshape", x, [-1, *policy.action_space.shape])


def _weights(graph: Graph, policy: AssetsPolicy) -> str:
    """Return the weights of assets and cash, (B, N + 1)."""
    weights, conditions, tradable = map(graph.read, ("weights", "conditions", "tradable"))
    returns = graph("Transpose", graph("Mul", graph.read("returns"), RETURN_SCALE), perm=[0, 2, 1])
    count = graph.parts["tradable"].shape[1]
    held, cash = graph("Slice", weights, [0], [count], [1]), graph("Slice", weights, [count], [count + 1], [1])
    shared = graph("Concat", graph("ReduceMean", returns, axes=[1], keepdims=0), conditions, cash, axis=1)
    context = graph("Mul", graph("Unsqueeze", shared, [1]), np.ones((1, count, 1), np.float32))
    own = [graph("Unsqueeze", part, [2]) for part in (held, tradable)]
    if policy.has_features:
        own.append(graph("Reshape", graph("Transpose", graph.read("features"), perm=[0, 2, 1, 3]), [0, count, -1]))
    scores = []
    for part, x in (("assets", graph("Concat", returns, *own, context, axis=2)), ("cash", shared)):
        *hidden, last = policy.parts[part]
        for weight, bias in hidden:
            x = graph(_OPERATORS[policy.activation], graph("Add", graph("MatMul", x, weight), bias))
        scores.append(graph("Flatten", graph("Tanh", graph("Add", graph("MatMul", x, last[0]), last[1]))))
    return graph("Softmax", graph("Mul", graph("Concat", *scores, axis=1), SCORE_SCALE), axis=1)


def _features(graph: Graph, policy: QPolicy | SoftmaxPolicy) -> str:
    """Return the features of the observation, (B, size), or of each action, (B * actions, size)."""
    x = _FEATURES[policy.features.architecture.network](graph, policy.features)
    return graph("Reshape", x, [-1, policy.features.size]) if policy.features.is_per_action else x


def _logits(graph: Graph, policy: SoftmaxPolicy) -> str:
    told = _layers(graph, _features(graph, policy), policy.layers, policy.activation)
    return graph("Reshape", told, [-1, int(policy.action_space.n)])


def _q_values(graph: Graph, policy: QPolicy) -> str:
    """Return what each action is worth, (B, A)."""
    x = _features(graph, policy)
    x = _hidden(graph, x, policy.parts["trunk"], policy.activation)
    streams = {
        name: graph(
            "Reshape",
            _layers(graph, x, policy.parts[name], policy.activation),
            [-1, columns, max(policy.support.bins, 1)],
        )
        for name, columns in (("advantages", int(policy.action_space.n)), ("values", 1))
        if name in policy.parts
    }
    told = streams["advantages"]
    if "values" in streams:
        told = graph("Add", graph("Sub", told, graph("ReduceMean", told, axes=[1])), streams["values"])
    if policy.support.bins:
        told = graph("MatMul", graph("Softmax", told, axis=2), policy.support.centers[:, None])
    return graph("Reshape", told, [0, -1])


def _masked(graph: Graph, told: str) -> str:
    """Return (B, A) with `FORBIDDEN` where the mask is zero; a mask that allows nothing stands for none."""
    mask = graph("Cast", graph.read(MASK), to=onnx.TensorProto.BOOL)
    most = graph("ReduceMax", graph.read(MASK), axes=[1])
    is_empty = graph("Not", graph("Cast", most, to=onnx.TensorProto.BOOL))
    return graph("Where", graph("Or", mask, is_empty), told, FORBIDDEN)


class Kind(NamedTuple):
    """What exporting needs to know of a kind of policy."""

    output: str
    """Name of what it tells: an action, or a number per action."""
    build: Callable[[Graph, Any], str]
    """Adds that to a graph."""
    tell: Callable[[Any, Any, Any], Array]
    """What it tells of an observation and info."""


KINDS: dict[type[Any], Kind] = {
    MlpPolicy: Kind("action", _actions, MlpPolicy.act),
    AssetsPolicy: Kind("action", _weights, AssetsPolicy.act),
    QPolicy: Kind("q_values", _q_values, lambda policy, observation, info: policy.values(observation)),
    SoftmaxPolicy: Kind("logits", _logits, SoftmaxPolicy.logits),
}


def observe(env: Env, count: int) -> list[tuple[Any, dict[str, Any]]]:
    """Return so many observations, with their infos, of episodes that are played at random."""
    player = make_expert(env, "random", seed=0)
    seen: list[tuple[Any, dict[str, Any]]] = []
    seed, is_over = 0, True
    while len(seen) < count:
        if is_over:
            observation, info = env.reset(seed=seed)
            seed, is_over = seed + 1, False
        else:
            observation, _, terminated, truncated, info = env.step(player.act(observation, info))
            is_over = terminated or truncated
        seen.append((observation, info))
    return seen


def inputs_of(seen: Sequence[tuple[Any, dict[str, Any]]]) -> dict[str, Array]:
    """Return a batch of each part of observations, the mask included if there is one."""
    rows = []
    for observation, info in seen:
        mask = mask_of(observation, info)
        rows.append(dict(parts_of(observation)) | ({} if mask is None else {MASK: np.int32(mask)}))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def outputs_of(policy: Policy, seen: Sequence[tuple[Any, dict[str, Any]]]) -> dict[str, Array]:
    """Return what an exported policy has to tell of observations; `FORBIDDEN` where the mask forbids."""
    kind = KINDS[type(policy)]
    told = np.stack([kind.tell(policy, *one) for one in seen]).astype(np.float32)
    if isinstance(policy, MlpPolicy | AssetsPolicy):
        return {kind.output: told}
    told = np.where([allowed_by(*one, told.shape[1:]) for one in seen], told, FORBIDDEN)
    return {kind.output: told, "action": policy.action_space.start + told.argmax(axis=1)}


def make_model(policy: Policy, env: Env, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> onnx.ModelProto:
    """Return a policy as a model.

    Args:
        policy: what acts.
        env: where it acts.
        inputs: a batch of what it may read, of `inputs_of`.
        outputs: what it tells of that, of `outputs_of`.

    Raises:
        ValueError: the policy belongs to another environment.
    """
    graph, kind = Graph(inputs), KINDS[type(policy)]
    told = kind.build(graph, policy)
    if not isinstance(policy, MlpPolicy | AssetsPolicy):
        told = _masked(graph, told) if MASK in inputs else told
        action = graph("ArgMax", told, axis=1, keepdims=0)
        graph.tell("action", graph("Add", action, int(policy.action_space.start)), outputs["action"])
    graph.tell(kind.output, told, outputs[kind.output])
    return graph.model(metadata_of(policy, env))


def metadata_of(policy: Policy, env: Env) -> dict[str, str]:
    """Return what the file tells besides its graph."""
    task: Any = env.unwrapped
    space = json.dumps(describe_space(env.observation_space), sort_keys=True)
    metadata = {
        "rlx_version": __version__,
        "env_id": env.spec.id if env.spec is not None else type(task).__name__,
        "observation_hash": hashlib.sha256(space.encode()).hexdigest()[:12],
    }
    if hasattr(task, "design_id"):
        metadata["design_id"] = task.design_id
    if isinstance(policy.action_space, spaces.Discrete):
        names = getattr(task, "action_names", range(policy.action_space.n))
        metadata["actions"] = json.dumps(list(map(str, names)))
    if isinstance(policy, SoftmaxPolicy):
        metadata["temperature"] = str(policy.temperature)
    return metadata


def run(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return what onnxruntime makes of a batch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    told = session.run(names, {value.name: inputs[value.name] for value in session.get_inputs()})
    return dict(zip(names, told, strict=True))


def difference(found: Mapping[str, Array], expected: Mapping[str, Array]) -> float:
    """Return by how much outputs differ at most, as a share of the largest that is not forbidden, or of 1."""
    most = 0.0
    for name, values in expected.items():
        scale = max(1.0, float(np.abs(values[values != FORBIDDEN]).max(initial=0.0)))
        most = max(most, float(np.abs(found[name].astype(np.float64) - values).max()) / scale)
    return most


def export_policy(policy: Policy, env: Env, path: Path, golden: Path | None = None) -> float:
    """Write a policy as an ONNX file, unless onnxruntime finds that it tells something else.

    Args:
        policy: what acts.
        env: where it acts.
        path: the file.
        golden: a JSON file of some inputs and outputs by which an engine can be checked; None writes none.

    Returns:
        By how much outputs differ at most, see `difference`.

    Raises:
        ValueError: the policy belongs to another environment, or the file would tell something else.
    """
    _check(policy, env)
    seen = observe(env, CHECKED)
    inputs, outputs = inputs_of(seen), outputs_of(policy, seen)
    model = make_model(policy, env, inputs, outputs)
    apart = difference(run(model, inputs), outputs)
    if not apart <= TOLERANCE:
        raise ValueError(
            f"The file would differ from the policy by {apart:.1e}, more than {TOLERANCE:.0e}: not written."
        )
    temporary = path.with_name(path.name + ".partial")
    temporary.write_bytes(model.SerializeToString())
    os.replace(temporary, path)
    if golden is not None:
        read = {value.name: inputs[value.name] for value in model.graph.input}
        write_json(golden, {"inputs": _spelled(read), "outputs": _spelled(outputs), "tolerance": TOLERANCE})
    return apart


def _spelled(batch: Mapping[str, Array]) -> dict[str, Any]:
    """Return arrays as JSON can hold them: engines want them flat."""
    return {
        name: {"type": str(array.dtype), "shape": [GOLDEN, *array.shape[1:]], "data": array[:GOLDEN].ravel().tolist()}
        for name, array in batch.items()
    }


def _check(policy: Policy, env: Env) -> None:
    """Refuse a policy for other observations or actions than those of ``env``."""
    there = Inputs.of(env.observation_space).entries
    reads: tuple[Entry, ...]
    if isinstance(policy, MlpPolicy):
        reads = (Entry((), policy.observation_shape),)
    elif isinstance(policy, AssetsPolicy):
        reads = Inputs.of(policy.observation_space).entries
    else:
        reads = Inputs.of(policy.features.space).entries
    for what, own, other in (("reads", reads, there), ("acts in", policy.action_space, env.action_space)):
        if own != other:
            raise ValueError(
                f"The policy {what} {own}, but {env.spec and env.spec.id} has {other}. Choose its own environment by "
                "--env and --env-kwargs."
            )


def export(
    policy: Annotated[Path, typer.Argument(help="A policy.npz, or the folder of `rlx train --out`.")],
    out: Annotated[Path, typer.Option("--onnx", help="The file to write.")],
    env: Annotated[
        str, typer.Option(metavar="ENV", help="Where it acts. Default: where it was trained, as its folder tells.")
    ] = "",
    env_kwargs: EnvKwargs = "{}",
    golden: Annotated[
        bool, typer.Option("--golden", help="Also write OUT.golden.json: inputs and outputs to check an engine by.")
    ] = False,
) -> None:
    """Write a trained policy as one ONNX file, for engines that know nothing of rlx.

    Its inputs are the parts of the observation, its outputs the action and what each action is worth; the mask is
    applied inside.
    """
    env_id, kwargs = (env, {}) if env else _origin(policy)
    made = gymnasium.make(env_id, **{**kwargs, **json_object(env_kwargs)})
    beside = out.with_name(out.name + ".golden.json") if golden else None
    loaded = load_policy(policy)
    if isinstance(loaded, NeuralPlanner):
        raise ValueError(f"{policy} plans with a model of its environment, and cannot be one graph.")
    if isinstance(loaded, PolynomialPolicy):
        raise ValueError(f"{policy} holds polynomials, which are not exported. Write them down instead:\n{loaded}")
    apart = export_policy(loaded, made, out, beside)
    console.print(f"{out} differs from the policy by {apart:.1e} at most.", highlight=False)


def _origin(policy: Path) -> tuple[str, dict[str, Any]]:
    """Return id and keyword arguments of the environment that a policy was trained in."""
    for folder in (policy, *policy.absolute().parents[:3]):
        if (folder / MANIFEST).is_file():
            settings = read_settings(folder)
            return settings.env_id, dict(settings.env_kwargs)
    raise ValueError(
        f"Nothing beside {policy} tells where the policy acts. Say --env ENV, and --env-kwargs if need be."
    )
