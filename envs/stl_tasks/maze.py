"""A ball that rises through two bars, each with gaps beside it and perhaps a goal in a gap."""

from __future__ import annotations

from math import floor

from ..core import Stream, integer, jit, uniform
from .scalars import Array, Record, clip

OBSERVED = ("x", "vx", "y", "left_1", "width_1", "goal_1", "left_2", "width_2", "goal_2")
HIDDEN: dict[str, str] = {}
SIGNALS = (*OBSERVED, "band_1", "beside_1", "reach_1", "band_2", "beside_2", "reach_2")
BAND_1, BESIDE_1, REACH_1, BAND_2, BESIDE_2, REACH_2 = range(9, 15)

NO_GOAL = -1.0
WALL = 0.1  # m: how near the ball comes to the walls; a gap that is no wider is closed
TRIES = 1000


@jit
def move(s: Record, a: Array, p: Record) -> None:
    """Take an Euler step."""
    x = clip(s.x + p.dt * s.vx, WALL, p.width - WALL)
    s.vx = clip(s.vx + p.dt * p.acceleration * a[0], -p.speed, p.speed)
    s.y = s.y + p.dt * p.climb
    s.x = x


@jit
def sense(s: Record, p: Record) -> tuple[float, ...]:
    """Return `SIGNALS`."""
    square, y_2 = 0.25 * p.goal_size * p.goal_size, s.y - p.spacing
    middle = 0.5 * p.band
    return (
        s.x,
        s.vx,
        s.y,
        s.left_1,
        s.width_1,
        s.goal_1,
        s.left_2,
        s.width_2,
        s.goal_2,
        -s.y * (s.y + p.band),
        (s.left_1 + s.width_1 - s.x) * (s.left_1 - s.x),
        square - (s.x - s.goal_1) * (s.x - s.goal_1) - (s.y + middle) * (s.y + middle),
        -y_2 * (y_2 + p.band),
        (s.left_2 + s.width_2 - s.x) * (s.left_2 - s.x),
        square - (s.x - s.goal_2) * (s.x - s.goal_2) - (y_2 + middle) * (y_2 + middle),
    )


@jit
def progress(seen: Array, p: Record) -> float:
    """Reward a goal reached, penalise a bar touched."""
    reward: float = 0.0
    reward -= seen[BAND_1] > 0.0 and seen[BESIDE_1] < 0.0
    reward -= seen[BAND_2] > 0.0 and seen[BESIDE_2] < 0.0
    reward += seen[REACH_1] > 0.0
    reward += seen[REACH_2] > 0.0
    return reward


@jit
def bar(dice: Stream, p: Record) -> tuple[float, float, float]:
    """Draw a bar: its left end, its width, and the goal left or right of it or nowhere."""
    width = p.bar_min + (p.bar_max - p.bar_min) * uniform(dice)
    left = (p.width - width) * uniform(dice)
    if left < WALL:
        left = 0.0
    elif p.width - width - left < WALL:
        left = p.width - width
    start, gap = 0.0, left
    side = integer(dice, 3)
    if side == 1:
        start, gap = left + width, p.width - width - left
    within = gap * (0.3 + 0.4 * uniform(dice))
    has_room = min(within, gap - within) >= 0.5 * p.goal_size
    return left, width, start + within if side < 2 and has_room else NO_GOAL


@jit
def begin(s: Record, p: Record) -> None:
    """Draw a start from which the first gap, or the goal in it, is within reach."""
    for _ in range(TRIES):
        s.vx = p.speed * (2.0 * uniform(s.dice) - 1.0)
        s.y = -p.spacing * uniform(s.dice)
        s.left_1, s.width_1, s.goal_1 = bar(s.dice, p)
        s.left_2, s.width_2, s.goal_2 = bar(s.dice, p)
        steps = floor((-s.y - p.band) / p.climb / p.dt) - 1.0
        most, drift = p.dt * p.speed * steps, p.dt * s.vx
        share, is_left = uniform(s.dice), uniform(s.dice) < 0.5
        right = s.left_1 + s.width_1
        is_left = s.left_1 > 0.0 and (
            (is_left and s.left_1 - drift + most > 0.0) or p.width - right < WALL or right - drift - most >= p.width
        )
        low, high = (0.0, s.left_1) if is_left else (right, p.width)
        if s.goal_1 > 0.0:
            low, high = s.goal_1 - 0.5 * p.goal_size, s.goal_1 + 0.5 * p.goal_size
        low, high = clip(low - drift - most, 0.0, p.width), clip(high - drift + most, 0.0, p.width)
        s.x = share * low + (1.0 - share) * high
        if not (is_hit(s, s.x, s.y, p) or is_hit(s, s.x + drift, s.y + p.dt * p.climb, p)):
            return


@jit
def is_hit(s: Record, x: float, y: float, p: Record) -> bool:
    """Tell whether a point is at the first bar's height, or above, and in its way."""
    hit: bool = y >= -p.band and s.left_1 <= x <= s.left_1 + s.width_1
    return hit
