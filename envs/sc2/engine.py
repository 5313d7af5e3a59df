"""One game loop: units walk, fight and push each other.

Distances between units are from edge to edge, in cells; times are in loops. Nothing here knows the mini-games but
through the record of the task.
"""

from __future__ import annotations

import math

import numpy as np

from ..core import jit, uniform
from .params import BEACON, MARINE, NONE, SCV
from .paths import route
from .records import (
    ATTACK,
    ATTACK_MOVE,
    CONSTRUCT,
    DELIVER,
    ENEMY,
    GATHER,
    HOLD,
    IDLE,
    MOVE,
    OWN,
    PATROL,
    PLANS,
    Record,
)

#: A unit within so many cells of its goal has arrived.
NEAR = 0.05
#: A unit that gets nowhere for so many loops, and is this near, has arrived too: others stand there.
PATIENCE, CROWD = 8, 3.0
#: Further than any two points of a map.
FAR = 1000
#: More than there are ever units.
SLOTS = 1024
MILLION = 10**6
#: How far beyond its range a weapon looks for enemies.
SCAN = 0.5
#: How far beyond its range a raised weapon still hits.
SLOP = 1.0
#: Loops from one look for a nearer target to the next.
LOOK = 4
#: Who is pushed no further, in cells, pushes nobody in turn.
TOLERATED = 0.01
#: The least that a shot takes, whatever the armor.
SCRATCH = 0.5


@jit
def distance(s: Record, a: int, b: int) -> float:
    """Return the distance between the centres of two units."""
    return math.sqrt((s.x[a] - s.x[b]) ** 2 + (s.y[a] - s.y[b]) ** 2)


@jit
def gap(p: Record, s: Record, a: int, b: int) -> float:
    """Return the distance between the edges of two units."""
    return distance(s, a, b) - p.radius[s.kind[a]] - p.radius[s.kind[b]]


@jit
def is_within(p: Record, s: Record, a: int, b: int, reach: float) -> bool:
    """Return whether the edges of two units are so near."""
    dx, dy, apart = s.x[a] - s.x[b], s.y[a] - s.y[b], reach + p.radius[s.kind[a]] + p.radius[s.kind[b]]
    return bool(dx * dx + dy * dy <= apart * apart)


@jit
def spawn(p: Record, s: Record, kind: int, owner: int, x: float, y: float) -> int:
    """Make a unit; return its slot, or -1 if there is no room."""
    u = 0
    while u < s.count and s.kind[u] != NONE:
        u += 1
    if u == len(s.kind):
        return -1
    s.count = max(s.count, u + 1)
    s.serial += 1
    s.tag[u], s.kind[u], s.owner[u] = s.serial, kind, owner
    s.x[u], s.y[u], s.face_x[u], s.face_y[u] = x, y, 0.0, -1.0
    s.life[u], s.order[u], s.target[u], s.aim[u] = p.life[kind], IDLE, -1, -1
    s.cooldown[u] = s.windup[u] = s.pace[u] = s.amount[u] = s.timer[u] = 0.0
    s.worker[u] = s.rally_target[u] = -1
    s.rest[:] = 0  # everybody may have a new neighbour
    s.stuck[u] = s.is_selected[u] = s.groups[u] = s.is_gas[u] = s.plans[u] = s.queued[u] = s.has_rally[u] = 0
    s.project[u], s.is_moving[u], s.is_surveyed = NONE, 2, 0
    # Of buildings, a circle that reaches beyond the corners by more than the size of those who walk into them.
    s.body[u] = -FAR if kind >= BEACON else max(p.radius[kind], 0.5 * (p.width[kind] + p.height[kind]))
    if owner == OWN:
        s.food_used += p.supply[kind]
    return u


@jit
def next_order(s: Record, u: int) -> None:
    """Turn to the order that waits, or to nothing."""
    s.stuck[u], s.left[u], s.rest[u], s.target[u], s.aim[u], s.windup[u] = 0, FAR, 0, -1, -1, 0.0
    if s.plans[u] == 0:
        s.order[u] = IDLE
        return
    s.order[u], s.target[u] = s.plan[u, 0], s.plan_target[u, 0]
    s.goal_x[u], s.goal_y[u] = s.plan_x[u, 0], s.plan_y[u, 0]
    s.plans[u] -= 1
    for k in range(s.plans[u]):
        s.plan[u, k], s.plan_target[u, k] = s.plan[u, k + 1], s.plan_target[u, k + 1]
        s.plan_x[u, k], s.plan_y[u, k] = s.plan_x[u, k + 1], s.plan_y[u, k + 1]


@jit
def give(s: Record, u: int, order: int, x: float, y: float, target: int, is_queued: bool) -> None:
    """Give a unit an order, at once or after those it has.

    Args:
        s: the state.
        u: who.
        order: what, see `records`.
        x: where to, in cells.
        y: the same.
        target: the unit that it is about, or -1.
        is_queued: after those that it has.
    """
    if is_queued and s.order[u] != IDLE:
        k = s.plans[u]
        if k < PLANS:
            s.plan[u, k], s.plan_target[u, k], s.plan_x[u, k], s.plan_y[u, k] = order, target, x, y
            s.plans[u] += 1
        return
    leave(s, u)
    # A weapon that is raised, or rests, does not notice that its owner is told again to shoot.
    if not (order in (ATTACK, ATTACK_MOVE, PATROL, HOLD) and (order != ATTACK or s.aim[u] == target)):
        s.aim[u], s.windup[u] = -1, 0.0
    s.plans[u], s.stuck[u], s.left[u], s.rest[u], s.project[u] = 0, 0, FAR, 0, NONE
    s.order[u], s.target[u], s.goal_x[u], s.goal_y[u] = order, target, x, y
    if order == PATROL:
        s.rally_x[u], s.rally_y[u] = s.x[u], s.y[u]


@jit
def leave(s: Record, u: int) -> None:
    """Let a unit give up what it mines or builds."""
    t = s.target[u]
    if t >= 0 and s.worker[t] == u:
        s.worker[t] = -1


@jit
def remove(s: Record, u: int) -> None:
    """Take a unit off the map; who was about it turns to something else."""
    leave(s, u)
    s.kind[u], s.body[u] = NONE, -FAR
    s.is_selected[u] = s.is_moving[u] = s.is_surveyed = 0
    for k in range(s.missiles):
        if s.victim[k] == u:
            s.victim[k] = -1
    for v in range(s.count):
        if s.kind[v] == NONE:
            continue
        if s.aim[v] == u:
            s.aim[v], s.windup[v] = -1, 0.0
        if s.worker[v] == u:
            s.worker[v] = -1
        if s.rally_target[v] == u:
            s.rally_target[v] = -1
        for k in range(s.plans[v]):
            if s.plan_target[v, k] == u:
                s.plan_target[v, k] = -1
        if s.target[v] == u:
            s.target[v] = -1
            if not GATHER <= s.order[v] <= DELIVER:  # workers look for another field
                next_order(s, v)
    while s.count > 0 and s.kind[s.count - 1] == NONE:
        s.count -= 1


@jit
def die(p: Record, s: Record, u: int) -> None:
    """Let a unit die, which someone is paid for."""
    kind = s.kind[u]
    if s.owner[u] == ENEMY:
        s.score += p.bounty[kind]
        s.kills += 1
    elif s.owner[u] == OWN:
        s.food_used -= p.supply[kind]
        if kind == MARINE:
            s.score += p.loss
            s.losses += 1
    remove(s, u)


@jit
def hit(p: Record, s: Record, u: int, attacker: int) -> None:
    """Take off a unit what the weapon of a kind does. Who explodes on dying does so at the end of the loop."""
    kind = s.kind[u]
    damage = p.damage[attacker] + (p.bonus[attacker] if p.is_light[kind] else 0.0)
    s.life[u] -= max(damage - p.armor[kind], SCRATCH)
    if s.life[u] > 0.0:
        return
    if p.splash[kind] == 0.0:
        die(p, s, u)
    else:
        s.has_doomed = 1


@jit
def alarm(p: Record, s: Record, u: int, attacker: int) -> None:
    """Let a unit that is attacked, and those that stand idle near it, turn on the attacker."""
    for v in range(s.count):
        if (
            s.kind[v] != NONE
            and s.owner[v] == s.owner[u]
            and s.order[v] == IDLE
            and s.aim[v] < 0
            and p.damage[s.kind[v]] > 0.0
            and s.kind[v] != SCV
            and (v == u or distance(s, u, v) <= p.call)
        ):
            s.aim[v] = attacker


@jit
def explode(p: Record, s: Record, u: int) -> None:
    """Let a unit explode: all enemies within its splash are hit, and it is dead."""
    kind, owner, x, y = s.kind[u], s.owner[u], s.x[u], s.y[u]
    die(p, s, u)
    for v in range(s.count):
        if s.kind[v] == NONE or s.owner[v] == owner or s.kind[v] >= BEACON or s.life[v] <= 0.0 or s.owner[v] == 0:
            continue
        if math.sqrt((s.x[v] - x) ** 2 + (s.y[v] - y) ** 2) - p.radius[s.kind[v]] <= p.splash[kind]:
            hit(p, s, v, kind)


@jit
def shoot(p: Record, s: Record, u: int) -> None:
    """Let the weapon go off."""
    v, kind = s.aim[u], s.kind[u]
    if v < 0 or gap(p, s, u, v) > p.range[kind] + SLOP:
        return
    if p.splash[kind] > 0.0:
        s.life[u], s.has_doomed = 0.0, 1
        return
    if s.aim[v] < 0 and s.order[v] == IDLE:
        alarm(p, s, v, u)
    if p.missile[kind] > 0.0 and s.missiles < len(s.victim):
        k = s.missiles
        s.flight[k], s.victim[k], s.source[k] = max(gap(p, s, u, v) / p.missile[kind], 1.0), v, kind
        s.missiles += 1
    else:
        hit(p, s, v, kind)


@jit
def fly(p: Record, s: Record) -> None:
    """Let missiles fly on, and hit, whether those who shot them are alive or not."""
    k = 0
    while k < s.missiles:
        s.flight[k] -= 1.0
        if s.flight[k] > 0.0:
            k += 1
            continue
        v, kind = s.victim[k], s.source[k]
        s.missiles -= 1
        last = s.missiles
        s.flight[k], s.victim[k], s.source[k] = s.flight[last], s.victim[last], s.source[last]
        if v >= 0:
            hit(p, s, v, kind)


@jit
def look(p: Record, s: Record, u: int, within: float) -> int:
    """Return the nearest enemy within so many cells of a unit, or -1; then it rests until one can have come so near.

    The distance of each, in millionths of a cell, is followed by its number: so the least says who it is, and a
    processor can compare eight by eight.
    """
    x, y, foe = s.x[u], s.y[u], OWN + ENEMY - s.owner[u]
    xs, ys, bodies, owners, lives = s.x, s.y, s.body, s.owner, s.life
    nearest = FAR * MILLION * SLOTS
    for v in range(s.count):
        dx, dy = xs[v] - x, ys[v] - y
        away = int((math.sqrt(dx * dx + dy * dy) - bodies[v]) * MILLION) * SLOTS + v
        nearest = min(nearest, away if owners[v] == foe and lives[v] > 0.0 else FAR * MILLION * SLOTS)
    away = nearest // SLOTS / MILLION - s.body[u]
    if away > within:
        s.rest[u] = s.loop + int((away - within) / p.fastest)
        return -1
    return nearest % SLOTS


@jit
def walk(p: Record, s: Record, u: int, x: float, y: float, short: float) -> bool:
    """Go on towards a point; return whether one is there. Who accelerates brakes, to stand ``short`` of it."""
    dx, dy = x - s.x[u], y - s.y[u]
    left = math.sqrt(dx * dx + dy * dy)
    if left <= NEAR:
        s.pace[u] = 0.0
        return True
    kind = s.kind[u]
    step = p.speed[kind]
    if p.acceleration[kind] > 0.0:
        rate = p.acceleration[kind]
        step = s.pace[u] = min(s.pace[u] + rate, step, max(math.sqrt(2.0 * rate * max(left - short, 0.0)), rate))
    step = min(step, left) / left
    s.x[u] += step * dx
    s.y[u] += step * dy
    s.face_x[u], s.face_y[u] = dx, dy
    s.is_moving[u] = 1
    return False


@jit
def march(p: Record, s: Record, u: int) -> bool:
    """Go on towards the goal; return whether one is there, or as near as others let one."""
    x, y = s.goal_x[u], s.goal_y[u]
    t = s.target[u]
    if t >= 0 and s.order[u] == MOVE:  # to where a unit is
        x, y = s.x[t], s.y[t]
        if s.kind[t] < BEACON and gap(p, s, u, t) <= NEAR:
            s.pace[u] = 0.0
            return s.owner[t] != s.owner[u]
    is_reachable, next_x, next_y = route(p, s, u, x, y)
    if not is_reachable or (walk(p, s, u, next_x, next_y, 0.0) and next_x == x and next_y == y):
        return True
    dx, dy = x - s.x[u], y - s.y[u]
    if dx * dx + dy * dy > CROWD * CROWD:
        s.stuck[u], s.left[u] = 0, FAR
        return False
    left = math.sqrt(dx * dx + dy * dy)
    s.stuck[u] = s.stuck[u] + 1 if s.left[u] - left < 0.25 * p.speed[s.kind[u]] else 0
    s.left[u] = left
    return bool(s.stuck[u] >= PATIENCE)


@jit
def is_alert(s: Record, u: int) -> bool:
    """Return whether a unit looks for enemies in this loop."""
    return bool((s.loop + u) % LOOK == 0 and s.loop >= s.rest[u])


@jit
def engage(p: Record, s: Record, u: int) -> bool:
    """Shoot at whom the order allows, or walk up to them; return whether there is somebody."""
    kind, order = s.kind[u], s.order[u]
    reach = p.range[kind]
    if order == ATTACK:
        s.aim[u] = s.target[u]
    v = s.aim[u]
    is_near = v >= 0 and is_within(p, s, u, v, reach)
    if not is_near and order != ATTACK:
        if is_alert(s, u):
            found = look(p, s, u, reach if order == HOLD else max(reach + SCAN, p.scan))
            # Who is chased is given up for somebody nearer alone.
            if found >= 0 and (v < 0 or gap(p, s, u, found) < gap(p, s, u, v)):
                s.aim[u] = v = found
                is_near = is_within(p, s, u, v, reach)
        if order == HOLD and not is_near:
            s.aim[u] = v = -1
    if v < 0:
        return False
    if not is_near:
        walk(p, s, u, s.x[v], s.y[v], 0.0)
    elif s.cooldown[u] <= 0.0:
        s.face_x[u], s.face_y[u] = s.x[v] - s.x[u], s.y[v] - s.y[u]
        # Each shot comes up to a loop early or two late. The part of a loop for which the weapon was ready is not lost.
        s.cooldown[u] += p.period[kind] + 3.0 * uniform(s.dice) - 1.0
        s.windup[u] = p.damage_point[kind]
        if s.windup[u] < 1.0:
            s.windup[u] = 0.0
            shoot(p, s, u)
    return True


@jit
def act(p: Record, s: Record, u: int) -> None:
    """Let a loop pass for a unit that is no building, and has no work to do."""
    kind = s.kind[u]
    if s.cooldown[u] > 0.0:
        s.cooldown[u] -= 1.0
    if p.regeneration[kind] > 0.0 and s.life[u] < p.life[kind]:
        s.life[u] = min(s.life[u] + p.regeneration[kind], p.life[kind])
    if s.windup[u] > 0.0:
        s.windup[u] -= 1.0
        if s.windup[u] < 1.0:
            s.windup[u] = 0.0
            shoot(p, s, u)
        return
    order = s.order[u]
    if order == IDLE and s.aim[u] < 0 and not is_alert(s, u):
        return
    if order == MOVE:
        if march(p, s, u):
            next_order(s, u)
        return
    # A worker does not attack of its own accord.
    if p.damage[kind] > 0.0 and (kind != SCV or order in (ATTACK, ATTACK_MOVE)) and engage(p, s, u):
        return
    if order == ATTACK:
        next_order(s, u)
    elif order == ATTACK_MOVE and march(p, s, u):
        next_order(s, u)
    elif order == PATROL and march(p, s, u):  # and back again
        s.goal_x[u], s.rally_x[u] = s.rally_x[u], s.goal_x[u]
        s.goal_y[u], s.rally_y[u] = s.rally_y[u], s.goal_y[u]


@jit
def is_solid(s: Record, u: int) -> bool:
    """Return whether others cannot stand where a unit stands. Workers at work pass through everybody and everything."""
    return NONE < s.kind[u] < BEACON and not GATHER <= s.order[u] <= CONSTRUCT


@jit
def crowd(s: Record, u: int, first: int) -> np.uint64:
    """Return who may be in a unit's way, as bits: of 64 units from ``first`` on.

    All are asked at once: a processor does that eight by eight.
    """
    last, x, y, own = first + 64, s.x[u], s.y[u], s.body[u]
    xs, ys, bodies = s.x[first:last], s.y[first:last], s.body[first:last]
    found = np.uint64(0)
    for k in range(-8 * (-min(64, s.count - first) // 8)):  # those after the last have no bodies
        dx, dy, least = xs[k] - x, ys[k] - y, own + bodies[k]
        found |= np.uint64(dx * dx + dy * dy < least * abs(least)) << np.uint64(k)
    return found & ~(np.uint64(first <= u < last) << np.uint64(u - first))


@jit
def separate(p: Record, s: Record) -> None:
    """Push apart those who stand too close, after they have walked, and keep everybody on the map."""
    # Read once: a compiler does not know that what is written below changes none of it.
    count, kinds, moving, crowds = s.count, s.kind, s.is_moving, s.crowd
    for first in range(0, count, 64):
        # All are asked before any is pushed: a processor that has to read eight numbers waits for each just written.
        for u in range(count):
            can_push = moving[u] != 0 and p.speed[kinds[u]] > 0.0 and is_solid(s, u)
            crowds[u] = crowd(s, u, first) if can_push else 0
        for u in range(count):
            v, found = first, crowds[u]
            while found:
                if found & np.uint64(1) and not (moving[v] == 1 and v < u):  # who has had its turn
                    push(p, s, u, v)
                found >>= np.uint64(1)
                v += 1
    for u in range(count):
        if moving[u] != 0:
            confine(p, s, u)


@jit
def push(p: Record, s: Record, u: int, v: int) -> None:
    """Push a unit that moves and another apart, by half their overlap each if the other gives way."""
    kind = s.kind[v]
    if p.width[kind] > 0.0:
        keep_out(p, s, u, v)
        return
    dx, dy, least = s.x[u] - s.x[v], s.y[u] - s.y[v], s.body[u] + s.body[v]
    square = dx * dx + dy * dy
    if square >= least * least or GATHER <= s.order[v] <= CONSTRUCT:
        return
    away = math.sqrt(square)
    overlap = least - away
    if away < 1e-6:  # no way is better than another: who came first decides
        turn = 2.399963 * s.tag[u]
        dx, dy, away = math.cos(turn), math.sin(turn), 1.0
    yields = p.speed[kind] > 0.0 and (
        s.is_moving[v] != 0 or (s.owner[v] == s.owner[u] and s.order[v] == IDLE and s.aim[v] < 0)
    )
    share = (0.5 if yields else 1.0) * overlap / away
    s.x[u] += share * dx
    s.y[u] += share * dy
    if yields:
        s.x[v] -= share * dx
        s.y[v] -= share * dy
        if overlap > TOLERATED:
            s.is_moving[v] = 2  # it has been pushed, and must look whom it pushes
        confine(p, s, v)


@jit
def keep_out(p: Record, s: Record, u: int, v: int) -> None:
    """Push a unit out of the footprint of a building, by the shorter way."""
    kind, own = s.kind[v], p.radius[s.kind[u]]
    dx, dy = s.x[u] - s.x[v], s.y[u] - s.y[v]
    x, y = 0.5 * p.width[kind] + own - abs(dx), 0.5 * p.height[kind] + own - abs(dy)
    if x <= 0.0 or y <= 0.0:
        return
    if x < y:
        s.x[u] += math.copysign(x, dx)
    else:
        s.y[u] += math.copysign(y, dy)


@jit
def confine(p: Record, s: Record, u: int) -> None:
    """Keep a unit on the map."""
    if not p.left <= s.x[u] <= p.right:
        s.x[u] = min(max(s.x[u], p.left), p.right)
    if not p.bottom <= s.y[u] <= p.top:
        s.y[u] = min(max(s.y[u], p.bottom), p.top)
