"""What stands where when a mini-game starts, and when its next wave comes.

Regions, distances and counts are those of the triggers in the seven maps that pysc2 ships.
"""

from __future__ import annotations

import math

from ..core import integer, jit, uniform
from ..core.random import bits
from .economy import nearest
from .engine import FAR, give, remove, spawn
from .orders import explore
from .params import (
    BANELING,
    BEACON,
    COMMAND_CENTER,
    GEYSER,
    MARINE,
    MINERALS,
    NONE,
    ROACH,
    SCV,
    SHARD,
    ZERGLING,
)
from .records import (
    ARENA,
    BARRACKS_RULE,
    BEACON_RULE,
    ENEMY,
    GATHER,
    HARVEST,
    IDLE,
    NEUTRAL,
    OWN,
    SEARCH,
    SHARDS,
    Record,
)

#: The middle of the arena.
CENTRE_X, CENTRE_Y = 33.0, 28.0
#: Boxes in which the middle of an army stands, left and right: x from, x to, y from, y to.
CAMPS = ((23.97, 27.98, 25.06, 31.05), (38.02, 42.04, 25.04, 31.08))
#: How far a beacon is from the marine and from the middle, a shard from marines, zerglings from each other and from
#: marines.
FAR_BEACON, HOLE, FAR_SHARD, FAR_ZERGLING, FAR_WAVE = 5.0, 4.0, 2.0, 5.0, 9.0
#: Where the search begins, and from how far on zerglings lie about.
SEARCH_X, SEARCH_Y, QUIET = 32.0, 28.0, 10.5
#: The command centre, and the fields and geysers on its side; the others mirror them.
BASE = (29.83, 28.01)
FIELDS = (
    (23.0, 28.5),
    (24.0, 29.5),
    (23.0, 26.5),
    (25.0, 22.5),
    (25.0, 32.5),
    (24.0, 23.5),
    (24.0, 31.5),
    (24.0, 25.5),
)
GEYSERS = ((26.5, 20.5), (26.5, 34.5))
#: The field that workers begin with in BuildMarines.
FIRST_FIELD = 2
#: After so many tries a place is taken that is nearer than it should be.
TRIES = 1000


@jit
def is_clear(s: Record, x: float, y: float, kind: int, least: float) -> bool:
    """Return whether no unit of a kind is nearer to a point than that."""
    for v in range(s.count):
        if s.kind[v] == kind and (s.x[v] - x) ** 2 + (s.y[v] - y) ** 2 < least * least:
            return False
    return True


@jit
def between(s: Record, low: float, high: float) -> float:
    """Draw a number."""
    return low + (high - low) * uniform(s.dice)


@jit
def light(p: Record, s: Record) -> int:
    """Put a beacon somewhere, not near the marine; return its slot."""
    x = y = 0.0
    for _ in range(TRIES):
        x, y = between(s, p.left + 1.5, p.right - 1.5), between(s, p.bottom + 1.5, p.top - 1.5)
        if (x - CENTRE_X) ** 2 + (y - CENTRE_Y) ** 2 >= HOLE * HOLE and is_clear(s, x, y, MARINE, FAR_BEACON):
            break
    return spawn(p, s, BEACON, NEUTRAL, x, y)


@jit
def scatter(p: Record, s: Record) -> None:
    """Put shards about, not near marines."""
    for _ in range(p.shards):
        x = y = 0.0
        for _ in range(TRIES):
            x, y = between(s, p.left + 1.0, p.right - 1.0), between(s, p.bottom + 1.0, p.top - 1.0)
            if is_clear(s, x, y, MARINE, FAR_SHARD):
                break
        spawn(p, s, SHARD, NEUTRAL, x, y)


@jit
def hide(p: Record, s: Record) -> None:
    """Put zerglings where the search does not begin."""
    for k in range(p.zerglings):
        x = y = 0.0
        for _ in range(TRIES):
            if k < 2:
                away = between(s, 8.0, 9.0) if k == 0 else math.sqrt(between(s, 7.5**2, 9.5**2))
                turn = between(s, 0.0, 2.0 * math.pi)
                x, y = SEARCH_X + away * math.cos(turn), SEARCH_Y + away * math.sin(turn)
            else:
                x, y = between(s, p.left + 1.0, p.right - 1.0), between(s, p.bottom + 1.0, p.top - 1.0)
                if (x - SEARCH_X) ** 2 + (y - SEARCH_Y) ** 2 < QUIET * QUIET:
                    continue
            if is_clear(s, x, y, ZERGLING, FAR_ZERGLING):
                break
        spawn(p, s, ZERGLING, ENEMY, x, y)


@jit
def hide_again(p: Record, s: Record) -> None:
    """Put zerglings where no marines are."""
    for _ in range(p.zerglings):
        x = y = 0.0
        for _ in range(TRIES):
            x, y = between(s, p.left, p.right), between(s, p.bottom, p.top)
            if is_clear(s, x, y, MARINE, FAR_WAVE) and is_clear(s, x, y, ZERGLING, FAR_ZERGLING):
                break
        spawn(p, s, ZERGLING, ENEMY, x, y)


@jit
def line_up(p: Record, s: Record, marines: int) -> None:
    """Let an arena's marines and the next wave face each other; those that live keep their hit points.

    Args:
        p: the task.
        s: the state.
        marines: that join.
    """
    for _ in range(marines):
        spawn(p, s, MARINE, OWN, CENTRE_X, CENTRE_Y)
    s.missiles = 0  # the map makes the marines anew that they fly to
    side = integer(s.dice, 2)
    camp = CAMPS[side]
    x, y = between(s, camp[0], camp[1]), between(s, camp[2], camp[3])
    k = 0
    for u in range(s.count):
        if s.kind[u] == MARINE:
            # 0, +1, -1, +2, -2, ...
            s.x[u], s.y[u] = x, y + (0.5 * (k + 1) if k % 2 else -0.5 * k)
            s.y[u] = min(max(s.y[u], p.bottom), p.top)
            s.order[u], s.target[u], s.aim[u], s.plans[u], s.stuck[u] = IDLE, -1, -1, 0, 0
            s.cooldown[u] = s.windup[u] = 0.0
            s.is_selected[u], s.is_moving[u] = 1, 2
            k += 1
    camp = CAMPS[1 - side]
    x, y = between(s, camp[0], camp[1]), between(s, camp[2], camp[3])
    for k in range(p.roaches):
        spawn(p, s, ROACH, ENEMY, x, y + k - 0.5 * (p.roaches - 1))
    for _ in range(p.zerglings):
        spawn(p, s, ZERGLING, ENEMY, x, y)
    for _ in range(p.banelings):
        spawn(p, s, BANELING, ENEMY, x, y)


@jit
def settle(p: Record, s: Record) -> None:
    """Put a command centre, workers and resources."""
    base = spawn(p, s, COMMAND_CENTER, OWN, BASE[0], BASE[1])
    s.food_cap = p.food[COMMAND_CENTER]
    s.minerals = p.minerals_at_start
    for k in range(len(FIELDS)):
        s.amount[spawn(p, s, MINERALS, NEUTRAL, FIELDS[k][0], FIELDS[k][1])] = p.field
    if p.rule == HARVEST:
        for k in range(len(FIELDS)):
            s.amount[spawn(p, s, MINERALS, NEUTRAL, 2.0 * CENTRE_X - FIELDS[k][0], FIELDS[k][1])] = p.field
        for k in range(len(GEYSERS)):
            s.amount[spawn(p, s, GEYSER, NEUTRAL, GEYSERS[k][0], GEYSERS[k][1])] = p.well
            s.amount[spawn(p, s, GEYSER, NEUTRAL, 2.0 * CENTRE_X - GEYSERS[k][0], GEYSERS[k][1])] = p.well
    field = nearest(s, FIELDS[FIRST_FIELD][0], FIELDS[FIRST_FIELD][1], MINERALS)
    for k in range(p.scvs):  # in columns of six, each on either side
        side = 2.0 * integer(s.dice, 2) - 1.0
        u = spawn(p, s, SCV, OWN, BASE[0] + side * (3.5 + k // 6), BASE[1] + k % 6 - 2.5)
        if p.rule == BARRACKS_RULE:
            give(s, u, GATHER, 0.0, 0.0, field, False)
    if p.rule == BARRACKS_RULE:
        s.rally_target[base], s.has_rally[base] = field, 1
        s.rally_x[base], s.rally_y[base] = FIELDS[FIRST_FIELD]


@jit
def begin(p: Record, s: Record) -> None:
    """Set a game up. It draws once from ``s.rng``, whatever happens in it, and then from a stream of its own."""
    s.dice[0], s.dice[1], s.dice[2] = bits(s.rng), 0, 0
    s.loop = s.made = s.kills = s.losses = s.is_over = s.missiles = s.has_doomed = s.count = s.serial = 0
    s.score = s.minerals = s.vespene = s.food_used = s.food_cap = 0.0
    s.collected[:] = 0.0
    s.kind[:], s.body[:] = NONE, -FAR
    s.is_selected[:] = 0
    s.camera[0], s.camera[1] = 0.5 * (p.left + p.right), 0.5 * (p.bottom + p.top) - 3.0
    if p.rule >= HARVEST:
        settle(p, s)
    elif p.rule == ARENA:
        line_up(p, s, p.marines)
    elif p.rule == SEARCH:
        s.camera[0], s.camera[1] = SEARCH_X, SEARCH_Y
        for k in range(p.marines):
            turn = 0.5 * math.pi + k * 2.0 * math.pi / max(p.marines, 1)
            u = spawn(p, s, MARINE, OWN, SEARCH_X + math.cos(turn), SEARCH_Y + math.sin(turn))
            s.is_selected[u] = 1
        hide(p, s)
    else:
        for _ in range(p.marines):
            spawn(p, s, MARINE, OWN, between(s, p.left, p.right), between(s, p.bottom, p.top))
        if p.rule == SHARDS:
            scatter(p, s)
        else:
            light(p, s)
    s.explored[:] = 0
    explore(p, s)


@jit
def trigger(p: Record, s: Record) -> None:
    """Do what a map's triggers do in a loop: reward, and bring the next wave."""
    if p.rule >= HARVEST:
        return
    if p.rule <= SHARDS:
        for u in range(s.count):
            if s.kind[u] == MARINE:
                take(p, s, u)
        return
    own = foes = 0
    kinds, owners = s.kind, s.owner
    for u in range(s.count):
        own += (kinds[u] != NONE) & (owners[u] == OWN)
        foes += (kinds[u] != NONE) & (owners[u] == ENEMY)
    if own == 0:
        s.is_over = 1
    elif foes == 0 and p.rule == ARENA:
        line_up(p, s, p.fresh)
    elif foes == 0:
        hide_again(p, s)


@jit
def take(p: Record, s: Record, u: int) -> None:
    """Let a marine take the beacon or the shards that it reaches."""
    kinds, xs, ys, x, y, square = s.kind, s.x, s.y, s.x[u], s.y[u], p.reach * p.reach
    for v in range(s.count):
        if kinds[v] >= BEACON and (xs[v] - x) ** 2 + (ys[v] - y) ** 2 < square:
            s.score += p.win
            remove(s, v)
            if p.rule == BEACON_RULE:
                light(p, s)
                return
            if nearest(s, 0.0, 0.0, SHARD) < 0:
                scatter(p, s)
                return
