"""The compact observation: what a player knows, as numbers."""

from __future__ import annotations

import numpy as np

from ..core import jit
from .params import BANELING, BARRACKS, COMMAND_CENTER, DEPOT, MARINE, NONE, REFINERY, ROACH, SCV, ZERGLING
from .records import GATHER, HARVEST, IDLE, OWN, SEARCH, SHARDS, Array, Record

#: What is told of each unit: whether it is there, its place from -1 to 1 in the playable rectangle, its hit points, and
#: whether its weapon rests; of others, what kind of zerg they are.
OWN_FEATURES = ("is_there", "x", "y", "life", "is_ready")
OTHER_FEATURES = ("is_there", "x", "y", "life", "is_zergling", "is_baneling", "is_roach")
OWN_WIDTH, WIDTH = len(OWN_FEATURES), len(OTHER_FEATURES)
#: What is told of an economy.
ECONOMY_FEATURES = (
    "time", "minerals", "vespene", "food_used", "food_cap", "workers", "idle_workers", "gas_workers", "command_centers",
    "depots", "barracks", "refineries", "sites", "in_production", "marines",
)  # fmt: skip


@jit
def is_visible(p: Record, s: Record, u: int) -> bool:
    """Return whether a marine sees a unit; but for the search, everything is seen."""
    if p.rule != SEARCH:
        return True
    for v in range(min(s.count, p.marines)):  # nobody joins a search
        if s.kind[v] == MARINE:
            reach = p.sight[MARINE] + p.radius[s.kind[u]]
            if (s.x[v] - s.x[u]) ** 2 + (s.y[v] - s.y[u]) ** 2 <= reach * reach:
                return True
    return False


@jit
def see(p: Record, s: Record, seen: Array) -> None:
    """Fill a compact observation."""
    if p.rule >= HARVEST:
        see_economy(p, s, seen)
        return
    seen[:] = 0.0
    own, other = 0, OWN_WIDTH * p.own
    scale_x, scale_y = 2.0 / (p.right - p.left), 2.0 / (p.top - p.bottom)
    last_own, last = OWN_WIDTH * p.own, len(seen)
    for u in range(s.count):
        kind = s.kind[u]
        if kind == NONE:
            continue
        x, y = (s.x[u] - p.left) * scale_x - 1.0, (s.y[u] - p.bottom) * scale_y - 1.0
        if s.owner[u] == OWN:
            if own < last_own:
                seen[own], seen[own + 1], seen[own + 2] = 1.0, x, y
                seen[own + 3], seen[own + 4] = s.life[u] / p.life[kind], s.cooldown[u] <= 0.0
                own += OWN_WIDTH
        elif other < last and is_visible(p, s, u):
            seen[other], seen[other + 1], seen[other + 2] = 1.0, x, y
            seen[other + 3] = s.life[u] / p.life[kind]
            seen[other + 4], seen[other + 5], seen[other + 6] = kind == ZERGLING, kind == BANELING, kind == ROACH
            other += WIDTH
    if p.rule == SHARDS:
        sort(seen, OWN_WIDTH * p.own, other, scale_x / scale_y)


@jit
def sort(seen: Array, first: int, last: int, ratio: float) -> None:
    """Bring shards into the order of their distance from the first marine: they have no other that means anything.

    Args:
        seen: an observation.
        first: where shards begin in it.
        last: where they end.
        ratio: a cell along x over one along y, in the observation's numbers.
    """
    row = np.empty(WIDTH, np.float32)
    for at in range(first + WIDTH, last, WIDTH):
        row[:] = seen[at : at + WIDTH]
        away = (row[1] - seen[1]) ** 2 + ((row[2] - seen[2]) * ratio) ** 2
        k = at - WIDTH
        while k >= first and (seen[k + 1] - seen[1]) ** 2 + ((seen[k + 2] - seen[2]) * ratio) ** 2 > away:
            seen[k + WIDTH : k + 2 * WIDTH] = seen[k : k + WIDTH]
            k -= WIDTH
        seen[k + WIDTH : k + 2 * WIDTH] = row


@jit
def see_economy(p: Record, s: Record, seen: Array) -> None:
    """Fill the observation of an economy."""
    seen[:] = 0.0
    seen[0] = s.loop / p.loops
    seen[1], seen[2] = min(s.minerals / 1000.0, 10.0), min(s.vespene / 1000.0, 10.0)
    seen[3], seen[4] = s.food_used / 200.0, s.food_cap / 200.0
    for u in range(s.count):
        kind = s.kind[u]
        if kind == SCV:
            seen[5] += 1.0 / 50.0
            if s.order[u] == IDLE:
                seen[6] += 1.0 / 50.0
            elif s.order[u] >= GATHER and s.target[u] >= 0 and s.kind[s.target[u]] == REFINERY:
                seen[7] += 1.0 / 50.0
        elif kind == MARINE:
            seen[14] += 1.0 / 200.0
        elif kind != NONE and s.owner[u] == OWN:
            if s.project[u] != NONE:
                seen[12] += 0.1
            elif kind == COMMAND_CENTER:
                seen[8] += 0.1
            elif kind == DEPOT:
                seen[9] += 0.1
            elif kind == BARRACKS:
                seen[10] += 0.1
            elif kind == REFINERY:
                seen[11] += 0.1
            seen[13] += s.queued[u] / 50.0
