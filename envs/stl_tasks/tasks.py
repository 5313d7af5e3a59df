"""The six tasks: dynamics, parameters, and what is observed."""

from __future__ import annotations

import dataclasses
from types import ModuleType

from . import arm, maze, params, rover, ship_safe, ship_track, traffic

Bounds = tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True)
class Task:
    """One task."""

    dynamics: ModuleType
    parameters: type[params.TaskParameters]
    bounds: Bounds
    """Of what is observed, in the order of ``dynamics.OBSERVED``."""
    controls: int
    """Numbers of an action, A."""

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(field.name for field in dataclasses.fields(self.parameters))

    @property
    def signals(self) -> tuple[str, ...]:
        """What formulas may name."""
        names: tuple[str, ...] = self.dynamics.SIGNALS
        return names


_HULL = ((-1.0, 40.0), (-15.0, 15.0), (-0.5, 0.5), (1.0, 8.0), (-0.5, 0.5), (-0.5, 0.5))
_BAR = ((0.0, 5.0), (0.0, 5.0), (-1.0, 5.0))
_OBSTACLE = ((-5.0, 15.0), (-4.0, 4.0), (0.0, 3.0))
_PLACE = ((-50.0, 50.0), (-50.0, 50.0))

#: In the order of the kernels' numbers.
TASKS = {
    "Traffic": Task(
        traffic,
        params.Traffic,
        ((-20.0, 60.0), (-1.0, 20.0), (0.0, 1.0), (0.0, 20.0), (-10.0, 60.0), (0.0, 20.0), (0.0, 1.0)),
        1,
    ),
    "Maze": Task(maze, params.Maze, ((0.0, 5.0), (-10.0, 10.0), (-2.5, 10.0), *_BAR, *_BAR), 1),
    "ShipSafe": Task(ship_safe, params.ShipSafe, (*_HULL, *_OBSTACLE, *_OBSTACLE), 2),
    "ShipTrack": Task(ship_track, params.ShipTrack, (*_HULL, *_OBSTACLE, (-5.0, 5.0)), 2),
    "Rover": Task(rover, params.Rover, (*_PLACE, *_PLACE, *_PLACE, (-5.0, 10.0), (-5.0, 5.0), *_PLACE), 2),
    "Arm": Task(arm, params.Arm, (*((-12.0, 12.0),) * 7, *arm.GOALS), 7),
}
