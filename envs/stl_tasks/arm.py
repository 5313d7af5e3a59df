"""A Franka Emika Panda whose flange reaches a goal and stays there, past a spherical obstacle."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from ..core import jit, uniform
from .scalars import Array, Record, root

JOINTS = ("q1", "q2", "q3", "q4", "q5", "q6", "q7")
OBSERVED = (*JOINTS, "goal_x", "goal_y", "goal_z")
HIDDEN: dict[str, str] = {}
SIGNALS = (*OBSERVED, "tip_x", "tip_y", "tip_z", "reach", "clearance", "limits")
REACH, CLEARANCE, LIMITS = range(13, 16)

#: Craig's convention, from Franka's documentation ("Robot and interface specifications"): per joint, the length (m) and
#: the twist's cosine and sine before it, and the offset (m) along its axis.
CHAIN = (
    (0.0, 1.0, 0.0, 0.333),
    (0.0, 0.0, -1.0, 0.0),
    (0.0, 0.0, 1.0, 0.316),
    (0.0825, 0.0, 1.0, 0.0),
    (-0.0825, 0.0, -1.0, 0.384),
    (0.0, 0.0, 1.0, 0.0),
    (0.088, 0.0, 1.0, 0.0),
)
FLANGE = 0.107  # m
#: Joint limits in rad, from the same place.
LOWEST = (-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973)
HIGHEST = (2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973)
#: Where goals are, in m from the base: smallest and largest x, y, z.
GOALS = ((-0.5, 0.5), (-0.5, 0.5), (0.2, 0.8))
TRIES = 1000


@jit
def move(s: Record, a: Array, p: Record) -> None:
    """Turn the joints at constant rates for a step."""
    turn = p.dt * p.speed
    s.q1 = s.q1 + turn * a[0]
    s.q2 = s.q2 + turn * a[1]
    s.q3 = s.q3 + turn * a[2]
    s.q4 = s.q4 + turn * a[3]
    s.q5 = s.q5 + turn * a[4]
    s.q6 = s.q6 + turn * a[5]
    s.q7 = s.q7 + turn * a[6]


@jit
def along(cosines: tuple[float, ...], sines: tuple[float, ...], x: float, y: float, z: float) -> float:
    """Return the flange's coordinate along a direction (x, y, z) of the base.

    From link to link, x, y and z are the direction in the link's own frame.
    """
    reached = 0.0
    for i in range(7):
        length, twist_cosine, twist_sine, offset = CHAIN[i]
        reached = reached + length * x
        y, z = twist_cosine * y + twist_sine * z, twist_cosine * z - twist_sine * y
        reached = reached + offset * z
        x, y = cosines[i] * x + sines[i] * y, cosines[i] * y - sines[i] * x
    return reached + FLANGE * z


@jit
def flange(q: tuple[float, ...]) -> tuple[float, float, float]:
    """Return where the flange is, in m from the base, with joints at ``q`` rad."""
    cosines = (cos(q[0]), cos(q[1]), cos(q[2]), cos(q[3]), cos(q[4]), cos(q[5]), cos(q[6]))
    sines = (sin(q[0]), sin(q[1]), sin(q[2]), sin(q[3]), sin(q[4]), sin(q[5]), sin(q[6]))
    return (
        along(cosines, sines, 1.0, 0.0, 0.0),
        along(cosines, sines, 0.0, 1.0, 0.0),
        along(cosines, sines, 0.0, 0.0, 1.0),
    )


@jit
def room(q: float, lowest: float, highest: float) -> float:
    """Return the product of the distances to both limits of a joint; negative beyond."""
    return (highest - q) * (q - lowest)


@jit
def sense(s: Record, p: Record) -> tuple[float, ...]:
    """Return `SIGNALS`."""
    x, y, z = flange((s.q1, s.q2, s.q3, s.q4, s.q5, s.q6, s.q7))
    gx, gy, gz = x - s.goal_x, y - s.goal_y, z - s.goal_z
    ox, oy, oz = x - p.obstacle_x, y - p.obstacle_y, z - p.obstacle_z
    return (
        s.q1,
        s.q2,
        s.q3,
        s.q4,
        s.q5,
        s.q6,
        s.q7,
        s.goal_x,
        s.goal_y,
        s.goal_z,
        x,
        y,
        z,
        p.tolerance - root(gx * gx + gy * gy + gz * gz),
        root(ox * ox + oy * oy + oz * oz) - p.radius,
        min(
            room(s.q1, LOWEST[0], HIGHEST[0]),
            room(s.q2, LOWEST[1], HIGHEST[1]),
            room(s.q3, LOWEST[2], HIGHEST[2]),
            room(s.q4, LOWEST[3], HIGHEST[3]),
            room(s.q5, LOWEST[4], HIGHEST[4]),
            room(s.q6, LOWEST[5], HIGHEST[5]),
            room(s.q7, LOWEST[6], HIGHEST[6]),
        ),
    )


@jit
def progress(seen: Array, p: Record) -> float:
    """Reward the goal, penalise the obstacle and joints beyond their limits."""
    reward: float = 0.0
    reward += seen[REACH] > 0.0
    reward -= seen[CLEARANCE] < 0.0
    reward -= seen[LIMITS] < 0.0
    return reward


@jit
def joint(s: Record, i: int) -> float:
    """Draw the angle of a joint."""
    return LOWEST[i] + (HIGHEST[i] - LOWEST[i]) * uniform(s.dice)


@jit
def coordinate(s: Record, i: int) -> float:
    """Draw a coordinate of the goal."""
    low, high = GOALS[i]
    return low + (high - low) * uniform(s.dice)


@jit
def begin(s: Record, p: Record) -> None:
    """Draw a pose and a goal outside of the obstacle."""
    for _ in range(TRIES):
        s.q1, s.q2, s.q3, s.q4 = joint(s, 0), joint(s, 1), joint(s, 2), joint(s, 3)
        s.q5, s.q6, s.q7 = joint(s, 4), joint(s, 5), joint(s, 6)
        s.goal_x, s.goal_y, s.goal_z = coordinate(s, 0), coordinate(s, 1), coordinate(s, 2)
        gx, gy, gz = s.goal_x - p.obstacle_x, s.goal_y - p.obstacle_y, s.goal_z - p.obstacle_z
        if gx * gx + gy * gy + gz * gz > p.radius * p.radius and sense(s, p)[CLEARANCE] > 0.0:
            return


def links(q: Iterable[float]) -> NDArray[np.float64]:
    """Return the places of base, joints and flange, (9, 3) m, with joints at ``q`` rad."""
    return _frames(q)[0]


def _frames(q: Iterable[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return places, see `links`, and the directions of the joints' axes, (7, 3)."""
    frame, place, places, axes = np.eye(3), np.zeros(3), [np.zeros(3)], []
    for angle, (length, twist_cosine, twist_sine, offset) in zip(q, CHAIN, strict=True):
        place = place + length * frame[:, 0]
        frame = frame @ [[1.0, 0.0, 0.0], [0.0, twist_cosine, -twist_sine], [0.0, twist_sine, twist_cosine]]
        place = place + offset * frame[:, 2]
        frame = frame @ [[cos(angle), -sin(angle), 0.0], [sin(angle), cos(angle), 0.0], [0.0, 0.0, 1.0]]
        places.append(place)
        axes.append(frame[:, 2])
    return np.array([*places, place + FLANGE * frame[:, 2]]), np.array(axes)


def jacobian(q: Iterable[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the flange's place (3,) in m, and its derivative with respect to the joints' angles (3, 7) in m/rad."""
    places, axes = _frames(q)
    tip = places[-1]
    return tip, np.cross(axes, tip - places[1:8]).T
