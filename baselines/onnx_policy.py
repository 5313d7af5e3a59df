"""Policies in ONNX files, as `rlx export` writes them, read back: what an engine will run can act here as well."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled

from rlx.registry.experts import mask_of

from .observations import MASK
from .policy import choose

try:
    import onnxruntime

    from .export import parts_of
except ImportError:
    raise DependencyNotInstalled('A policy in an ONNX file needs: pip install "rlx[export]"') from None


class OnnxPolicy:
    """Takes the action that a model tells or, with a temperature in its metadata, draws by the logits instead."""

    def __init__(self, model: bytes) -> None:
        """Start onnxruntime on one thread.

        Args:
            model: what the file holds.

        Raises:
            ValueError: it is no ONNX model, or tells no action.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of many classes, which have nothing in common
            raise ValueError(f"it is no ONNX model: {error}") from None
        self._model = model
        self._shapes = {part.name: part.shape for part in self._session.get_inputs()}
        self._outputs = [part.name for part in self._session.get_outputs()]
        if "action" not in self._outputs:
            raise ValueError(f"it does not tell 'action', only {', '.join(self._outputs)}.")
        #: Whether the model takes batches of any size.
        self.is_batched = not any(isinstance(shape[0], int) for shape in self._shapes.values())
        self._temperature = float(self._session.get_modelmeta().custom_metadata_map.get("temperature", 0.0))
        self._random = np.random.default_rng(0)

    def reset(self) -> None:
        """Do nothing: the action depends on the observation and on chance alone."""

    def act(self, observation: Any, info: dict[str, Any] | None = None) -> Any:
        """Return the action for ``observation``, or those for a batch of them.

        Raises:
            ValueError: the model reads what the observation does not have.
        """
        parts, mask = dict(parts_of(observation)), mask_of(observation, info or {})
        if mask is not None:
            parts[MASK] = np.asarray(mask, np.int32)
        absent = [name for name in self._shapes if name not in parts]
        if absent:
            raise ValueError(f"The model reads {', '.join(absent)}; the observation has {', '.join(parts)}.")
        is_one = all(parts[name].ndim < len(shape) for name, shape in self._shapes.items())
        read = {name: parts[name][None] if is_one else parts[name] for name in self._shapes}
        told = dict(zip(self._outputs, self._session.run(None, read), strict=True))
        actions = told["action"]
        if self._temperature > 0:
            logits = told["logits"]
            actions = actions - logits.argmax(axis=1) + choose(logits, self._temperature, self._random)
        return actions[0] if is_one else actions

    def __reduce__(self) -> tuple[type[OnnxPolicy], tuple[bytes]]:
        """Start onnxruntime anew: it cannot be copied."""
        return OnnxPolicy, (self._model,)


def load_onnx(path: str | os.PathLike[str]) -> OnnxPolicy:
    """Read a policy that `rlx export` wrote.

    Raises:
        ValueError: the file is none.
    """
    try:
        return OnnxPolicy(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not a policy that `rlx export` wrote: {error}") from None
