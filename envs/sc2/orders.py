"""What a player can do: select units, and tell those that are selected what to do."""

from __future__ import annotations

import math

import numpy as np

from ..core import jit
from .economy import assign, can_pay, enlist, is_finished, is_source, least_busy, order_building
from .engine import give, remove, spawn
from .observations import is_visible
from .params import (
    BARRACKS,
    BEACON,
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
    BARRACKS_RULE,
    BUILD,
    CONSTRUCT,
    ENEMY,
    GATHER,
    HARVEST,
    HOLD,
    IDLE,
    MAP,
    MOVE,
    NEUTRAL,
    OWN,
    PATROL,
    QUEUE,
    RETURN,
    SEARCH,
    Record,
)

#: What units can be told.
(
    SMART, GO, FIGHT, STOP, STAND, WALK_ABOUT, HARVEST_FROM, HAND_OVER, BUILD_COMMAND_CENTER, BUILD_DEPOT,
    BUILD_REFINERY, BUILD_BARRACKS, HALT, TRAIN_SCV, TRAIN_MARINE, RALLY_UNITS, RALLY_WORKERS, CANCEL, CANCEL_LAST,
) = range(19)  # fmt: skip
ABILITIES = 19
#: What comes of it.
DONE, IMPOSSIBLE, NO_MINERALS, NO_VESPENE, NO_FOOD, QUEUE_FULL, NO_PLACE, NO_TECH = range(8)
#: What a building ability builds, and a training ability trains.
PRODUCTS = (
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, COMMAND_CENTER, DEPOT, REFINERY, BARRACKS, NONE, SCV, MARINE, NONE,
    NONE, NONE, NONE,
)  # fmt: skip
#: Ways to select.
SELECT, TOGGLE, ALL_OF_TYPE, ADD_ALL_OF_TYPE = range(4)
#: What is done with a control group.
RECALL, SET, APPEND, SET_AND_STEAL, APPEND_AND_STEAL = range(5)
#: Half the side of what the camera shows, in cells.
HALF_VIEW = 12.0
#: How near to a unit's edge a click still meets it, in cells.
NEARLY = 0.3


@jit
def is_mine(s: Record, u: int) -> bool:
    """Return whether a unit is there, and one's own."""
    return bool(s.kind[u] != NONE and s.owner[u] == OWN)


@jit
def pick(p: Record, s: Record, x: float, y: float) -> int:
    """Return the unit at a point of the map that can be seen, the nearest by its edge, or -1."""
    found, best = -1, NEARLY
    for u in range(s.count):
        if s.kind[u] == NONE:
            continue
        away = math.sqrt((s.x[u] - x) ** 2 + (s.y[u] - y) ** 2) - p.radius[s.kind[u]]
        # Small units stand before large ones.
        if away <= NEARLY:
            away -= 10.0 if s.kind[u] < COMMAND_CENTER else 0.0
            if away < best and is_visible(p, s, u):
                found, best = u, away
    return found


@jit
def is_on_screen(s: Record, u: int) -> bool:
    """Return whether the camera shows the middle of a unit."""
    return bool(abs(s.x[u] - s.camera[0]) <= HALF_VIEW and abs(s.y[u] - s.camera[1]) <= HALF_VIEW)


@jit
def begin_selection(s: Record, is_added: bool) -> None:
    """Let go of everything; or, of what is added to, of what is not one's own: units of others are selected alone."""
    for u in range(s.count):
        if not (is_added and is_mine(s, u)):
            s.is_selected[u] = 0


@jit
def is_in(p: Record, s: Record, u: int, left: float, bottom: float, right: float, top: float) -> bool:
    """Return whether a rectangle meets the square around a unit."""
    r = p.radius[s.kind[u]]
    return bool(left - r <= s.x[u] <= right + r and bottom - r <= s.y[u] <= top + r)


@jit
def select_point(p: Record, s: Record, x: float, y: float, way: int) -> None:
    """Select the unit at a point, or all of its type that the camera shows; where there is none nothing changes."""
    found = pick(p, s, x, y)
    if found < 0:
        return
    if way == TOGGLE:
        if is_mine(s, found):
            begin_selection(s, True)
            s.is_selected[found] = 1 - s.is_selected[found]
        return
    begin_selection(s, way == ADD_ALL_OF_TYPE and is_mine(s, found))
    s.is_selected[found] = 1
    if way >= ALL_OF_TYPE and s.owner[found] == OWN:
        for u in range(s.count):
            if is_mine(s, u) and s.kind[u] == s.kind[found] and is_on_screen(s, u):
                s.is_selected[u] = 1


@jit
def select_rect(p: Record, s: Record, x0: float, y0: float, x1: float, y1: float, is_added: bool) -> None:
    """Select one's own units in a rectangle, of which buildings only where there is nothing else."""
    left, right, bottom, top = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    has_units, has_buildings = False, False
    for u in range(s.count):
        if is_mine(s, u) and is_in(p, s, u, left, bottom, right, top):
            if p.is_structure[s.kind[u]]:
                has_buildings = True
            else:
                has_units = True
    if not (has_units or has_buildings):
        return
    begin_selection(s, is_added)
    for u in range(s.count):
        if is_mine(s, u) and (p.is_structure[s.kind[u]] == 0) == has_units:
            if is_in(p, s, u, left, bottom, right, top):
                s.is_selected[u] = 1


@jit
def select_army(s: Record, is_added: bool) -> None:
    """Select all marines."""
    begin_selection(s, is_added)
    for u in range(s.count):
        if s.kind[u] == MARINE and s.owner[u] == OWN:
            s.is_selected[u] = 1


@jit
def select_idle_worker(s: Record, is_added: bool, is_all: bool) -> None:
    """Select an idle worker that is not yet selected, or all of them."""
    found = -1
    for u in range(s.count):
        if s.kind[u] == SCV and s.order[u] == IDLE and (found < 0 or (s.is_selected[found] and not s.is_selected[u])):
            found = u
    if found < 0:
        return
    begin_selection(s, is_added)
    for u in range(s.count):
        if u == found or (is_all and s.kind[u] == SCV and s.order[u] == IDLE):
            s.is_selected[u] = 1


@jit
def control_group(s: Record, act: int, number: int) -> None:
    """Recall, set or extend one of ten control groups."""
    bit = 1 << number
    if act == RECALL:
        has_members = False
        for u in range(s.count):
            has_members = has_members or (is_mine(s, u) and (s.groups[u] & bit) != 0)
        if has_members:
            for u in range(s.count):
                s.is_selected[u] = is_mine(s, u) and (s.groups[u] & bit) != 0
        return
    for u in range(s.count):
        if not is_mine(s, u):
            continue
        if act == SET or act == SET_AND_STEAL:
            s.groups[u] &= ~bit
        if s.is_selected[u]:
            if act >= SET_AND_STEAL:
                s.groups[u] = 0
            s.groups[u] |= bit


@jit
def selected_at(s: Record, place: int) -> int:
    """Return the slot of the selected unit at a place in the order of slots, or -1."""
    for u in range(s.count):
        if s.kind[u] != NONE and s.is_selected[u]:
            if place == 0:
                return u
            place -= 1
    return -1


@jit
def select_unit(s: Record, act: int, place: int) -> None:
    """Narrow the selection by one of its units, or by that unit's type."""
    found = selected_at(s, place)
    if found < 0:
        return
    for u in range(s.count):
        is_meant = u == found or (act >= 2 and s.kind[u] == s.kind[found])
        if s.is_selected[u] and is_meant != (act == 0 or act == 2):
            s.is_selected[u] = 0


@jit
def move_camera(p: Record, s: Record, x: float, y: float) -> None:
    """Look at a point of the map; but for the search, the camera is locked."""
    if p.rule != SEARCH:
        return
    s.camera[0] = min(max(x, HALF_VIEW), MAP - HALF_VIEW)
    s.camera[1] = min(max(y, HALF_VIEW), MAP - HALF_VIEW)


@jit
def can(p: Record, s: Record, u: int, ability: int) -> bool:
    """Return whether a unit could follow an order now."""
    kind = s.kind[u]
    if s.owner[u] != OWN:
        return False
    if kind == MARINE or kind == SCV:
        if ability <= WALK_ABOUT:
            return True
        if kind == MARINE:
            return False
        if ability == HARVEST_FROM:
            return True
        if ability == HAND_OVER:
            return bool(s.amount[u] > 0.0)
        if ability == HALT:
            return bool(s.order[u] == CONSTRUCT)
        if BUILD_COMMAND_CENTER <= ability <= BUILD_BARRACKS:
            if p.rule != HARVEST and (p.rule != BARRACKS_RULE or ability == BUILD_REFINERY):
                return False
            return can_pay(p, s, PRODUCTS[ability])
        return False
    if ability == CANCEL:
        return not is_finished(s, u) and p.is_structure[kind] != 0
    if kind == COMMAND_CENTER or kind == BARRACKS:
        if not is_finished(s, u):
            return False
        if ability == SMART:
            return True
        if ability == CANCEL_LAST:
            return bool(s.queued[u] > 0)
        if kind == COMMAND_CENTER:
            if ability == TRAIN_SCV:
                return bool(s.queued[u] < QUEUE) and can_pay(p, s, SCV)
            return ability == RALLY_WORKERS
        if ability == TRAIN_MARINE:
            return bool(s.queued[u] < QUEUE) and can_pay(p, s, MARINE)
        return ability == RALLY_UNITS
    return False


@jit
def can_any(p: Record, s: Record, ability: int) -> bool:
    """Return whether a selected unit could follow an order now."""
    for u in range(s.count):
        if s.kind[u] != NONE and s.is_selected[u] and can(p, s, u, ability):
            return True
    return False


@jit
def obey(p: Record, s: Record, ability: int, x: float, y: float, target: int, is_queued: bool) -> int:
    """Tell the selected units what to do.

    Args:
        p: the task.
        s: the state.
        ability: what.
        x: where, in cells; the place of the target if there is one.
        y: the same.
        target: the unit that it is about, or -1.
        is_queued: after what they are about.

    Returns:
        What came of it, `DONE` if at least one unit does it.
    """
    if BUILD_COMMAND_CENTER <= ability <= BUILD_BARRACKS:
        return send_builder(p, s, PRODUCTS[ability], x, y)
    if ability == TRAIN_SCV or ability == TRAIN_MARINE:
        return train_at(p, s, PRODUCTS[ability])
    result = IMPOSSIBLE
    for u in range(s.count):
        if s.kind[u] != NONE and s.is_selected[u] and can(p, s, u, ability):
            if follow(p, s, u, ability, x, y, target, is_queued):
                result = DONE
    return result


@jit
def follow(p: Record, s: Record, u: int, ability: int, x: float, y: float, target: int, is_queued: bool) -> bool:
    """Let a unit follow an order, see `obey`; return whether it does."""
    kind, x, y = s.kind[u], min(max(x, p.left), p.right), min(max(y, p.bottom), p.top)
    if p.is_structure[kind]:
        if ability == CANCEL:
            demolish(p, s, u)
        elif ability == CANCEL_LAST:
            cancel_last(p, s, u)
        else:
            s.has_rally[u], s.rally_target[u], s.rally_x[u], s.rally_y[u] = 1, target, x, y
        return True
    if ability == SMART:
        if target >= 0 and s.owner[target] == ENEMY:
            ability = FIGHT
        elif target >= 0 and kind == SCV and is_source(s, target):
            ability = HARVEST_FROM
        elif target >= 0 and kind == SCV and s.kind[target] == COMMAND_CENTER and s.amount[u] > 0.0:
            ability = HAND_OVER
        elif target >= 0 and kind == SCV and not is_finished(s, target) and s.worker[target] < 0:
            give(s, u, CONSTRUCT, x, y, target, is_queued)
            s.worker[target] = u
            return True
        else:
            ability = GO
    if ability == GO:
        give(s, u, MOVE, x, y, target if target != u else -1, is_queued)
    elif ability == FIGHT:
        if target >= 0 and target != u and s.kind[target] < BEACON and s.owner[target] == ENEMY:
            give(s, u, ATTACK, x, y, target, is_queued)
        else:
            give(s, u, ATTACK_MOVE, x, y, -1, is_queued)
    elif ability == STOP:
        give(s, u, IDLE, 0.0, 0.0, -1, False)
    elif ability == STAND:
        give(s, u, HOLD, 0.0, 0.0, -1, is_queued)
    elif ability == WALK_ABOUT:
        give(s, u, PATROL, x, y, -1, is_queued)
    elif ability == HARVEST_FROM:
        if not is_source(s, target):
            return False
        if is_queued:
            give(s, u, GATHER, 0.0, 0.0, target, True)
        else:
            assign(s, u, target)
    elif ability == HAND_OVER:
        t = s.target[u] if s.order[u] >= GATHER else -1
        give(s, u, RETURN, 0.0, 0.0, t if is_source(s, t) else -1, False)
    elif ability == HALT:
        give(s, u, IDLE, 0.0, 0.0, -1, False)
    return True


@jit
def send_builder(p: Record, s: Record, kind: int, x: float, y: float) -> int:
    """Let the selected worker that is nearest build; return what came of it."""
    found, best = -1, 1e300
    for u in range(s.count):
        if s.kind[u] == SCV and s.owner[u] == OWN and s.is_selected[u]:
            away = (s.x[u] - x) ** 2 + (s.y[u] - y) ** 2 + (1e6 if s.order[u] in (BUILD, CONSTRUCT) else 0.0)
            if away < best:
                found, best = u, away
    if found < 0:
        return IMPOSSIBLE
    if s.minerals < p.minerals[kind]:
        return NO_MINERALS
    if not can_pay(p, s, kind):
        return NO_TECH
    return DONE if order_building(p, s, found, kind, x, y) else NO_PLACE


@jit
def train_at(p: Record, s: Record, kind: int) -> int:
    """Let the selected building with the shortest queue make a unit; return what came of it."""
    found = least_busy(s, kind, True)
    if found < 0:
        return IMPOSSIBLE
    if s.queued[found] >= QUEUE:
        return QUEUE_FULL
    if s.minerals < p.minerals[kind]:
        return NO_MINERALS
    if s.queued[found] == 0 and s.food_used + p.supply[kind] > s.food_cap:
        return NO_FOOD
    return DONE if enlist(p, s, found, kind) else IMPOSSIBLE


@jit
def demolish(p: Record, s: Record, b: int) -> None:
    """Give up an unfinished building; three quarters of its price come back, and a refinery leaves its geyser."""
    kind, left = s.kind[b], s.amount[b]
    s.minerals += 0.75 * p.minerals[kind]
    x, y = s.x[b], s.y[b]
    remove(s, b)
    if kind == REFINERY:
        g = spawn(p, s, GEYSER, NEUTRAL, x, y)  # there is room: that of the refinery
        s.amount[g] = left


@jit
def cancel_last(p: Record, s: Record, b: int) -> None:
    """Give up the last unit in a building's queue; its price comes back."""
    s.queued[b] -= 1
    kind = s.queue[b, s.queued[b]]
    s.minerals += p.minerals[kind]
    s.vespene += p.vespene[kind]
    if s.queued[b] == 0 and s.timer[b] > 0.0:
        s.food_used -= p.supply[kind]
        s.timer[b], s.order[b] = 0.0, IDLE


@jit
def explore(p: Record, s: Record) -> None:
    """Remember which cells one's units see; but for the search, all are seen from the start."""
    if p.rule != SEARCH:
        return
    for u in range(s.count):
        if not is_mine(s, u):
            continue
        reach = p.sight[s.kind[u]]
        for row in range(max(int(s.y[u] - reach), 0), min(int(s.y[u] + reach) + 1, MAP)):
            dy = row + 0.5 - s.y[u]
            if abs(dy) > reach:
                continue
            half = math.sqrt(reach * reach - dy * dy)
            first, last = max(int(s.x[u] - half + 0.5), 0), min(int(s.x[u] + half - 0.5), MAP - 1)
            if first <= last:
                seen = np.uint64(2**64 - 1) >> np.uint64(MAP - 1 - (last - first))
                s.explored[row] |= seen << np.uint64(first)
