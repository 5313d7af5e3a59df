"""The functions of numbers that the dynamics are written in.

`planning.in_torch` puts those of tensors in their place: the dynamics are written once, and run in kernels and in
torch. `min`, `max`, `abs` and arithmetic serve both.
"""

from __future__ import annotations

from math import sqrt, tanh
from typing import Any

from numpy.typing import NDArray

from ..core import inlined

Array = NDArray[Any]
#: The state ``s`` and the parameters ``p`` of a task: records of kernels, or namespaces of tensors.
Record = Any


@inlined
def clip(value: float, low: float, high: float) -> float:
    """Return ``value``, at least ``low`` and at most ``high``."""
    return min(max(value, low), high)


@inlined
def select(condition: bool, yes: float, no: float) -> float:
    """Return ``yes`` where ``condition`` holds, else ``no``."""
    return yes if condition else no


@inlined
def smooth_step(value: float) -> float:
    """Return (tanh(500 value) + 1) / 2: 0 below zero, 1 above, and in between within a hundredth."""
    return 0.5 * (tanh(500.0 * value) + 1.0)


@inlined
def step(value: float) -> float:
    """Return 1 from zero on, else 0; in torch with the slope of a smooth step (straight-through)."""
    return 1.0 if value >= 0.0 else 0.0


@inlined
def root(value: float) -> float:
    """Return the square root; in torch with slope zero at zero."""
    return sqrt(value)
