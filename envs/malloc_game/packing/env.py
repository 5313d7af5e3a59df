"""MallocPacking: where in memory each buffer of a program lies."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from ...core import KernelEnv, KernelVectorEnv, Problem
from . import kernels as k
from .generator import Buffer, Instance, pack, size_class
from .params import Packing
from .render import draw


class MallocPackingEnv(KernelEnv):
    """Pack buffers with known sizes and lifetimes into a memory.

    ## Description
    A compiler knows when each buffer of a program is alive, and how large it is; it chooses offsets, once and for all,
    such that buffers that live at the same time do not overlap (dynamic storage allocation, NP-hard; minimalloc's
    problem). Buffers come one by one, the largest first, as TFLite's and XLA's planners take them.

    Each episode draws an instance: a rectangle of 4096 units of memory by 4096 units of time is cut into buffers, from
    edge to edge of a piece at a time. So the least capacity is known, 4096, and nothing may be wasted at any time. With
    ``instance`` buffers and capacity are given.

    What makes it hard is the order. If the buffers of a cut came by the beginning of their lives, those of one moment
    in the order in which the cut stacks them, first fit would put it together again. Other orders are there to be
    compared: ``order`` is ``size``, ``lifetime``, ``area`` (size times lifetime), all largest first, ``start``
    (earliest first; ties: the larger first), or ``given``. Ties go to the longer life (``size``), the larger size, and
    then as given.

    ## Action space
    `Discrete(8)`, with a mask: one of the places where the buffer could lie, from low offsets to high ones. A gap is a
    maximal interval of offsets that is free during the whole life of the buffer. The last one ends at the capacity, or,
    if it is too small to hold the buffer, does not end. Each gap that holds the buffer offers its lower end and, unless
    that is the same place, its upper end. Of more than eight places those with the lowest offsets count. What the mask
    rules out counts as the highest place.

    Not every packing can be reached so: a buffer may have to lie on one that comes later. Of the instances that seeds 0
    to 19 draw in the order ``size``, CP-SAT finds a way to pack 20 (16 buffers), 19 (32) and 6 (64), and proves that
    the others have none. With lower ends alone it would be 6 of those with 32 buffers.

    ## Observation space
    A `Dict`, all within [0, 1], memory over the capacity, time over the time from the first beginning to the last end:
    ``buffer`` (6,): size, lower, upper of the buffer to be placed; share of buffers placed, height of the packing,
    overflow. ``candidates`` (8, 6), zero where masked: offset, what would remain of the gap, whether the place is an
    upper end, the share of its life that the buffer would touch what is below (or offset 0), and above (or the
    capacity), overflow added. ``demand`` (32,): what is still to be placed, by time. ``lookahead`` (8, 3): size, lower,
    upper of the next buffers. ``memory`` (32, 32): what is occupied below the capacity, offset by time.
    ``action_mask`` (8,).

    ## Rewards
    Minus what the buffer adds to the overflow, over the capacity; the overflow is by how much the packing is higher
    than the capacity. So the return is minus the overflow over the capacity: 0 for success, -0.3 for a packing of 1.3
    times the capacity. One term: ``overflow``.

    ## Starting state
    The memory is empty. Without ``instance`` a new one is drawn: the piece to cut in proportion to its area, whether
    its life or its size is divided, and where, uniformly.

    ## Episode end
    Terminated when every buffer has a place. Never truncated.

    ## Arguments
    - ``instance``: an `Instance`, or the path of a CSV file of minimalloc (``id,lower,upper,size``); None: drawn.
    - ``capacity``: of the file's instance; None: the most that is live at a time.
    - ``buffers``: of a drawn instance; at most 16384, as in a given one.
    - ``slack``: capacity beyond the instance's own, as a share of it. May vary by context: 0 to 1.
    - ``temporal``: share of the cuts that divide lifetimes. May vary by context.
    - ``order``: in which buffers come.
    - ``render_mode``: None, ``"rgb_array"`` or ``"human"``.

    ## Info
    ``signals``: ``height`` of the packing so far, ``capacity``, ``lower_bound`` (the most that is live at a time).
    ``reward_terms``; ``cost`` (overflow added, over the capacity); ``action_mask``; ``success`` at the end: whether the
    packing fits.

    ## References
    - M. D. Moffitt, "MiniMalloc: A Lightweight Memory Allocator for Hardware-Accelerated Machine Learning",
      ASPLOS 2023, doi:10.1145/3623278.3624752.
    - Y. Pisarchyk, J. Lee, "Efficient Memory Management for Deep Neural Net Inference", arXiv:2001.03288, 2020.

    ## Version history
    - v0: first version.
    """

    def __init__(
        self,
        instance: str | os.PathLike[str] | Instance | None = None,
        capacity: int | None = None,
        buffers: int = 32,
        slack: float = 0.0,
        temporal: float = 0.5,
        order: str = "size",
        render_mode: str | None = None,
    ) -> None:
        """Set the task up; the arguments are described above.

        Raises:
            ValueError: a malformed instance, an unknown order, or a value out of range.
        """
        if order not in k.ORDERS:
            raise ValueError(f"order = {order!r} is unknown. Allowed: {', '.join(k.ORDERS)}.")
        if isinstance(instance, str | os.PathLike):
            instance = Instance.from_csv(instance, capacity)
        elif capacity is not None:
            raise ValueError(
                f"capacity = {capacity} goes with the path of an instance. An Instance has its own; drawn ones have "
                f"{k.CAPACITY}, and slack adds to it."
            )
        if instance is not None:
            buffers = len(instance.buffers)
        self.order, self._given = order, instance
        shapes = {
            "buffer": (k.FEATURES,),
            "candidates": (k.PLACES, k.TRAITS),
            "demand": (k.CELLS,),
            "lookahead": (k.AHEAD, k.OUTLINE),
            "memory": (k.CELLS, k.CELLS),
        }
        parts: dict[str, spaces.Space[Any]] = {
            name: spaces.Box(0.0, 1.0, shape, np.float32) for name, shape in shapes.items()
        }
        problem = Problem(
            parameters=Packing(slack=slack, temporal=temporal, buffers=buffers),
            observation_space=spaces.Dict({"action_mask": spaces.Box(0, 1, (k.PLACES,), np.int8), **parts}),
            action_space=spaces.Discrete(k.PLACES),
            state_dtype=k.layout(size_class(buffers))[1],
            pack=functools.partial(pack, instance, order=order),
            reset=k.reset,
            step=k.step,
            info=k.INFO_NAMES,
            action_mask_size=k.PLACES,
            has_success=True,
        )
        super().__init__(problem, render_mode)

    @property
    def instance(self) -> Instance:
        """What is to be packed in this episode, slack included; its offsets are those of the places given so far."""
        return self._read("offset")

    @property
    def solution(self) -> Instance | None:
        """The same with the offsets that a drawn instance was cut at; None where the instance was given."""
        return self._read("cut") if self._given is None else None

    @property
    def placed(self) -> int:
        """How many buffers have a place."""
        return int(self._state()["placed"])

    @property
    def places(self) -> list[int]:
        """The offsets that the actions stand for; empty after the last buffer."""
        state = self._state()
        offsets: list[int] = state["place"][: int(state["places"])].tolist()
        return offsets

    @property
    def turns(self) -> NDArray[np.int32]:
        """The order in which the buffers come: indices into those of `instance`, shape (buffers,)."""
        turns: NDArray[np.int32] = self._state()["turn"][: int(self._rows[0]["buffers"])].copy()
        return turns

    def frame(self) -> NDArray[np.uint8]:
        """Draw memory over time, uint8 of shape (480, 640, 3)."""
        turns = self.turns
        return draw(self.instance, int(turns[self.placed]) if self.placed < len(turns) else None)

    def _state(self) -> np.void:
        if not self._is_reset:
            raise ResetNeeded("Call env.reset() first: it draws the instance.")
        state: np.void = self._states[0]
        return state

    def _read(self, offsets: str) -> Instance:
        """Return the episode's instance with ``offsets``, a field of the state."""
        state, row = self._state(), self._rows[0]
        ids = [f"b{b}" for b in range(row["buffers"])] if self._given is None else [b.id for b in self._given.buffers]
        columns = (state[name].tolist() for name in ("lower", "upper", "size", offsets))
        buffers = (
            Buffer(name, lower, upper, size, None if offset < 0 else offset)
            for name, lower, upper, size, offset in zip(ids, *columns, strict=False)
        )
        return Instance(tuple(buffers), int(row["capacity"]))


class MallocPackingVectorEnv(KernelVectorEnv):
    """Many packings at a time, one buffer each by one call."""

    env_class = MallocPackingEnv
