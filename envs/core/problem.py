"""What a family hands to the core: spaces, parameters, and the two kernels."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import DTypeLike, NDArray

from .parameters import Parameters

#: The lines of ``values`` that every kernel fills; the named groups of `Problem.info` follow from `INFO` on.
REWARD, TERMINATED, TRUNCATED, COST, SUCCESS, INFO = 0, 1, 2, 3, 4, 5


def state_dtype(*fields: tuple[Any, ...]) -> np.dtype[np.void]:
    """Return the record of one environment's state: the random stream ``rng``, then the family's own fields."""
    return np.dtype([("rng", np.uint64, (3,)), *fields], align=True)


@dataclasses.dataclass(frozen=True)
class Problem:
    """A task whose transition is a kernel, ready to be run as one environment or as many.

    Both kernels (or Python functions, see `Simulations`) work on N environments at once, row by row, and touch only the
    rows where ``active`` is true::

        reset(states, rows, *tables, active, observation, values, action_mask)
        step(states, rows, *tables, actions, active, observation, values, action_mask)

    - ``states``: (N,) records of `state_dtype`, changed in place; ``states[i].rng`` is row i's random stream.
    - ``rows``: records of packed parameters, only read: (N,), or (1,) where all environments share them. Row i reads
      ``rows[min(i, len(rows) - 1)]``.
    - ``tables``: the arrays of `tables`, only read; what all environments share, whatever the context.
    - ``actions``: (N, A) float64, finite; a `Box` action is clipped to its bounds, a discrete one is a valid index.
    - ``observation``: (N, D) array of the observation space's dtype to fill, flat. A `spaces.Dict` is laid out in the
      order of its keys; where its leaves have several dtypes this is a tuple of arrays, one per dtype in order of
      appearance.
    - ``values``: (V, N) float64 to fill: `REWARD`, `TERMINATED`, `TRUNCATED`, `COST`, `SUCCESS`, then the groups of
      ``info``. Before ``reset`` it is zero, so that only what an episode starts with need be filled; `TRUNCATED` only
      by kernels that know a horizon of their own, which is where recorded data end.
    - ``action_mask``: (N, M) int8 to fill; M is 0 without ``action_mask_size``.
    """

    parameters: Parameters
    """Defaults; a context changes them for an episode."""
    observation_space: spaces.Space[Any]
    """A `Box`, or a `Dict` of boxes."""
    action_space: spaces.Space[Any]
    """A `Box` of shape (A,), `Discrete` or `MultiDiscrete`, starting at zero."""
    state_dtype: np.dtype[np.void]
    """Made by `state_dtype`; the same for every configuration of a family, so that a kernel is compiled once."""
    pack: Callable[[Any], NDArray[np.void]]
    """Turns parameters into the record the kernels read, shape ()."""
    reset: Callable[..., None]
    step: Callable[..., None]
    info: Mapping[str, tuple[str, ...]]
    """Named groups of ``values``, in order: ``reward_terms`` first, then for instance ``signals``."""
    tables: tuple[NDArray[Any], ...] = ()
    """Arrays that are too large for records of parameters: recorded prices, say."""
    action_mask_size: int = 0
    has_success: bool = False
    """Whether the task defines success; then ``info["success"]`` is reported at an episode's end."""
    notes: Callable[[NDArray[np.void]], dict[str, NDArray[Any]]] | None = None
    """What ``info`` holds besides numbers: turns ``states`` into arrays of shape (N,) under their names."""

    @functools.cached_property
    def width(self) -> int:
        """The number of lines of ``values``, V."""
        return INFO + sum(map(len, self.info.values()))

    @property
    def is_simulation(self) -> bool:
        """Whether states are Python objects, see `simulation`."""
        return self.state_dtype.hasobject


class Observations:
    """Lays an observation space out in flat arrays that a kernel can fill."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        """Plan the layout of a `Box`, or of a `Dict` of boxes."""
        self.leaves: list[tuple[str | None, spaces.Box]]
        if isinstance(space, spaces.Box):
            self.leaves = [(None, space)]
        elif isinstance(space, spaces.Dict) and all(isinstance(leaf, spaces.Box) for leaf in space.values()):
            self.leaves = [(key, leaf) for key, leaf in space.items() if isinstance(leaf, spaces.Box)]
        else:
            raise TypeError(f"A kernel observes a Box or a Dict of boxes, not {space}.")
        self.dtypes: list[DTypeLike] = list(dict.fromkeys(leaf.dtype for _, leaf in self.leaves))
        widths = dict.fromkeys(self.dtypes, 0)
        self.slices: list[tuple[str | None, tuple[int, ...], int, slice]] = []
        for key, leaf in self.leaves:
            size, start = int(np.prod(leaf.shape)), widths[leaf.dtype]
            widths[leaf.dtype] = start + size
            self.slices.append((key, leaf.shape, self.dtypes.index(leaf.dtype), slice(start, start + size)))
        self.widths = [widths[dtype] for dtype in self.dtypes]

    def allocate(self, rows: int) -> tuple[NDArray[Any], ...]:
        """Return new buffers for ``rows`` environments, one per dtype."""
        return tuple(np.empty((rows, n), dtype) for n, dtype in zip(self.widths, self.dtypes, strict=True))

    @staticmethod
    def argument(buffers: tuple[NDArray[Any], ...]) -> Any:
        """Return what the kernel is handed: the one buffer, or the tuple of several."""
        return buffers[0] if len(buffers) == 1 else buffers

    def views(self, buffers: tuple[NDArray[Any], ...], row: int | slice) -> tuple[tuple[str | None, NDArray[Any]], ...]:
        """Return each leaf's part of ``buffers`` in the leaf's shape, without a copy; the key is None for a `Box`."""
        leaves = []
        for key, shape, buffer, columns in self.slices:
            part = buffers[buffer][row, columns]
            leaves.append((key, part.reshape(part.shape[:-1] + shape)))
        return tuple(leaves)


def _claims(buffers: tuple[NDArray[Any], ...]) -> int:
    return max(map(sys.getrefcount, buffers))


#: Claims on buffers of which there is no view.
_UNCLAIMED = _claims((np.empty(0),))


class Pool:
    """Buffers of one kind, of which those are used again that nobody sees any more.

    Memory that is new from the system takes longer to touch than a kernel takes to fill it.
    """

    def __init__(self, make: Callable[[], tuple[NDArray[Any], ...]], size: int = 3) -> None:
        """Hand out what ``make`` returns, and remember the last ``size``."""
        self._make, self._size = make, size
        self._known: list[tuple[NDArray[Any], ...]] = []

    def take(self) -> tuple[NDArray[Any], ...]:
        """Return buffers that nobody has a view of."""
        for buffers in self._known:
            if _claims(buffers) == _UNCLAIMED:
                return buffers
        buffers = self._make()
        self._known = [*self._known, buffers][-self._size :]
        return buffers


def copier(leaves: tuple[tuple[str | None, NDArray[Any]], ...]) -> Callable[[], Any]:
    """Return a function that returns the observation that ``leaves`` show, in fresh arrays."""
    if leaves[0][0] is None:
        return leaves[0][1].copy
    return lambda: {key: leaf.copy() for key, leaf in leaves}


def info_reader(problem: Problem) -> Callable[[list[Any]], dict[str, Any]]:
    """Return a function that sorts the lines of ``values`` into the named groups and ``cost`` of ``info``.

    It is compiled from a dict display: several times faster than building the same dicts in a loop, and this runs in
    every step.
    """
    line, groups = INFO, []
    lines = [f"v{i}" for i in range(problem.width)]
    for group, names in problem.info.items():
        items = ", ".join(f"{name!r}: {lines[line + i]}" for i, name in enumerate(names))
        groups.append(f"{group!r}: {{{items}}}")
        line += len(names)
    source = f"def read(v):\n ({', '.join(lines)}) = v\n return {{{', '.join(groups)}, 'cost': {lines[COST]}}}"
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102 - names are quoted by repr
    reader: Callable[[list[Any]], dict[str, Any]] = namespace["read"]
    return reader
