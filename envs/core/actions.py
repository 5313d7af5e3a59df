"""Reads the actions of one or many environments, and refuses the ones no environment should see."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import InvalidAction
from numpy.typing import NDArray

from .jit import bound, jit


@jit
def _admit(values: NDArray[np.float64], bounds: NDArray[np.float64], clip: bool) -> int:
    """Bring ``values`` (N, A) into ``bounds`` (2, A) if ``clip``; return the first row that cannot be used, or -1."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            low, high, value = bounds[0, j], bounds[1, j], values[i, j]
            # NaN compares false with everything: it is neither clipped nor within.
            if clip and value < low:
                values[i, j] = low
            elif clip and value > high:
                values[i, j] = high
            elif not low <= value <= high:
                return i
    return -1


# What has a shape and a dtype of its own: NumPy's scalars too.
_ARRAYS = (np.ndarray, np.generic)


def _array(action: Any) -> NDArray[Any]:
    try:
        return np.asarray(action)
    except ValueError:  # ragged
        return np.asarray(None)


class Actions:
    """The action array of N environments that share an action space.

    A `Box` action is clipped to its bounds; a discrete one must be a member. Nothing else about the environment
    changes when an action is refused.
    """

    def __init__(self, space: spaces.Space[Any], batch: tuple[int, ...]) -> None:
        """Prepare for actions from ``space``: single ones for ``batch`` (), N of them stacked for (N,)."""
        self.space, self.batch = space, batch
        self.shape: tuple[int, ...]
        if isinstance(space, spaces.Box) and len(space.shape) == 1:
            low, high, self.shape = space.low, space.high, space.shape
        elif isinstance(space, spaces.Discrete) and space.start == 0:
            low, high, self.shape = np.zeros(1), np.array([space.n - 1]), ()
        elif isinstance(space, spaces.MultiDiscrete) and not np.any(space.start) and space.nvec.ndim == 1:
            low, high, self.shape = np.zeros(len(space.nvec)), space.nvec - 1, space.shape
        else:
            raise TypeError(f"A kernel takes a Box of shape (A,), Discrete or MultiDiscrete from zero, not {space}.")
        self.is_box = isinstance(space, spaces.Box)
        self.kinds = "fiu" if self.is_box else "iu"
        self._bounds = np.array([low, high], np.float64)
        self.values = np.zeros((*(batch or (1,)), self._bounds.shape[1]))
        """What `read` has read, float64 of shape (N, A)."""
        arguments = self.values, self._bounds, self.is_box
        self._admit = functools.partial(bound(_admit, *arguments), *arguments)
        # The same numbers in the shape that callers use.
        self._expected = (*batch, *self.shape)
        self._shaped = self.values.reshape(self._expected)

    def read(self, action: Any) -> None:
        """Read ``action`` into `values`.

        Raises:
            InvalidAction: wrong shape or kind, NaN, or an index out of range.
        """
        given = action if isinstance(action, _ARRAYS) else _array(action)
        if given.shape != self._expected or given.dtype.kind not in self.kinds:
            count = f"{self.batch[0]} x " if self.batch else ""
            shape = f" (shape {self._expected})" if self.batch else ""
            raise InvalidAction(
                f"An action of {count}{self.space}{shape} is needed, but {action!r} was given"
                f" (shape {given.shape}, dtype {given.dtype}). Try env.action_space.sample()."
            )
        self._shaped[...] = given
        bad = self._admit()
        if bad >= 0:
            row = f" in row {bad}" if self.batch else ""
            raise InvalidAction(
                f"The action{row} is {self.values[bad].tolist()}; allowed is an element of "
                f"{self.space}{', no NaN' if self.is_box else ''}."
            )

    def __reduce__(self) -> tuple[type[Actions], tuple[spaces.Space[Any], tuple[int, ...]]]:
        """Make it anew: compiled code is not copied."""
        return Actions, (self.space, self.batch)
