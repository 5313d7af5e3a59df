"""Experts: what an engineer would write for these systems, without learning and without planning by search.

A factory takes the environment, wrapped or not, and returns a policy: ``reset()`` at the start of each episode, then
``act(observation, info)``. Like controllers with sensors they read ``info["signals"]``, and they know the quantities
of the task. They serve the task's own formula, whatever formula is asked for.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from . import arm, maze, params, rover

Signals = dict[str, float]
Vector = NDArray[np.float64]
Law = Callable[[Signals, float], Sequence[float]]


@dataclasses.dataclass(frozen=True)
class Controller:
    """A policy that is a function of the signals, and of the seconds that are left."""

    law: Law
    """Returns the action, in [-1, 1] or beyond."""

    def reset(self) -> None:
        """Do nothing: there is nothing to remember."""

    def act(self, observation: Any, info: dict[str, Any]) -> NDArray[np.float32]:
        """Return the action for the signals in ``info``."""
        return np.clip(self.law(info["signals"], observation[-1]), -1.0, 1.0).astype(np.float32)


def driver(env: gymnasium.Env[Any, Any]) -> Controller:
    """Return a driver for ``Traffic``: as fast as allows to stop where that is needed.

    In the box of a sign, before the box of a light, behind the car ahead.
    """
    p = _quantities(env, params.Traffic)

    def law(s: Signals, left: float) -> Sequence[float]:
        # At a light, once in the box: out of it.
        stop = -0.7 * p.box if s["light"] < 0.5 else -1.3 * p.box if s["x"] <= -p.box else math.inf
        speed = p.speed
        if stop < math.inf:
            speed = _stoppable(stop - s["x"] - p.dt * s["v"], p.acceleration, p.dt)
        if s["gap"] > -0.5:
            gap = s["gap"] + p.dt * (s["lead_speed"] - s["v"]) - 1.1 * p.safe_gap
            speed = min(speed, s["lead_speed"] + _stoppable(gap, p.acceleration, p.dt))
        return [(speed - s["v"]) / (p.dt * p.acceleration)]

    return Controller(law)


def _stoppable(distance: float, deceleration: float, dt: float) -> float:
    """Return the largest speed from which Euler steps come to rest within ``distance``; -inf for a negative one."""
    if distance < 0.0:
        return -math.inf
    return math.sqrt((0.5 * deceleration * dt) ** 2 + 2.0 * deceleration * distance) - 0.5 * deceleration * dt


def steering(env: gymnasium.Env[Any, Any]) -> Controller:
    """Return deadbeat control for ``Maze``: to the goal of the next bar, else to the widest gap within reach."""
    p = _quantities(env, params.Maze)

    def law(s: Signals, left: float) -> Sequence[float]:
        height, bar = (s["y"], 1) if s["y"] < 0.0 else (s["y"] - p.spacing, 2)
        drifted = s["x"] + p.dt * s["vx"]
        steps = max(math.ceil((-height - p.band) / (p.dt * p.climb)) - 1, 0)
        target = s[f"goal_{bar}"]
        if target < 0.0:
            begin, end = s[f"left_{bar}"], s[f"left_{bar}"] + s[f"width_{bar}"]
            gaps = [(low, high) for low, high in ((0.0, begin), (end, p.width)) if high - low > maze.WALL]
            low, high = max(gaps, key=lambda gap: _ease(gap, drifted, p.dt * p.speed * steps))
            target = 0.5 * (low + high)
        speed = np.clip((target - drifted) / p.dt, -p.speed, p.speed)
        return [(speed - s["vx"]) / (p.dt * p.acceleration)]

    return Controller(law)


def _ease(gap: tuple[float, float], x: float, reach: float) -> tuple[float, float]:
    """Rank a gap: those within reach before the others, then by width or nearness."""
    missing = abs(0.5 * sum(gap) - x) - reach
    return (1.0, gap[1] - gap[0]) if missing <= 0.0 else (0.0, -missing)


PASSING = 0.15  # m: how far from an obstacle the pilot passes it
LAG = 0.3  # s: how long a ship takes to follow
MARGIN = 0.35  # share of the sharpest curve that the pilot counts on
BACK = 1.1  # s: what a ship takes back to the middle


def pilot(env: gymnasium.Env[Any, Any]) -> Controller:
    """Return a pilot for both tasks of the ship: on a course across the river, outside of obstacles' collision cones.

    ``ShipSafe``: slowly, in the middle. ``ShipTrack``: fast, in the middle, or aside of an obstacle that is ahead.
    """
    p = _quantities(env, params.Ship)

    def law(s: Signals, left: float) -> Sequence[float]:
        is_tracking = "time_left" in s
        sight, suffixes = (3.0, ("",)) if is_tracking else (8.0, ("_2", "_1"))
        missing = s["y"] + LAG * (s["u"] * math.sin(s["phi"]) + s["v"]) - (_course(s, p) if is_tracking else 0.0)
        # The largest heading from which a curve leads there.
        heading = -math.copysign(math.acos(max(1.0 - MARGIN * p.yaw / s["u"] * abs(missing), 0.0)), missing)
        for suffix in suffixes:
            heading = _outside(s, suffix, heading, sight, p)
        turn = float(np.clip(heading, -p.heading, p.heading)) - s["phi"]
        rate = math.copysign(min(math.sqrt(abs(turn) * p.yaw_gain * p.rudder), p.yaw), turn)
        return [1.0 if is_tracking else -1.0, (rate - s["r"]) / (p.dt * p.yaw_gain * p.rudder)]

    return Controller(law)


def _course(s: Signals, p: params.ShipTrack) -> float:
    """Return y where to be: aside while that is needed, or can be afforded; else 0."""
    ahead, side = s["obstacle_x"] - s["x"], math.copysign(s["radius"] + PASSING, s["y"])
    # Two arcs at the yaw rate lead aside.
    lead = 2.0 * math.sqrt(max(abs(side) - abs(s["y"]), 0.0) / (s["u"] * p.yaw * MARGIN)) + LAG
    is_due = ahead < s["u"] * lead
    is_affordable = s["on_track"] < 0.0 and ahead / s["u"] + BACK < s["time_left"]
    return side if ahead > 1.5 * LAG * s["u"] and (is_due or is_affordable) else 0.0


def _outside(s: Signals, suffix: str, heading: float, sight: float, p: params.Ship) -> float:
    """Return the heading next to ``heading`` that passes the obstacle on a side on which there is water."""
    dx, dy = s["obstacle_x" + suffix] - s["x"], s["obstacle_y" + suffix] - s["y"]
    radius, distance, bearing = s["radius" + suffix] + PASSING, math.hypot(dx, dy), math.atan2(dy, dx)
    half = math.asin(min(radius / distance, 1.0))
    if distance > sight or abs(heading - bearing) >= half:
        return heading
    sides = [side for side in (-1.0, 1.0) if abs(s["obstacle_y" + suffix] + side * radius) < 0.5 * p.width]
    return min((bearing + side * half for side in sides or (-1.0, 1.0)), key=lambda edge: abs(edge - s["phi"]))


def navigator(env: gymnasium.Env[Any, Any]) -> Controller:
    """Return a navigator for ``Rover``: waits where it must, then takes the shortest way around the obstacles."""
    p = _quantities(env, params.Rover)

    def law(s: Signals, left: float) -> Sequence[float]:
        here = s["x"], s["y"]
        if s["stand_by"] > 0.0 and s["at_charger"] > 0.0 and s["hold"] >= 0.0:
            return [-1.0, 0.0]
        # Both run down alike: as at the start, until it is recharged.
        is_charging = s["battery"] < left - 1e-6
        target = (s["charger_x"], s["charger_y"]) if is_charging else (s["destination_x"], s["destination_y"])
        x, y = _way(here, target)[0]
        distance = math.dist(here, (x, y))
        return [2.0 * distance / (p.dt * p.speed) - 1.0, math.atan2(y - here[1], x - here[0]) / math.pi]

    return Controller(law)


_BERTH = 0.05
"""Distance in m from an obstacle's corner."""
_CORNERS = [
    corner
    for left, bottom, side in rover.OBSTACLES
    for corner in itertools.product((left - _BERTH, left + side + _BERTH), (bottom - _BERTH, bottom + side + _BERTH))
    if all(0.0 < coordinate < rover.SIZE for coordinate in corner)
]
Point = tuple[float, float]


def _way(start: Point, target: Point) -> list[Point]:
    """Return the corners of the shortest free way, ``target`` the last (Dijkstra on the visibility graph)."""
    queue: list[tuple[float, Point, list[Point]]] = [(0.0, start, [])]
    settled = set()
    while queue:
        length, point, way = heapq.heappop(queue)
        if point == target:
            return way or [target]
        if point in settled:
            continue
        settled.add(point)
        for following in (*_CORNERS, target):
            if following not in settled and _sees(point, following):
                heapq.heappush(queue, (length + math.dist(point, following), following, [*way, following]))
    return [target]


def _sees(start: Point, end: Point) -> bool:
    """Tell whether no obstacle is between two points (slab test)."""
    margin = 0.6 * _BERTH
    for left, bottom, side in rover.OBSTACLES:
        enter, leave = 0.0, 1.0
        for at, to, low in ((start[0], end[0], left), (start[1], end[1], bottom)):
            low, high = low - margin, low + side + margin
            if at == to:
                if not low < at < high:
                    enter = math.inf
                continue
            first, last = sorted(((low - at) / (to - at), (high - at) / (to - at)))
            enter, leave = max(enter, first), min(leave, last)
        if enter < leave:
            return False
    return True


CLEARANCE = 0.1  # m: how far from the sphere the flange stays


def inverse_kinematics(env: gymnasium.Env[Any, Any]) -> Controller:
    """Return joint control for ``Arm``: straight to a pose that inverse kinematics finds, aside from the sphere."""
    p = _quantities(env, params.Arm)
    center, most = np.array([p.obstacle_x, p.obstacle_y, p.obstacle_z]), p.dt * p.speed

    def law(s: Signals, left: float) -> Sequence[float]:
        q, goal = np.array([s[name] for name in arm.JOINTS]), np.array([s["goal_x"], s["goal_y"], s["goal_z"]])
        turn = _pose(q, goal) - q
        turn *= min(1.0, most / max(float(np.abs(turn).max()), 1e-9))
        away = arm.links(q + turn)[-1] - center
        distance = float(np.linalg.norm(away))
        if distance < p.radius + CLEARANCE:
            outside = center + away / max(distance, 1e-9) * (p.radius + CLEARANCE)
            turn = _pose(q + turn, outside, 10) - q
        return list(turn / most)

    return Controller(law)


def _pose(q: Vector, goal: Vector, iterations: int = 60) -> Vector:
    """Return joint angles within their limits with the flange at ``goal``, or near, by damped least squares from ``q``.

    What is left free goes to the middle of the limits.
    """
    lowest, highest = np.array(arm.LOWEST) + 0.02, np.array(arm.HIGHEST) - 0.02
    q = np.clip(q, lowest, highest)
    for _ in range(iterations):
        tip, jacobian = arm.jacobian(q)
        inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + 0.02 * np.eye(3))
        middle = 0.05 * (0.5 * (lowest + highest) - q)
        q = np.clip(q + inverse @ (goal - tip - jacobian @ middle) + middle, lowest, highest)
        if np.linalg.norm(goal - tip) < 0.02:
            break
    return q


def _quantities(env: gymnasium.Env[Any, Any], kind: type[Any]) -> Any:
    """Return the parameters of the environment's task.

    Raises:
        ValueError: the environment has another task.
    """
    parameters = env.get_wrapper_attr("parameters")
    if not isinstance(parameters, kind):
        raise ValueError(
            f"This expert knows {kind.__name__}, not {type(parameters).__name__}: see rlx.experts(env_id)."
        )
    return parameters
