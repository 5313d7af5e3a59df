"""A design: everything about the game that a designer changes. Numbers may differ from episode to episode."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

from ..core import Parameters, quantity

#: A context may move a number anywhere in its range: designs change in leaps.
_FREE = (-math.inf, math.inf)


def _whole(default: float, unit: str, meaning: str, low: float, high: float) -> Any:
    """Declare a whole number. A context may name any number in the range; the game rounds it."""
    return quantity(default, unit, f"{meaning}, rounded", low=low, high=high, spread=_FREE)


def _share(default: float, meaning: str, high: float) -> Any:
    return quantity(default, "1", meaning, low=0.0, high=high, spread=_FREE)


def _reward(default: float, meaning: str) -> Any:
    return quantity(default, "1", meaning, low=-100.0, high=100.0, varies=False)


@dataclasses.dataclass(frozen=True)
class Item(Parameters):
    """What may lie in a room and be carried."""

    name: str = ""
    id: int = 0
    is_start: bool = False
    weight: float = quantity(0.0, "1", "weight in the drop table", low=0.0, high=10.0, spread=_FREE)


@dataclasses.dataclass(frozen=True)
class Melee(Item):
    """A melee weapon: ``dice`` dice of ``sides`` sides, and a bonus."""

    dice: float = _whole(1.0, "1", "dice rolled", 1, 4)
    sides: float = _whole(4.0, "1", "sides of a die", 1, 12)
    bonus: float = _whole(0.0, "hp", "added to the roll", -4, 12)


@dataclasses.dataclass(frozen=True)
class Bow(Melee):
    """A bow."""

    range: float = _whole(2.0, "cells", "range for a dexterity of 2; never below 2 in all", 0, 9)


@dataclasses.dataclass(frozen=True)
class Potion(Item):
    """A potion."""

    heal: float = _whole(0.0, "hp", "hit points it restores", 0, 20)
    attack: float = _whole(0.0, "hp", "added to attack", 0, 8)
    defence: float = _whole(0.0, "hp", "added to defence", 0, 8)
    duration: float = _whole(0.0, "turns", "own turns that attack and defence last, the present one included", 0, 9)


@dataclasses.dataclass(frozen=True)
class Actor(Parameters):
    """A class of actors."""

    name: str = ""
    attack: float = _whole(3.0, "hp", "added to melee damage", 0, 10)
    dexterity: float = _whole(3.0, "hp", "added to bow damage, and less 2 to its range", 0, 10)
    defence: float = _whole(3.0, "hp", "taken off the damage suffered", 0, 10)


@dataclasses.dataclass(frozen=True)
class Room(Parameters):
    """Rooms: shapes as ten lines of ten characters, north up."""

    columns: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()
    crates_low: float = _share(0.08, "least share of the floor under crates", 0.3)
    crates_high: float = _share(0.15, "greatest share of the floor under crates", 0.3)


@dataclasses.dataclass(frozen=True)
class Loot(Parameters):
    """Where the attributes of items come from."""

    is_procedural: bool = False
    alpha: float = quantity(
        1.0, "1", "skew of procedural items: the larger, the weaker", low=0.1, high=10.0, spread=_FREE
    )


@dataclasses.dataclass(frozen=True)
class Start(Parameters):
    """How an episode begins."""

    npc_hp_low: float = _whole(5.0, "hp", "least hit points of the npc", 1, 40)
    npc_hp_high: float = _whole(20.0, "hp", "most hit points of the npc", 1, 40)
    target_hp_low: float = _whole(10.0, "hp", "least hit points of the other side", 1, 40)
    target_hp_high: float = _whole(20.0, "hp", "most hit points of the other side", 1, 40)
    loot_low: float = _share(0.04, "least share of the floor under loot", 0.2)
    loot_high: float = _share(0.2, "greatest share of the floor under loot", 0.2)


class Phase(NamedTuple):
    """A phase of the curriculum: how many steps of training it lasts, 0 for the last one, and how episodes begin."""

    steps: int
    start: Start


@dataclasses.dataclass(frozen=True)
class Reward(Parameters):
    """Terms of the reward."""

    step: float = _reward(-0.01, "of a decision")
    illegal: float = _reward(-0.1, "of an impossible move or potion, instead of step")
    potion: float = _reward(0.01, "of a potion, besides step")
    win: float = _reward(10.0, "of a win with all hit points, instead of step")
    loss: float = _reward(0.0, "of a loss, besides step")


@dataclasses.dataclass(frozen=True)
class Turn(Parameters):
    """Rules that a design may change."""

    potion_keeps_turn: bool = True
    can_shoot_adjacent: bool = False


@dataclasses.dataclass(frozen=True)
class Opponent(Parameters):
    """Who plays the other side: a rule (`records.RULES`) and a class of actors."""

    rule: str = "chaser"
    actor: str = "player"


@dataclasses.dataclass(frozen=True)
class Design(Parameters):
    """A design, as `design.load` reads it from a file."""

    name: str = ""
    items: tuple[Item, ...] = ()
    actors: tuple[Actor, ...] = ()
    max_hp: float = _whole(20.0, "hp", "what potions heal up to, and what the reward of a win is measured by", 1, 40)
    room: Room = Room()
    loot: Loot = Loot()
    start: Start = Start()
    curriculum: tuple[Phase, ...] = ()
    opponent: Opponent = Opponent()
    reward: Reward = Reward()
    turn: Turn = Turn()

    def actor(self, name: str) -> Actor:
        """Return a class of actors by its name.

        Raises:
            ValueError: there is none of that name.
        """
        for actor in self.actors:
            if actor.name == name:
                return actor
        raise ValueError(f"There is no class {name!r}. Allowed: {', '.join(actor.name for actor in self.actors)}.")

    def phase(self, number: int) -> Design:
        """Return the design with episodes that begin as in a phase of the curriculum, counted from 1.

        Raises:
            ValueError: there is no such phase.
        """
        if not 1 <= number <= len(self.curriculum):
            raise ValueError(f"phase = {number!r}: the curriculum has the phases 1 to {len(self.curriculum)}.")
        return dataclasses.replace(self, start=self.curriculum[number - 1].start)
