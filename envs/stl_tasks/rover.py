"""A rover that visits a destination, or a charger first, between four obstacles."""

from __future__ import annotations

from math import cos, pi, sin

from ..core import integer, jit, uniform
from .scalars import Array, Record, clip, root, select, step

OBSERVED = (
    "x", "y", "destination_x", "destination_y", "charger_x", "charger_y", "battery", "hold", "start_x", "start_y",
)  # fmt: skip
#: What is not observed, and as which of the observed it begins.
HIDDEN = {"from_x": "x", "from_y": "y"}
SIGNALS = (
    *OBSERVED, "in_map", "free_1", "free_2", "free_3", "free_4", "at_destination", "at_charger", "stand_by", "charged",
)  # fmt: skip
IN_MAP, FREE_1, FREE_2, FREE_3, FREE_4, AT_DESTINATION, AT_CHARGER = range(10, 17)

SIZE = 10.0  # m: side of the map
#: Obstacles: left, bottom, side.
OBSTACLES = ((0.0, 0.0, 3.0), (3.5, 7.0, 3.0), (7.0, 0.0, 3.0), (4.25, 4.25, 1.5))
FULLEST = 25  # steps: the battery of starts
TRIES = 1000


@jit
def move(s: Record, a: Array, p: Record) -> None:
    """Drive for a step; who was at the charger has a charged battery, and a step less to wait."""
    is_near = step(p.near - root((s.x - s.charger_x) * (s.x - s.charger_x) + (s.y - s.charger_y) * (s.y - s.charger_y)))
    s.battery = (s.battery - p.dt) * (1.0 - is_near) + p.charge * is_near
    s.hold = s.hold - p.dt * is_near
    speed, heading = 0.5 * p.speed * (a[0] + 1.0), pi * a[1]
    s.from_x, s.from_y = s.x, s.y
    s.x = s.x + p.dt * speed * cos(heading)
    s.y = s.y + p.dt * speed * sin(heading)


@jit
def depth(x: float, y: float, left: float, bottom: float, side: float) -> float:
    """Return how deep a point lies in a square: side times the distance to the nearest edge, and 0.01."""
    return side * min(x - left, left + side - x, y - bottom, bottom + side - y) + 0.01


@jit
def cut(start: float, travel: float, edge: float, across: float, drift: float, low: float, side: float) -> float:
    """Return how well a way cuts an edge at coordinate ``edge``: t (1 - t) or u (1 - u), the smaller; -1 if not at all.

    ``start`` and ``travel`` are the way's coordinate and change across the edge, ``across`` and ``drift`` along it; t
    and u are the shares of way and edge before they meet.
    """
    is_moving = abs(travel) > 1e-9
    t = (edge - start) / select(is_moving, travel, 1.0)
    u = (across + t * drift - low) / side
    score = min(t * (1.0 - t), u * (1.0 - u))
    return select(is_moving & (score >= 0.0), score, -1.0)


@jit
def free(s: Record, left: float, bottom: float, side: float) -> float:
    """Return the robustness of being outside of a square, and not having crossed its edges in the last step."""
    dx, dy = s.x - s.from_x, s.y - s.from_y
    crossed = max(
        cut(s.from_x, dx, left, s.from_y, dy, bottom, side),
        cut(s.from_x, dx, left + side, s.from_y, dy, bottom, side),
        cut(s.from_y, dy, bottom, s.from_x, dx, left, side),
        cut(s.from_y, dy, bottom + side, s.from_x, dx, left, side),
    )
    return min(-depth(s.x, s.y, left, bottom, side), -crossed)


@jit
def sense(s: Record, p: Record) -> tuple[float, ...]:
    """Return `SIGNALS`."""
    square_1, square_2, square_3, square_4 = OBSTACLES
    dx, dy = s.x - s.destination_x, s.y - s.destination_y
    cx, cy = s.x - s.charger_x, s.y - s.charger_y
    sx, sy = s.x - s.start_x, s.y - s.start_y
    return (
        s.x,
        s.y,
        s.destination_x,
        s.destination_y,
        s.charger_x,
        s.charger_y,
        s.battery,
        s.hold,
        s.start_x,
        s.start_y,
        depth(s.x, s.y, 0.0, 0.0, SIZE),
        free(s, square_1[0], square_1[1], square_1[2]),
        free(s, square_2[0], square_2[1], square_2[2]),
        free(s, square_3[0], square_3[1], square_3[2]),
        free(s, square_4[0], square_4[1], square_4[2]),
        p.near - root(dx * dx + dy * dy),
        p.near - root(cx * cx + cy * cy),
        p.still - root(sx * sx + sy * sy),
        s.battery - p.dt * p.steps,
    )


@jit
def progress(seen: Array, p: Record) -> float:
    """Reward places that are to be visited, penalise obstacles, the map's edge and an empty battery."""
    reward: float = 0.0
    reward -= min(seen[FREE_1], seen[FREE_2], seen[FREE_3], seen[FREE_4]) < 0.0
    reward -= seen[IN_MAP] < 0.0
    reward -= seen[6] < 0.0
    reward += 0.1 * (seen[AT_CHARGER] > 0.0)
    reward += 0.1 * (seen[AT_DESTINATION] > 0.0)
    reward += 0.1 * (seen[7] < 0.0)
    return reward


@jit
def begin(s: Record, p: Record) -> None:
    """Draw a start: a quarter at the charger, the others no further from it than the battery lasts."""
    for _ in range(TRIES):
        s.charger_x, s.charger_y = SIZE * uniform(s.dice), SIZE * uniform(s.dice)
        s.destination_x, s.destination_y = SIZE * uniform(s.dice), SIZE * uniform(s.dice)
        heading = pi * (2.0 * uniform(s.dice) - 1.0)
        steps_to_hold = round(p.hold_time / p.dt)
        if uniform(s.dice) < 0.25:
            distance = p.near * uniform(s.dice)
            s.battery = p.dt * FULLEST
            s.hold = p.dt * integer(s.dice, steps_to_hold + 1)
        else:
            s.battery = p.dt * integer(s.dice, FULLEST + 1)
            distance = clip(p.speed * s.battery * uniform(s.dice), p.near, 14.14)
            s.hold = p.dt * steps_to_hold
        s.x, s.y = s.charger_x + distance * cos(heading), s.charger_y + distance * sin(heading)
        s.from_x = s.start_x = s.x
        s.from_y = s.start_y = s.y
        if is_open(s.x, s.y) and is_open(s.destination_x, s.destination_y) and is_open(s.charger_x, s.charger_y):
            return


@jit
def is_open(x: float, y: float) -> bool:
    """Tell whether a point is on the map and in no obstacle."""
    for left, bottom, side in OBSTACLES:
        if left <= x <= left + side and bottom <= y <= bottom + side:
            return False
    return 0.0 <= x <= SIZE and 0.0 <= y <= SIZE
