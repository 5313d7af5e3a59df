"""The tank as an environment, and as many."""

import dataclasses

import numpy as np
from gymnasium import spaces

from rlx.envs.core import KernelEnv, KernelVectorEnv, Problem

from .kernels import INFO_NAMES, STATE, reset, step
from .params import Tank

ROW = np.dtype([(field.name, np.float64) for field in dataclasses.fields(Tank)])


def pack(tank: Tank) -> np.ndarray:
    """Turn parameters into the record that the kernels read."""
    return np.array(dataclasses.astuple(tank), ROW)


class TankEnv(KernelEnv):
    """Hold the level of a leaking tank in the rain.

    ## Description
    Water leaves an upright tank by a hole (Torricelli's law); a valve and the rain let water in. One step is a second.

    ## Action space
    `Box` of shape (1,): the valve, from 0 (shut) to 1 (open).

    ## Observation space
    `Box` of shape (2,): level and target level, both divided by the height of the wall.

    ## Rewards
    Minus the distance to the target over the height, and minus ten times what spills over the wall (m).

    ## Starting state
    Level and target are drawn uniformly: from the whole height, and from its middle eight tenths.

    ## Episode end
    Terminated when the tank overflows; truncated after 300 steps.

    ## Arguments
    ``params``: those that differ from `Tank`'s defaults. ``render_mode``: None, ``"rgb_array"`` or ``"human"``.

    ## Info
    ``reward_terms``, ``cost`` (water spilled, m), ``signals`` and ``reference`` (level, m).

    ## References
    E. Torricelli, *Opera geometrica*, 1644.

    ## Version history
    - v0: first version.
    """

    def __init__(self, params: dict[str, float] | None = None, render_mode: str | None = None) -> None:
        """Make a tank; the arguments are described above."""
        problem = Problem(
            parameters=Tank(**params or {}),
            observation_space=spaces.Box(0.0, 1.0, (2,), np.float32),
            action_space=spaces.Box(0.0, 1.0, (1,), np.float32),
            state_dtype=STATE,
            pack=pack,
            reset=reset,
            step=step,
            info=INFO_NAMES,
        )
        super().__init__(problem, render_mode)

    def frame(self) -> np.ndarray:
        """Draw the water, and the target as a line."""
        picture = np.full((200, 120, 3), 255, np.uint8)
        level, target = (
            int(199 * (1 - self._states[0][name] / self.parameters.height)) for name in ("level", "target")
        )
        picture[level:] = 70, 130, 220
        picture[target] = 200, 30, 30
        return picture


class TankVectorEnv(KernelVectorEnv):
    """Many tanks, stepped by one call."""

    env_class = TankEnv
