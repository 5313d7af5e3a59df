"""Designs made ready for the kernels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .params import Bow, Design, Item, Melee, Potion
from .records import (
    ATTACK,
    ATTRIBUTES,
    BONUS,
    BOW,
    CELLS,
    DEFENCE,
    DESIGN,
    DICE,
    DRINK,
    DURATION,
    HEAL,
    KIND,
    MELEE,
    OBSERVATIONS,
    RANGE,
    RULES,
    SHAPES,
    SIDES,
    SIZE,
)


class Seat(NamedTuple):
    """Who takes part: team 0 are npcs, team 1 the other side."""

    team: int
    actor: str
    """Name of its class."""
    rule: str | tuple[int, ...]
    """One of `records.RULES`; or several of their numbers and `records.POLICY`, of which an episode draws one."""


def pack(design: Design, seats: Sequence[Seat], observation: str) -> NDArray[np.void]:
    """Return the record that the kernels read.

    Args:
        design: numbers are rounded where the game counts in whole ones.
        seats: the actors, in the order of their turns; at most `records.ACTORS`.
        observation: one of `records.OBSERVATIONS`.
    """
    p = np.zeros((), DESIGN)
    p["observation"] = OBSERVATIONS[observation]
    p["actors"] = len(seats)
    for i, seat in enumerate(seats):
        actor = design.actor(seat.actor)
        rules = (RULES[seat.rule],) if isinstance(seat.rule, str) else seat.rule
        p["team"][i], p["rules"][i], p["rule"][i, : len(rules)] = seat.team, len(rules), rules
        p["attack"][i], p["dexterity"][i] = round(actor.attack), round(actor.dexterity)
        p["defence"][i] = round(actor.defence)
        start = design.start
        hp = (start.npc_hp_low, start.npc_hp_high) if seat.team == 0 else (start.target_hp_low, start.target_hp_high)
        p["hp_low"][i], p["hp_high"][i] = round(hp[0]), round(max(hp))
    p["max_hp"] = round(design.max_hp)
    _pack_items(p, design.items)
    p["is_procedural"], p["alpha"] = design.loot.is_procedural, design.loot.alpha
    p["columns"], p["holes"] = len(design.room.columns), len(design.room.holes)
    p["column"], p["hole"] = _grids(design.room.columns), 1 - _grids(design.room.holes)
    for name, low, high in (
        ("crates", design.room.crates_low, design.room.crates_high),
        ("loot", design.start.loot_low, design.start.loot_high),
    ):
        p[f"{name}_low"], p[f"{name}_high"] = low, max(low, high)
    p["potion_keeps_turn"] = design.turn.potion_keeps_turn
    p["can_shoot_adjacent"] = design.turn.can_shoot_adjacent
    for term in ("step", "illegal", "potion", "win", "loss"):
        p[f"{term}_reward"] = getattr(design.reward, term)
    return p


def _pack_items(p: NDArray[np.void], items: Sequence[Item]) -> None:
    for item in items:
        row = p["table"][item.id]
        row[:] = _attributes(item)
        if item.is_start:
            kind = row[KIND]
            p["start"][kind, p["starts"][kind]] = item.id
            p["starts"][kind] += 1
    # A weight of zero stays in: it may be another episode's.
    p["drops"] = len(items)
    p["drop"][: len(items)] = [item.id for item in items]
    p["weight"][: len(items)] = np.cumsum([item.weight for item in items])


def _attributes(item: Item) -> list[int]:
    row = [0] * ATTRIBUTES
    if isinstance(item, Melee):
        row[KIND] = BOW if isinstance(item, Bow) else MELEE
        row[DICE], row[SIDES], row[BONUS] = round(item.dice), round(item.sides), round(item.bonus)
    if isinstance(item, Bow):
        row[RANGE] = round(item.range)
    if isinstance(item, Potion):
        row[KIND] = DRINK
        row[HEAL], row[ATTACK], row[DEFENCE] = round(item.heal), round(item.attack), round(item.defence)
        row[DURATION] = round(item.duration)
    return row


@functools.cache
def _grids(shapes: tuple[str, ...]) -> NDArray[np.int8]:
    """Return shapes as ones where there is a point, (16, 100), by cell."""
    grids = np.zeros((SHAPES, SIZE, SIZE), np.int8)
    for grid, shape in zip(grids, shapes, strict=False):
        # Lines go from north to south, cells from south to north.
        grid[:] = np.array([list(row) for row in shape.split()[::-1]]).T == "."
    return grids.reshape(SHAPES, CELLS)
