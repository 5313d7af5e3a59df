"""Measures in the game itself what its data do not tell, for the embedded engine.

Short probes through the protocol: each returns plain numbers, which `measure` gathers. Who has the game runs them; on
the embedded engine they measure what it was given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import orders
from ..params import GAMES, LOOPS, MARINE, UNITS
from . import compat
from .abilities import ABILITIES
from .messages import common, raw, sc2api

compat.prepare()

from pysc2 import maps, run_configs  # noqa: E402 - it cannot be imported before

#: Pixels of a side of the probes' layers.
PIXELS = 64
#: How often each distance is measured.
SAMPLES = 10
#: Loops from one look at the end of a game to the next.
STRIDE = 16
#: Who moves, or turns, by more than this has stirred.
STILL = 1e-3
#: Nobody is waited for longer, in loops.
PATIENCE = 400
#: Loops of a game's opening that are watched.
OPENING = 2 * LOOPS
_MOVE = ABILITIES[orders.GO].general


def measure(seed: int = 1, is_thorough: bool = True) -> dict[str, Any]:
    """Play the probes; return what they found.

    Args:
        seed: of the games.
        is_thorough: also play each mini-game to its end, to know when that is: 40 minutes by the game's clock.

    Returns:
        ``version``, what of each of the ``games``, the ``distances`` measured, and ``parameters``: what follows from
        these for `params.Game`, by mini-game.
    """
    compat.parse_flags()
    config = run_configs.get()
    with config.start(want_rgb=False) as controller:
        version = controller.ping()
        games = {}
        for name in GAMES:
            _create(controller, config, name, seed)
            games[name] = opening(controller)
            if is_thorough:
                games[name]["end"] = end(controller, round(GAMES[name].seconds * LOOPS))
            controller.leave()
        distances = {}
        for name, (probe, _, _) in PROBES.items():
            _create(controller, config, name, seed)
            distances[name] = probe(controller)
            controller.leave()
    return {
        "version": {"game": version.game_version, "build": version.base_build, "config": config.name()},
        "games": games,
        "distances": distances,
        "parameters": {
            name: {parameter: round(tell(distances[name]), 4)}
            for name, (_, parameter, tell) in PROBES.items()
            if distances[name]
        },
    }


def opening(controller: Any) -> dict[str, Any]:
    """Return what a game shows before its first loop, and how its score and the enemies' clump begin."""
    info, seen = controller.game_info(), controller.observe().observation
    area, camera, shown = info.start_raw.playable_area, seen.raw_data.player.camera, seen.feature_layer_data
    scores, spread = [seen.score.score], [_spread(seen.raw_data.units)]
    for _ in range(OPENING):
        controller.step(1)
        now = controller.observe().observation
        scores.append(now.score.score)
        spread.append(_spread(now.raw_data.units))
    return {
        "camera": [camera.x, camera.y],
        "playable_area": [area.p0.x, area.p0.y, area.p1.x, area.p1.y],
        "score_by_loop": scores,
        "enemies_from_their_middle_by_loop": spread,
        "bits_per_pixel": {
            "screen": {field.name: image.bits_per_pixel for field, image in shown.renders.ListFields()},
            "minimap": {field.name: image.bits_per_pixel for field, image in shown.minimap_renders.ListFields()},
        },
        "units": [
            {"type": unit.unit_type, "owner": unit.owner, "x": unit.pos.x, "y": unit.pos.y, "radius": unit.radius,
             "life": unit.health, "is_selected": unit.is_selected, "facing": unit.facing}
            for unit in seen.raw_data.units
        ],
    }  # fmt: skip


def end(controller: Any, expected: int) -> dict[str, Any]:
    """Return the loop in which a game ends, and how; wait for no longer than a minute beyond ``expected``."""
    while True:
        told = controller.observe()
        loop = told.observation.game_loop
        if told.player_result or controller.status_ended or loop > expected + 60 * LOOPS:
            results = {result.player_id: sc2api.Result.Name(result.result) for result in told.player_result}
            return {"loop": loop, "expected": expected, "results": results}
        controller.step(max(1, min(STRIDE, expected - 1 - loop)))


def pickup(controller: Any) -> list[float]:
    """Return how far a marine was from what it has taken, between centres, in the last loop before."""
    found: list[float] = []
    while len(found) < SAMPLES and not controller.status_ended:
        units = _units(controller)
        marines = [unit for unit in units if unit.alliance == raw.Self]
        goal = min((unit for unit in units if unit.alliance == raw.Neutral), key=lambda unit: _nearest(unit, marines))
        away = _nearest(goal, marines)
        _walk(controller, marines, goal)
        for now in _watch(controller):
            if goal.tag not in now or _has_stirred(goal, now[goal.tag]):  # it is gone, or has been put elsewhere
                found.append(away)
                break
            away = _nearest(goal, [unit for unit in now.values() if unit.alliance == raw.Self])
    return found


def aggro(controller: Any) -> list[float]:
    """Return how far a marine that walks up to enemies was, from edge to edge, when the first of them stirred."""
    found: list[float] = []
    for _ in range(SAMPLES):
        units = _units(controller)
        enemies = [unit for unit in units if unit.alliance == raw.Enemy]
        marines = [unit for unit in units if unit.alliance == raw.Self]
        if not (enemies and marines):
            break
        enemy, marine = min(
            ((enemy, marine) for enemy in enemies for marine in marines), key=lambda pair: _distance(*pair)
        )
        _walk(controller, [marine], enemy)
        for now in _watch(controller):
            if marine.tag not in now:
                break
            stirred = [unit for unit in enemies if unit.tag in now and _has_stirred(unit, now[unit.tag])]
            if stirred:
                away = min(_distance(now[unit.tag], now[marine.tag]) - unit.radius for unit in stirred)
                found.append(away - marine.radius)
                break
        controller.restart()
    return found


def reach(distances: list[float]) -> float:
    """Return from where a marine takes something.

    In the loop before it was out of reach by no more than a step: the truth is between the largest of ``distances``
    less a step, and the smallest.
    """
    step = UNITS[MARINE - 1].speed / LOOPS
    return (min(distances) + max(distances) - step) / 2.0


#: Mini-game -> what is measured there, the parameter that this tells, and how.
PROBES: dict[str, tuple[Callable[[Any], list[float]], str, Callable[[list[float]], float]]] = {
    "MoveToBeacon": (pickup, "reach", reach),
    "CollectMineralShards": (pickup, "reach", reach),
    "DefeatRoaches": (aggro, "scan", max),
    "FindAndDefeatZerglings": (aggro, "scan", max),
}


def _create(controller: Any, config: Any, name: str, seed: int) -> None:
    """Create a mini-game and join it."""
    chosen = maps.get(name)
    create = sc2api.RequestCreateGame(random_seed=seed)
    create.local_map.map_path, create.local_map.map_data = chosen.path, chosen.data(config)
    create.player_setup.add(type=sc2api.Participant)
    controller.create_game(create)
    options = sc2api.InterfaceOptions(raw=True, score=True)
    options.feature_layer.width = 24
    for size in (options.feature_layer.resolution, options.feature_layer.minimap_resolution):
        size.x = size.y = PIXELS
    controller.join_game(sc2api.RequestJoinGame(race=common.Terran, options=options, player_name="rlx"))


def _watch(controller: Any) -> Iterator[dict[int, Any]]:
    """Yield the units by tag, loop after loop, while the game goes on and there is patience."""
    for _ in range(PATIENCE):
        if controller.status_ended:
            return
        controller.step(1)
        yield {unit.tag: unit for unit in _units(controller)}


def _has_stirred(before: Any, now: Any) -> bool:
    return _distance(before, now) > STILL or abs(before.facing - now.facing) > STILL


def _walk(controller: Any, units: list[Any], to: Any) -> None:
    order = sc2api.Action()
    command = order.action_raw.unit_command
    command.ability_id, command.target_world_space_pos.x, command.target_world_space_pos.y = _MOVE, *_place(to)
    command.unit_tags.extend(unit.tag for unit in units)
    controller.act(order)


def _units(controller: Any) -> Any:
    return controller.observe().observation.raw_data.units


def _spread(units: Any) -> float:
    """Return the enemies' mean distance from their middle."""
    places = np.array([_place(unit) for unit in units if unit.alliance == raw.Enemy])
    return float(np.linalg.norm(places - places.mean(0), axis=1).mean()) if len(places) else 0.0


def _nearest(unit: Any, others: list[Any]) -> float:
    """Return how far the nearest of the others is, between centres."""
    return min(_distance(unit, other) for other in others)


def _place(unit: Any) -> tuple[float, float]:
    return unit.pos.x, unit.pos.y


def _distance(a: Any, b: Any) -> float:
    return math.dist(_place(a), _place(b))
