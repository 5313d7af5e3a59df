"""A ship that follows the middle of a river, leaves it for an obstacle, and must be back in time."""

from __future__ import annotations

from ..core import integer, jit, uniform
from .scalars import Array, Record, smooth_step
from .ship import STATE, SUBSTEPS, launch, sail

OBSERVED = (*STATE, "obstacle_x", "obstacle_y", "radius", "time_left")
HIDDEN: dict[str, str] = {}
SIGNALS = (*OBSERVED, "clearance", "bank", "on_track")
TIME_LEFT, CLEARANCE, BANK, ON_TRACK = range(9, 13)

TRIES = 1000
#: Per scene (no obstacle, one far ahead, near ahead, just passed): where the obstacle may be, and the steps off the
#: track that may be left, smallest and largest.
SCENES = ((-5.0, -5.0, 1.0, 9.0), (5.0, 8.0, 10.0, 25.0), (0.0, 5.0, 8.0, 14.0), (-1.0, 0.0, 5.0, 11.0))


@jit
def move(s: Record, a: Array, p: Record) -> None:
    """Take a step, in `SUBSTEPS` Euler steps; off the track, time runs out."""
    dt = p.dt / SUBSTEPS
    for _ in range(SUBSTEPS):
        s.time_left = s.time_left - dt * smooth_step(s.y * s.y - p.track * p.track)
        sail(s, a, p, dt)


@jit
def sense(s: Record, p: Record) -> tuple[float, ...]:
    """Return `SIGNALS`."""
    dx, dy = s.x - s.obstacle_x, s.y - s.obstacle_y
    return (
        s.x,
        s.y,
        s.phi,
        s.u,
        s.v,
        s.r,
        s.obstacle_x,
        s.obstacle_y,
        s.radius,
        s.time_left,
        dx * dx + dy * dy - s.radius * s.radius,
        0.25 * p.width * p.width - s.y * s.y,
        p.track * p.track - s.y * s.y,
    )


@jit
def progress(seen: Array, p: Record) -> float:
    """Reward a step, penalise a collision and being late."""
    reward: float = 0.1
    reward -= seen[CLEARANCE] < 0.0
    reward -= seen[BANK] < 0.0
    reward -= seen[TIME_LEFT] < 0.0 and seen[ON_TRACK] < 0.0
    return reward


@jit
def begin(s: Record, p: Record) -> None:
    """Draw a scene in which neither the obstacle nor a bank is too near."""
    for _ in range(TRIES):
        first, last, fewest, most = SCENES[integer(s.dice, 4)]
        launch(s, p)
        s.obstacle_x, s.obstacle_y = first + (last - first) * uniform(s.dice), 0.0
        s.radius = p.radius_min + (p.radius_max - p.radius_min) * uniform(s.dice)
        s.time_left = p.dt * (fewest + integer(s.dice, int(most - fewest) + 1))
        if is_fair(s, p):
            return


@jit
def is_fair(s: Record, p: Record) -> bool:
    """Tell whether a start leaves a way: past the obstacle, away from the banks, and in time."""
    ahead, beside = s.obstacle_x, abs(s.y)
    outward = s.phi if s.y > 0.0 else -s.phi
    is_near_bank = beside > 1.5
    return not (
        ahead * ahead + beside * beside <= s.radius * s.radius
        or (is_near_bank and (outward > 0.0 or s.time_left < 5.0 * p.dt))
        or (0.0 < ahead < s.radius + 0.5 and beside < s.radius)
        or (0.0 < ahead < s.radius + 1.5 and beside < 0.3)
    )
