"""Rules of thumb that decide for an actor: opponents in the kernel, and experts."""

from __future__ import annotations

import numpy as np

from ..core import integer, jit
from .boards import moved, single
from .records import (
    ACTIONS,
    ATTACK,
    BONUS,
    BOW,
    CELLS,
    CHASER,
    COMBAT_STREAM,
    DEFENCE,
    DICE,
    DRINK,
    HEAL,
    KIND,
    KITER,
    MELEE,
    OFFSET,
    POTION,
    RANDOM,
    SHOOT,
    SIDES,
    STILL,
    Array,
    Record,
)
from .rules import bearing, can_drink, can_go, distance, is_open, legal, reach, shot, target

#: What is no action: the turn passes.
PASS = -1
#: No way leads there.
FAR = CELLS
#: A buff is drunk when the foe is so near.
NEAR = 3


@jit
def spread(s: Record, start: int, away: Array) -> None:
    """Write into ``away``, shape (100,), how many moves each cell is from ``start``, actors disregarded."""
    queue = np.empty(CELLS, np.int8)
    away[:] = FAR
    away[start] = 0
    queue[0] = start
    first, last = 0, 1
    while first < last:
        cell = int(queue[first])
        first += 1
        for d in range(8):
            other = cell + OFFSET[d]
            if is_open(s, cell, d) and away[other] == FAR:
                away[other] = away[cell] + 1
                queue[last] = other
                last += 1


@jit
def approach(p: Record, s: Record, actor: int, goal: int) -> int:
    """Return the first of the moves on a shortest way to a cell, actors disregarded; `PASS` if there is none."""
    near_low = near_high = np.uint64(0)
    for d in range(8):
        if can_go(p, s, actor, d):
            low, high = single(s.cell[actor] + OFFSET[d])
            near_low |= low
            near_high |= high
    # From the goal outwards, until a cell next to the actor is met.
    low, high = single(goal)
    seen_low = seen_high = np.uint64(0)
    while low | high:
        if (low & near_low) | (high & near_high):
            for d in range(8):
                step_low, step_high = single(s.cell[actor] + OFFSET[d])
                if can_go(p, s, actor, d) and (low & step_low) | (high & step_high):
                    return d
        seen_low |= low
        seen_high |= high
        next_low = next_high = np.uint64(0)
        for d in range(8):
            step_low, step_high = moved(low & s.open[d, 0], high & s.open[d, 1], OFFSET[d])
            next_low |= step_low
            next_high |= step_high
        low, high = next_low & ~seen_low, next_high & ~seen_high
    return PASS


@jit
def is_thirsty(p: Record, s: Record, actor: int, foe: int) -> bool:
    """Return whether the potion is of use now: hit points that are missing, or a fight that is near."""
    if not can_drink(s, actor):
        return False
    potion = s.table[s.equipment[actor, DRINK]]
    heals = potion[HEAL] > 0 and s.hp[actor] + potion[HEAL] <= p.max_hp
    helps = potion[ATTACK] + potion[DEFENCE] > 0 and distance(s.cell[actor], s.cell[foe]) <= NEAR
    return heals or helps


@jit
def blow(s: Record, actor: int, foe: int) -> int:
    """Return the move that strikes the foe, or `PASS`."""
    if distance(s.cell[actor], s.cell[foe]) > 1:
        return PASS
    d = bearing(s.cell[actor], s.cell[foe])
    return d if is_open(s, s.cell[actor], d) else PASS


@jit
def volley(p: Record, s: Record, actor: int, foe: int) -> int:
    """Return the action that shoots the foe, or `PASS`."""
    d = bearing(s.cell[actor], s.cell[foe])
    return SHOOT + d if d >= 0 and shot(p, s, actor, d) == foe else PASS


@jit
def mean(s: Record, item: int) -> float:
    """Return the mean of a weapon's dice."""
    row = s.table[item]
    average: float = row[DICE] * (row[SIDES] + 1.0) / 2.0 + row[BONUS]
    return average


@jit
def expected(p: Record, s: Record, actor: int, foe: int, slot: int) -> float:
    """Return about how many hit points an attack takes."""
    skill = p.attack[actor] + s.buff_attack[actor] if slot == MELEE else p.dexterity[actor]
    loss: float = mean(s, s.equipment[actor, slot]) + skill - p.defence[foe] - s.buff_defence[foe]
    return max(loss, 0.0)


@jit
def chase(p: Record, s: Record, actor: int, foe: int) -> int:
    """Strike, else shoot, else go after the foe."""
    action = blow(s, actor, foe)
    if action == PASS:
        action = volley(p, s, actor, foe)
    return approach(p, s, actor, s.cell[foe]) if action == PASS else action


@jit
def aims(s: Record, cell: int, goal: int, length: int) -> bool:
    """Return whether one could shoot from ``cell`` to ``goal``, which lie apart."""
    away = distance(cell, goal)
    d = bearing(cell, goal)
    if d < 0 or away < 2 or away > length:
        return False
    for _ in range(away):
        if not is_open(s, cell, d):
            return False
        cell += OFFSET[d]
    return True


@jit
def kite(p: Record, s: Record, actor: int, foe: int) -> int:
    """Shoot and keep away; strike when cornered."""
    action = volley(p, s, actor, foe)
    if action != PASS:
        return action
    away = np.empty(CELLS, np.int8)
    spread(s, s.cell[foe], away)
    here, length = away[s.cell[actor]], reach(p, s, actor)
    best, most = PASS, -1
    for d in range(8):
        cell = s.cell[actor] + OFFSET[d]
        if can_go(p, s, actor, d) and s.occupant[cell] == 0:
            # A place to shoot from, out of its reach; else farther off when it is near, nearer when it is not.
            value = away[cell] if here <= 2 else FAR - away[cell]
            value += 2 * FAR * aims(s, cell, s.cell[foe], length)
            if value > most:
                best, most = d, value
    if here == 1 and (best == PASS or away[s.cell[actor] + OFFSET[best]] <= 1):
        return blow(s, actor, foe)
    return best


@jit
def is_better(s: Record, actor: int, item: int) -> bool:
    """Return whether an item is worth more than what the actor has in that slot."""
    kind = s.table[item, KIND]
    owned = s.equipment[actor, kind]
    return owned == 0 if kind == DRINK else mean(s, item) > mean(s, owned)


@jit
def plunder(p: Record, s: Record, actor: int, foe: int) -> int:
    """Use the attack that takes most, else fetch better equipment that is nearer than the foe, else go after it."""
    strike, shoot = blow(s, actor, foe), volley(p, s, actor, foe)
    if strike != PASS and expected(p, s, actor, foe, MELEE) > 0.0:
        return strike
    if shoot != PASS and expected(p, s, actor, foe, BOW) > 0.0:
        return shoot
    away = np.empty(CELLS, np.int8)
    spread(s, s.cell[actor], away)
    goal, least = s.cell[foe], away[s.cell[foe]]
    for cell in range(CELLS):
        if s.item[cell] > 0 and away[cell] < least and is_better(s, actor, s.item[cell]):
            goal, least = cell, away[cell]
    return approach(p, s, actor, goal)


@jit
def anything(p: Record, s: Record, actor: int) -> int:
    """Draw a legal action; `PASS` if there is none."""
    mask = np.empty(ACTIONS, np.int8)
    count = legal(p, s, actor, mask)
    left = integer(s.streams[COMBAT_STREAM], max(count, 1))
    for action in range(ACTIONS):
        if mask[action]:
            if left == 0:
                return action
            left -= 1
    return PASS


@jit
def decide(p: Record, s: Record, actor: int, rule: int) -> int:
    """Return what an actor does by a rule (see `records.RULES`), `PASS` for nothing; only the random one draws."""
    if rule == STILL:
        return PASS
    if rule == RANDOM:
        return anything(p, s, actor)
    foe = target(p, s, actor)
    if is_thirsty(p, s, actor, foe):
        return POTION
    if rule == CHASER:
        return chase(p, s, actor, foe)
    return kite(p, s, actor, foe) if rule == KITER else plunder(p, s, actor, foe)
