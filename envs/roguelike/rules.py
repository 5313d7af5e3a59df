"""The rules: what an actor may do, what it brings about, and whose turn is next."""

from __future__ import annotations

import numpy as np

from ..core import integer, jit
from .records import (
    ATTACK,
    BONUS,
    BOW,
    CLEAR,
    COMBAT_STREAM,
    DEFENCE,
    DICE,
    DIRECTION,
    DRINK,
    DURATION,
    HEAL,
    KIND,
    MELEE,
    OFFSET,
    POTION,
    RANGE,
    SHOOT,
    SIDES,
    SIZE,
    Array,
    Record,
)

#: What an action comes to. Only `DONE` passes the turn on.
ILLEGAL, NOTHING, DRUNK, DONE = range(4)


@jit
def decider(p: Record, s: Record, actor: int) -> int:
    """Return who decides for an actor: one of `records.RULES`, or `records.POLICY`."""
    found: int = p.rule[actor, s.member[actor]]
    return found


@jit
def is_foe(p: Record, s: Record, actor: int, other: int) -> bool:
    """Return whether ``other`` lives and belongs to another team."""
    found: bool = s.hp[other] > 0 and p.team[other] != p.team[actor]
    return found


@jit
def distance(cell: int, other: int) -> int:
    """Return how many moves two cells are apart in an empty room."""
    return max(abs(cell // SIZE - other // SIZE), abs(cell % SIZE - other % SIZE))


@jit
def target(p: Record, s: Record, actor: int) -> int:
    """Return the nearest foe; the first other actor when none is left."""
    found, nearest = 1 if actor == 0 else 0, SIZE
    for other in range(p.actors):
        if is_foe(p, s, actor, other):
            away = distance(s.cell[actor], s.cell[other])
            if away < nearest:
                found, nearest = other, away
    return found


@jit
def bearing(cell: int, other: int) -> int:
    """Return the direction in which ``other`` lies, if it is one of the eight, else -1."""
    east, north = other // SIZE - cell // SIZE, other % SIZE - cell % SIZE
    if east != 0 and north != 0 and abs(east) != abs(north):
        return -1
    across = (east > 0) - (east < 0) + 1
    up = (north > 0) - (north < 0) + 1
    found: int = DIRECTION[across, up]
    return found


@jit
def is_open(s: Record, cell: int, direction: int) -> bool:
    """Return whether one can walk from ``cell`` that way, but for actors."""
    return int((s.open[direction, cell >> 6] >> np.uint64(cell & 63)) & np.uint64(1)) == 1


@jit
def reach(p: Record, s: Record, actor: int) -> int:
    """Return how many cells an actor shoots; 0 without a bow."""
    bow = s.equipment[actor, BOW]
    return max(2, s.table[bow, RANGE] + p.dexterity[actor] - 2) if bow > 0 else 0


@jit
def shot(p: Record, s: Record, actor: int, direction: int) -> int:
    """Return whom a shot would hit, or -1.

    It flies to the first actor, not past columns, crates and edges of holes, and does not hit who stands next to it.
    """
    cell = s.cell[actor]
    for away in range(1, reach(p, s, actor) + 1):
        if not is_open(s, cell, direction):
            return -1
        cell += OFFSET[direction]
        other = int(s.occupant[cell]) - 1
        if other >= 0:
            is_far = away > 1 or p.can_shoot_adjacent
            return other if is_far and is_foe(p, s, actor, other) else -1
    return -1


@jit
def can_drink(s: Record, actor: int) -> bool:
    """Return whether an actor has a potion and no buff."""
    can: bool = s.equipment[actor, DRINK] > 0 and s.buff[actor] == 0
    return can


@jit
def can_go(p: Record, s: Record, actor: int, direction: int) -> bool:
    """Return whether an actor can walk, or strike, that way."""
    cell = s.cell[actor]
    if not is_open(s, cell, direction):
        return False
    other = int(s.occupant[cell + OFFSET[direction]]) - 1
    return other < 0 or is_foe(p, s, actor, other)


@jit
def legal(p: Record, s: Record, actor: int, mask: Array) -> int:
    """Write into ``mask``, shape (17,), which actions do something; return how many."""
    count = 0
    for d in range(8):
        mask[d] = can_go(p, s, actor, d)
        mask[SHOOT + d] = 0
        count += int(mask[d])
    mask[POTION] = can_drink(s, actor)
    count += int(mask[POTION])
    for other in range(p.actors):
        if is_foe(p, s, actor, other):
            d = bearing(s.cell[actor], s.cell[other])
            if d >= 0 and shot(p, s, actor, d) == other:
                mask[SHOOT + d] = 1
                count += 1
    return count


@jit
def roll(s: Record, item: int) -> int:
    """Roll the dice of a weapon; 0 without one."""
    total = int(s.table[item, BONUS])
    for _ in range(s.table[item, DICE]):
        total += 1 + integer(s.streams[COMBAT_STREAM], s.table[item, SIDES])
    return total


@jit
def hit(p: Record, s: Record, actor: int, other: int, slot: int) -> None:
    """Strike (melee) or shoot (bow): weapon's dice and attack or dexterity, less the other's defence."""
    skill = p.attack[actor] + s.buff_attack[actor] if slot == MELEE else p.dexterity[actor]
    guard = p.defence[other] + s.buff_defence[other]
    damage = min(max(roll(s, s.equipment[actor, slot]) + skill - guard, 0), s.hp[other])
    s.hp[other] -= damage
    s.dealt[actor] += damage
    s.taken[other] += damage
    if s.hp[other] == 0:
        s.occupant[s.cell[other]] = 0
        is_over = True
        for foe in range(p.actors):
            is_over &= not is_foe(p, s, actor, foe)
        if is_over:
            s.winner = p.team[actor]


@jit
def walk(s: Record, actor: int, cell: int) -> None:
    """Go to a free cell and take up what lies there; what was in that slot is lost."""
    s.occupant[s.cell[actor]] = 0
    s.occupant[cell] = actor + 1
    s.cell[actor] = cell
    item = s.item[cell]
    if item > 0:
        s.equipment[actor, s.table[item, KIND]] = item
        s.item[cell] = 0
        s.ground[cell] = CLEAR
        s.pickups[actor] += 1


@jit
def drink(p: Record, s: Record, actor: int) -> None:
    """Drink the potion."""
    potion = s.table[s.equipment[actor, DRINK]]
    s.equipment[actor, DRINK] = 0
    s.potions[actor] += 1
    s.hp[actor] = max(s.hp[actor], min(s.hp[actor] + potion[HEAL], p.max_hp))
    if potion[DURATION] > 0:
        s.buff[actor], s.buff_attack[actor], s.buff_defence[actor] = potion[DURATION], potion[ATTACK], potion[DEFENCE]


@jit
def act(p: Record, s: Record, actor: int, action: int) -> int:
    """Do what ``action`` says; return what it came to."""
    if action == POTION:
        if not can_drink(s, actor):
            return ILLEGAL
        drink(p, s, actor)
        return DRUNK
    if action > POTION:
        other = shot(p, s, actor, action - SHOOT)
        if other < 0:
            return NOTHING
        hit(p, s, actor, other, BOW)
        return DONE
    if not is_open(s, s.cell[actor], action):
        return ILLEGAL
    cell = s.cell[actor] + OFFSET[action]
    other = int(s.occupant[cell]) - 1
    if other < 0:
        walk(s, actor, cell)
    elif is_foe(p, s, actor, other):
        hit(p, s, actor, other, MELEE)
    else:
        return NOTHING
    return DONE


@jit
def pass_turn(p: Record, s: Record) -> None:
    """Give the turn to the next actor who lives; its buff has lasted one more of its turns."""
    for _ in range(p.actors):
        s.turn = (s.turn + 1) % p.actors
        if s.hp[s.turn] > 0:
            break
    actor = s.turn
    if s.buff[actor] > 0:
        s.buff[actor] -= 1
        if s.buff[actor] == 0:
            s.buff_attack[actor] = s.buff_defence[actor] = 0


@jit
def play(p: Record, s: Record, action: int) -> int:
    """Let the actor whose turn it is do ``action``; return what it came to.

    The turn passes with a move or an attack only: who can do nothing else is asked again.
    """
    actor = s.turn
    outcome = act(p, s, actor, action)
    s.previous[actor] = action
    if s.winner < 0 and (outcome == DONE or (outcome == DRUNK and not p.potion_keeps_turn)):
        pass_turn(p, s)
    return outcome
