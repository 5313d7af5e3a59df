"""Levels: the room, crates, loot, and where and with what actors begin.

A room is one of the design's column shapes with one of its hole shapes cut out, that one turned by zero to three
quarters. Crates and loot go on random cells that do not touch the border. Rules and shapes are those of DeepCrawl
(Sestini, Kuhnle and Bagdanov, arXiv:2012.01914).
"""

from __future__ import annotations

import math

import numpy as np

from ..core import integer, jit, uniform
from ..core.random import bits
from .boards import NOT_NORTHERN, NOT_SOUTHERN, moved
from .records import (
    ATTACK,
    BLOCKED,
    BONUS,
    BOW,
    CELLS,
    CLEAR,
    CRATE,
    DEFENCE,
    DICE,
    DURATION,
    EAST,
    FLOOR,
    HEAL,
    HOLE,
    IDS,
    ITEMS,
    KIND,
    LEVEL,
    LEVEL_STREAM,
    LOOT_STREAM,
    MELEE,
    NORTH,
    OFFSET,
    OPPONENT_STREAM,
    RANGE,
    SIDES,
    SIZE,
    TARGET,
    Array,
    Record,
)

#: The cell of a shape that lies at (x, y) after 0 to 3 quarter turns is origin + east * x + north * y.
_ORIGIN = np.array([0, SIZE - 1, CELLS - 1, CELLS - SIZE])
_EAST = np.array([SIZE, -1, -SIZE, 1])
_NORTH = np.array([1, SIZE, -1, -SIZE])

#: So many cells are tried before an actor begins where it should not.
_HOPE = 1000


@jit
def between(rng: Array, low: int, high: int) -> int:
    """Draw from {low, ..., high}."""
    return low + integer(rng, high - low + 1)


@jit
def portion(share: float, count: int) -> int:
    """Return ``share`` of ``count``, rounded up."""
    return math.ceil(share * count - 1e-9)


@jit
def clear_room(p: Record, s: Record, rng: Array) -> int:
    """Build an empty room; return how many cells have a floor."""
    column, hole, quarters = integer(rng, p.columns), integer(rng, p.holes), integer(rng, 4)
    origin, east, north = _ORIGIN[quarters], _EAST[quarters], _NORTH[quarters]
    floor = 0
    for x in range(SIZE):
        for y in range(SIZE):
            cell = SIZE * x + y
            tile = HOLE if p.hole[hole, origin + east * x + north * y] else p.column[column, cell]
            floor += tile == FLOOR
            s.tile[cell] = tile
    s.item[:] = 0
    s.occupant[:] = 0
    return floor


@jit
def drop(p: Record, rng: Array) -> int:
    """Draw the id of an item by the drop table; 0 if nothing has a weight."""
    if p.drops == 0 or p.weight[p.drops - 1] <= 0.0:
        return 0
    left, i = uniform(rng) * p.weight[p.drops - 1], 0
    while i < p.drops - 1 and left >= p.weight[i]:
        i += 1
    found: int = p.drop[i]
    return found


@jit
def furnish(p: Record, s: Record, floor: int) -> None:
    """Put crates and loot on cells that do not touch the border."""
    rng = s.streams[LEVEL_STREAM]
    cells, free = np.empty(CELLS, np.int64), 0
    for x in range(1, SIZE - 1):
        for y in range(1, SIZE - 1):
            if s.tile[SIZE * x + y] == FLOOR:
                cells[free] = SIZE * x + y
                free += 1
    crates = between(rng, portion(p.crates_low, floor), portion(p.crates_high, floor))
    loot = between(rng, portion(p.loot_low, floor), portion(p.loot_high, floor))
    for k in range(min(crates + loot, free)):
        other = k + integer(rng, free - k)
        cell = cells[other]
        cells[other] = cells[k]
        if k < crates:
            s.tile[cell] = CRATE
        else:
            s.item[cell] = drop(p, s.streams[LOOT_STREAM])


@jit
def is_blocked(s: Record, x: int, y: int) -> bool:
    """Return whether nobody can stand at (x, y)."""
    is_floor: bool = s.tile[SIZE * x + y] == FLOOR
    return not is_floor


@jit
def unseal(s: Record) -> None:
    """Turn crates that would close a gap back into floor: DeepCrawl's ``removeError``, asymmetries included."""
    for x in range(1, SIZE - 1):
        for y in range(1, SIZE - 1):
            if s.tile[SIZE * x + y] == CRATE and is_blocked(s, x, y + 1):
                if is_blocked(s, x + 1, y - 1) or is_blocked(s, x, y - 1) or is_blocked(s, x - 1, y - 1):
                    s.tile[SIZE * x + y] = FLOOR
    for y in range(1, SIZE - 1):
        for x in range(1, SIZE - 1):
            if s.tile[SIZE * x + y] == CRATE and is_blocked(s, x - 1, y):
                if is_blocked(s, x + 1, y - 1) or is_blocked(s, x + 1, y) or is_blocked(s, x + 1, y + 1):
                    s.tile[SIZE * x + y] = FLOOR


@jit
def connect(s: Record) -> None:
    """Note what is in each cell, and where one can walk from there.

    A hole or the border cuts off its whole side, diagonals included.
    """
    floor_low = floor_high = tile_low = tile_high = np.uint64(0)
    for cell in range(CELLS):
        tile, item = s.tile[cell], s.item[cell]
        s.ground[cell] = BLOCKED if tile != FLOOR else TARGET + item if item > 0 else CLEAR
        floor, bit = np.uint64(tile == FLOOR), np.uint64(tile != HOLE)
        if cell < 64:
            floor_low |= floor << np.uint64(cell)
            tile_low |= bit << np.uint64(cell)
        else:
            floor_high |= floor << np.uint64(cell - 64)
            tile_high |= bit << np.uint64(cell - 64)
    for d in range(8):
        low, high = moved(floor_low, floor_high, -OFFSET[d])
        if EAST[d] != 0:
            side_low, side_high = moved(tile_low, tile_high, -SIZE * EAST[d])
            low, high = low & side_low, high & side_high
        if NORTH[d] != 0:
            side_low, side_high = moved(tile_low, tile_high, -NORTH[d])
            inner = NOT_NORTHERN if NORTH[d] > 0 else NOT_SOUTHERN
            low, high = low & side_low & inner[0], high & side_high & inner[1]
        s.open[d, 0], s.open[d, 1] = low & floor_low, high & floor_high


@jit
def has_exit(s: Record, cell: int) -> bool:
    """Return whether one can walk anywhere from ``cell``."""
    exits = np.uint64(0)
    for d in range(8):
        exits |= s.open[d, cell >> 6] >> np.uint64(cell & 63)
    return int(exits & np.uint64(1)) == 1


@jit
def vacancy(s: Record, rng: Array) -> int:
    """Draw a cell where an actor can begin: with floor, and without an item and with a way out while there is hope."""
    tries = 0
    while True:
        cell = integer(rng, CELLS)
        tries += 1
        if s.tile[cell] == FLOOR and s.occupant[cell] == 0:
            if (s.item[cell] == 0 and has_exit(s, cell)) or tries > _HOPE:
                return cell


@jit
def invent(p: Record, s: Record, rng: Array) -> None:
    """Draw the attributes of this episode's items; ranges and distribution are ours.

    The published build drew them as well, but not its ranges: they were never published.
    """
    for item in range(1, ITEMS + 1):
        kind = s.table[item, KIND]
        draws = np.empty(3, np.int64)
        for k in range(3):
            draws[k] = int((LEVEL // 2 + 1) * uniform(rng) ** p.alpha)
        if kind == MELEE or kind == BOW:
            s.table[item, DICE], s.table[item, SIDES], s.table[item, BONUS] = 1, 1 + draws[1], draws[0] - 1
            s.table[item, RANGE] = draws[2] if kind == BOW else 0
        else:
            is_healing = uniform(rng) < 0.5
            s.table[item, HEAL] = 1 + draws[0] + draws[1] if is_healing else 0
            s.table[item, ATTACK] = 0 if is_healing else draws[0]
            s.table[item, DEFENCE] = 0 if is_healing else draws[1]
            s.table[item, DURATION] = 0 if is_healing else 1 + draws[2]


@jit
def level(value: int) -> int:
    """Return ``value`` within the levels that observations show."""
    return min(max(value, 0), LEVEL)


@jit
def describe(s: Record) -> None:
    """Note what observations show of each item."""
    for item in range(1, ITEMS + 1):
        row = s.table[item]
        s.level[item, 0] = level(row[DICE] + row[BONUS])
        s.level[item, 1] = level(row[DICE] * row[SIDES] + row[BONUS])
        s.level[item, 2] = level(row[RANGE] + row[DURATION])
        s.level[item, 3] = level(row[HEAL])
        s.level[item, 4] = level(row[ATTACK] + row[DEFENCE])


@jit
def populate(p: Record, s: Record) -> None:
    """Put the actors on their cells, with hit points and a start kit."""
    rng, loot = s.streams[LEVEL_STREAM], s.streams[LOOT_STREAM]
    for actor in range(p.actors):
        cell = vacancy(s, rng)
        s.cell[actor] = cell
        s.occupant[cell] = actor + 1
        s.hp[actor] = between(rng, p.hp_low[actor], p.hp_high[actor])
        for kind in range(3):
            # Without a potion is one more way to start.
            choices = p.starts[kind] + (kind > BOW)
            choice = integer(loot, max(choices, 1))
            s.equipment[actor, kind] = p.start[kind, choice] if choice < p.starts[kind] else 0
        s.buff[actor] = s.buff_attack[actor] = s.buff_defence[actor] = 0
        s.previous[actor] = -1
        s.dealt[actor] = s.taken[actor] = s.potions[actor] = s.pickups[actor] = 0


@jit
def begin(p: Record, s: Record) -> None:
    """Start an episode.

    Its four streams take one number each of the environment's own, so that a change of the design neither moves that
    one, nor, as far as it concerns loot or combat, the level.
    """
    for stream in range(OPPONENT_STREAM + 1):
        s.streams[stream, 0] = bits(s.rng)
        s.streams[stream, 1] = s.streams[stream, 2] = np.uint64(0)
    s.table[:] = p.table
    if p.is_procedural:
        invent(p, s, s.streams[LOOT_STREAM])
    if p.observation != IDS:
        describe(s)
    furnish(p, s, clear_room(p, s, s.streams[LEVEL_STREAM]))
    unseal(s)
    connect(s)
    populate(p, s)
    for actor in range(p.actors):
        s.member[actor] = integer(s.streams[OPPONENT_STREAM], p.rules[actor])
    s.turn = s.decisions = 0
    s.winner = -1
