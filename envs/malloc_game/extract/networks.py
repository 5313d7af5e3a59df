"""Networks in plain JAX, as shapes: nothing here is ever run, only compiled.

A tuple of whole numbers stands for an f32 array of that shape (see `Program.from_jax`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Tree = Any
Network = tuple[Callable[..., Any], tuple[Any, ...]]  # a function and its arguments


def sgd(loss: Callable[..., jax.Array], rate: float = 1e-2) -> Callable[..., Tree]:
    """Return a step of training: (parameters, *batch) -> (loss, new parameters)."""

    def step(parameters: Tree, *batch: jax.Array) -> Tree:
        value, slopes = jax.value_and_grad(loss)(parameters, *batch)
        return value, jax.tree.map(lambda parameter, slope: parameter - rate * slope, parameters, slopes)

    return step


def cross_entropy(network: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Return the loss of a classifier: (parameters, inputs, labels) -> number."""

    def loss(parameters: Tree, inputs: jax.Array, labels: jax.Array) -> jax.Array:
        scores = jax.nn.log_softmax(network(parameters, inputs))
        return -jnp.mean(jnp.sum(scores * jax.nn.one_hot(labels, scores.shape[-1]), axis=-1))

    return loss


def squared_error(network: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Return the loss of a regression: (parameters, inputs, targets) -> number."""
    return lambda parameters, inputs, targets: jnp.mean((network(parameters, inputs) - targets) ** 2)


def integers(*shape: int) -> jax.ShapeDtypeStruct:
    """Return the shape of an integer array."""
    return jax.ShapeDtypeStruct(shape, "int32")


# Multilayer perceptron


def mlp(weights: list[jax.Array], x: jax.Array) -> jax.Array:
    """Dense layers with ReLU between them."""
    for weight in weights[:-1]:
        x = jax.nn.relu(x @ weight)
    return x @ weights[-1]


# Convolutional networks: arrays are (batch, height, width, channels)


def convolve(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Two-dimensional convolution."""
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=layout)


def max_pool(x: jax.Array, size: int, stride: int) -> jax.Array:
    """Maximum over windows."""
    window, strides = (1, size, size, 1), (1, stride, stride, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, "SAME")


ALEXNET = {
    "kernels": [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)],
    "dense": [(7 * 7 * 256, 4096), (4096, 4096), (4096, 1000)],
}


def alexnet(parameters: Tree, x: jax.Array) -> jax.Array:
    """Krizhevsky et al. 2012, in the single-column form of Krizhevsky 2014."""
    for layer, kernel in enumerate(parameters["kernels"]):
        x = jax.nn.relu(convolve(x, kernel, stride=4 if layer == 0 else 1))
        if layer in (0, 1, 4):
            x = max_pool(x, 3, 2)
    return mlp(parameters["dense"], x.reshape(len(x), -1))


def _normalised(*kernel: int) -> dict[str, tuple[int, ...]]:
    return {"kernel": kernel, "scale": kernel[-1:], "shift": kernel[-1:]}


def resnet_shapes(blocks: tuple[int, ...], bottleneck: bool) -> dict[str, Any]:
    """Return the parameters of a ResNet with that many blocks per stage."""
    width, stages = 64, []
    for stage, count in enumerate(blocks):
        inner = 64 * 2**stage
        outer = 4 * inner if bottleneck else inner
        layers = []
        for _ in range(count):
            if bottleneck:
                convolutions = [(1, 1, width, inner), (3, 3, inner, inner), (1, 1, inner, outer)]
            else:
                convolutions = [(3, 3, width, inner), (3, 3, inner, inner)]
            layer: dict[str, Any] = {"path": [_normalised(*kernel) for kernel in convolutions]}
            if width != outer:
                layer["shortcut"] = _normalised(1, 1, width, outer)
            layers.append(layer)
            width = outer
        stages.append(layers)
    return {"stem": _normalised(7, 7, 3, 64), "stages": stages, "head": (width, 1000)}


def resnet(parameters: Tree, x: jax.Array, training: bool = False) -> jax.Array:
    """He et al. 2015; in inference the normalisation is folded into a scale and a shift."""

    def apply(layer: Tree, x: jax.Array, stride: int = 1) -> jax.Array:
        x = convolve(x, layer["kernel"], stride)
        if training:
            x = (x - x.mean((0, 1, 2))) * jax.lax.rsqrt(x.var((0, 1, 2)) + 1e-5)
        return x * layer["scale"] + layer["shift"]

    x = max_pool(jax.nn.relu(apply(parameters["stem"], x, 2)), 3, 2)
    for stage, layers in enumerate(parameters["stages"]):
        for position, layer in enumerate(layers):
            stride = 2 if stage > 0 and position == 0 else 1
            *path, last = layer["path"]
            # The stride is the 3x3 convolution's: the first of two, the second of three.
            strided = len(path) - 1
            y = x
            for depth, step in enumerate(path):
                y = jax.nn.relu(apply(step, y, stride if depth == strided else 1))
            shortcut = apply(layer["shortcut"], x, stride) if "shortcut" in layer else x
            x = jax.nn.relu(apply(last, y) + shortcut)
    return x.mean((1, 2)) @ parameters["head"]


def resnet_training(parameters: Tree, x: jax.Array) -> jax.Array:
    """ResNet with batch statistics."""
    return resnet(parameters, x, training=True)


UNET: dict[str, Any] = {
    "down": [[(3, 3, a, b), (3, 3, b, b)] for a, b in ((3, 64), (64, 128), (128, 256), (256, 512))],
    "up": [[(3, 3, a + b, b), (3, 3, b, b)] for a, b in ((512, 256), (256, 128), (128, 64))],
    "head": (1, 1, 64, 2),
}


def unet(parameters: Tree, x: jax.Array) -> jax.Array:
    """Ronneberger et al. 2015, with nearest-neighbour upsampling and equal padding."""
    skipped: list[jax.Array] = []
    for kernels in parameters["down"]:
        if skipped:
            x = max_pool(x, 2, 2)
        for kernel in kernels:
            x = jax.nn.relu(convolve(x, kernel))
        skipped.append(x)
    for kernels, skip in zip(parameters["up"], skipped[-2::-1], strict=True):
        x = jnp.concatenate([x.repeat(2, axis=1).repeat(2, axis=2), skip], axis=-1)
        for kernel in kernels:
            x = jax.nn.relu(convolve(x, kernel))
    return convolve(x, parameters["head"])


def wavenet_shapes(layers: int, width: int, skip: int) -> dict[str, Any]:
    """Return the parameters of a WaveNet."""
    layer = {"gates": (2, width, 2 * width), "residual": (width, width), "skip": (width, skip)}
    return {"stem": (1, width), "layers": [layer] * layers, "head": [(skip, 256), (256, 256)]}


def wavenet(parameters: Tree, x: jax.Array) -> jax.Array:
    """Van den Oord et al. 2016: gated causal convolutions, dilated by 1, 2, ..., 512 and again."""
    x = x @ parameters["stem"]
    total: Any = 0.0
    for depth, layer in enumerate(parameters["layers"]):
        dilation = 2 ** (depth % 10)
        gates = jax.lax.conv_general_dilated(
            x, layer["gates"], (1,), [(dilation, 0)], rhs_dilation=(dilation,), dimension_numbers=("NWC", "WIO", "NWC")
        )
        filtered, gate = jnp.split(gates, 2, axis=-1)
        hidden = jnp.tanh(filtered) * jax.nn.sigmoid(gate)
        x = x + hidden @ layer["residual"]
        total = total + hidden @ layer["skip"]
    return jax.nn.relu(jax.nn.relu(total) @ parameters["head"][0]) @ parameters["head"][1]


# Transformers: arrays are (batch, time, width)


def normalise(x: jax.Array, scale: jax.Array) -> jax.Array:
    """Layer normalisation without a shift."""
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * scale


def transformer_shapes(layers: int, width: int) -> list[dict[str, Any]]:
    """Return the parameters of a transformer."""
    square = (width, width)
    projections = {"query": square, "key": square, "value": square, "mix": square}
    dense = {"wide": (width, 4 * width), "narrow": (4 * width, width)}
    return [{"norms": [(width,), (width,)], **projections, **dense}] * layers


def _heads(x: jax.Array, width: int = 64) -> jax.Array:
    return x.reshape(*x.shape[:-1], -1, width)


def _dense(layer: Tree, x: jax.Array) -> jax.Array:
    return jax.nn.gelu(normalise(x, layer["norms"][1]) @ layer["wide"]) @ layer["narrow"]


def transformer(layers: list[Tree], x: jax.Array) -> jax.Array:
    """Vaswani et al. 2017, causal, normalised before each block, heads of width 64."""
    causal = jnp.tril(jnp.ones((x.shape[1], x.shape[1]), bool))
    for layer in layers:
        y = normalise(x, layer["norms"][0])
        query, key, value = (_heads(y @ layer[name]) for name in ("query", "key", "value"))
        scores = jnp.einsum("bthd,bshd->bhts", query, key) / 8.0
        weights = jax.nn.softmax(jnp.where(causal, scores, -1e9))
        x = x + jnp.einsum("bhts,bshd->bthd", weights, value).reshape(x.shape) @ layer["mix"]
        x = x + _dense(layer, x)
    return x


def decode(layers: list[Tree], caches: list[Tree], x: jax.Array, position: jax.Array) -> Tree:
    """One token of a transformer's text: the caches of keys and values take it in at ``position``, in place."""
    result = []
    for layer, cache in zip(layers, caches, strict=True):
        y = normalise(x, layer["norms"][0])
        query, key, value = (_heads(y @ layer[name]) for name in ("query", "key", "value"))
        keys, values = (
            jax.lax.dynamic_update_slice(cache[name], new[:, None], (0, position, 0, 0))
            for name, new in (("keys", key), ("values", value))
        )
        scores = jnp.einsum("bhd,bshd->bhs", query, keys) / 8.0
        weights = jax.nn.softmax(jnp.where(jnp.arange(keys.shape[1]) <= position, scores, -1e9))
        x = x + jnp.einsum("bhs,bshd->bhd", weights, values).reshape(x.shape) @ layer["mix"]
        x = x + _dense(layer, x)
        result.append({"keys": keys, "values": values})
    return x, result


# Others


def lstm_step(parameters: Tree, state: Tree, x: jax.Array) -> Tree:
    """Hochreiter and Schmidhuber 1997, with a forget gate."""
    hidden, cell = state
    gates = x @ parameters["input"] + hidden @ parameters["hidden"] + parameters["bias"]
    enter, forget, new, out = jnp.split(gates, 4, axis=-1)
    cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(enter) * jnp.tanh(new)
    hidden = jax.nn.sigmoid(out) * jnp.tanh(cell)
    return (hidden, cell), hidden


def lstm_scan(parameters: Tree, state: Tree, x: jax.Array) -> Tree:
    """An LSTM over time (first axis) as a loop."""
    return jax.lax.scan(lambda state, x: lstm_step(parameters, state, x), tuple(state), x)


def lstm_unrolled(parameters: Tree, state: Tree, x: jax.Array) -> jax.Array:
    """An LSTM's mean squared output, unrolled over time."""
    total: Any = 0.0
    for each in x:
        state, hidden = lstm_step(parameters, tuple(state), each)
        total = total + jnp.mean(hidden**2)
    return total


def mixer_shapes(layers: int, places: int, width: int) -> dict[str, Any]:
    """Return the parameters of an MLP-Mixer."""
    layer = {
        "norms": [(width,), (width,)],
        "places": [(places, width // 2), (width // 2, places)],
        "channels": [(width, 4 * width), (4 * width, width)],
    }
    return {"stem": (768, width), "layers": [layer] * layers, "head": (width, 1000)}


def mixer(parameters: Tree, x: jax.Array) -> jax.Array:
    """Tolstikhin et al. 2021: dense layers across the patches, then across the channels."""
    x = x @ parameters["stem"]
    for layer in parameters["layers"]:
        wide, narrow = layer["places"]
        y = normalise(x, layer["norms"][0]).swapaxes(1, 2)
        x = x + (jax.nn.gelu(y @ wide) @ narrow).swapaxes(1, 2)
        wide, narrow = layer["channels"]
        x = x + jax.nn.gelu(normalise(x, layer["norms"][1]) @ wide) @ narrow
    return x.mean(1) @ parameters["head"]


def mixture(parameters: Tree, x: jax.Array) -> jax.Array:
    """A mixture of experts in which each expert chooses its share of the tokens (Zhou et al. 2022)."""
    share = len(x) // parameters["router"].shape[1]
    weights = jax.nn.softmax(x @ parameters["router"]).T  # (experts, tokens)
    chosen = jnp.argsort(-weights, axis=1)[:, :share]
    y = jax.nn.gelu(jnp.einsum("ecd,edf->ecf", x[chosen], parameters["wide"]))
    y = jnp.einsum("ecf,efd->ecd", y, parameters["narrow"])
    y = y * jnp.take_along_axis(weights, chosen, axis=1)[..., None]
    return x.at[chosen].add(y)


DLRM: dict[str, Any] = {
    "tables": [(100_000, 64)] * 26,
    "bottom": [(13, 512), (512, 256), (256, 64)],
    "top": [(27 * 26 // 2 + 64, 1024), (1024, 1024), (1024, 512), (512, 256), (256, 1)],
}


def dlrm(parameters: Tree, dense: jax.Array, sparse: jax.Array) -> jax.Array:
    """Naumov et al. 2019: embeddings and dense features, their inner products, and a ranking network."""
    bottom = jax.nn.relu(mlp(parameters["bottom"], dense))
    features = [bottom, *(table[index] for table, index in zip(parameters["tables"], sparse, strict=True))]
    stacked = jnp.stack(features, axis=1)
    products = jnp.einsum("bid,bjd->bij", stacked, stacked)
    rows, columns = jnp.tril_indices(len(features), -1)
    return mlp(parameters["top"], jnp.concatenate([bottom, products[:, rows, columns]], axis=1))


def strassen(a: jax.Array, b: jax.Array, levels: int = 2) -> jax.Array:
    """Strassen 1969, the kind of product that AlphaTensor finds: seven products of halves in place of eight."""
    if levels == 0:
        return a @ b
    half = len(a) // 2

    def quarters(x: jax.Array) -> tuple[jax.Array, ...]:
        return x[:half, :half], x[:half, half:], x[half:, :half], x[half:, half:]

    a11, a12, a21, a22 = quarters(a)
    b11, b12, b21, b22 = quarters(b)
    m1 = strassen(a11 + a22, b11 + b22, levels - 1)
    m2 = strassen(a21 + a22, b11, levels - 1)
    m3 = strassen(a11, b12 - b22, levels - 1)
    m4 = strassen(a22, b21 - b11, levels - 1)
    m5 = strassen(a11 + a12, b22, levels - 1)
    m6 = strassen(a21 - a11, b11 + b12, levels - 1)
    m7 = strassen(a12 - a22, b21 + b22, levels - 1)
    top = jnp.concatenate([m1 + m4 - m5 + m7, m3 + m5], axis=1)
    bottom = jnp.concatenate([m2 + m4, m1 - m2 + m3 + m6], axis=1)
    return jnp.concatenate([top, bottom], axis=0)


_MLP6 = [(2048, 2048)] * 6
_RESNET18 = resnet_shapes((2, 2, 2, 2), bottleneck=False)
_LSTM = {"input": (1024, 4096), "hidden": (1024, 4096), "bias": (4096,)}
_CACHE = {"keys": (8, 1024, 16, 64), "values": (8, 1024, 16, 64)}
_MIXTURE = {"router": (1024, 8), "wide": (8, 1024, 4096), "narrow": (8, 4096, 1024)}

NETWORKS: dict[str, Network] = {
    "mlp6_infer": (mlp, (_MLP6, (512, 2048))),
    "mlp6_train": (sgd(squared_error(mlp)), (_MLP6, (512, 2048), (512, 2048))),
    "alexnet_infer_b32": (alexnet, (ALEXNET, (32, 224, 224, 3))),
    "alexnet_train_b32": (sgd(cross_entropy(alexnet)), (ALEXNET, (32, 224, 224, 3), integers(32))),
    "resnet18_infer_b8": (resnet, (_RESNET18, (8, 224, 224, 3))),
    "resnet18_train_b32": (
        sgd(cross_entropy(resnet_training)), (_RESNET18, (32, 224, 224, 3), integers(32)),
    ),
    "resnet50_infer_b16": (resnet, (resnet_shapes((3, 4, 6, 3), bottleneck=True), (16, 224, 224, 3))),
    "transformer6_infer": (transformer, (transformer_shapes(6, 1024), (4, 512, 1024))),
    "transformer2_train": (
        sgd(squared_error(transformer)), (transformer_shapes(2, 1024), (8, 512, 1024), (8, 512, 1024)),
    ),
    "decode12_b8": (
        jax.jit(decode, donate_argnums=1), (transformer_shapes(12, 1024), [_CACHE] * 12, (8, 1024), integers()),
    ),
    "lstm_scan64": (lstm_scan, (_LSTM, [(64, 1024)] * 2, (64, 64, 1024))),
    "lstm_unroll16_train": (sgd(lstm_unrolled), (_LSTM, [(64, 1024)] * 2, (16, 64, 1024))),
    "unet_infer": (unet, (UNET, (4, 256, 256, 3))),
    "wavenet20_infer": (wavenet, (wavenet_shapes(20, 256, 256), (2, 16384, 1))),
    "mixer8_infer": (mixer, (mixer_shapes(8, 196, 512), (32, 196, 768))),
    "moe8": (mixture, (_MIXTURE, (4096, 1024))),
    "dlrm_infer": (dlrm, (DLRM, (2048, 13), integers(26, 2048))),
    "strassen2_4096": (strassen, ((4096, 4096), (4096, 4096))),
    "strassen2_8192": (strassen, ((8192, 8192), (8192, 8192))),
}  # fmt: skip
