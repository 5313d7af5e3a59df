"""What an action means: commands to the army, to each marine, or to the economy."""

from __future__ import annotations

import math

from ..core import jit
from .economy import (
    FIELDS,
    assign,
    can_pay,
    enlist,
    is_free,
    least_busy,
    nearest,
    order_building,
    other_field,
    workers_at,
)
from .engine import give
from .functions import call, screen_point
from .observations import is_visible
from .orders import pick
from .params import (
    BARRACKS,
    COMMAND_CENTER,
    DEPOT,
    GEYSER,
    MARINE,
    NONE,
    REFINERY,
    SCV,
)
from .records import (
    ATTACK,
    ATTACK_MOVE,
    BUILD,
    CONSTRUCT,
    ENEMY,
    GATHER,
    HARVEST,
    IDLE,
    MOVE,
    Array,
    Record,
)

#: How actions are told: a cell of a grid, a point, one order for each marine, what the economy is to do, a function of
#: pysc2, or a pixel of the screen.
GRID, POINT, UNITS, ECONOMY, FUNCTIONS, SCREEN = range(6)
INTERFACES = ("grid", "point", "units", "economy", "functions", "screen")
#: What an army does at a point.
VERBS = (ATTACK_MOVE, MOVE)
#: Orders for a marine: none, eight ways of walking, then targets.
WAYS, STRIDE = 8, 2.0
#: What the economy can be told, in the order of the numbers of actions.
MACROS = (
    "no_op", "mine", "train_scv", "build_depot", "build_barracks", "train_marine", "build_refinery", "draw_gas",
    "build_command_center",
)  # fmt: skip
#: Cells that are left free between buildings, for workers and marines to pass.
LANE = 1.0


@jit
def enemy(p: Record, s: Record, place: int) -> int:
    """Return the slot of the enemy at a place in the order of slots, of those that can be seen, or -1."""
    for u in range(s.count):
        if s.kind[u] != NONE and s.owner[u] == ENEMY and is_visible(p, s, u):
            if place == 0:
                return u
            place -= 1
    return -1


@jit
def marine(s: Record, place: int) -> int:
    """Return the slot of the marine at a place in the order of slots, or -1."""
    for u in range(s.count):
        if s.kind[u] == MARINE:
            if place == 0:
                return u
            place -= 1
    return -1


@jit
def command(s: Record, who: int, order: int, x: float, y: float, target: int) -> None:
    """Give an order to all marines, or to the one at a place; -1 is all."""
    place = 0
    for u in range(s.count):
        if s.kind[u] == MARINE:
            if who < 0 or who == place:
                give(s, u, order, x, y, target, False)
            place += 1


@jit
def act_on(p: Record, s: Record, action: Array) -> None:
    """Do what an action says."""
    if p.interface == GRID:
        number = int(action[0]) - 1
        if number < 0:
            return
        if number < p.targets:
            target = enemy(p, s, number)
            if target >= 0:
                command(s, -1, ATTACK, 0.0, 0.0, target)
            return
        number -= p.targets
        cells = p.cells * p.cells
        cell, number = number % cells, number // cells
        verb, who = number % p.verbs, number // p.verbs
        x = p.left + (cell % p.cells + 0.5) * (p.right - p.left) / p.cells
        y = p.bottom + (cell // p.cells + 0.5) * (p.top - p.bottom) / p.cells
        command(s, who - 1, VERBS[verb] if p.verbs > 1 else MOVE, x, y, -1)
    elif p.interface == POINT:
        x = 0.5 * (p.left + p.right + action[0] * (p.right - p.left))
        y = 0.5 * (p.bottom + p.top + action[1] * (p.top - p.bottom))
        command(s, -1, ATTACK_MOVE if p.verbs > 1 and action[2] >= 0.0 else MOVE, x, y, -1)
    elif p.interface == SCREEN:
        pixel = int(action[0]) - 1
        if pixel < 0:
            return
        x, y = screen_point(p, s, pixel % p.screen[0], pixel // p.screen[0])
        x, y = min(max(x, p.left), p.right), min(max(y, p.bottom), p.top)
        target = pick(p, s, x, y)
        if target >= 0 and s.owner[target] == ENEMY:
            command(s, -1, ATTACK, x, y, target)
        else:
            command(s, -1, ATTACK_MOVE if p.verbs > 1 else MOVE, x, y, -1)
    elif p.interface == UNITS:
        for place in range(len(action)):
            number, u = int(action[place]), marine(s, place)
            if u < 0 or number == 0:
                continue
            if number <= WAYS:
                turn = 0.25 * math.pi * (number - 1)
                x = min(max(s.x[u] + STRIDE * math.cos(turn), p.left), p.right)
                y = min(max(s.y[u] + STRIDE * math.sin(turn), p.bottom), p.top)
                give(s, u, MOVE, x, y, -1, False)
            else:
                target = enemy(p, s, number - 1 - WAYS)
                if target >= 0:
                    give(s, u, ATTACK, 0.0, 0.0, target, False)
    elif p.interface == ECONOMY:
        manage(p, s, int(action[0]))
    else:
        call(p, s, action)


@jit
def worker_for(s: Record, x: float, y: float) -> int:
    """Return the worker to build at a point: idle, or gathering minerals and with empty hands; the nearest, or -1."""
    found, best = -1, 1e300
    for u in range(s.count):
        if s.kind[u] != SCV or s.order[u] == BUILD or s.order[u] == CONSTRUCT:
            continue
        away = (s.x[u] - x) ** 2 + (s.y[u] - y) ** 2
        if s.order[u] != IDLE:
            t = s.target[u]
            away += 1e4 if t >= 0 and s.kind[t] == REFINERY else 0.0
            away += 1e2 if s.amount[u] > 0.0 or s.order[u] != GATHER else 0.0
        if away < best:
            found, best = u, away
    return found


@jit
def place_for(p: Record, s: Record, kind: int) -> tuple[bool, float, float]:
    """Return whether there is a place for a building, and where: the nearest to the command centre away from fields."""
    base = nearest(s, 0.0, 0.0, COMMAND_CENTER)
    if base < 0:
        return False, 0.0, 0.0
    half_x, half_y = 0.5 * (p.width[kind] % 2.0), 0.5 * (p.height[kind] % 2.0)
    best, at_x, at_y = 1e300, 0.0, 0.0
    x = math.floor(p.left) + half_x
    while x < p.right:
        y = math.floor(p.bottom) + half_y
        while y < p.top:
            away = (x - s.x[base]) ** 2 + (y - s.y[base]) ** 2
            # Workers walk on the side of the fields.
            if x < s.x[base] + 1.0:
                away += 400.0
            # Another command centre would have to stand beside the first.
            if p.rule == HARVEST and kind != COMMAND_CENTER and abs(y - s.y[base]) < 4.0:
                away += 800.0
            if away < best and is_free(p, s, kind, x, y, LANE):
                best, at_x, at_y = away, x, y
            y += 1.0
        x += 1.0
    return best < 1e300, at_x, at_y


@jit
def build(p: Record, s: Record, kind: int) -> None:
    """Let a worker build where there is room, then go back to mining."""
    if not can_pay(p, s, kind):
        return
    if kind == REFINERY:
        base = nearest(s, 0.0, 0.0, COMMAND_CENTER)
        g = nearest(s, s.x[base], s.y[base], GEYSER) if base >= 0 else -1
        if g < 0:
            return
        has_place, x, y = True, s.x[g], s.y[g]
    else:
        has_place, x, y = place_for(p, s, kind)
    if not has_place:
        return
    u = worker_for(s, x, y)
    if u >= 0 and order_building(p, s, u, kind, x, y) and kind != REFINERY:
        field = field_for(s, u)
        if field >= 0:
            give(s, u, GATHER, 0.0, 0.0, field, True)


@jit
def train(p: Record, s: Record, kind: int) -> None:
    """Let the building with the shortest queue make a unit."""
    found = least_busy(s, kind, False)
    if found >= 0:
        enlist(p, s, found, kind)


@jit
def field_for(s: Record, u: int) -> int:
    """Return the field for a worker: near the command centre that is nearest to it, else anywhere, or -1."""
    base = nearest(s, s.x[u], s.y[u], COMMAND_CENTER)
    field = other_field(s, u, s.x[base], s.y[base], FIELDS) if base >= 0 else -1
    return field if field >= 0 else other_field(s, u, s.x[u], s.y[u], 100.0)


@jit
def manage(p: Record, s: Record, number: int) -> None:
    """Do one of `MACROS`."""
    if number == 1:  # idle workers mine
        for u in range(s.count):
            if s.kind[u] == SCV and s.order[u] == IDLE:
                field = field_for(s, u)
                if field >= 0:
                    assign(s, u, field)
    elif number == 2:
        train(p, s, SCV)
    elif number == 3:
        build(p, s, DEPOT)
    elif number == 4:
        build(p, s, BARRACKS)
    elif number == 5:
        train(p, s, MARINE)
    elif number == 6:
        build(p, s, REFINERY)
    elif number == 7:  # a worker more draws gas, where fewer than three do
        for t in range(s.count):
            if s.kind[t] == REFINERY and s.project[t] == NONE and s.amount[t] > 0.0 and workers_at(s, t, -1) < 3:
                found, best = -1, 1e300
                for u in range(s.count):
                    if s.kind[u] != SCV or s.order[u] == BUILD or s.order[u] == CONSTRUCT:
                        continue
                    if s.target[u] >= 0 and s.kind[s.target[u]] == REFINERY:
                        continue
                    away = (s.x[u] - s.x[t]) ** 2 + (s.y[u] - s.y[t]) ** 2 + (1e4 if s.amount[u] > 0.0 else 0.0)
                    if away < best:
                        found, best = u, away
                if found >= 0:
                    assign(s, found, t)
                return
    elif number == 8:
        build(p, s, COMMAND_CENTER)
