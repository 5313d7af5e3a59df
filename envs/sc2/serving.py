"""What the game's API tells besides the state: the books of a game in progress, and what can be ordered.

The kernels that the protocol needs. They change nothing of how a game goes.
"""

from __future__ import annotations

import math

import numpy as np

from ..core import jit
from .economy import is_finished
from .generator import begin
from .kernels import loop
from .layers import count_groups, count_player, draw_minimap, draw_screen, is_active, progress
from .observations import is_visible
from .orders import ABILITIES, can, can_any, explore, is_on_screen
from .params import BARRACKS, COMMAND_CENTER, LOOPS, MARINE, MINERALS, NONE, SCV
from .records import BARRACKS_RULE, ENEMY, IDLE, KINDS, NEUTRAL, OWN, TRAIN, Array, Record

#: What players are told of, as bits: a field has run out, a building stands, a marine or a worker has been made, a unit
#: is hit.
EXHAUSTED, BUILT, TRAINED, HIRED, HIT = 1, 2, 4, 8, 16
#: How many deaths are kept until they are told.
DEATHS = 256
#: Loops of a minute, and those over which income is averaged: the game does not say over what time it averages.
MINUTE, WINDOW = 960.0, 160.0
#: What is told of a unit.
UNIT_FIELDS = (
    "slot", "kind", "owner", "tag", "x", "y", "heading", "life", "progress", "is_active", "is_on_screen", "is_selected",
)  # fmt: skip
#: Details of the score: amounts, and what is counted by category.
AMOUNTS = (
    "idle_production_time", "idle_worker_time", "total_value_units", "total_value_structures", "killed_value_units",
    "collected_minerals", "collected_vespene", "collection_rate_minerals", "collection_rate_vespene", "spent_minerals",
    "spent_vespene",
)  # fmt: skip
WORTHS = (
    "food_used", "killed_minerals", "killed_vespene", "lost_minerals", "lost_vespene", "used_minerals", "used_vespene",
    "total_used_minerals", "total_used_vespene",
)  # fmt: skip
CATEGORIES = ("army", "economy", "technology")

#: The books of a game.
BOOKS = np.dtype(
    [
        ("idle_workers", np.float64),  # loops, added up over workers
        ("idle_production", np.float64),  # loops, added up over buildings
        ("dealt", np.float64),  # hit points
        ("taken", np.float64),
        ("income", np.float64, (2,)),  # minerals and vespene per minute, a moving average
        ("fallen", np.float64, (3, KINDS)),  # units that died, by owner and kind
        ("alerts", np.int64),  # bits, since they were last told
        ("deaths", np.int64),  # the same, tags
        ("dead", np.int64, (DEATHS,)),
    ],
    align=True,
)


@jit
def start(states: Array, rows: Array, books: Array) -> None:
    """Begin a game; draws from its random stream."""
    p, s, b = rows[0], states[0], books[0]
    begin(p, s)
    b.idle_workers = b.idle_production = b.dealt = b.taken = 0.0
    b.income[:] = 0.0
    b.fallen[:, :] = 0.0
    b.alerts = b.deaths = 0


@jit
def advance(states: Array, rows: Array, books: Array, loops: int) -> None:
    """Let ``loops`` game loops pass, fewer if the game ends, and keep its books."""
    p, s, b = rows[0], states[0], books[0]
    size = len(s.kind)
    tag, kind, owner = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    life, is_site = np.empty(size), np.empty(size, np.bool_)
    for _ in range(loops):
        if s.is_over or s.loop >= p.loops:
            break
        count = s.count
        for u in range(count):
            tag[u], kind[u], owner[u], life[u] = s.tag[u], s.kind[u], s.owner[u], s.life[u]
            is_site[u] = p.is_structure[s.kind[u]] != 0 and s.project[u] != NONE
        minerals, vespene = s.collected[0], s.collected[1]
        loop(p, s)
        b.income[0] += (MINUTE * (s.collected[0] - minerals) - b.income[0]) / WINDOW
        b.income[1] += (MINUTE * (s.collected[1] - vespene) - b.income[1]) / WINDOW
        for u in range(count):
            if kind[u] == NONE:
                continue
            if s.kind[u] == NONE or s.tag[u] != tag[u]:
                bury(b, tag[u], kind[u], owner[u], life[u])
                continue
            hurt(b, owner[u], life[u] - s.life[u])
            if is_site[u] and is_finished(s, u):
                b.alerts |= BUILT
        for u in range(s.count):
            if s.owner[u] != OWN or s.kind[u] == NONE:
                continue
            if s.kind[u] == SCV and s.order[u] == IDLE:
                b.idle_workers += 1.0
            elif (s.kind[u] == COMMAND_CENTER or s.kind[u] == BARRACKS) and is_finished(s, u) and s.order[u] != TRAIN:
                b.idle_production += 1.0
            if u >= count or tag[u] != s.tag[u] or kind[u] == NONE:
                if s.kind[u] == SCV:
                    b.alerts |= HIRED
                elif s.kind[u] == MARINE and p.rule == BARRACKS_RULE:
                    b.alerts |= TRAINED
    explore(p, s)


@jit
def bury(b: Record, tag: int, kind: int, owner: int, life: float) -> None:
    """Note that a unit is gone, which had so many hit points."""
    if owner == NEUTRAL:
        if kind == MINERALS:
            b.alerts |= EXHAUSTED
        return
    hurt(b, owner, life)
    b.fallen[owner, kind] += 1.0
    if b.deaths < DEATHS:
        b.dead[b.deaths] = tag
        b.deaths += 1


@jit
def hurt(b: Record, owner: int, lost: float) -> None:
    """Note hit points that a unit has lost."""
    if lost <= 0.0:
        return
    if owner == ENEMY:
        b.dealt += lost
    elif owner == OWN:
        b.taken += lost
        b.alerts |= HIT


@jit
def tell_abilities(states: Array, rows: Array, unit: int, able: Array) -> None:
    """Fill which abilities a unit has now, or the selected units if it is -1; ``able`` (19,)."""
    p, s = rows[0], states[0]
    for ability in range(ABILITIES):
        able[ability] = can_any(p, s, ability) if unit < 0 else can(p, s, unit, ability)


@jit
def tell(states: Array, rows: Array, player: Array, groups: Array, units: Array) -> int:
    """Fill what is told of a player, of control groups and of each unit that is seen.

    Args:
        states: of one game.
        rows: of the same.
        player: (11,), see `layers.PLAYER`.
        groups: (20,), see `layers.count_groups`.
        units: (as many as there is room for, 12), see `UNIT_FIELDS`.

    Returns:
        How many units are seen.
    """
    p, s = rows[0], states[0]
    count_player(p, s, player)
    count_groups(s, groups)
    seen = 0
    for u in range(s.count):
        kind = s.kind[u]
        if kind == NONE or not is_visible(p, s, u):
            continue
        told = units[seen]
        told[0], told[1], told[2], told[3], told[4], told[5] = u, kind, s.owner[u], s.tag[u], s.x[u], s.y[u]
        told[6], told[7], told[8] = math.atan2(s.face_y[u], s.face_x[u]) % (2.0 * math.pi), s.life[u], progress(p, s, u)
        told[9], told[10], told[11] = is_active(s, u), is_on_screen(s, u), s.is_selected[u]
        seen += 1
    return seen


@jit
def keep_score(states: Array, rows: Array, books: Array, prices: Array, amounts: Array, worth: Array) -> None:
    """Fill the details of the score.

    Args:
        states: of one game.
        rows: of the same.
        books: of the same.
        prices: (kinds, 2), minerals and vespene that each kind of unit is worth.
        amounts: (11,), see `AMOUNTS`.
        worth: (9, 3), see `WORTHS`, of army, economy and technology.
    """
    p, s, b = rows[0], states[0], books[0]
    amounts[:] = 0.0
    worth[:, :] = 0.0
    alive = np.zeros(KINDS)
    for u in range(s.count):
        if s.kind[u] != NONE and s.owner[u] == OWN:
            alive[s.kind[u]] += 1.0
    amounts[0], amounts[1] = b.idle_production / LOOPS, b.idle_workers / LOOPS
    amounts[5], amounts[6], amounts[7], amounts[8] = s.collected[0], s.collected[1], b.income[0], b.income[1]
    amounts[9] = p.minerals_at_start + s.collected[0] - s.minerals
    amounts[10] = s.collected[1] - s.vespene
    for kind in range(KINDS):
        minerals, vespene = prices[kind, 0], prices[kind, 1]
        lost, killed = b.fallen[OWN, kind], b.fallen[ENEMY, kind]
        ever = alive[kind] + lost
        amounts[3 if p.is_structure[kind] else 2] += ever * (minerals + vespene)
        amounts[4] += killed * (minerals + vespene)
        worth[1, 0] += killed * minerals
        worth[2, 0] += killed * vespene
        of = 0 if kind == MARINE else 2 if kind == BARRACKS else 1
        worth[0, of] += alive[kind] * p.supply[kind]
        worth[3, of] += lost * minerals
        worth[4, of] += lost * vespene
        worth[5, of] += alive[kind] * minerals
        worth[6, of] += alive[kind] * vespene
        worth[7, of] += ever * minerals
        worth[8, of] += ever * vespene


@jit
def draw(
    states: Array,
    rows: Array,
    screen: Array,
    minimap: Array,
    screen_bits: Array,
    minimap_bits: Array,
    screen_data: Array,
    minimap_data: Array,
) -> None:
    """Draw the feature layers that the record of the game asks for, and encode them.

    Args:
        states: of one game.
        rows: of the same.
        screen: (L, height, width), to be drawn, see `layers`.
        minimap: (M, height, width), the same.
        screen_bits: (L,), bits per pixel of each layer.
        minimap_bits: (M,), the same.
        screen_data: (L, 4 height width), bytes; each layer begins a row.
        minimap_data: (M, 4 height width), the same.
    """
    draw_screen(rows[0], states[0], screen)
    draw_minimap(rows[0], states[0], minimap)
    encode(screen, screen_bits, screen_data)
    encode(minimap, minimap_bits, minimap_data)


@jit
def encode(layers: Array, bits: Array, encoded: Array) -> None:
    """Write the pixels of layers as bytes; of those with 1 bit the first pixel is the highest bit of a byte."""
    for k in range(len(layers)):
        pixels, row = layers[k].ravel(), encoded[k]
        if bits[k] == 8:
            for i in range(len(pixels)):
                row[i] = pixels[i]
        elif bits[k] == 32:
            wide = row.view(np.int32)
            for i in range(len(pixels)):
                wide[i] = pixels[i]
        else:
            row[: len(pixels) // 8 + 1] = 0
            for i in range(len(pixels)):
                row[i >> 3] |= (pixels[i] & 1) << (7 - (i & 7))
