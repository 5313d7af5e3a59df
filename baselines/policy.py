"""What a learner leaves behind: a deterministic network, in NumPy, stored without code."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .observations import Entry, Inputs

Array = NDArray[np.float32]
Layers = Sequence[tuple[Array, Array]]  # weight (inputs, outputs) and bias (outputs,) of each layer, in order


class MlpPolicy:
    """Maps observations to the actions of a bounded `Box`, through hidden layers and a final tanh.

    It needs no torch, and takes one observation (shape of the observation space) or a batch of them (N, ...).
    """

    is_batched = True

    def __init__(
        self,
        layers: Layers,
        activation: str,
        observation_shape: tuple[int, ...],
        action_space: spaces.Box,
    ) -> None:
        """Take over trained weights.

        Args:
            layers: weight (inputs, outputs) and bias (outputs,) of each layer, in order.
            activation: of the hidden layers, ``"relu"`` or ``"tanh"``.
            observation_shape: of one observation; flattened it is the first layer's input.
            action_space: where the actions lie; its bounds are what tanh's -1 and 1 stand for.
        """
        self.layers = [(np.ascontiguousarray(w, np.float32), np.asarray(b, np.float32)) for w, b in layers]
        self.activation = activation
        self.observation_shape = observation_shape
        self.action_space = action_space
        self._center = (action_space.high.ravel() + action_space.low.ravel()) / 2
        self._half_width = (action_space.high.ravel() - action_space.low.ravel()) / 2

    def reset(self) -> None:
        """Do nothing: the action depends on the observation alone."""

    def act(self, observation: Any, info: dict[str, Any] | None = None) -> NDArray[Any]:
        """Return the action, or a batch of them, for ``observation``."""
        observation = np.asarray(observation, np.float32)
        batch = observation.shape[: observation.ndim - len(self.observation_shape)]
        x = observation.reshape(-1, len(self.layers[0][0]))
        for weight, bias in self.layers[:-1]:
            x = x @ weight + bias
            x = np.maximum(x, 0.0, out=x) if self.activation == "relu" else np.tanh(x, out=x)
        weight, bias = self.layers[-1]
        action = self._center + self._half_width * np.tanh(x @ weight + bias)
        scaled: NDArray[Any] = action.astype(self.action_space.dtype)
        return scaled.reshape(batch + self.action_space.shape)

    def save(self, path: str | Path) -> None:
        """Write the policy to ``path`` (an ``.npz``), atomically."""
        space = self.action_space
        arrays: dict[str, NDArray[Any]] = {
            "activation": np.array(self.activation),
            "observation_shape": np.array(self.observation_shape, np.int64),
            "low": space.low,
            "high": space.high,
        }
        arrays |= {f"weight{k}": weight for k, (weight, _) in enumerate(self.layers)}
        arrays |= {f"bias{k}": bias for k, (_, bias) in enumerate(self.layers)}
        _write(path, arrays)


@dataclasses.dataclass(frozen=True)
class Support:
    """The values that a categorical network spreads its probabilities over."""

    low: float
    high: float
    bins: int
    """How many intervals of equal width; 0 if the network tells a value as one number."""

    @property
    def edges(self) -> Array:
        """Where the intervals begin and end, shape (bins + 1,)."""
        return np.linspace(self.low, self.high, self.bins + 1, dtype=np.float32)

    @property
    def centers(self) -> Array:
        """Their middles, shape (bins,)."""
        return np.asarray((self.edges[:-1] + self.edges[1:]) / 2)


class QPolicy:
    """Takes the action of a `Discrete` space that is worth most, among those the mask allows.

    It needs no torch, and takes one observation or a batch of them. What its network looks like is told by
    `rlx.baselines.dqn.Network`.
    """

    is_batched = True

    def __init__(
        self,
        parts: Mapping[str, Layers],
        activation: str,
        inputs: Inputs,
        action_space: spaces.Discrete,
        support: Support,
    ) -> None:
        """Take over trained weights.

        Args:
            parts: the layers of each part of the network.
            activation: of the hidden layers, ``"relu"`` or ``"tanh"``.
            inputs: how it reads observations.
            action_space: what it chooses from.
            support: how it tells values.
        """
        self.parts = {name: [(np.asarray(w), np.asarray(b)) for w, b in layers] for name, layers in parts.items()}
        self.activation = activation
        self.inputs = inputs
        self.action_space = action_space
        self.support = support

    def reset(self) -> None:
        """Do nothing: the action depends on the observation alone."""

    def act(self, observation: Any, info: dict[str, Any] | None = None) -> Any:
        """Return the action, or a batch of them, for ``observation``; masks are those of `Inputs.mask`."""
        values = self.values(observation)
        mask = self.inputs.mask(observation, info)
        if mask is not None:
            values = np.where(legal(mask), values, -np.inf)
        return self.action_space.start + values.argmax(axis=-1)

    def values(self, observation: Any) -> Array:
        """Return what each action is worth, shape (A,) or (N, A), whether it is allowed or not."""
        numbers, pictures, batch = self.inputs.read(observation)
        columns = [numbers]
        place = 0
        for k, shape in enumerate(self.inputs.pictures):
            size = int(np.prod(shape))
            x = pictures[:, place : place + size].reshape(-1, *shape).astype(np.float32)
            place += size
            for weight, bias in self.parts[f"picture{k}"]:
                x = self._activate(_convolve(x, weight) + bias[:, None, None])
            columns.append(x.reshape(len(x), -1))
        x = np.concatenate(columns, axis=1)
        for weight, bias in self.parts["trunk"]:
            x = self._activate(x @ weight + bias)
        told = self._head("advantages", x)
        if "values" in self.parts:
            told = told - told.mean(axis=1, keepdims=True) + self._head("values", x)
        if self.support.bins:
            told = np.exp(told - told.max(axis=2, keepdims=True))
            values = told @ self.support.centers / told.sum(axis=2)
        else:
            values = told[:, :, 0]
        return np.asarray(values.reshape(*batch, -1))

    def save(self, path: str | Path) -> None:
        """Write the policy to ``path`` (an ``.npz``), atomically."""
        description = {
            "activation": self.activation,
            "inputs": [dataclasses.asdict(entry) for entry in self.inputs.entries],
            "actions": [int(self.action_space.n), int(self.action_space.start)],
            "support": dataclasses.asdict(self.support),
            "layers": {name: len(layers) for name, layers in self.parts.items()},
        }
        arrays: dict[str, NDArray[Any]] = {DISCRETE: np.array(json.dumps(description))}
        for name, layers in self.parts.items():
            for k, (weight, bias) in enumerate(layers):
                arrays |= {f"{name}.weight{k}": weight, f"{name}.bias{k}": bias}
        _write(path, arrays)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> QPolicy:
        """Return the policy whose arrays `save` wrote."""
        description = json.loads(str(arrays[DISCRETE]))
        parts = {
            name: [(arrays[f"{name}.weight{k}"], arrays[f"{name}.bias{k}"]) for k in range(depth)]
            for name, depth in description["layers"].items()
        }
        entries = [
            Entry(**{**entry, "path": tuple(entry["path"]), "shape": tuple(entry["shape"])})
            for entry in description["inputs"]
        ]
        n, start = description["actions"]
        action_space, support = spaces.Discrete(n, start=start), Support(**description["support"])
        return cls(parts, description["activation"], Inputs(entries), action_space, support)

    def _head(self, name: str, x: Array) -> Array:
        """Return what a stream of the network tells, shape (B, actions or 1, bins or 1)."""
        *layers, (last_weight, last_bias) = self.parts[name]
        for weight, bias in layers:
            x = self._activate(x @ weight + bias)
        return np.asarray((x @ last_weight + last_bias).reshape(len(x), -1, max(self.support.bins, 1)))

    def _activate(self, x: Array) -> Array:
        return np.asarray(np.maximum(x, 0.0) if self.activation == "relu" else np.tanh(x))


DISCRETE = "discrete"  # the array that describes a `QPolicy` in its file, as JSON


def legal(mask: Any) -> NDArray[np.bool_]:
    """Return a mask (..., A) as booleans; one that allows nothing stands for none, for there is nothing to choose."""
    allowed = np.asarray(mask) != 0
    return np.asarray(allowed | ~allowed.any(axis=-1, keepdims=True))


def _convolve(x: Array, weight: Array) -> Array:
    """Convolve pictures (B, C, H, W) with ``weight`` (outputs, C, 5, 5): stride 4, a border of zeros 2 wide."""
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    windows = sliding_window_view(padded, (5, 5), axis=(2, 3))[:, :, ::4, ::4]
    return np.moveaxis(np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3))), 3, 1)


def _write(path: str | Path, arrays: dict[str, NDArray[Any]]) -> None:
    temporary = Path(f"{path}.partial")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    os.replace(temporary, path)


def load_policy(path: str | Path) -> MlpPolicy | QPolicy:
    """Read a policy that its `save` wrote. Only arrays are read: no code can hide in the file.

    Args:
        path: the file, or a folder that holds a ``policy.npz``.

    Raises:
        FileNotFoundError: nothing there; says what was looked for.
        ValueError: the file is not such a policy.
    """
    file = Path(path)
    file = file / "policy.npz" if file.is_dir() else file
    if not file.exists():
        raise FileNotFoundError(f"There is no policy at {file}. `rlx train` and `rlx compare` write policy.npz files.")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if DISCRETE in arrays:
                return QPolicy.of(arrays)
            depth = sum(name.startswith("weight") for name in arrays)
            layers = [(arrays[f"weight{k}"], arrays[f"bias{k}"]) for k in range(depth)]
            activation, shape = str(arrays["activation"]), tuple(arrays["observation_shape"].tolist())
            action_space = spaces.Box(arrays["low"], arrays["high"], dtype=arrays["low"].dtype.type)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{file} is not a policy written by rlx ({error}).") from error
    return MlpPolicy(layers, activation, shape, action_space)
