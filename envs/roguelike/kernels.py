"""A step of the game, and what its players see of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import COST, INFO, REWARD, SUCCESS, TERMINATED, jit
from .generator import begin
from .opponents import PASS, decide
from .records import (
    ACTIONS,
    ATTACK,
    BLOCKED,
    BONUS,
    BOW,
    CELLS,
    CLEAR,
    DEFENCE,
    DENSE,
    DICE,
    DRINK,
    DURATION,
    EXTERNAL,
    HEAL,
    IDS,
    ITEMS,
    KIND,
    LEVEL,
    LEVELS,
    MELEE,
    POLICY,
    SELF,
    SIDES,
    SIZE,
    TARGET,
    Array,
    Record,
)
from .rules import DRUNK, ILLEGAL, bearing, decider, legal, pass_turn, play, reach, shot, target

#: Groups of `info`.
INFO_NAMES = {
    "reward_terms": ("step", "illegal", "potion", "win", "loss"),
    "signals": (
        "decisions", "turn", "opponent", "hp", "target_hp", "damage_dealt", "damage_taken", "potions", "pickups",
    ),
}  # fmt: skip
_SIGNALS = INFO + len(INFO_NAMES["reward_terms"])

#: Types of cells where items are told by attributes: blocked, clear, self, target, melee, bow, potion.
TYPES = 7
#: Lists of entities (melee, bows, potions), their length, and what is told of each: its place, its way from the
#: actor, and its levels as thermometers.
LISTS, LONGEST, FEATURES = 3, 20, 4 + LEVELS * LEVEL

#: Highest number of each field of ``self`` and ``target``. Every field has numbers of its own, those of ``target``
#: after those of ``self``.
_HP, _TURNS, _AIM, _STAT, _REACH = 40, 9, 8, 20, 10
ID_FIELDS: dict[str, tuple[int, ...]] = {
    "self": (_HP, ITEMS, ITEMS, ITEMS, _TURNS, _AIM),
    "target": (_HP, ITEMS, ITEMS, ITEMS, _TURNS),
}
DENSE_FIELDS: dict[str, tuple[int, ...]] = {
    "self": (_HP, *[_STAT] * 7, _REACH, _STAT, _STAT, _TURNS, _AIM),
    "target": (_HP, _STAT, _STAT, 3),
}


def _first(fields: dict[str, tuple[int, ...]]) -> Array:
    """Return the lowest number of each field."""
    highest = [high for group in fields.values() for high in group]
    return np.cumsum([0, *(high + 1 for high in highest)])


#: The lowest number of each field, and after the last one the size of a table for all of them.
ID_FIRST, DENSE_FIRST = _first(ID_FIELDS), _first(DENSE_FIELDS)
_ID_SELF, _DENSE_SELF = len(ID_FIELDS["self"]), len(DENSE_FIELDS["self"])


# -------------------------------------------------------------------------------------------------------- observation


@jit
def figure(actor: int, foe: int, other: int) -> int:
    """Return what is seen of an actor."""
    return SELF if other == actor else TARGET if other == foe else BLOCKED


@jit
def crop(out: Array, i: int, source: int, goal: int, x: int, y: int, radius: int, depth: int) -> int:
    """Copy what is around (x, y) from the map at ``source`` to ``goal``, zero outside; return what follows ``goal``."""
    for east in range(x - radius, x + radius + 1):
        for north in range(y - radius, y + radius + 1):
            is_inside = 0 <= east < SIZE and 0 <= north < SIZE
            cell = source + (SIZE * east + north) * depth
            for k in range(depth):
                out[i, goal + k] = out[i, cell + k] if is_inside else 0
            goal += depth
    return goal


@jit
def draw_ids(p: Record, s: Record, actor: int, foe: int, out: Array, i: int, start: int) -> int:
    """Write the three maps of ``ids``; return what follows them."""
    for cell in range(CELLS):
        out[i, start + cell] = s.ground[cell]
    for other in range(p.actors):
        if s.hp[other] > 0:
            out[i, start + s.cell[other]] = figure(actor, foe, other)
    x, y = s.cell[actor] // SIZE, s.cell[actor] % SIZE
    following = crop(out, i, start, start + CELLS, x, y, 1, 1)
    return crop(out, i, start, following, x, y, 2, 1)


@jit
def draw_dense(p: Record, s: Record, actor: int, foe: int, out: Array, i: int, start: int) -> int:
    """Write the three maps of ``dense``, type and levels of each cell; return what follows them."""
    depth = 1 + LEVELS
    for cell in range(CELLS):
        column, item = start + cell * depth, s.item[cell]
        out[i, column] = s.ground[cell] if item == 0 else TARGET + 1 + s.table[item, KIND]
        for k in range(LEVELS):
            out[i, column + 1 + k] = s.level[item, k]
    for other in range(p.actors):
        if s.hp[other] > 0:
            out[i, start + s.cell[other] * depth] = figure(actor, foe, other)
    x, y = s.cell[actor] // SIZE, s.cell[actor] % SIZE
    following = crop(out, i, start, start + CELLS * depth, x, y, 1, depth)
    return crop(out, i, start, following, x, y, 2, depth)


@jit
def tell(s: Record, actor: int, cell: int, out: Array, i: int, column: int) -> None:
    """Write the features of the item in ``cell``."""
    x, y, item = cell // SIZE, cell % SIZE, s.item[cell]
    out[i, column], out[i, column + 1] = x / (SIZE - 1), y / (SIZE - 1)
    out[i, column + 2] = (x - s.cell[actor] // SIZE) / (SIZE - 1)
    out[i, column + 3] = (y - s.cell[actor] % SIZE) / (SIZE - 1)
    for k in range(LEVELS):
        for high in range(LEVEL):
            out[i, column + 4 + k * LEVEL + high] = s.level[item, k] > high


@jit
def draw_entities(p: Record, s: Record, actor: int, foe: int, out: Array, features: Array, i: int, start: int) -> int:
    """Write the lists of ``entities``, their mask, and the maps with their indices; return what follows them."""
    maps = start + LISTS * LONGEST
    indices = maps + CELLS
    for k in range(LISTS * LONGEST):
        out[i, start + k] = 0
    features[i, :] = 0.0
    counts = np.zeros(LISTS, np.int64)
    for cell in range(CELLS):
        out[i, maps + cell] = min(s.ground[cell], CLEAR)
        out[i, indices + cell] = 0
        if s.item[cell] > 0:
            kind = s.table[s.item[cell], KIND]
            entity = kind * LONGEST + counts[kind]
            counts[kind] += 1
            out[i, start + entity] = 1
            out[i, indices + cell] = 1 + entity
            tell(s, actor, cell, features, i, entity * FEATURES)
    for other in range(p.actors):
        if s.hp[other] > 0:
            out[i, maps + s.cell[other]] = figure(actor, foe, other)
    x, y = s.cell[actor] // SIZE, s.cell[actor] % SIZE
    following = crop(out, i, maps, indices + CELLS, x, y, 1, 1)
    following = crop(out, i, indices, following, x, y, 1, 1)
    following = crop(out, i, maps, following, x, y, 2, 1)
    return crop(out, i, indices, following, x, y, 2, 1)


@jit
def aim(p: Record, s: Record, actor: int, foe: int) -> int:
    """Return one plus the direction in which a shot would hit the foe, or 0."""
    d = bearing(s.cell[actor], s.cell[foe])
    return d + 1 if d >= 0 and s.hp[foe] > 0 and shot(p, s, actor, d) == foe else 0


@jit
def put(out: Array, i: int, column: int, first: Array, value: int) -> int:
    """Write a field's number; return the column after it."""
    out[i, column] = min(first[column] + max(value, 0), first[column + 1] - 1)
    return column + 1


@jit
def count_ids(p: Record, s: Record, actor: int, foe: int, out: Array, i: int) -> None:
    """Write ``self`` and ``target`` of ``ids``: hit points, potion, melee, bow, buff, and the direction to shoot."""
    column = 0
    for who in (actor, foe):
        column = put(out, i, column, ID_FIRST, s.hp[who])
        column = put(out, i, column, ID_FIRST, s.equipment[who, DRINK])
        column = put(out, i, column, ID_FIRST, s.equipment[who, MELEE])
        column = put(out, i, column, ID_FIRST, s.equipment[who, BOW])
        column = put(out, i, column, ID_FIRST, s.buff[who])
        if column == _ID_SELF - 1:
            column = put(out, i, column, ID_FIRST, aim(p, s, actor, foe))


@jit
def count_dense(p: Record, s: Record, actor: int, foe: int, out: Array, i: int) -> None:
    """Write ``self`` and ``target`` of ``dense`` and ``entities``: what hit points, skills and equipment amount to."""
    first, potion = DENSE_FIRST, s.table[s.equipment[actor, DRINK]]
    column = put(out, i, 0, first, s.hp[actor])
    column = put(out, i, column, first, p.attack[actor] + s.buff_attack[actor])
    column = put(out, i, column, first, p.dexterity[actor])
    column = put(out, i, column, first, p.defence[actor] + s.buff_defence[actor])
    for slot in (MELEE, BOW):
        weapon = s.table[s.equipment[actor, slot]]
        column = put(out, i, column, first, weapon[DICE] + weapon[BONUS])
        column = put(out, i, column, first, weapon[DICE] * weapon[SIDES] + weapon[BONUS])
    column = put(out, i, column, first, reach(p, s, actor))
    column = put(out, i, column, first, potion[HEAL])
    column = put(out, i, column, first, potion[ATTACK] + potion[DEFENCE])
    column = put(out, i, column, first, s.buff[actor])
    column = put(out, i, column, first, aim(p, s, actor, foe))

    melee, bow, potion = (
        s.table[s.equipment[foe, MELEE]],
        s.table[s.equipment[foe, BOW]],
        s.table[s.equipment[foe, DRINK]],
    )
    column = put(out, i, column, first, s.hp[foe])
    blow = melee[DICE] * melee[SIDES] + melee[BONUS] + p.attack[foe] + s.buff_attack[foe]
    column = put(out, i, column, first, blow)
    column = put(out, i, column, first, bow[DICE] * bow[SIDES] + bow[BONUS] + p.dexterity[foe])
    put(out, i, column, first, (potion[HEAL] > 0) + 2 * (potion[DURATION] > 0))


@jit
def observe(
    p: Record, s: Record, actor: int, tokens: Array, features: Array, numbers: Array, action_mask: Array, i: int
) -> None:
    """Write what ``actor`` sees into row ``i``.

    Args:
        p: design.
        s: game.
        actor: whose view.
        tokens: mask, maps, and the action before, int8.
        features: of entities, float32; not touched but for ``entities``.
        numbers: ``self`` and ``target``, int16.
        action_mask: of info, int8.
        i: row.
    """
    foe = target(p, s, actor)
    mask = action_mask[i]
    legal(p, s, actor, mask)
    for action in range(ACTIONS):
        tokens[i, action] = mask[action]
    if p.observation == IDS:
        following = draw_ids(p, s, actor, foe, tokens, i, ACTIONS)
        count_ids(p, s, actor, foe, numbers, i)
    else:
        if p.observation == DENSE:
            following = draw_dense(p, s, actor, foe, tokens, i, ACTIONS)
        else:
            following = draw_entities(p, s, actor, foe, tokens, features, i, ACTIONS)
        count_dense(p, s, actor, foe, numbers, i)
    for action in range(ACTIONS):
        tokens[i, following + action] = action == s.previous[actor]


# --------------------------------------------------------------------------------------------------------------- game


@jit
def respond(p: Record, s: Record) -> None:
    """Let rules decide until the game is over, or it is the turn of an actor that they do not decide for."""
    rule = decider(p, s, s.turn)
    while s.winner < 0 and rule != EXTERNAL and rule != POLICY:
        action = decide(p, s, s.turn, rule)
        if action == PASS:
            pass_turn(p, s)
        else:
            play(p, s, action)
        rule = decider(p, s, s.turn)
    # Only a third actor can be in the way of one that can do nothing at all.
    for _ in range(p.actors - 2):
        if s.winner < 0 and legal(p, s, s.turn, np.empty(ACTIONS, np.int8)) == 0:
            pass_turn(p, s)


@jit
def viewer(p: Record, s: Record) -> int:
    """Return whose view is shown: of the actor to decide, or that ended the game; else of the first one."""
    turn: int = s.turn
    rule = decider(p, s, turn)
    return turn if rule == EXTERNAL or (rule == POLICY and s.winner < 0) else 0


@jit
def report(
    p: Record, s: Record, tokens: Array, features: Array, numbers: Array, values: Array, mask: Array, i: int
) -> None:
    """Write observation, mask and signals of row ``i``."""
    actor = viewer(p, s)
    observe(p, s, actor, tokens, features, numbers, mask, i)
    signals = (
        s.decisions, actor, s.member[p.actors - 1], s.hp[actor], s.hp[target(p, s, actor)],
        s.dealt[actor], s.taken[actor], s.potions[actor], s.pickups[actor],
    )  # fmt: skip
    for k in range(len(signals)):
        values[_SIGNALS + k, i] = signals[k]


@jit
def reward(p: Record, s: Record, actor: int, outcome: int, values: Array, i: int) -> None:
    """Write the terms of the reward of the actor that has decided, and how things stand."""
    has_won = s.winner == p.team[actor]
    values[INFO, i] = p.step_reward if not has_won and outcome != ILLEGAL else 0.0
    values[INFO + 1, i] = p.illegal_reward if outcome == ILLEGAL else 0.0
    values[INFO + 2, i] = p.potion_reward if outcome == DRUNK else 0.0
    values[INFO + 3, i] = p.win_reward * s.hp[actor] / p.max_hp if has_won else 0.0
    values[INFO + 4, i] = p.loss_reward if s.winner >= 0 and not has_won else 0.0
    total = 0.0
    for k in range(_SIGNALS - INFO):
        total += values[INFO + k, i]
    values[REWARD, i], values[COST, i] = total, 0.0
    values[TERMINATED, i], values[SUCCESS, i] = s.winner >= 0, has_won


@jit
def start(p: Record, s: Record) -> None:
    """Start an episode, up to the first turn of an actor that ``step`` decides for."""
    begin(p, s)
    respond(p, s)


@jit
def proceed(p: Record, s: Record, action: int, values: Array, i: int) -> None:
    """Let the actor whose turn it is do ``action``, and the others respond."""
    actor = s.turn
    s.decisions += 1
    outcome = play(p, s, action)
    respond(p, s)
    reward(p, s, actor, outcome, values, i)


@jit
def parts(observation: Any) -> tuple[Array, Array, Array]:
    """Return an observation's arrays of tokens, features and numbers.

    Only ``entities`` have features, as the one in the middle of three; the others do not touch what stands for them.
    """
    return observation[0], observation[1], observation[-1]


@jit
def reset(states: Array, rows: Array, active: Array, observation: Any, values: Array, action_mask: Array) -> None:
    """Start an episode in every active row (see `core.Problem`)."""
    tokens, features, numbers = parts(observation)
    for i in range(states.shape[0]):
        if active[i]:
            p, s = rows[min(i, rows.shape[0] - 1)], states[i]
            start(p, s)
            report(p, s, tokens, features, numbers, values, action_mask, i)


@jit
def step(
    states: Array, rows: Array, actions: Array, active: Array, observation: Any, values: Array, action_mask: Array
) -> None:
    """Take a decision in every active row (see `core.Problem`)."""
    tokens, features, numbers = parts(observation)
    for i in range(states.shape[0]):
        if active[i]:
            p, s = rows[min(i, rows.shape[0] - 1)], states[i]
            proceed(p, s, int(actions[i, 0]), values, i)
            report(p, s, tokens, features, numbers, values, action_mask, i)


@jit
def answer(
    states: Array, rows: Array, actions: Array, active: Array, observation: Any, values: Array, action_mask: Array
) -> None:
    """Let the actor whose turn it is do what its policy says, or nothing (`PASS`), in every active row.

    Arguments are those of ``step``, whose reward stands; what may come to it is the loss.
    """
    tokens, features, numbers = parts(observation)
    for i in range(states.shape[0]):
        if active[i]:
            p, s = rows[min(i, rows.shape[0] - 1)], states[i]
            action = int(actions[i, 0])
            if action == PASS:
                pass_turn(p, s)
            else:
                play(p, s, action)
            respond(p, s)
            if s.winner >= 0:
                values[TERMINATED, i] = 1.0
                values[INFO + 4, i] = p.loss_reward
                values[REWARD, i] += p.loss_reward
            report(p, s, tokens, features, numbers, values, action_mask, i)


@jit
def look(states: Array, rows: Array, actor: int, observation: Any, action_mask: Array) -> None:
    """Write what ``actor`` sees of row 0."""
    tokens, features, numbers = parts(observation)
    observe(rows[0], states[0], actor, tokens, features, numbers, action_mask, 0)


@jit
def advise(states: Array, rows: Array, rule: int) -> int:
    """Return what the actor whose turn it is in row 0 would do by a rule that does not draw."""
    return decide(rows[0], states[0], states[0].turn, rule)
