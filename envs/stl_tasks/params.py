"""The quantities of the six tasks. Defaults are those of the code of Meng and Fan (2023)."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..core import Parameters, quantity


def _varies(default: float, unit: str, meaning: str, spread: tuple[float, float] = (0.5, 2.0)) -> Any:
    """Declare what a context may change."""
    return quantity(default, unit, meaning, low=1e-3, high=1e3, spread=spread)


def _fixed(default: float, unit: str, meaning: str) -> Any:
    """Declare what holds for every episode of an environment."""
    return quantity(default, unit, meaning, low=1e-3, high=1e3, varies=False)


def _steps(default: int) -> Any:
    return quantity(default, "1", "steps of an episode", low=1, high=1000, varies=False)


class TaskParameters(Parameters):
    """What all tasks have."""

    steps: int
    dt: float


@dataclasses.dataclass(frozen=True)
class Traffic(TaskParameters):
    """A car before a box of the road that ends at x = 0, with a sign or a light."""

    steps: int = _steps(25)
    dt: float = _fixed(0.1, "s", "time step")
    acceleration: float = _varies(10.0, "m/s^2", "largest acceleration and deceleration")
    speed: float = _varies(10.0, "m/s", "largest speed")
    box: float = _fixed(1.0, "m", "length of the box")
    distance: float = _fixed(10.0, "m", "how far from x = 0 the car starts at most; the largest gap at the start")
    stop_time: float = _varies(1.0, "s", "how long to stay in the box at a sign")
    period: float = _varies(8.0, "s", "period of the light")
    red_time: float = _varies(4.0, "s", "how long the light is red, from the period's beginning")
    safe_gap: float = _varies(1.0, "m", "smallest gap to the car ahead")


@dataclasses.dataclass(frozen=True)
class Maze(TaskParameters):
    """A ball that rises at constant speed through two bars."""

    steps: int = _steps(25)
    dt: float = _fixed(0.2, "s", "time step")
    width: float = _fixed(5.0, "m", "width of the field")
    band: float = _fixed(0.5, "m", "height of a bar")
    spacing: float = _fixed(2.5, "m", "distance from bar to bar")
    bar_min: float = _fixed(2.0, "m", "shortest bar")
    bar_max: float = _fixed(4.0, "m", "longest bar")
    goal_size: float = _varies(0.8, "m", "diameter of a goal", (0.75, 1.5))
    acceleration: float = _varies(40.0, "m/s^2", "largest acceleration to a side")
    speed: float = _varies(5.0, "m/s", "largest speed to a side")
    climb: float = _varies(1.0, "m/s", "speed upwards", (0.8, 1.25))

    def __post_init__(self) -> None:
        """Check that a bar leaves a gap."""
        super().__post_init__()
        if not self.bar_min <= self.bar_max < self.width:
            raise ValueError(
                f"Maze needs bar_min <= bar_max < width, not {self.bar_min}, {self.bar_max} and {self.width}."
            )


@dataclasses.dataclass(frozen=True)
class Ship(TaskParameters):
    """What both tasks of the ship share."""

    steps: int = _steps(20)
    dt: float = _fixed(0.15, "s", "time step")
    width: float = _varies(4.0, "m", "width of the river", (0.75, 1.5))
    thrust: float = _varies(0.5, "m/s^2", "largest thrust per mass")
    rudder: float = _varies(3.0, "1", "largest rudder command")
    sway_gain: float = _varies(0.01, "m/s^2", "sway acceleration per rudder")
    yaw_gain: float = _varies(0.5, "rad/s^2", "yaw acceleration per rudder")
    heading: float = _fixed(0.5, "rad", "largest angle to the river")
    slowest: float = _varies(3.0, "m/s", "smallest surge velocity", (0.5, 1.2))
    fastest: float = _varies(5.0, "m/s", "largest surge velocity", (0.8, 1.5))
    sway: float = _fixed(0.3, "m/s", "largest sway velocity")
    yaw: float = _fixed(0.5, "rad/s", "largest yaw rate")

    def __post_init__(self) -> None:
        """Check the velocities."""
        super().__post_init__()
        if self.slowest > self.fastest:
            raise ValueError(f"A ship needs slowest <= fastest, not {self.slowest} and {self.fastest}.")


@dataclasses.dataclass(frozen=True)
class ShipSafe(Ship):
    """A ship between obstacles and banks."""

    reach: float = _fixed(15.0, "m", "length of the river in which the two obstacles are, each in its half")
    radius: float = _varies(1.0, "m", "radius of an obstacle", (0.5, 1.5))


@dataclasses.dataclass(frozen=True)
class ShipTrack(Ship):
    """A ship that follows the middle of the river."""

    track: float = _varies(0.3, "m", "half the width of the track")
    radius_min: float = _fixed(0.6, "m", "smallest radius of an obstacle")
    radius_max: float = _fixed(1.2, "m", "largest radius of an obstacle")


@dataclasses.dataclass(frozen=True)
class Rover(TaskParameters):
    """A rover with a battery."""

    steps: int = _steps(10)
    dt: float = _fixed(0.2, "s", "time step")
    speed: float = _varies(10.0, "m/s", "largest speed")
    near: float = _varies(0.8, "m", "how near a place is reached", (0.5, 1.5))
    charge: float = _varies(5.0, "s", "how long a charged battery lasts")
    hold_time: float = _fixed(0.6, "s", "how long to wait at the charger, at most")
    still: float = _varies(0.1, "m", "who moves no further is standing by")


@dataclasses.dataclass(frozen=True)
class Arm(TaskParameters):
    """A Franka Emika Panda whose joints follow rates."""

    steps: int = _steps(10)
    dt: float = _fixed(0.1, "s", "time step")
    speed: float = _varies(4.0, "rad/s", "largest rate of a joint")
    tolerance: float = _varies(0.1, "m", "how near the goal is reached")
    obstacle_x: float = _varies(0.3, "m", "centre of the obstacle, from the base")
    obstacle_y: float = _varies(0.3, "m", "centre of the obstacle, from the base")
    obstacle_z: float = _varies(0.5, "m", "centre of the obstacle, from the base")
    radius: float = _varies(0.2, "m", "radius of the obstacle", (0.5, 1.5))
