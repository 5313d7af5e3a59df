"""MallocGame: which buffers of an ML program lie in fast memory, and when."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from ..core import KernelEnv, KernelVectorEnv, Problem
from . import kernels as k
from .generator import pack, size_class
from .params import CHIPS, Chip
from .program import Program, load
from .render import MemoryMap


class MallocGameEnv(KernelEnv):
    """Map the buffers of a compiled ML program to the fast and the slow memory of a chip.

    ## Description
    A program is a list of instructions in the order in which they run; each reads and writes buffers. The chip has a
    small fast memory beside a large slow one. The game goes through the program use by use and decides where each
    finds its bytes. The environment chooses offsets. Copies into fast memory, and back, use the bandwidth that the
    instructions before leave idle; what that does not cover makes the instruction wait. The game is named after that
    of arXiv:2305.07440; its rules follow XLA's memory space assignment. Latencies are modelled, never measured on a
    chip.

    ## Action space
    `Discrete(3)`, with ``info["action_mask"]``: 0 *NoCopy*: use the buffer in fast memory, where it has stayed since
    its last use, or comes into being. 1 *Copy*: bring it there in time. 2 *Drop*: use it in slow memory; if it lies in
    fast memory alone it is written back first. Drop is always legal; what the mask rules out counts as Drop.

    ## Observation space
    A `Dict`, all within [0, 1]: ``memory`` (2, 64, 64), offset by time on a logarithmic scale around the present
    (column 47): what is occupied, and the rectangle that NoCopy or Copy would take; ``bandwidth`` (64,), the idle share
    of the slow memory's bandwidth over the same columns; ``buffer`` (16,), the use to be decided, and ``lookahead``
    (16, 16), those that follow: size over capacity, log size, share of the buffer that moves, whether it is written, is
    a program output, is an alias group, 1 / remaining uses, nearness of the next and the last use, whether it is in
    fast memory, has a copy in slow memory, share of the instruction that is computation, share of its latency that
    fast bytes would save, root of what the remaining uses could save over all, share of a copy that would stall,
    nearness to the present; ``action_mask`` (3,). With ``observation="buffer"`` only ``buffer`` and ``action_mask``.

    ## Rewards
    The latency that a move saves, over the latency of the program without fast memory; so the return is
    1 - T / T_all_slow. Terms: ``access``, ``copy`` and ``write_back`` (stalls, negative).

    ## Starting state
    Parameters and constants lie in slow memory; nothing is random.

    ## Episode end
    Terminated after the last use. Then outputs that lie in fast memory alone are written back. Never truncated.

    ## Arguments
    - ``program``: a name of `shipped()`, a path, or a `Program`.
    - ``chip``: ``"tpuv4i"``, ``"tpuv4"``, ``"edge"`` (invented), a dict of `Chip` fields, or a `Chip`.
    - ``strict_bandwidth``: whether a copy that would stall is illegal.
    - ``offset``: ``"best_fit"``, the smallest gap that is free for now; or ``"considerate"``, at first the smallest
      that is also free of what lies in fast memory and will be used again, up to its next use.
    - ``observation``: ``"whole"`` or ``"buffer"``.
    - ``render_mode``: None, ``"rgb_array"`` or ``"human"``.

    ## Info
    ``signals``: ``latency`` (s), ``speedup`` over the program without fast memory, ``instruction`` (index), ``worth``
    (s, what this and the remaining uses of the buffer would save alone), ``stall`` (s, what Copy would wait);
    ``reward_terms``; ``action_mask``; ``speedup`` at the end.

    ## References
    "Optimizing Memory Mapping Using Deep Reinforcement Learning", arXiv:2305.07440, 2023.

    ## Version history
    - v0: first version.
    """

    def __init__(
        self,
        program: str | os.PathLike[str] | Program = "resnet18_infer_b8",
        chip: str | Mapping[str, Any] | Chip = "tpuv4i",
        strict_bandwidth: bool = False,
        offset: str = "best_fit",
        observation: str = "whole",
        render_mode: str | None = None,
    ) -> None:
        """Set the game up; the arguments are described above.

        Raises:
            ValueError: an unknown program or chip, or a malformed one.
        """
        for what, value, allowed in (
            ("observation", observation, ("whole", "buffer")),
            ("offset", offset, ("best_fit", "considerate")),
        ):
            if value not in allowed:
                raise ValueError(f"{what} = {value!r} is unknown. Allowed: {', '.join(allowed)}.")
        self.program = load(program)
        self._arguments: dict[str, Any] = {
            "program": self.program,
            "strict_bandwidth": strict_bandwidth,
            "offset": offset,
        }
        is_whole = observation == "whole"

        def packed(parameters: Chip) -> NDArray[np.void]:
            return pack(
                self.program,
                parameters,
                strict_bandwidth=strict_bandwidth,
                is_considerate=offset == "considerate",
                is_whole=is_whole,
            )

        shapes: dict[str, tuple[int, ...]] = {"buffer": (k.FEATURES,)}
        if is_whole:
            shapes |= {
                "bandwidth": (k.CELLS,),
                "lookahead": (k.AHEAD, k.FEATURES),
                "memory": (2, k.CELLS, k.CELLS),
            }
        parts: dict[str, spaces.Space[Any]] = {
            name: spaces.Box(0.0, 1.0, shape, np.float32) for name, shape in shapes.items()
        }
        parts["action_mask"] = spaces.Box(0, 1, (k.ACTIONS,), np.int8)
        problem = Problem(
            parameters=read_chip(chip),
            observation_space=spaces.Dict(parts),
            action_space=spaces.Discrete(k.ACTIONS),
            state_dtype=k.layout(size_class(self.program))[1],
            pack=packed,
            reset=k.reset,
            step=k.step,
            info=k.INFO_NAMES,
            action_mask_size=k.ACTIONS,
        )
        super().__init__(problem, render_mode)
        self._map = None if render_mode is None else MemoryMap(self.program)

    def alike(self) -> MallocGameEnv:
        """Return another game with the same program, chip and rules, without pictures, to look ahead in."""
        chip: Any = self.problem.parameters
        return MallocGameEnv(**self._arguments, chip=chip, observation="buffer")

    def frame(self) -> NDArray[np.uint8]:
        """Draw the memory map, uint8 of shape (600, 960, 3)."""
        if self._map is None or not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.render().")
        return self._map.draw(self._rows[0], self._states[0])

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Make a move, see `KernelEnv.step`; the last one's info has the ``speedup``."""
        observation, reward, terminated, truncated, info = super().step(action)
        if terminated:
            info["speedup"] = info["signals"]["speedup"]
        return observation, reward, terminated, truncated, info


class MallocGameVectorEnv(KernelVectorEnv):
    """Many games, moved by one call."""

    env_class = MallocGameEnv


def read_chip(chip: str | Mapping[str, Any] | Chip) -> Chip:
    """Return a chip by its name, or from what differs from ``tpuv4i``.

    Raises:
        ValueError: an unknown name or field, or a value out of range.
    """
    if isinstance(chip, Chip):
        return chip
    if isinstance(chip, Mapping):
        unknown = set(chip) - set(Chip.__dataclass_fields__)
        if unknown:
            raise ValueError(f"A chip has no {sorted(unknown)[0]!r}. It has: {', '.join(Chip.__dataclass_fields__)}.")
        return Chip(**chip)
    if chip not in CHIPS:
        raise ValueError(f"chip = {chip!r} is unknown. Allowed: {', '.join(CHIPS)}, or a dict of its parameters.")
    return CHIPS[chip]
