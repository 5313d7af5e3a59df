"""Units and mini-games as data.

Figures of units are those of the game's own data, the same from version 3.17 to 4.11: seconds are those of the speed
"Normal", of which each has 16 game loops. What the mini-games do is read off the triggers of the seven maps that pysc2
ships.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..core import Parameters, quantity

#: Game loops per second of the game.
LOOPS = 16


def _varying(default: float, unit: str, meaning: str, high: float, low: float = 0.0) -> Any:
    return quantity(default, unit, meaning, low=low, high=high, spread=(0.5, 2.0))


def _fixed(default: float, unit: str, meaning: str, high: float = 1e4) -> Any:
    return quantity(default, unit, meaning, low=0.0, high=high, varies=False)


@dataclasses.dataclass(frozen=True)
class Unit(Parameters):
    """What is known of a type of unit."""

    name: str
    life: float = _varying(1.0, "1", "hit points", 1e5)
    speed: float = _varying(0.0, "1/s", "at which it walks, in cells", 20.0)
    damage: float = _varying(0.0, "1", "of a shot", 1e3)
    range: float = _varying(0.0, "cells", "of its weapon, from edge to edge", 20.0)
    period: float = _varying(1.0, "s", "from one shot to the next", 100.0, 0.0625)
    armor: float = _fixed(0.0, "1", "taken off each shot")
    regeneration: float = _fixed(0.0, "1/s", "of hit points")
    bonus: float = _fixed(0.0, "1", "damage besides, to light units")
    splash: float = _fixed(0.0, "cells", "radius within which all enemies are hit; such a unit dies of it")
    damage_point: float = _fixed(0.0, "s", "from raising the weapon to the shot")
    missile: float = _fixed(0.0, "1/s", "speed of what is shot, in cells; 0: it hits at once")
    acceleration: float = _fixed(0.0, "1/s^2", "in cells, of braking too; 0: it is at full speed at once")
    radius: float = _fixed(0.375, "cells", "of its body")
    sight: float = _fixed(8.0, "cells", "how far it sees")
    width: float = _fixed(0.0, "cells", "of the footprint of a building or resource")
    height: float = _fixed(0.0, "cells", "of the same")
    minerals: float = _fixed(0.0, "1", "price")
    vespene: float = _fixed(0.0, "1", "price")
    supply: float = _fixed(0.0, "1", "that it uses")
    food: float = _fixed(0.0, "1", "supply that it provides")
    build: float = _fixed(0.0, "s", "to make it")
    is_light: bool = False
    is_armored: bool = False
    is_biological: bool = False
    is_mechanical: bool = False
    is_structure: bool = False
    is_zerg: bool = False


def _zerg(name: str, **fields: Any) -> Unit:
    return Unit(name, regeneration=0.2734, is_biological=True, is_zerg=True, **fields)


def _building(name: str, **fields: Any) -> Unit:
    return Unit(name, armor=1.0, is_armored=True, is_mechanical=True, is_structure=True, sight=9.0, **fields)


#: All types of unit, in the order of their numbers from 1 on.
UNITS: tuple[Unit, ...] = (
    Unit("marine", life=45.0, speed=2.25, damage=6.0, range=5.0, period=0.8608, damage_point=0.05, sight=9.0,
         minerals=50.0, supply=1.0, build=25.0, is_light=True, is_biological=True),
    Unit("scv", life=45.0, speed=2.8125, damage=5.0, range=0.1, period=1.5, acceleration=2.5, minerals=50.0,
         supply=1.0, build=17.0, is_light=True, is_biological=True, is_mechanical=True),
    _zerg("zergling", life=35.0, speed=2.9531, damage=5.0, range=0.1, period=0.696, damage_point=0.167, is_light=True),
    _zerg("baneling", life=30.0, speed=2.5, damage=20.0, bonus=15.0, splash=2.2, range=0.25),
    _zerg("roach", life=145.0, speed=2.25, damage=16.0, range=4.0, period=2.0, damage_point=0.167, missile=18.75,
          armor=1.0, radius=0.5, sight=9.0, is_armored=True),
    _building("command_center", life=1500.0, radius=2.75, width=5.0, height=5.0, minerals=400.0, food=15.0,
              build=100.0),
    _building("supply_depot", life=400.0, radius=1.125, width=2.0, height=2.0, minerals=100.0, food=8.0, build=30.0),
    _building("refinery", life=500.0, radius=1.6875, width=3.0, height=3.0, minerals=75.0, build=30.0),
    _building("barracks", life=1000.0, radius=1.75, width=3.0, height=3.0, minerals=150.0, build=65.0),
    Unit("mineral_field", life=1e4, radius=1.125, width=2.0, height=1.0, is_structure=True),
    Unit("geyser", life=1e4, radius=1.6875, width=3.0, height=3.0, is_structure=True),
    Unit("beacon", life=1e4, radius=1.25),
    Unit("shard", life=1e4, radius=0.5),
)  # fmt: skip
NAMES = ("none", *(unit.name for unit in UNITS))
(NONE, MARINE, SCV, ZERGLING, BANELING, ROACH, COMMAND_CENTER, DEPOT, REFINERY, BARRACKS, MINERALS, GEYSER, BEACON,
 SHARD) = range(len(NAMES))  # fmt: skip


def _count(default: float, meaning: str, high: float) -> Any:
    return quantity(default, "1", meaning, low=0, high=high, varies=False)


def _side(default: float, meaning: str) -> Any:
    return quantity(default, "cells", meaning, low=0.0, high=64.0, varies=False)


@dataclasses.dataclass(frozen=True)
class Game(Parameters):
    """A mini-game."""

    rule: str
    """One of `RULES`."""
    seconds: float = quantity(120.0, "s", "that it lasts, by the game's clock", low=1.0, high=1e5, spread=(0.1, 2.0))
    left: float = _side(22.0, "edge of the playable rectangle")
    bottom: float = _side(20.0, "edge of the playable rectangle")
    right: float = _side(44.0, "edge of the playable rectangle")
    top: float = _side(36.0, "edge of the playable rectangle")
    marines: int = _count(0, "marines at the start", 40)
    fresh: int = _count(0, "marines that join when a wave is beaten", 20)
    zerglings: int = _count(0, "of a wave", 40)
    banelings: int = _count(0, "of a wave", 40)
    roaches: int = _count(0, "of a wave", 40)
    shards: int = _count(0, "that lie about at once", 60)
    scvs: int = _count(0, "SCVs at the start", 24)
    minerals: float = _count(50.0, "that one has at the start", 1e4)
    field: float = quantity(1800.0, "1", "minerals in a field", low=5.0, high=1e5, varies=False)
    well: float = quantity(2250.0, "1", "vespene in a geyser", low=4.0, high=1e5, varies=False)
    reach: float = quantity(1.25, "cells", "from which a beacon or a shard is taken", low=0.1, high=5.0, varies=False)
    win: float = _count(0.0, "reward for a beacon, a shard, a marine that is made", 1e3)
    loss: float = quantity(0.0, "1", "reward for a marine lost", low=-1e3, high=0.0, varies=False)
    zergling: float = _count(0.0, "reward for a zergling's death", 1e3)
    baneling: float = _count(0.0, "reward for a baneling's death", 1e3)
    roach: float = _count(0.0, "reward for a roach's death", 1e3)
    scan: float = quantity(
        5.0, "cells", "from which a unit without orders attacks, if its weapon looks no further", low=0.0, high=20.0
    )
    call: float = quantity(
        5.0, "cells", "from which idle units come to the aid of one that is attacked", low=0.0, high=50.0
    )
    units: tuple[Unit, ...] = UNITS

    def __post_init__(self) -> None:
        """Check the rule and the rectangle.

        Raises:
            ValueError: an unknown rule, or a rectangle that is too small.
        """
        super().__post_init__()
        if self.rule not in RULES:
            raise ValueError(f"rule = {self.rule!r}: allowed are {', '.join(RULES)}.")
        if self.right - self.left < 8.0 or self.top - self.bottom < 8.0:
            raise ValueError(
                f"The playable rectangle from ({self.left:g}, {self.bottom:g}) to ({self.right:g}, {self.top:g}) is "
                "too small: at least 8 by 8 cells are needed."
            )

    @property
    def is_economy(self) -> bool:
        """Whether it is about workers and buildings."""
        return self.rule in ("harvest", "barracks")

    @property
    def foes(self) -> int:
        """How many enemies there are at once."""
        return int(self.zerglings + self.banelings + self.roaches)


#: What a game is about: beacons, shards, zerglings that hide, waves in an arena, resources, marines.
RULES = ("beacon", "shards", "search", "arena", "harvest", "barracks")
_ARENA: dict[str, Any] = {"rule": "arena", "marines": 9, "loss": -1.0}
_BASE: dict[str, Any] = {"scvs": 12, "left": 19.94, "bottom": 19.0, "right": 45.94, "top": 37.0}
_WIDE: dict[str, Any] = {"left": 10.0, "bottom": 12.0, "right": 54.0, "top": 44.0}
#: The seven mini-games by name.
GAMES: Mapping[str, Game] = {
    "MoveToBeacon": Game("beacon", marines=1, reach=1.25, win=1.0),
    "CollectMineralShards": Game("shards", marines=2, shards=20, reach=1.875, win=1.0),
    "FindAndDefeatZerglings": Game("search", seconds=180.0, marines=3, zerglings=25, zergling=1.0, loss=-1.0, **_WIDE),
    "DefeatRoaches": Game(fresh=5, roaches=4, roach=10.0, **_ARENA),
    "DefeatZerglingsAndBanelings": Game(fresh=4, zerglings=6, banelings=4, zergling=5.0, baneling=5.0, **_ARENA),
    "CollectMineralsAndGas": Game("harvest", seconds=420.0, **_BASE),
    "BuildMarines": Game("barracks", seconds=900.0, win=1.0, **_BASE),
}
