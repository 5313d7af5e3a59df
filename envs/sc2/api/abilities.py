"""Numbers of the game: abilities, unit types, results of orders.

Those of abilities are of `pysc2.lib.actions` 4.0.0 and of the game's own list (s2client-proto, stableid.json). Most
abilities have two: the one that a unit has, and the general one that stands for all of its like.
"""

from __future__ import annotations

from typing import NamedTuple

from .. import orders, params, records

#: Tags of units begin here. pysc2 takes small ones for places in its list.
FIRST_TAG = 2**32


class Ability(NamedTuple):
    """What the game says of something that can be ordered."""

    name: str
    specific: int
    general: int
    has_point: bool
    hotkey: str = ""
    others: tuple[int, ...] = ()  # further numbers that mean it


#: By the numbers in `orders`.
ABILITIES: tuple[Ability, ...] = (
    Ability("Smart", 1, 1, True),
    Ability("Move", 16, 3794, True, "m"),
    Ability("Attack", 23, 3674, True, "a"),
    Ability("Stop", 4, 3665, False, "s"),
    Ability("HoldPosition", 18, 3793, False, "h"),
    Ability("Patrol", 17, 3795, True, "p"),
    Ability("Harvest Gather", 295, 3666, True, "g"),
    Ability("Harvest Return", 296, 3667, False, "c"),
    Ability("Build CommandCenter", 318, 318, True, "c"),
    Ability("Build SupplyDepot", 319, 319, True, "s"),
    Ability("Build Refinery", 320, 320, True, "r"),
    Ability("Build Barracks", 321, 321, True, "b"),
    Ability("Halt", 348, 3660, False),
    Ability("Train SCV", 524, 524, False, "s"),
    Ability("Train Marine", 560, 560, False, "a"),
    Ability("Rally Units", 195, 3673, True, "y"),
    Ability("Rally Workers", 203, 3690, True, "y"),
    Ability("Cancel", 314, 3659, False),
    Ability("Cancel Last", 306, 3671, False, others=(304, 308, 312)),
)
#: Number of the game -> number in `orders`.
BY_ID: dict[int, int] = {
    number: place
    for place, ability in enumerate(ABILITIES)
    for number in (ability.specific, ability.general, *ability.others)
}
#: Kind of unit -> the ability that makes it.
MAKES: dict[int, int] = {kind: place for place, kind in enumerate(orders.PRODUCTS) if kind != params.NONE}
#: What a unit is about -> the ability that it follows.
FOLLOWS: dict[int, int] = {
    records.HOLD: orders.STAND,
    records.MOVE: orders.GO,
    records.ATTACK_MOVE: orders.FIGHT,
    records.PATROL: orders.WALK_ABOUT,
    records.ATTACK: orders.FIGHT,
    records.GATHER: orders.HARVEST_FROM,
    records.MINE: orders.HARVEST_FROM,
    records.RETURN: orders.HAND_OVER,
    records.DELIVER: orders.HAND_OVER,
}
#: What comes of an order, see `orders` -> `ActionResult`.
SUCCESS, NOT_SUPPORTED, ERROR, CANT_TARGET = 1, 2, 3, 36
RESULTS = {
    orders.DONE: SUCCESS,
    orders.IMPOSSIBLE: ERROR,
    orders.NO_MINERALS: 9,
    orders.NO_VESPENE: 10,
    orders.NO_FOOD: 13,
    orders.QUEUE_FULL: 7,
    orders.NO_PLACE: 44,
    orders.NO_TECH: 40,
}

#: Names of unit types by kind, as the game spells them.
UNIT_NAMES = (
    "", "Marine", "SCV", "Zergling", "Baneling", "Roach", "CommandCenter", "SupplyDepot", "Refinery", "Barracks",
    "MineralField", "VespeneGeyser", "Beacon_Terran", "NaturalMineralShards",
)  # fmt: skip
#: Minerals and vespene that a zerg is worth; one's own units cost what `params` says.
WORTH = {params.ZERGLING: (25, 0), params.BANELING: (50, 25), params.ROACH: (75, 25)}
#: Buffs of workers that carry minerals, or vespene.
CARRIES_MINERALS, CARRIES_VESPENE = 271, 273
