"""Reads the actions of one or many environments, and refuses the ones no environment should see."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import InvalidAction
from numpy.typing import NDArray

from .jit import jit


@jit
def _admit(given: NDArray[Any], low: NDArray[np.float64], high: NDArray[np.float64], clip: bool,
           admitted: NDArray[np.float64]) -> int:  # fmt: skip
    """Copy ``given`` (N, A) to ``admitted``; return the first row that cannot be used, or -1."""
    for i in range(given.shape[0]):
        for j in range(given.shape[1]):
            value = float(given[i, j])
            if clip:
                # NaN compares false with everything and so falls through to the test below.
                if value < low[j]:
                    value = low[j]
                elif value > high[j]:
                    value = high[j]
            if not (low[j] <= value <= high[j]):
                return i
            admitted[i, j] = value
    return -1


class Actions:
    """The action array of N environments that share an action space.

    A `Box` action is clipped to its bounds; a discrete one must be a member. Nothing else about the environment
    changes when an action is refused.
    """

    def __init__(self, space: spaces.Space[Any], rows: int) -> None:
        """Prepare buffers for ``rows`` environments with action space ``space``."""
        self.space, self.rows = space, rows
        if isinstance(space, spaces.Box) and len(space.shape) == 1:
            low, high, self.shape = space.low, space.high, space.shape
        elif isinstance(space, spaces.Discrete) and space.start == 0:
            low, high, self.shape = np.zeros(1), np.array([space.n - 1]), ()
        elif isinstance(space, spaces.MultiDiscrete) and not np.any(space.start) and space.nvec.ndim == 1:
            low, high, self.shape = np.zeros(len(space.nvec)), space.nvec - 1, space.shape
        else:
            raise TypeError(f"A kernel takes a Box of shape (A,), Discrete or MultiDiscrete from zero, not {space}.")
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        self.is_box = isinstance(space, spaces.Box)
        self.values = np.zeros((rows, len(self.low)))
        self._spare = np.zeros_like(self.values)

    def read(self, action: Any, batch: tuple[int, ...]) -> NDArray[np.float64]:
        """Return ``action`` as float64 of shape (N, A).

        Args:
            action: an element of the space, or N of them stacked.
            batch: () for a single action, (N,) for a batch.

        Raises:
            InvalidAction: wrong shape or kind, NaN, or an index out of range.
        """
        given = np.asarray(action)
        if given.shape != batch + self.shape or given.dtype.kind not in ("fiu" if self.is_box else "iu"):
            raise InvalidAction(
                f"An action of {self._described(batch)} is needed, but {action!r} was given"
                f" (shape {given.shape}, dtype {given.dtype}). Try env.action_space.sample()."
            )
        bad = _admit(given.reshape(self.values.shape), self.low, self.high, self.is_box, self._spare)
        if bad >= 0:
            row = f" in row {bad}" if batch else ""
            raise InvalidAction(
                f"The action{row} is {given.reshape(self.values.shape)[bad].tolist()}; allowed is an element of "
                f"{self.space}{', no NaN' if self.is_box else ''}."
            )
        self.values, self._spare = self._spare, self.values
        return self.values

    def _described(self, batch: tuple[int, ...]) -> str:
        return f"{self.space}" if not batch else f"{batch[0]} x {self.space} (shape {batch + self.shape})"
