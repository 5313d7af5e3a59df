"""What a learner leaves behind: a network that acts, stored without code."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rlx.registry.experts import mask_of

if TYPE_CHECKING:
    from .networks import Features
    from .sindy import PolynomialPolicy
    from .stl_planners import NeuralPlanner

Array = NDArray[np.float32]
Layers = Sequence[tuple[Array, Array]]  # weight (inputs, outputs) and bias (outputs,) of each layer, in order


#: What keeps an action between -1 and 1.
SQUASHES: Mapping[str, Callable[[Array], Array]] = {"tanh": np.tanh, "clip": lambda x: np.clip(x, -1.0, 1.0)}


class MlpPolicy:
    """Maps observations to the actions of a bounded `Box`, through hidden layers and a final tanh, or clipped.

    It needs no torch, and takes one observation (shape of the observation space) or a batch of them (N, ...).
    """

    is_batched = True

    def __init__(
        self,
        layers: Layers,
        activation: str,
        observation_shape: tuple[int, ...],
        action_space: spaces.Box,
        squash: str = "tanh",
    ) -> None:
        """Take over trained weights.

        Args:
            layers: weight (inputs, outputs) and bias (outputs,) of each layer, in order.
            activation: of the hidden layers, ``"relu"`` or ``"tanh"``.
            observation_shape: of one observation; flattened it is the first layer's input.
            action_space: where the actions lie; its bounds are what -1 and 1 stand for.
            squash: what keeps the last layer between -1 and 1, a name in `SQUASHES`.
        """
        self.layers = [(np.ascontiguousarray(w, np.float32), np.asarray(b, np.float32)) for w, b in layers]
        self.activation = activation
        self.observation_shape = observation_shape
        self.action_space = action_space
        self.squash = squash
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
        action = self._center + self._half_width * SQUASHES[self.squash](x @ weight + bias)
        scaled: NDArray[Any] = action.astype(self.action_space.dtype)
        return scaled.reshape(batch + self.action_space.shape)

    def save(self, path: str | Path) -> None:
        """Write the policy to ``path`` (an ``.npz``), atomically."""
        space = self.action_space
        arrays: dict[str, NDArray[Any]] = {
            "activation": np.array(self.activation),
            "squash": np.array(self.squash),
            "observation_shape": np.array(self.observation_shape, np.int64),
            "low": space.low,
            "high": space.high,
        }
        arrays |= {f"weight{k}": weight for k, (weight, _) in enumerate(self.layers)}
        arrays |= {f"bias{k}": bias for k, (_, bias) in enumerate(self.layers)}
        write_arrays(path, arrays)


RETURN_SCALE = 30.0
"""By which an `AssetsPolicy` multiplies returns: those of a day become numbers of the order of 1."""
SCORE_SCALE = 3.0
"""By which it multiplies scores in [-1, 1]: one of twenty assets can have 95 % of wealth. With 5, which would allow
nearly all, actors come to a halt: what a softmax makes of a low score hardly depends on it."""


class AssetsPolicy:
    """Spreads wealth over assets and cash: gives each a score in [-1, 1], and weights by a softmax.

    It needs no torch, and takes one observation or a batch of them. What its networks look like is told by
    `rlx.baselines.assets`.
    """

    is_batched = True

    def __init__(
        self,
        parts: Mapping[str, Layers],
        activation: str,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
    ) -> None:
        """Take over trained weights.

        Args:
            parts: the layers of the networks ``assets`` and ``cash``; the first bias of ``assets`` may be one for each
                of them, (N, outputs).
            activation: of the hidden layers, ``"relu"`` or ``"tanh"``.
            observation_space: a `Dict` of ``returns`` (W, N), ``weights`` (N + 1,), ``tradable`` (N,),
                ``conditions`` (C,) and maybe ``features`` (W, N, F).
            action_space: where the weights lie, (N + 1,), cash last.
        """
        self.parts = parts
        self.activation = activation
        self.observation_space = observation_space
        self.action_space = action_space
        self.has_features = isinstance(observation_space, spaces.Dict) and "features" in observation_space.spaces

    def reset(self) -> None:
        """Do nothing: the action depends on the observation alone."""

    def act(self, observation: Any, info: dict[str, Any] | None = None) -> NDArray[Any]:
        """Return the weights, or a batch of them, for ``observation``."""
        returns = RETURN_SCALE * np.swapaxes(observation["returns"], -1, -2)
        weights, tradable = observation["weights"], observation["tradable"]
        shared = np.concatenate([returns.mean(axis=-2), observation["conditions"], weights[..., -1:]], axis=-1)
        context = np.broadcast_to(shared[..., None, :], (*returns.shape[:-1], shared.shape[-1]))
        own = [returns, weights[..., :-1, None], tradable[..., None]]
        if self.has_features:
            own.append(np.swapaxes(observation["features"], -2, -3).reshape(*returns.shape[:-1], -1))
        each = np.concatenate([*own, context], axis=-1)
        scores = np.concatenate([self._score("assets", each)[..., 0], self._score("cash", shared)], axis=-1)
        action = np.exp(SCORE_SCALE * scores)
        weighted: NDArray[Any] = (action / action.sum(axis=-1, keepdims=True)).astype(self.action_space.dtype)
        return weighted

    def save(self, path: str | Path) -> None:
        """Write the policy to ``path`` (an ``.npz``), atomically."""
        description = {
            "activation": self.activation,
            "observations": describe_space(self.observation_space),
            "actions": describe_space(self.action_space),
            "layers": {name: len(layers) for name, layers in self.parts.items()},
        }
        write_arrays(path, {ASSETS: np.array(json.dumps(description)), **name_layers(self.parts)})

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> AssetsPolicy:
        """Return the policy whose arrays `save` wrote."""
        description = json.loads(str(arrays[ASSETS]))
        observation_space, action_space = (read_space(description[name]) for name in ("observations", "actions"))
        parts = find_layers(description["layers"], arrays)
        return cls(parts, description["activation"], observation_space, action_space)  # type: ignore[arg-type]

    def _score(self, part: str, x: Array) -> Array:
        *layers, (last_weight, last_bias) = self.parts[part]
        for weight, bias in layers:
            x = x @ weight + bias
            x = np.maximum(x, 0.0) if self.activation == "relu" else np.tanh(x)
        return np.asarray(np.tanh(x @ last_weight + last_bias))


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

    It takes one observation or a batch of them. What its network looks like is told by `rlx.baselines.networks` and
    `rlx.baselines.dqn.Network`.
    """

    is_batched = True

    def __init__(
        self,
        parts: Mapping[str, Layers],
        activation: str,
        features: Features,
        action_space: spaces.Discrete,
        support: Support,
    ) -> None:
        """Take over trained weights.

        Args:
            parts: the layers of each part of the network.
            activation: of the hidden layers, ``"relu"`` or ``"tanh"``.
            features: what reads the observations.
            action_space: what it chooses from.
            support: how it tells values.
        """
        self.parts = {name: [(np.asarray(w), np.asarray(b)) for w, b in layers] for name, layers in parts.items()}
        self.activation = activation
        self.features = features
        self.action_space = action_space
        self.support = support

    def reset(self) -> None:
        """Do nothing: the action depends on the observation alone."""

    def act(self, observation: Any, info: dict[str, Any] | None = None) -> Any:
        """Return the action, or a batch of them, for ``observation``; masks are those of `allowed_by`."""
        values = self.values(observation)
        values = np.where(allowed_by(observation, info, values.shape), values, -np.inf)
        return self.action_space.start + values.argmax(axis=-1)

    def values(self, observation: Any) -> Array:
        """Return what each action is worth, shape (A,) or (N, A), whether it is allowed or not."""
        x, batch = self.features.evaluate(observation)
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
            **_description(self.features, self.action_space),
            "activation": self.activation,
            "support": dataclasses.asdict(self.support),
            "layers": {name: len(layers) for name, layers in self.parts.items()},
        }
        told = {DISCRETE: np.array(json.dumps(description))}
        write_arrays(path, {**told, **_arrays(self.features), **name_layers(self.parts)})

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> QPolicy:
        """Return the policy whose arrays `save` wrote."""
        description = json.loads(str(arrays[DISCRETE]))
        parts = find_layers(description["layers"], arrays)
        features, action_space = _read(description, arrays)
        return cls(parts, description["activation"], features, action_space, Support(**description["support"]))

    def _head(self, name: str, x: Array) -> Array:
        """Return what a stream of the network tells, shape (B, actions or 1, bins or 1)."""
        *layers, (last_weight, last_bias) = self.parts[name]
        for weight, bias in layers:
            x = self._activate(x @ weight + bias)
        return np.asarray((x @ last_weight + last_bias).reshape(len(x), -1, max(self.support.bins, 1)))

    def _activate(self, x: Array) -> Array:
        return np.asarray(np.maximum(x, 0.0) if self.activation == "relu" else np.tanh(x))


class SoftmaxPolicy:
    """Takes an action of a `Discrete` space by the probabilities that a network tells, among those the mask allows.

    At the temperature 0, the likeliest. It takes one observation or a batch of them. What its network looks like is
    told by `rlx.baselines.networks` and `rlx.baselines.ppo.Network`.
    """

    is_batched = True

    def __init__(
        self,
        features: Features,
        layers: Layers,
        activation: str,
        action_space: spaces.Discrete,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Take over trained weights.

        Args:
            features: what reads the observations.
            layers: weight (inputs, outputs) and bias (outputs,) of each layer after that, in order.
            activation: of the hidden ones of these, ``"relu"`` or ``"tanh"``.
            action_space: what it chooses from.
            temperature: by which the logarithms of the probabilities are divided before it draws; 0 draws nothing.
            seed: of what it draws.
        """
        self.features = features
        self.layers = [(np.asarray(w), np.asarray(b)) for w, b in layers]
        self.activation = activation
        self.action_space = action_space
        self.temperature = temperature
        self.random = np.random.default_rng(seed)

    def reset(self) -> None:
        """Do nothing: the action depends on the observation and on chance alone."""

    def act(self, observation: Any, info: dict[str, Any] | None = None) -> Any:
        """Return the action, or a batch of them, for ``observation``; masks are those of `allowed_by`."""
        return self.action_space.start + choose(self.logits(observation, info), self.temperature, self.random)

    def probabilities(self, observation: Any, info: dict[str, Any] | None = None) -> Array:
        """Return the probability of each action, shape (A,) or (N, A), at the temperature 1."""
        logits = self.logits(observation, info)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True))

    def save(self, path: str | Path) -> None:
        """Write the policy to ``path`` (an ``.npz``), atomically."""
        description = {
            **_description(self.features, self.action_space),
            "activation": self.activation,
            "temperature": self.temperature,
            "layers": len(self.layers),
        }
        arrays = {SOFTMAX: np.array(json.dumps(description)), **_arrays(self.features)}
        for k, (weight, bias) in enumerate(self.layers):
            arrays |= {f"weight{k}": weight, f"bias{k}": bias}
        write_arrays(path, arrays)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> SoftmaxPolicy:
        """Return the policy whose arrays `save` wrote."""
        description = json.loads(str(arrays[SOFTMAX]))
        features, action_space = _read(description, arrays)
        layers = [(arrays[f"weight{k}"], arrays[f"bias{k}"]) for k in range(description["layers"])]
        return cls(features, layers, description["activation"], action_space, description["temperature"])

    def logits(self, observation: Any, info: dict[str, Any] | None) -> Array:
        """Return logarithms of the probabilities, up to a constant; minus infinity where the mask forbids."""
        x, batch = self.features.evaluate(observation)
        *layers, (last_weight, last_bias) = self.layers
        for weight, bias in layers:
            x = x @ weight + bias
            x = np.maximum(x, 0.0) if self.activation == "relu" else np.tanh(x)
        logits = (x @ last_weight + last_bias).reshape(*batch, -1)
        return np.where(allowed_by(observation, info, logits.shape), logits, np.float32(-np.inf))


SOFTMAX = "softmax"  # the array that describes a `SoftmaxPolicy` in its file, as JSON
FEATURES = "features."  # how the names of the arrays of features begin
ASSETS = "assets"  # the array that describes an `AssetsPolicy` in its file, as JSON
PLANNER = "planner"  # the array that describes a `NeuralPlanner` in its file, as JSON
POLYNOMIAL = "polynomial"  # the array that describes a `PolynomialPolicy` in its file, as JSON
DISCRETE = "discrete"  # the array that describes a `QPolicy` in its file, as JSON


def choose(logits: Array, temperature: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the place of the largest of logits (..., A); at a temperature above 0, one drawn by the probabilities."""
    if temperature > 0:
        # The largest of logits with Gumbel noise is distributed by the probabilities.
        logits = logits / np.float32(temperature) + random.gumbel(size=logits.shape).astype(np.float32)
    return np.asarray(logits.argmax(axis=-1))


def legal(mask: Any) -> NDArray[np.bool_]:
    """Return a mask (..., A) as booleans; one that allows nothing stands for none, for there is nothing to choose."""
    allowed = np.asarray(mask) != 0
    return np.asarray(allowed | ~allowed.any(axis=-1, keepdims=True))


def allowed_by(observation: Any, info: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which actions are allowed, of ``shape`` (..., A): those of the mask in info or observation, else all."""
    mask = mask_of(observation, info or {})
    return np.ones(shape, np.bool_) if mask is None else legal(mask)


def _description(features: Features, action_space: spaces.Discrete) -> dict[str, Any]:
    """Return what tells a network's features and spaces, as JSON can hold it."""
    return {
        "architecture": dataclasses.asdict(features.architecture),
        "observations": describe_space(features.space),
        "actions": describe_space(action_space),
    }


def _arrays(features: Features) -> dict[str, NDArray[Any]]:
    """Return the parameters of features, by the names under which they are stored."""
    return {f"{FEATURES}{name}": tensor.cpu().numpy() for name, tensor in features.state_dict().items()}


def _read(description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> tuple[Features, Any]:
    """Return the features and the action space that `_description` and `_arrays` told."""
    from .networks import load_features  # needs torch, which an `MlpPolicy` does without

    own = {name.removeprefix(FEATURES): arrays[name] for name in arrays if name.startswith(FEATURES)}
    features = load_features(read_space(description["observations"]), description["architecture"], own)
    return features, read_space(description["actions"])


def name_layers(parts: Mapping[str, Layers]) -> dict[str, NDArray[Any]]:
    """Return the arrays of layers, by the names under which they are stored."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, layers in parts.items():
        for k, (weight, bias) in enumerate(layers):
            arrays |= {f"{name}.weight{k}": weight, f"{name}.bias{k}": bias}
    return arrays


def find_layers(depths: Mapping[str, int], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Layers]:
    """Return what `name_layers` named; ``depths`` are the numbers of layers."""
    return {
        name: [(arrays[f"{name}.weight{k}"], arrays[f"{name}.bias{k}"]) for k in range(depth)]
        for name, depth in depths.items()
    }


def write_arrays(path: str | Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays to ``path`` (an ``.npz``), atomically."""
    temporary = Path(f"{path}.partial")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    os.replace(temporary, path)


def describe_space(space: spaces.Space[Any]) -> dict[str, Any]:
    """Return ``space`` as JSON can hold it; `read_space` takes it back."""
    match space:
        case spaces.Dict():
            return {"kind": "Dict", "spaces": {name: describe_space(part) for name, part in space.items()}}
        case spaces.Tuple():
            return {"kind": "Tuple", "spaces": [describe_space(part) for part in space]}
        case spaces.Discrete():
            return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
        case spaces.MultiDiscrete():
            return {"kind": "MultiDiscrete", "nvec": space.nvec.tolist(), "start": space.start.tolist()}
        case spaces.MultiBinary():
            return {"kind": "MultiBinary", "n": space.shape}
        case spaces.Box():
            bounds = {"low": _bound(space.low), "high": _bound(space.high)}
            return {"kind": "Box", **bounds, "shape": space.shape, "dtype": str(space.dtype)}
    raise TypeError(f"A policy cannot be stored with the space {space}.")


def _bound(bound: Array) -> Any:
    """Return a bound as one number, where one will do."""
    number = bound.flat[0].item() if bound.size else 0
    return number if (bound == number).all() else bound.tolist()


def read_space(description: Mapping[str, Any]) -> spaces.Space[Any]:
    """Return the space that `describe_space` described."""
    values = dict(description)
    match values.pop("kind"):
        case "Dict":
            return spaces.Dict({name: read_space(part) for name, part in values["spaces"].items()})
        case "Tuple":
            return spaces.Tuple([read_space(part) for part in values["spaces"]])
        case "Box":
            dtype = np.dtype(values["dtype"])
            low, high = (np.broadcast_to(np.array(values[name], dtype), values["shape"]) for name in ("low", "high"))
            return spaces.Box(low, high, dtype=dtype.type)
        case kind:
            return getattr(spaces, kind)(**values)  # type: ignore[no-any-return]


def load_policy(
    path: str | Path,
) -> MlpPolicy | AssetsPolicy | NeuralPlanner | PolynomialPolicy | QPolicy | SoftmaxPolicy:
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
            if ASSETS in arrays:
                return AssetsPolicy.of(arrays)
            if SOFTMAX in arrays:
                return SoftmaxPolicy.of(arrays)
            if DISCRETE in arrays:
                return QPolicy.of(arrays)
            if PLANNER in arrays:
                from .stl_planners import NeuralPlanner  # imports this file

                return NeuralPlanner.of(arrays)
            if POLYNOMIAL in arrays:
                from .sindy import PolynomialPolicy  # so does this

                return PolynomialPolicy.of(arrays)
            depth = sum(name.startswith("weight") for name in arrays)
            layers = [(arrays[f"weight{k}"], arrays[f"bias{k}"]) for k in range(depth)]
            activation, shape = str(arrays["activation"]), tuple(arrays["observation_shape"].tolist())
            squash = str(arrays["squash"]) if "squash" in arrays else "tanh"
            action_space = spaces.Box(arrays["low"], arrays["high"], dtype=arrays["low"].dtype.type)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{file} is not a policy written by rlx ({error}).") from error
    return MlpPolicy(layers, activation, shape, action_space, squash)
