"""What the kernels work on: one record of parameters and one of the state, with room for every task's fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..core import state_dtype
from .params import TaskParameters
from .tasks import TASKS

#: Kinds of reward, in the order of their weights.
REWARDS = ("robustness", "satisfaction", "progress")
WIDEST = max(len(task.signals) for task in TASKS.values())


def _fields(names: Sequence[Sequence[str]]) -> list[tuple[str, type[np.float64]]]:
    return [(name, np.float64) for name in dict.fromkeys(name for several in names for name in several)]


_QUANTITIES = _fields([[field.name for field in dataclasses.fields(task.parameters)] for task in TASKS.values()])
#: Names of the quantities of all tasks.
QUANTITIES = tuple(name for name, _ in _QUANTITIES)
#: The record of parameters.
PARAMETERS = np.dtype([("task", np.int64), ("weights", np.float64, (len(REWARDS),)), *_QUANTITIES], align=True)


def layout(memory: int) -> np.dtype[np.void]:
    """Return the record of a state whose monitor needs ``memory`` numbers."""
    return state_dtype(
        ("dice", np.uint64, (3,)),  # the episode's own random stream
        ("step", np.int64),
        ("paid", np.float64),  # the costs so far
        ("low", np.float64),  # of the robustness
        ("high", np.float64),
        *_fields([(*task.dynamics.OBSERVED, *task.dynamics.HIDDEN) for task in TASKS.values()]),
        ("signals", np.float64, (WIDEST,)),
        ("memory", np.float64, (memory,)),
    )


def pack(parameters: TaskParameters, *, task: str, reward: str) -> NDArray[np.void]:
    """Return the record of a task's parameters, shape ()."""
    row = np.zeros((), PARAMETERS)
    row["task"] = list(TASKS).index(task)
    row["weights"][REWARDS.index(reward)] = 1.0
    for field in dataclasses.fields(parameters):
        row[field.name] = getattr(parameters, field.name)
    return row
