"""Workers and buildings: gathering, building, training."""

from __future__ import annotations

import math

from ..core import jit
from .engine import distance, gap, give, next_order, remove, spawn, walk
from .params import BARRACKS, COMMAND_CENTER, DEPOT, GEYSER, MARINE, MINERALS, NONE, REFINERY, SCV
from .paths import route
from .records import (
    BARRACKS_RULE,
    BUILD,
    CONSTRUCT,
    DELIVER,
    GATHER,
    IDLE,
    MINE,
    MOVE,
    OWN,
    QUEUE,
    RETURN,
    TRAIN,
    Record,
)

#: Loops that a worker spends at a field, in a refinery, and to hand over; and what it carries of each.
MINING, DRAWING, HANDING = 2.786 * 16, 1.981 * 16, 0.5 * 16
LOAD, DRAUGHT = 5.0, 4.0
#: How near one must come to work on something.
TOUCH = 0.02
#: How far from a field workers look for another, and how far a command centre must be from resources: in the game 3,
#: but that of the maps stands 2.33 from its fields, and beside it another finds a place 1 from those on the other side.
FIELDS, KEPT_FREE = 10.0, 1.0
#: The most supply there is.
MOST_FOOD = 200.0


@jit
def off(p: Record, s: Record, u: int, kind: int, x: float, y: float) -> float:
    """Return how far a unit's middle is from the footprint that a building or resource has, or would have, there."""
    dx = max(abs(s.x[u] - x) - 0.5 * p.width[kind], 0.0)
    dy = max(abs(s.y[u] - y) - 0.5 * p.height[kind], 0.0)
    return math.sqrt(dx * dx + dy * dy)


@jit
def is_finished(s: Record, u: int) -> bool:
    """Return whether a building stands."""
    return bool(s.project[u] == NONE)


@jit
def is_source(s: Record, t: int) -> bool:
    """Return whether something can be gathered there."""
    return t >= 0 and (s.kind[t] == MINERALS or (s.kind[t] == REFINERY and is_finished(s, t) and s.amount[t] > 0.0))


@jit
def nearest(s: Record, x: float, y: float, kind: int) -> int:
    """Return the unit of a kind that is nearest to a point, no unfinished building, or -1."""
    found, best = -1, 1e300
    for v in range(s.count):
        if s.kind[v] == kind and is_finished(s, v):
            away = (s.x[v] - x) ** 2 + (s.y[v] - y) ** 2
            if away < best:
                found, best = v, away
    return found


@jit
def workers_at(s: Record, t: int, but: int) -> int:
    """Return how many workers gather at a field or a refinery, not counting one, or -1."""
    number = 0
    for u in range(s.count):
        if u != but and s.kind[u] == SCV and s.target[u] == t and GATHER <= s.order[u] <= DELIVER:
            number += 1
    return number


@jit
def other_field(s: Record, u: int, x: float, y: float, reach: float) -> int:
    """Return the field for a worker: the one with the fewest workers of those near a point, the nearest of them."""
    found, least, best = -1, 1e300, 1e300
    for v in range(s.count):
        if s.kind[v] != MINERALS:
            continue
        away = (s.x[v] - x) ** 2 + (s.y[v] - y) ** 2
        if away > reach * reach:
            continue
        workers = float(workers_at(s, v, u))
        if workers < least or (workers == least and away < best):
            found, least, best = v, workers, away
    return found


@jit
def has_free_field(s: Record) -> bool:
    """Return whether nobody works at some field."""
    kinds, workers, free = s.kind, s.worker, 0
    for v in range(s.count):
        free += (kinds[v] == MINERALS) & (workers[v] < 0)
    return free > 0


@jit
def work(p: Record, s: Record, u: int) -> None:
    """Let a loop pass for a worker at work."""
    order, t = s.order[u], s.target[u]
    if order == GATHER:
        gather(p, s, u)
    elif order == MINE:
        s.timer[u] -= 1.0
        if t < 0:
            s.order[u] = GATHER
        elif s.timer[u] <= 0.0:
            load = min(LOAD if s.kind[t] == MINERALS else DRAUGHT, s.amount[t])
            s.amount[t] -= load
            s.amount[u], s.is_gas[u] = load, s.kind[t] == REFINERY
            s.worker[t], s.order[u], s.aim[u] = -1, RETURN, -1
            if s.amount[t] <= 0.0 and s.kind[t] == MINERALS:
                remove(s, t)
    elif order == RETURN:
        if s.aim[u] < 0:
            s.aim[u] = nearest(s, s.x[u], s.y[u], COMMAND_CENTER)
        if s.aim[u] < 0 or s.amount[u] == 0.0:
            next_order(s, u)
        elif gap(p, s, u, s.aim[u]) <= TOUCH:
            s.order[u], s.timer[u], s.pace[u] = DELIVER, HANDING, 0.0
        else:
            walk(p, s, u, s.x[s.aim[u]], s.y[s.aim[u]], distance(s, u, s.aim[u]) - gap(p, s, u, s.aim[u]))
    elif order == DELIVER:
        s.timer[u] -= 1.0
        if s.timer[u] <= 0.0:
            deliver(p, s, u)
    elif order == BUILD:
        begin_building(p, s, u)
    elif order == CONSTRUCT:
        construct(p, s, u)


@jit
def gather(p: Record, s: Record, u: int) -> None:
    """Walk to a field or a refinery, and begin to work there when it is free."""
    t = s.target[u]
    if not is_source(s, t):
        t = s.target[u] = other_field(s, u, s.x[u], s.y[u], FIELDS)
        if t < 0:
            next_order(s, u)
            return
    away = off(p, s, u, s.kind[t], s.x[t], s.y[t]) - p.radius[s.kind[u]]
    if away > TOUCH:
        walk(p, s, u, s.x[t], s.y[t], distance(s, u, t) - away)
        return
    s.pace[u] = 0.0
    if s.worker[t] < 0:
        s.worker[t], s.order[u] = u, MINE
        s.timer[u] = MINING if s.kind[t] == MINERALS else DRAWING
    elif s.kind[t] == MINERALS and has_free_field(s):
        found = other_field(s, u, s.x[t], s.y[t], FIELDS)
        if found >= 0 and s.worker[found] < 0:
            s.target[u] = found


@jit
def deliver(p: Record, s: Record, u: int) -> None:
    """Hand over what is carried."""
    place = 1 if s.is_gas[u] else 0
    if place:
        s.vespene += s.amount[u]
    else:
        s.minerals += s.amount[u]
    s.collected[place] += s.amount[u]
    if p.rule != BARRACKS_RULE:
        s.score += s.amount[u]
    s.amount[u] = 0.0
    if s.plans[u] > 0:
        next_order(s, u)
    else:
        s.order[u] = GATHER


@jit
def is_free(p: Record, s: Record, kind: int, x: float, y: float, lane: float) -> bool:
    """Return whether a building may stand with its centre at a point, ``lane`` cells or more from all others."""
    w, h = 0.5 * p.width[kind], 0.5 * p.height[kind]
    if x - w < p.left or x + w > p.right or y - h < p.bottom or y + h > p.top:
        return False
    for v in range(s.count):
        other = s.kind[v]
        if other == NONE or p.width[other] == 0.0:
            continue
        if kind == REFINERY:
            if other == GEYSER:
                continue
        margin = KEPT_FREE if kind == COMMAND_CENTER and (other == MINERALS or other == GEYSER) else lane - 1e-3
        if abs(s.x[v] - x) < w + 0.5 * p.width[other] + margin and abs(s.y[v] - y) < h + 0.5 * p.height[other] + margin:
            return False
    if kind == REFINERY:
        g = nearest(s, x, y, GEYSER)
        return g >= 0 and abs(s.x[g] - x) < 0.1 and abs(s.y[g] - y) < 0.1
    return True


@jit
def snap(p: Record, kind: int, at: float, is_row: bool) -> float:
    """Return the nearest place for the centre of a building, which covers whole cells."""
    size = p.height[kind] if is_row else p.width[kind]
    half = 0.5 * (size % 2.0)
    return math.floor(at - half + 0.5) + half


@jit
def can_pay(p: Record, s: Record, kind: int) -> bool:
    """Return whether there is enough for a unit or building, and what it needs stands."""
    if s.minerals < p.minerals[kind] or s.vespene < p.vespene[kind]:
        return False
    if kind == BARRACKS:
        return nearest(s, 0.0, 0.0, DEPOT) >= 0
    return True


@jit
def begin_building(p: Record, s: Record, u: int) -> None:
    """Walk to the site, pay, and lay the foundation."""
    kind, x, y = s.project[u], s.goal_x[u], s.goal_y[u]
    if off(p, s, u, kind, x, y) > p.radius[SCV] + TOUCH:
        is_reachable, next_x, next_y = route(p, s, u, x, y)
        if is_reachable:
            walk(p, s, u, next_x, next_y, 0.0)
        else:
            s.project[u] = NONE
            next_order(s, u)
        return
    s.pace[u] = 0.0
    if not (can_pay(p, s, kind) and is_free(p, s, kind, x, y, 0.0)):
        s.project[u] = NONE
        next_order(s, u)
        return
    left = 0.0
    if kind == REFINERY:
        g = nearest(s, x, y, GEYSER)
        left = s.amount[g]
        remove(s, g)
    b = spawn(p, s, kind, OWN, x, y)
    if b < 0:
        next_order(s, u)
        return
    for v in range(s.count):  # who stands there is pushed aside
        if distance(s, b, v) < 1.5 * p.radius[kind] + p.radius[s.kind[v]]:
            s.is_moving[v] = 2
    s.minerals -= p.minerals[kind]
    s.vespene -= p.vespene[kind]
    s.project[u], s.project[b] = NONE, kind
    s.timer[b], s.amount[b], s.worker[b] = p.build[kind], left, u
    s.order[u], s.target[u], s.life[b] = CONSTRUCT, b, 0.1 * p.life[kind]


@jit
def construct(p: Record, s: Record, u: int) -> None:
    """Go on building."""
    b = s.target[u]
    if b < 0:
        next_order(s, u)
        return
    kind = s.kind[b]
    s.timer[b] -= 1.0
    s.life[b] = min(s.life[b] + 0.9 * p.life[kind] / p.build[kind], p.life[kind])
    if s.timer[b] > 0.0:
        return
    s.timer[b], s.project[b], s.worker[b] = 0.0, NONE, -1
    s.food_cap = min(s.food_cap + p.food[kind], MOST_FOOD)
    if kind == REFINERY and s.plans[u] == 0:  # who has built it draws from it
        s.order[u] = GATHER
    else:
        next_order(s, u)


@jit
def maker_of(kind: int) -> int:
    """Return the kind of building that makes a unit."""
    return BARRACKS if kind == MARINE else COMMAND_CENTER


@jit
def least_busy(s: Record, kind: int, is_selected: bool) -> int:
    """Return the building with the shortest queue of those that make a unit, or of the selected ones, or -1."""
    maker, found = maker_of(kind), -1
    for u in range(s.count):
        if s.kind[u] == maker and is_finished(s, u) and (s.is_selected[u] or not is_selected):
            if found < 0 or s.queued[u] < s.queued[found]:
                found = u
    return found


@jit
def enlist(p: Record, s: Record, b: int, kind: int) -> bool:
    """Pay for a unit that a building makes after those it has to make; return whether that was possible."""
    if s.kind[b] != maker_of(kind) or not is_finished(s, b) or s.queued[b] >= QUEUE or not can_pay(p, s, kind):
        return False
    s.minerals -= p.minerals[kind]
    s.vespene -= p.vespene[kind]
    s.queue[b, s.queued[b]] = kind
    s.queued[b] += 1
    return True


@jit
def produce(p: Record, s: Record, b: int) -> None:
    """Let a loop pass for a building."""
    if s.queued[b] == 0 or not is_finished(s, b):
        return
    kind = s.queue[b, 0]
    if s.order[b] != TRAIN:
        if s.food_used + p.supply[kind] > s.food_cap:
            return
        s.food_used += p.supply[kind]
        s.order[b], s.timer[b] = TRAIN, p.build[kind]
    s.timer[b] -= 1.0
    if s.timer[b] > 0.0:
        return
    s.order[b], s.timer[b] = IDLE, 0.0
    s.food_used -= p.supply[kind]
    s.queued[b] -= 1
    for k in range(s.queued[b]):
        s.queue[b, k] = s.queue[b, k + 1]
    dx, dy = 0.0, -1.0
    if s.has_rally[b]:
        t = s.rally_target[b]
        x, y = (s.x[t], s.y[t]) if t >= 0 else (s.rally_x[b], s.rally_y[b])
        away = max(math.sqrt((x - s.x[b]) ** 2 + (y - s.y[b]) ** 2), 1e-6)
        dx, dy = (x - s.x[b]) / away, (y - s.y[b]) / away
    out = p.radius[s.kind[b]] + p.radius[kind]
    u = spawn(p, s, kind, OWN, s.x[b] + out * dx, s.y[b] + out * dy)
    if u < 0:
        return
    if kind == MARINE:
        s.made += 1
        s.score += p.win
    if s.has_rally[b]:
        t = s.rally_target[b]
        if kind == SCV and is_source(s, t):
            give(s, u, GATHER, 0.0, 0.0, t, False)
        else:
            give(s, u, MOVE, s.rally_x[b], s.rally_y[b], -1, False)


@jit
def assign(s: Record, u: int, t: int) -> None:
    """Send a worker to a field or a refinery; with its hands full it hands over first."""
    give(s, u, GATHER, 0.0, 0.0, t, False)
    if s.amount[u] > 0.0:
        s.order[u] = RETURN


@jit
def order_building(p: Record, s: Record, u: int, kind: int, x: float, y: float) -> bool:
    """Send a worker to build; return whether it could be begun now."""
    x, y = snap(p, kind, x, False), snap(p, kind, y, True)
    if kind == REFINERY:
        g = nearest(s, x, y, GEYSER)
        if g < 0:
            return False
        x, y = s.x[g], s.y[g]
    if not (can_pay(p, s, kind) and is_free(p, s, kind, x, y, 0.0)):
        return False
    give(s, u, BUILD, x, y, -1, False)
    s.project[u] = kind
    return True
