"""What the protocol tells of unit types and abilities, whatever the game."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import layers
from ..params import LOOPS, MARINE, MINERALS, UNITS, Unit
from .abilities import ABILITIES, MAKES, UNIT_NAMES, WORTH
from .messages import common, data

#: Attribute of the protocol -> flag in `params`.
ATTRIBUTES = {
    "Light": "is_light",
    "Armored": "is_armored",
    "Biological": "is_biological",
    "Mechanical": "is_mechanical",
    "Structure": "is_structure",
}


def unit_types() -> Iterator[Any]:
    """Yield the ``UnitTypeData`` of each unit of the mini-games."""
    for kind, unit in enumerate(UNITS, 1):
        minerals, vespene = WORTH.get(kind, (unit.minerals, unit.vespene))
        shown = data.UnitTypeData(
            unit_id=layers.TYPES[kind],
            name=UNIT_NAMES[kind],
            available=True,
            mineral_cost=int(minerals),
            vespene_cost=int(vespene),
            food_required=unit.supply,
            food_provided=unit.food,
            race=_race(kind, unit),
            build_time=unit.build * LOOPS,
            sight_range=unit.sight,
            movement_speed=unit.speed,
            armor=unit.armor,
            has_minerals=unit.name == "mineral_field",
            has_vespene=unit.name == "geyser",
            attributes=[data.Attribute.Value(name) for name, flag in ATTRIBUTES.items() if getattr(unit, flag)],
        )
        if kind in MAKES:
            shown.ability_id = ABILITIES[MAKES[kind]].specific
        if unit.damage:
            weapon = shown.weapons.add(
                type=data.Weapon.Any if kind == MARINE else data.Weapon.Ground,
                damage=unit.damage,
                attacks=1,
                range=unit.range,
                speed=unit.period,
            )
            if unit.bonus:
                weapon.damage_bonus.add(attribute=data.Light, bonus=unit.bonus)
        yield shown


def abilities() -> Iterator[Any]:
    """Yield the ``AbilityData`` of what can be ordered: of each ability, then of the general one that stands for it."""
    told = set()
    for place, ability in enumerate(ABILITIES):
        for number in (ability.specific, ability.general):
            if number in told:
                continue
            told.add(number)
            shown = data.AbilityData(
                ability_id=number,
                link_name=ability.name,
                button_name=ability.name,
                friendly_name=ability.name,
                hotkey=ability.hotkey,
                available=True,
                target=data.AbilityData.PointOrUnit if ability.has_point else data.AbilityData.Target.Value("None"),
                allow_minimap=ability.has_point,
                is_building=place in MAKES.values() and ability.has_point,
            )
            if number != ability.general:
                shown.remaps_to_ability_id = ability.general
            yield shown


def _race(kind: int, unit: Unit) -> int:
    if kind >= MINERALS:
        return int(common.NoRace)
    return int(common.Zerg if unit.is_zerg else common.Terran)
