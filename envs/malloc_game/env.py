"""MallocGame: which buffers of an ML program lie in fast memory, and when."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from ..core import INFO, KernelEnv, KernelVectorEnv, Problem
from . import kernels as k
from .generator import pack, size_class
from .params import CHIPS, Chip
from .program import Program, load
from .render import MemoryMap

Source = str | os.PathLike[str] | Program
#: Where a kernel's values hold the speed-up.
SPEEDUP = INFO + len(k.INFO_NAMES["reward_terms"]) + k.INFO_NAMES["signals"].index("speedup")


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
    its last use, or comes into being. 1 *Copy*: bring it there in time. 2 *Drop*: use it in slow memory and
    give its place up; if it lies in fast memory alone it is written back first. Drop is always legal; what the mask
    rules out counts as Drop.

    `Discrete(17)` with ``offset="agent"``: 0 to 7 is NoCopy and 8 to 15 Copy, into one of up to eight gaps of the fast
    memory, the smallest first; 16 is Drop. A buffer that stays has no choice: 0.

    ## Observation space
    A `Dict`, all within [0, 1]: ``memory`` (2, 64, 64), offset by time on a logarithmic scale around the present
    (column 47): what is occupied, and the rectangle that NoCopy or Copy would take; ``bandwidth`` (64,), the idle share
    of the slow memory's bandwidth over the same columns; ``buffer`` (16,), the use to be decided, and ``lookahead``
    (16, 16), those that follow: size over capacity, log size, share of the buffer that moves, whether it is written, is
    a program output, is an alias group, 1 / remaining uses, nearness of the next and the last use, whether it is in
    fast memory, has a copy in slow memory, share of the instruction that is computation, share of its latency that
    fast bytes would save, root of what the remaining uses could save over all, share of a copy that would stall,
    nearness to the present; ``action_mask``. With ``observation="buffer"`` no image, bandwidth and lookahead. With
    ``offset="agent"`` also ``gaps`` (8, 3): offset and size over capacity, nearness of the next use of what lies there.

    ## Rewards
    The latency that a move saves, over the latency of the program without fast memory; so the return is
    1 - T / T_all_slow. Terms: ``access``, ``copy`` and ``write_back`` (stalls, negative).

    ## Starting state
    Parameters and constants lie in slow memory. With several programs one is drawn; nothing else is random.

    ## Episode end
    Terminated after the last use. Then outputs that lie in fast memory alone are written back. Never truncated.

    ## Arguments
    - ``program``: a name of `shipped()`, a path, or a `Program`; or several, of which each episode draws one.
    - ``chip``: ``"tpuv4i"``, ``"tpuv4"``, ``"edge"`` (invented), a dict of `Chip` fields, or a `Chip`.
    - ``strict_bandwidth``: whether a copy that would stall is illegal.
    - ``offset``: ``"best_fit"``, the smallest gap that is free for now, and the lowest of these; ``"considerate"``, at
      first the smallest that is also free of what lies in fast memory and will be used again, up to its next use; or
      ``"agent"``: the action says.
    - ``observation``: ``"whole"`` or ``"buffer"``.
    - ``render_mode``: None, ``"rgb_array"`` or ``"human"``.

    ## Info
    ``signals``: ``latency`` (s), ``speedup`` over the program without fast memory, ``instruction`` (index), ``worth``
    (s, what this and the remaining uses of the buffer would save alone), ``stall`` (s, what Copy would wait),
    ``program`` (index); ``reward_terms``; ``action_mask``; ``speedup`` at the end.

    ## References
    "Optimizing Memory Mapping Using Deep Reinforcement Learning", arXiv:2305.07440, 2023.

    ## Version history
    - v0: first version.
    """

    def __init__(
        self,
        program: Source | Sequence[Source] = "resnet18_infer_b8",
        chip: str | Mapping[str, Any] | Chip = "tpuv4i",
        strict_bandwidth: bool = False,
        offset: str = "best_fit",
        observation: str = "whole",
        render_mode: str | None = None,
    ) -> None:
        """Set the game up; the arguments are described above.

        Raises:
            ValueError: an unknown program or chip, a malformed one, or no program.
        """
        for what, value, allowed in (
            ("observation", observation, ("whole", "buffer")),
            ("offset", offset, ("best_fit", "considerate", "agent")),
        ):
            if value not in allowed:
                raise ValueError(f"{what} = {value!r} is unknown. Allowed: {', '.join(allowed)}.")
        sources = (program,) if isinstance(program, str | os.PathLike | Program) else tuple(program)
        if not sources:
            raise ValueError("program = []: at least one is needed.")
        self.programs = tuple(map(load, sources))
        self._rules: dict[str, Any] = {"strict_bandwidth": strict_bandwidth, "offset": offset}
        is_whole, choices = observation == "whole", k.CHOICES if offset == "agent" else 1
        size = max(map(size_class, self.programs))

        def packed(parameters: Chip) -> NDArray[np.void]:
            packing = functools.partial(
                pack,
                chip=parameters,
                size=size,
                strict_bandwidth=strict_bandwidth,
                is_considerate=offset == "considerate",
                choices=choices,
                is_whole=is_whole,
            )
            return np.array(list(map(packing, self.programs)))

        shapes: dict[str, tuple[int, ...]] = {"buffer": (k.FEATURES,)}
        if choices > 1:
            shapes["gaps"] = (choices, k.GAP_FEATURES)
        if is_whole:
            shapes |= {
                "bandwidth": (k.CELLS,),
                "lookahead": (k.AHEAD, k.FEATURES),
                "memory": (2, k.CELLS, k.CELLS),
            }
        actions = 2 * choices + 1
        parts: dict[str, spaces.Space[Any]] = {
            name: spaces.Box(0.0, 1.0, shape, np.float32) for name, shape in shapes.items()
        }
        parts["action_mask"] = spaces.Box(0, 1, (actions,), np.int8)
        problem = Problem(
            parameters=read_chip(chip),
            observation_space=spaces.Dict(parts),
            action_space=spaces.Discrete(actions),
            state_dtype=k.layout(size)[1],
            pack=packed,
            reset=k.reset,
            step=k.step,
            info=k.INFO_NAMES,
            action_mask_size=actions,
        )
        super().__init__(problem, render_mode)
        self._map = None if render_mode is None else MemoryMap()

    @property
    def program(self) -> Program:
        """The program of this episode."""
        return self.programs[int(self._states["program"][0])]

    def packed(self) -> NDArray[np.void]:
        """Return what the kernels read in this episode: the program on its chip, shape (1,)."""
        program = self._states["program"][0]
        return self._rows[0, program : program + 1].copy()

    def alike(self) -> MallocGameEnv:
        """Return another game with this episode's program and the same rules, without pictures, to look ahead in."""
        chip: Any = self.problem.parameters
        return MallocGameEnv(self.program, chip, **self._rules, observation="buffer")

    def frame(self) -> NDArray[np.uint8]:
        """Draw the memory map, uint8 of shape (600, 960, 3)."""
        if self._map is None or not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.render().")
        return self._map.draw(self.program, self.packed()[0], self._states[0])

    def ending(self, values: Any) -> dict[str, Any]:
        """Return the ``speedup``, see `KernelEnv.ending`."""
        return {"speedup": values[SPEEDUP]}


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
