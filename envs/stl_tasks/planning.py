"""A task as a model that planners and differentiable controllers roll out."""

from __future__ import annotations

import dataclasses
import functools
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import ArrayLike, NDArray

from ..core.stl import Formula
from . import kernels, records
from .tasks import TASKS, Task


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """The dynamics of a task under given parameters, and what is to be true of their signals."""

    task: str
    row: NDArray[np.void]  # packed parameters, shape ()
    state: np.dtype[np.void]  # the record of a state
    formula: Formula
    length: int
    """Steps of an episode, T; its trace has one state more."""
    dt: float
    """Seconds of a step."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals, S: those of the formula, in the order of the roll-outs."""
        return self.formula.signals

    @property
    def action_low(self) -> NDArray[np.float64]:
        """The smallest action, (A,)."""
        return -self.action_high

    @property
    def action_high(self) -> NDArray[np.float64]:
        """The largest action, (A,)."""
        return np.ones(self._kind.controls)

    def rollout(self, observations: ArrayLike, controls: ArrayLike) -> NDArray[np.float64]:
        """Return the signals of the states from an observation on.

        Args:
            observations: (N, D), as the environment returns them.
            controls: (N, K, T, A): per observation K sequences of T actions, within their bounds.

        Returns:
            Signals (N, K, T + 1, S), float64; the first are those of the observed state.

        Raises:
            ValueError: shapes that do not fit.
        """
        observations, controls = np.asarray(observations, np.float64), np.ascontiguousarray(controls, np.float64)
        states = np.zeros(len(controls), self.state)
        for name, column in self._fields(observations, controls).items():
            states[name] = column
        signals = np.empty((*controls.shape[:2], controls.shape[2] + 1, len(self.signals)))
        kernels.rollout(states, self.row[()], controls, self._columns, signals)
        return signals

    def torch_rollout(self, observations: Any, controls: Any) -> Any:
        """Return what `rollout` returns, for tensors: differentiable.

        Steps are smooth, or hard with the slope of a smooth one, as in the code of the paper.

        Raises:
            ValueError: shapes that do not fit.
            DependencyNotInstalled: torch is missing.
        """
        torch, dynamics = load_torch(), in_torch(self._kind.dynamics)
        fields = self._fields(observations, controls).items()
        s = SimpleNamespace(**{name: column[:, None].expand(-1, controls.shape[1]) for name, column in fields})
        p = SimpleNamespace(**{name: float(self.row[name]) for name in records.QUANTITIES})
        trace = [dynamics.sense(s, p)]
        for actions in controls.unbind(2):
            dynamics.move(s, actions.unbind(-1), p)
            trace.append(dynamics.sense(s, p))
        return torch.stack([torch.stack([seen[j] for j in self._columns], -1) for seen in trace], 2)

    @property
    def _kind(self) -> Task:
        return TASKS[self.task]

    @functools.cached_property
    def _columns(self) -> NDArray[np.int64]:
        return np.array([self._kind.signals.index(name) for name in self.signals], np.int64)

    def _fields(self, observations: Any, controls: Any) -> dict[str, Any]:
        """Return the fields (N,) of the states in which ``observations`` are made."""
        names, hidden = self._kind.dynamics.OBSERVED, self._kind.dynamics.HIDDEN
        fits = tuple(observations.shape) == (len(controls), len(names) + 1)
        if not fits or controls.ndim != 4 or controls.shape[3] != self._kind.controls:
            raise ValueError(
                f"Observations (N, {len(names) + 1}) and controls (N, K, T, {self._kind.controls}) are needed, but "
                f"{tuple(observations.shape)} and {tuple(controls.shape)} were given."
            )
        observed = {name: observations[:, j] for j, name in enumerate(names)}
        return observed | {name: observed[source] for name, source in hidden.items()}


def load_torch() -> ModuleType:
    """Return torch.

    Raises:
        DependencyNotInstalled: it is missing.
    """
    try:
        import torch
    except ImportError:
        raise DependencyNotInstalled('torch_rollout needs torch: pip install "rlx[baselines]"') from None
    return torch


@functools.cache
def in_torch(dynamics: ModuleType) -> SimpleNamespace:
    """Return the compiled functions of ``dynamics`` as functions of tensors: the same code, with other primitives."""
    torch = load_torch()

    def smooth_step(value: Any) -> Any:
        return 0.5 * (torch.tanh(500.0 * value) + 1.0)

    def step(value: Any) -> Any:
        # Forwards hard; backwards smooth over a wider range, the paper's ratio of 0.05.
        smooth = smooth_step(0.05 * value)
        return smooth + ((value >= 0.0).to(value.dtype) - smooth).detach()

    def root(value: Any) -> Any:
        is_positive = value > 0.0
        return torch.where(is_positive, torch.sqrt(torch.where(is_positive, value, 1.0)), 0.0)

    functions = {name: function.py_func for name, function in vars(dynamics).items() if hasattr(function, "py_func")}
    names = vars(dynamics) | {
        "cos": torch.cos,
        "sin": torch.sin,
        "min": lambda *values: functools.reduce(torch.minimum, values),
        "max": lambda *values: functools.reduce(torch.maximum, values),
    }
    names |= {name: FunctionType(function.__code__, names, name) for name, function in functions.items()}
    names |= {"clip": torch.clip, "select": torch.where, "smooth_step": smooth_step, "step": step, "root": root}
    return SimpleNamespace(**names)
