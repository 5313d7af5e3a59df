"""Tasks in signal temporal logic: six systems, and what is to be true of their trajectories."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from ..core import KernelEnv, KernelVectorEnv, Problem, State
from ..core.reading import entries, one_of
from ..core.stl import Monitor, parse
from . import FORMULAS, kernels, records
from .planning import Model
from .render import Picture
from .tasks import TASKS

#: Numbers in a state for the monitor; formulas that need more get a state, and kernels, of their own.
ROOM = 256


class STLTaskEnv(KernelEnv):
    """Steer a system so that its trajectory satisfies a formula of signal temporal logic.

    ## Description
    The six tasks of "Signal Temporal Logic Neural Predictive Control" (Meng and Fan 2023), with dynamics, ranges and
    formulas of its code. An episode is a trace of T + 1 states, the first and the last included. The formula's
    robustness at the trace's beginning says by how much it is satisfied (from 0 on) or violated (below). What counts
    is the trajectory that was executed, not one that was planned.

    | task | system | T, dt | formula |
    |---|---|---|---|
    | ``Traffic`` | a car before a sign or a light, behind another car | 25, 0.1 s | at a sign, wait a second in the \
box before it, and no further than its middle if ``trigger``; never be in the box while the light is red; keep the gap |
    | ``Maze`` | a rising ball, pushed left and right | 25, 0.2 s | never touch a bar; pass the goals |
    | ``ShipSafe`` | a ship in a river | 20, 0.15 s | never touch obstacles or banks |
    | ``ShipTrack`` | a ship on the river's middle line | 20, 0.15 s | the same, and be back on the line for good \
before the time off it is used up |
    | ``Rover`` | a vehicle with a battery | 10, 0.2 s | never cross obstacles, never run empty; at a charger, wait; \
then the destination, or, with less battery than the episode lasts, the charger |
    | ``Arm`` | a Franka Emika Panda | 10, 0.1 s | reach the goal and stay; never touch a sphere, nor a joint's limit |

    ## Action space
    A `Box` in [-1, 1]. ``Traffic``, ``Maze``: acceleration. Ships: thrust, rudder. ``Rover``: speed (-1: none, 1: the
    largest), heading (by pi). ``Arm``: rates of the seven joints. Each is multiplied by the largest value there is.

    ## Observation space
    A flat float32 `Box`: the first signals below, in their units, up to and without the first in parentheses, then
    the seconds that are left. Everything the dynamics need is in it, but not all of what the formula remembers:
    whether a goal was passed, a second waited or a bar touched before. To know that,
    ``rlx.wrappers.stl.STLMonitor(env, formula, observe=True)`` adds what a monitor knows to the observation.

    ## Signals
    What a formula may name. In parentheses those that are worked out from the others, positive where all is well.

    - ``Traffic``: ``x`` (m, the box ends at 0) ``v light`` (1, or 0 for a sign) ``timer`` (s in the box, or of the
      light's period) ``gap`` (m to the car ahead, or -1) ``lead_speed trigger`` (``inside``: -x (x + box), ``red``,
      ``waited``, ``headway``, ``margin``: m to the middle of the box).
    - ``Maze``: ``x vx y``, of each bar ``left width goal`` with ``_1`` and ``_2`` (goal: its x, or -1); (of each bar
      ``band``: as high as the bar, ``beside``: not in its way, ``reach``: squares of goal's radius and distance).
    - Ships: ``x y phi u v r`` (position, heading, surge, sway, yaw rate); ``ShipSafe``: ``obstacle_x obstacle_y
      radius`` with ``_1`` and ``_2`` (``clearance_1 clearance_2``: squares of distance and radius; ``bank``);
      ``ShipTrack``: ``obstacle_x obstacle_y radius time_left`` (``clearance``, ``bank``, ``on_track``: squares).
    - ``Rover``: ``x y destination_x destination_y charger_x charger_y battery hold start_x start_y`` (``in_map``,
      ``free_1`` ... ``free_4``: outside of an obstacle and not through it, ``at_destination``, ``at_charger``,
      ``stand_by``: where it started, ``charged``).
    - ``Arm``: ``q1`` ... ``q7`` ``goal_x goal_y goal_z`` (``tip_x tip_y tip_z``, ``reach``, ``clearance``, ``limits``).

    ## Rewards
    ``reward="robustness"``: the robustness, at the end. ``"satisfaction"``: 1 at the end if the formula is satisfied.
    ``"progress"``: hand-made, in each step, after those of the paper (a hundredth of them); see the tasks' modules.

    ## Starting state
    Drawn as in the paper's code, with its filters; not every start can be won.

    ## Episode end
    Terminated after T steps.

    ## Arguments
    - ``task``: see above.
    - ``formula``: another formula over the signals; None for the task's own. ``G F U`` and ``H O S`` without a window
      reach to the ends of the trace.
    - ``reward``: see above.
    - ``params``: the task's quantities that differ from the defaults.
    - ``render_mode``: None, ``"rgb_array"`` or ``"human"``.

    ## Info
    ``robustness``: ``low`` and ``high``, between which it must lie given the trace so far; equal once it is decided,
    infinite while nothing is known. ``signals``; ``reward_terms``; ``cost``: how much violation has become certain in
    this step, so that the costs of an episode add up to max(-robustness, 0); ``success`` at the end: robustness of at
    least 0; ``context`` at reset.

    ## References
    - Y. Meng, C. Fan, "Signal Temporal Logic Neural Predictive Control", IEEE Robotics and Automation Letters 8(11),
      2023, arXiv:2309.05131.
    - A. Donzé, O. Maler, "Robust satisfaction of temporal logic over real-valued signals", FORMATS 2010.
    - J. V. Deshmukh et al., "Robust online monitoring of signal temporal logic", RV 2015 (the interval).

    ## Version history
    - v0: first version.
    """

    metadata = {**KernelEnv.metadata, "render_fps": 8}

    def __init__(
        self,
        task: str = "Traffic",
        formula: str | None = None,
        reward: str = "robustness",
        params: Mapping[str, float] | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Set the task up; the arguments are described above.

        Raises:
            ValueError: an argument that is unknown or out of range.
            FormulaError: a formula that cannot be read, or that names an unknown signal.
        """
        self.task = one_of("task", task, TASKS)
        kind = TASKS[task]
        changes = entries("params", params)
        for name in changes:
            one_of(f"The quantity of {task}", name, kind.quantities)
        parameters = kind.parameters(**changes)
        self._steps, self._dt = parameters.steps, parameters.dt
        self.formula = parse(FORMULAS[task] if formula is None else formula)
        monitor = Monitor(self.formula, signals=kind.signals, length=parameters.steps + 1)
        if np.isinf(self.formula.robustness(dict.fromkeys(kind.signals, np.zeros(parameters.steps + 1)))):
            raise ValueError(
                f"formula = {str(self.formula)!r}: its windows lie beyond the {parameters.steps + 1} states of an "
                f"episode, so that it is decided whatever happens. Use windows within [0,{parameters.steps}]."
            )
        room = max(ROOM, 1 << (monitor.memory_size - 1).bit_length())
        left = parameters.steps * parameters.dt
        low, high = np.array([*kind.bounds, (0.0, left)]).T
        problem = Problem(
            parameters=parameters,
            observation_space=spaces.Box(low.astype(np.float32), high.astype(np.float32)),
            action_space=spaces.Box(-1.0, 1.0, (kind.controls,)),
            state_dtype=records.layout(room),
            pack=functools.partial(records.pack, task=task, reward=one_of("reward", reward, records.REWARDS)),
            reset=kernels.reset,
            step=kernels.step,
            info={"reward_terms": records.REWARDS, "robustness": ("low", "high"), "signals": kind.signals},
            tables=(np.array([low, high]), *monitor.program),
            has_success=True,
        )
        super().__init__(problem, render_mode)
        self._picture = None if render_mode is None else Picture(task, self.formula)

    def model(self) -> Model:
        """Return the task under its present parameters, for planners."""
        row = self.problem.pack(self.parameters)
        return Model(self.task, row, self.problem.state_dtype, self.formula, self._steps, self._dt)

    def load_state(self, state: State) -> None:
        """Continue from ``state``, see `KernelEnv.load_state`; the picture starts with it."""
        super().load_state(state)
        if self._picture is not None:
            self._picture.restart(self._steps)

    def record(self, action: NDArray[Any] | None, reward: float, info: dict[str, Any]) -> None:
        """Note what has just happened."""
        if self._picture is not None:
            if action is None:
                self._picture.restart(self._steps)
            self._picture.record(info["signals"], info["robustness"])

    def frame(self) -> NDArray[np.uint8]:
        """Draw the state and what is known of the formula, uint8 of shape (600, 960, 3)."""
        if self._picture is None or not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.render().")
        return self._picture.draw(self._states[0], self._rows[0])


class STLTaskVectorEnv(KernelVectorEnv):
    """Many of them, stepped by one call."""

    env_class = STLTaskEnv
