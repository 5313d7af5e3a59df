"""A ship in a river with two obstacles."""

from __future__ import annotations

from math import cos, sin

from ..core import jit, uniform
from .scalars import Array, Record, clip
from .ship import STATE, SUBSTEPS, launch, sail

OBSERVED = (*STATE, "obstacle_x_1", "obstacle_y_1", "radius_1", "obstacle_x_2", "obstacle_y_2", "radius_2")
HIDDEN: dict[str, str] = {}
SIGNALS = (*OBSERVED, "clearance_1", "clearance_2", "bank")
CLEARANCE_1, CLEARANCE_2, BANK = range(12, 15)

TRIES = 1000
SIGHT = 4.95  # m: straight ahead, the way is free so far
ROOM = 1.5  # m: between the ship and the first obstacle


@jit
def move(s: Record, a: Array, p: Record) -> None:
    """Take a step, in `SUBSTEPS` Euler steps."""
    for _ in range(SUBSTEPS):
        sail(s, a, p, p.dt / SUBSTEPS)


@jit
def sense(s: Record, p: Record) -> tuple[float, ...]:
    """Return `SIGNALS`."""
    dx_1, dy_1, dx_2, dy_2 = s.x - s.obstacle_x_1, s.y - s.obstacle_y_1, s.x - s.obstacle_x_2, s.y - s.obstacle_y_2
    return (
        s.x,
        s.y,
        s.phi,
        s.u,
        s.v,
        s.r,
        s.obstacle_x_1,
        s.obstacle_y_1,
        s.radius_1,
        s.obstacle_x_2,
        s.obstacle_y_2,
        s.radius_2,
        dx_1 * dx_1 + dy_1 * dy_1 - s.radius_1 * s.radius_1,
        dx_2 * dx_2 + dy_2 * dy_2 - s.radius_2 * s.radius_2,
        0.5 * p.width - abs(s.y),
    )


@jit
def progress(seen: Array, p: Record) -> float:
    """Reward a step, penalise a collision."""
    reward: float = 0.1
    reward -= seen[CLEARANCE_1] < 0.0
    reward -= seen[CLEARANCE_2] < 0.0
    reward -= seen[BANK] < 0.0
    return reward


@jit
def begin(s: Record, p: Record) -> None:
    """Draw a start with room to the first obstacle, and free sight straight ahead."""
    for _ in range(TRIES):
        launch(s, p)
        s.obstacle_x_1 = 0.5 * p.reach * uniform(s.dice)
        s.obstacle_x_2 = s.obstacle_x_1 + 0.5 * p.reach
        s.obstacle_y_1 = p.width * (uniform(s.dice) - 0.5)
        s.obstacle_y_2 = p.width * (uniform(s.dice) - 0.5)
        s.radius_1 = s.radius_2 = p.radius
        dx, dy = s.obstacle_x_1, s.obstacle_y_1 - s.y
        nearest = clip(dx * cos(s.phi) + dy * sin(s.phi), 0.0, SIGHT)
        off_x, off_y = dx - nearest * cos(s.phi), dy - nearest * sin(s.phi)
        has_room = dx * dx + dy * dy > (p.radius + ROOM) * (p.radius + ROOM)
        sees = off_x * off_x + off_y * off_y > p.radius * p.radius
        if has_room and sees and abs(s.y + SIGHT * sin(s.phi)) < 0.5 * p.width:
            return
