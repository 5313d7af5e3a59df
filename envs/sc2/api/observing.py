"""What a client sees of the embedded game, as the protocol tells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import layers, serving
from ..params import COMMAND_CENTER, GEYSER, MINERALS, NONE, REFINERY, SCV
from ..records import BUILD, CONSTRUCT, DELIVER, GATHER, MAP, NEUTRAL, OWN, RETURN, SEARCH, Array
from .abilities import (
    ABILITIES,
    CARRIES_MINERALS,
    CARRIES_VESPENE,
    FIRST_TAG,
    FOLLOWS,
    MAKES,
)
from .embedded import Embedded, Pictures
from .messages import common, raw, sc2api, score

#: Height of the ground, of which layers show 127.
GROUND = -200.0 + layers.GROUND * 400.0 / 255.0
#: Bit in the books -> alert.
ALERTS = {
    serving.EXHAUSTED: "MineralsExhausted",
    serving.BUILT: "BuildingComplete",
    serving.TRAINED: "TrainUnitComplete",
    serving.HIRED: "TrainWorkerComplete",
    serving.HIT: "UnitUnderAttack",
}
#: How far from a command centre fields count as its own, in cells; workers that are best for a field, and for gas.
NEARBY, PER_FIELD, PER_REFINERY = 10.0, 2, 3


def observe(game: Embedded, options: Any, seen: Any) -> None:
    """Fill the ``Observation`` of a client with these ``InterfaceOptions``."""
    units = game.look()
    seen.game_loop = int(game.s["loop"])
    for name, value in zip(layers.PLAYER, game.player.tolist(), strict=True):
        setattr(seen.player_common, name, value)
    seen.alerts.extend(sc2api.Alert.Value(name) for bit, name in ALERTS.items() if game.books["alerts"] & bit)
    seen.abilities.extend(_available(game.abilities()))
    _fill_interface(seen.ui_data, game, units)
    if options.score:
        _fill_score(seen.score, game)
    if options.HasField("feature_layer"):
        game.draw()
        for message, picture in zip(
            (seen.feature_layer_data.renders, seen.feature_layer_data.minimap_renders), game.pictures, strict=True
        ):
            _show(message, picture)
    if options.raw:
        _fill_raw(seen.raw_data, game, units)


def image(values: Array, bits: int) -> Any:
    """Return an array (height, width) as ``ImageData``."""
    height, width = values.shape
    content = np.packbits(values != 0) if bits == 1 else values.astype({8: np.uint8, 32: np.int32}[bits])
    return common.ImageData(bits_per_pixel=bits, size=common.Size2DI(x=width, y=height), data=content.tobytes())


def available_abilities(game: Embedded, unit: int) -> list[Any]:
    """Return each ``AvailableAbility`` of a unit."""
    return _available(game.abilities(unit))


def visibility(game: Embedded) -> Array:
    """Return whether each cell of the map is hidden (0), was seen (1) or is seen (2), (64, 64), the row y = 0 first."""
    if game.p["rule"] != SEARCH:
        return np.full((MAP, MAP), layers.SEEN)
    p = game.p.copy()
    p["minimap"], p["minimap_layer"] = MAP, -1
    p["minimap_layer"][layers.MINI_VISIBILITY] = 0
    seen = np.zeros((1, MAP, MAP), np.int16)
    layers.draw_minimap(p, game.s, seen)
    return seen[0, ::-1]


def point(x: float, y: float) -> Any:
    """Return a ``Point`` on the ground."""
    return common.Point(x=x, y=y, z=GROUND)


def _available(abilities: list[int]) -> list[Any]:
    return [
        common.AvailableAbility(ability_id=ABILITIES[k].specific, requires_point=ABILITIES[k].has_point)
        for k in abilities
    ]


def _show(message: Any, picture: Pictures) -> None:
    """Fill each ``ImageData`` of a message with feature layers."""
    height, width = picture.layers.shape[1:]
    for name, bits, length, content in zip(
        picture.names, picture.bits.tolist(), picture.lengths, picture.data, strict=True
    ):
        shown = getattr(message, name)
        shown.bits_per_pixel, shown.data = bits, content[:length].tobytes()
        shown.size.x, shown.size.y = width, height


def _fill_score(message: Any, game: Embedded) -> None:
    """Tell the mini-game's own score, and its details as far as the engine counts them."""
    game.keep_score()
    message.score_type, message.score = score.Score.Curriculum, round(float(game.s["score"]))
    details = message.score_details
    for name, amount in zip(serving.AMOUNTS, game.amounts.tolist(), strict=True):
        setattr(details, name, amount)
    for name, amounts in zip(serving.WORTHS, game.worth.tolist(), strict=True):
        worth = getattr(details, name)
        worth.army, worth.economy, worth.technology = amounts
    details.total_damage_dealt.life, details.total_damage_taken.life = game.books["dealt"], game.books["taken"]


def _fill_interface(message: Any, game: Embedded, units: list[list[float]]) -> None:
    """Show control groups, and the panel of what is selected."""
    for k, (leader, count) in enumerate(game.groups.reshape(10, 2).tolist()):
        if count:
            message.groups.add(control_group_index=k, leader_unit_type=leader, count=count)
    selected = [unit for unit in units if unit[-1]]
    # Of others' units one is shown at most, and only alone.
    selected = [unit for unit in selected if unit[2] == OWN] or selected[:1]
    if len(selected) > 1:
        for unit in selected:
            _fill_info(message.multi.units.add(), game, unit)
    elif selected and game.s["queued"][int(selected[0][0])]:
        _fill_production(message.production, game, selected[0])
    elif selected:
        _fill_info(message.single.unit, game, selected[0])


def _fill_info(message: Any, game: Embedded, unit: list[float]) -> None:
    """Fill a ``UnitInfo``."""
    kind, progress = int(unit[1]), unit[8]
    message.unit_type, message.player_relative = layers.TYPES[kind], layers.RELATIONS[int(unit[2])]
    message.health, message.max_health = int(unit[7]), int(game.p["life"][kind])
    if progress < 1.0:
        message.build_progress = progress


def _fill_production(message: Any, game: Embedded, unit: list[float]) -> None:
    """Show what a building makes, and makes next."""
    _fill_info(message.unit, game, unit)
    for kind, progress in _queue(game, int(unit[0])):
        message.build_queue.add(unit_type=layers.TYPES[kind], player_relative=1, build_progress=progress)
        message.production_queue.add(ability_id=ABILITIES[MAKES[kind]].specific, build_progress=progress)


def _queue(game: Embedded, u: int) -> Iterator[tuple[int, float]]:
    """Yield the kinds of units that a building makes, and how far each is."""
    s = game.s
    for place, kind in enumerate(s["queue"][u][: s["queued"][u]].tolist()):
        is_begun = place == 0 and s["timer"][u] > 0.0
        yield kind, 1.0 - s["timer"][u] / game.p["build"][kind] if is_begun else 0.0


def _fill_raw(message: Any, game: Embedded, units: list[list[float]]) -> None:
    """Show the units themselves, the camera and what is seen of the map."""
    books = game.books
    message.player.camera.CopyFrom(point(*game.s["camera"].tolist()))
    message.map_state.visibility.CopyFrom(image(visibility(game), 8))
    message.map_state.creep.CopyFrom(image(np.zeros((MAP, MAP), np.int16), 1))
    message.event.dead_units.extend((FIRST_TAG + books["dead"][: books["deaths"]]).tolist())
    lives, radii = game.p["life"].tolist(), game.p["radius"].tolist()
    for slot, kind_, owner_, tag, x, y, heading, life, progress, active, on_screen, selected in units:
        kind, owner = int(kind_), int(owner_)
        shown = message.units.add(
            display_type=raw.Visible,
            alliance=layers.RELATIONS[owner],
            tag=FIRST_TAG + int(tag),
            unit_type=layers.TYPES[kind],
            owner=layers.PLAYERS[owner],
            pos=point(x, y),
            facing=heading,
            radius=radii[kind],
            build_progress=progress,
            cloak=raw.NotCloaked,
            is_selected=selected != 0.0,
            is_on_screen=on_screen != 0.0,
            is_active=active != 0.0,
            health=life,
            health_max=lives[kind],
        )
        if kind == MINERALS:
            shown.mineral_contents = int(game.s["amount"][int(slot)])
        elif kind in (GEYSER, REFINERY):
            shown.vespene_contents = int(game.s["amount"][int(slot)])
        if owner == OWN:
            _fill_own(shown, game, int(slot), kind)


def _fill_own(shown: Any, game: Embedded, u: int, kind: int) -> None:
    """Show what one knows of one's own units alone."""
    s = game.s
    shown.weapon_cooldown = max(s["cooldown"][u], 0.0)
    shown.orders.extend(_orders(game, u, kind))
    if s["aim"][u] >= 0 and s["order"][u] < GATHER:
        shown.engaged_target_tag = _tag(game, s["aim"][u])
    if kind == SCV and s["amount"][u] > 0.0:
        shown.buff_ids.append(CARRIES_VESPENE if s["is_gas"][u] else CARRIES_MINERALS)
    if s["has_rally"][u]:
        target = s["rally_target"][u]
        shown.rally_targets.add(
            point=point(s["rally_x"][u], s["rally_y"][u]), tag=_tag(game, target) if target >= 0 else None
        )
    if kind in (COMMAND_CENTER, REFINERY) and s["project"][u] == NONE:
        sources, shown.ideal_harvesters = _sources(game, u, kind)
        is_at_work = (s["kind"] == SCV) & (s["order"] >= GATHER) & (s["order"] <= DELIVER)
        shown.assigned_harvesters = int(np.isin(s["target"][is_at_work], sources).sum())


def _sources(game: Embedded, u: int, kind: int) -> tuple[Array, int]:
    """Return the slots where workers of a command centre or refinery gather, and how many are best."""
    if kind == REFINERY:
        return np.array([u]), PER_REFINERY
    s = game.s
    away = np.hypot(s["x"] - s["x"][u], s["y"] - s["y"][u])
    fields = np.flatnonzero((s["kind"] == MINERALS) & (s["owner"] == NEUTRAL) & (away <= NEARBY))
    return fields, PER_FIELD * len(fields)


def _orders(game: Embedded, u: int, kind: int) -> Iterator[Any]:
    """Yield each ``UnitOrder`` of one's own unit, the present one first."""
    s = game.s
    if game.p["is_structure"][kind]:
        for made, progress in _queue(game, u):
            yield raw.UnitOrder(ability_id=ABILITIES[MAKES[made]].specific, progress=progress)
        return
    order, target = int(s["order"][u]), int(s["target"][u])
    if order == BUILD:
        yield _order(game, MAKES[int(s["project"][u])], s["goal_x"][u], s["goal_y"][u], -1)
    elif order == CONSTRUCT and target >= 0:
        yield _order(game, MAKES[int(s["kind"][target])], s["x"][target], s["y"][target], -1)
    elif order in FOLLOWS:
        base = int(s["aim"][u]) if order in (RETURN, DELIVER) else target
        yield _order(game, FOLLOWS[order], s["goal_x"][u], s["goal_y"][u], base)
    for k in range(s["plans"][u]):
        waiting = int(s["plan"][u, k])
        if waiting in FOLLOWS:
            yield _order(game, FOLLOWS[waiting], s["plan_x"][u, k], s["plan_y"][u, k], int(s["plan_target"][u, k]))


def _order(game: Embedded, ability: int, x: float, y: float, target: int) -> Any:
    shown = raw.UnitOrder(ability_id=ABILITIES[ability].specific)
    if target >= 0:
        shown.target_unit_tag = _tag(game, target)
    elif ABILITIES[ability].has_point:
        shown.target_world_space_pos.CopyFrom(point(x, y))
    return shown


def _tag(game: Embedded, u: int) -> int:
    return FIRST_TAG + int(game.s["tag"][u])
