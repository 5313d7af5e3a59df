"""What a learner leaves behind: a deterministic multilayer perceptron, in NumPy, stored without code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Array = NDArray[np.float32]


class MlpPolicy:
    """Maps observations to the actions of a bounded `Box`, through hidden layers and a final tanh.

    It needs no torch, and takes one observation (shape of the observation space) or a batch of them (N, ...).
    """

    is_batched = True

    def __init__(
        self,
        layers: Sequence[tuple[Array, Array]],
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
        temporary = Path(f"{path}.partial")
        with temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)


def load_policy(path: str | Path) -> MlpPolicy:
    """Read a policy that `MlpPolicy.save` wrote. Only arrays are read: no code can hide in the file.

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
            depth = sum(name.startswith("weight") for name in arrays)
            layers = [(arrays[f"weight{k}"], arrays[f"bias{k}"]) for k in range(depth)]
            activation, shape = str(arrays["activation"]), tuple(arrays["observation_shape"].tolist())
            action_space = spaces.Box(arrays["low"], arrays["high"], dtype=arrays["low"].dtype.type)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{file} is not a policy written by rlx ({error}).") from error
    return MlpPolicy(layers, activation, shape, action_space)
