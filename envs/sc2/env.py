"""The StarCraft II mini-games."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from ..core import SIMULATION, KernelEnv, KernelVectorEnv, Problem, Simulations, as_record
from ..core.reading import one_of
from . import functions, kernels, layers, records
from .control import INTERFACES, MACROS, WAYS
from .match import Matches
from .observations import ECONOMY_FEATURES, OTHER_FEATURES, OWN_FEATURES
from .params import GAMES, LOOPS, RULES, Game
from .render import Picture

#: Most marines, and most other units, that an observation of numbers shows.
MOST_OWN, MOST_OTHERS = 24, 25
#: The largest value of layers whose values are kinds, where that is small.
LARGEST = {
    "visibility_map": 2, "player_id": 16, "player_relative": 4,
    **dict.fromkeys(("creep", "power", "selected", "camera", "active", "pathable", "buildable"), 1),
}  # fmt: skip
#: Room for units in a state: of a fight, and of an economy.
ROOM, ROOM_OF_ECONOMY = 128, 512


class SC2Env(KernelEnv):
    """One of the seven StarCraft II mini-games of SC2LE, played by an engine of its own.

    ## Description
    The games of "StarCraft II: A New Challenge for Reinforcement Learning" (arXiv:1708.04782), without the game: an
    engine with the figures of the game's own data and the rules of the maps' triggers, 16 loops a second. Scores of
    scripted players agree with those published for the real game, see the guide; where they differ, the real game is
    right.

    - ``MoveToBeacon``: a marine walks to a beacon, which then is elsewhere.
    - ``CollectMineralShards``: two marines collect shards.
    - ``FindAndDefeatZerglings``: three marines find zerglings in the fog.
    - ``DefeatRoaches``, ``DefeatZerglingsAndBanelings``: nine marines against waves; who wins gets more marines.
    - ``CollectMineralsAndGas``: twelve SCVs and a command centre gather.
    - ``BuildMarines``: from SCVs to depots, barracks, marines.

    ## Action space
    - ``"grid"``: `Discrete`. 0 does nothing; in an arena the next numbers let all marines attack the first, second, ...
      enemy; then come the cells of a grid over the playable rectangle, by rows from the bottom left, to which all
      marines go: attacking on the way, then (further on) without; with shards, then the same for the first and for
      the second marine alone.
    - ``"screen"``: `Discrete`. 0 does nothing; the next numbers are pixels of the screen, by rows from the top left, to
      which all marines go, or to the nearest point of the playable rectangle: where there are enemies, attacking them
      on the way, or the one at the pixel.
    - ``"point"``: `Box` in [-1, 1], x and y of the place to which all go; where there are enemies a third number, of
      which a negative one means not to attack on the way.
    - ``"units"``: `MultiDiscrete`, an order for each marine: none, eight ways of walking from east on anticlockwise, or
      an enemy to attack.
    - ``"economy"``: `Discrete`, one of `control.MACROS`; who, and where to build, is chosen by itself.
    - ``"functions"``: `MultiDiscrete`, the functions of pysc2 by number, then all their arguments end to end
      (`functions.ARGUMENTS`), with ``info["action_mask"]`` for the number, and end to end with that
      for the arguments, of which it allows all values. Who is selected does what is said.

    ## Observation space
    - ``"vector"``: a `Box`. Of each marine whether it is there, x, y from -1 to 1, share of hit points and whether its
      weapon is ready; of each other unit the same, but for the last, and three numbers for zergling, baneling, roach;
      shards are told by their distance from the first marine.
      Of an economy, `observations.ECONOMY_FEATURES`.
    - ``"layers"``: a `Dict` of int16: ``feature_screen`` (L, height, width), ``feature_minimap``, ``player`` (11,) and
      ``control_groups`` (10, 2), as pysc2 has them; with ``"functions"`` also ``action_mask``.

    ## Rewards
    What the score gains: 1 for a beacon, a shard or a marine made; 1 for a zergling found; 10 for a roach; 5 for a
    zergling or baneling in the arena; -1 for a marine lost; minerals and vespene gathered.

    ## Starting state
    Places are drawn as the maps' triggers do.

    ## Episode end
    Truncated when the game's time is up, terminated when all marines are dead.

    ## Arguments
    - ``game``: see above.
    - ``action``, ``observation``: see above.
    - ``scenario``: changes of the game: a dict of fields of `params.Game`, such as ``{"roaches": 6, "seconds": 60}``;
      or the file that ``rlx sc2 calibrate`` writes of the installed game.
    - ``step_mul``: game loops per step.
    - ``cells``: of a side of the grid.
    - ``screen``, ``minimap``: pixels, one number or width and height.
    - ``screen_layers``, ``minimap_layers``: names of the layers to show, all by default.
    - ``backend``: ``"embedded"``; or ``"game"``, StarCraft II itself by pysc2, which has to be installed; with
      ``action="functions"`` and ``observation="layers"``. Its states cannot be saved.
    - ``render_mode``: None, ``"rgb_array"`` or ``"human"``.

    ## Info
    ``signals``: ``score``, ``game_loop``, ``minerals``, ``vespene``, ``food_used``, ``food_cap``, ``marines_made``,
    ``kills``, ``losses``; ``reward_terms``; ``action_mask`` with ``"functions"``.

    ## References
    - O. Vinyals et al., "StarCraft II: A New Challenge for Reinforcement Learning", arXiv:1708.04782, 2017.

    ## Version history
    - v0: first version.
    """

    metadata = {**KernelEnv.metadata, "render_fps": 8}

    def __init__(
        self,
        game: str = "MoveToBeacon",
        action: str | None = None,
        observation: str = "vector",
        scenario: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        step_mul: int = 8,
        cells: int = 16,
        screen: int | Sequence[int] = 64,
        minimap: int | Sequence[int] = 64,
        screen_layers: Sequence[str] | None = None,
        minimap_layers: Sequence[str] | None = None,
        backend: str = "embedded",
        render_mode: str | None = None,
    ) -> None:
        """Set the game up; the arguments are described above.

        Raises:
            ValueError: an argument that is unknown, out of range, or does not fit the game.
            DependencyNotInstalled: with ``backend="game"``, there is no game, or pysc2 is missing.
        """
        one_of("backend", backend, ("embedded", "game"))
        setting = _setting(one_of("game", game, GAMES), scenario or {})
        one_of("observation", observation, ("vector", "layers"))
        self.game = game
        self.action = one_of("action", action or ("economy" if setting.is_economy else "grid"), INTERFACES)
        if setting.is_economy and self.action not in ("economy", "functions"):
            raise ValueError(f'action = {action!r}: {game} has no army. Allowed: "economy", "functions".')
        if not setting.is_economy and self.action == "economy":
            raise ValueError(
                f'action = "economy": {game} has none. Allowed: "grid", "screen", "point", "units", "functions".'
            )
        for name, value, high in (("step_mul", step_mul, 10**4), ("cells", cells, 64)):
            if not isinstance(value, int | np.integer) or not 1 <= value <= high:
                raise ValueError(f"{name} = {value!r}: a whole number from 1 to {high} is needed.")
        fixed: dict[str, Any] = {
            "step_mul": step_mul,
            "interface": INTERFACES.index(self.action),
            "cells": cells,
            "verbs": 2 if setting.foes else 1,
            "targets": min(setting.foes, MOST_OTHERS) if setting.rule == "arena" else 0,
            "own": setting.marines if not setting.fresh else MOST_OWN,
            "others": min(setting.foes or setting.shards or 1, MOST_OTHERS),
            "screen": _pixels("screen", screen),
            "minimap": _pixels("minimap", minimap),
            "screen_layer": _places("screen_layers", screen_layers, layers.SCREEN),
            "minimap_layer": _places("minimap_layers", minimap_layers, layers.MINIMAP),
        }
        has_layers = observation == "layers"
        action_space = _actions(self.action, fixed, setting)
        mask_size = sum(action_space.nvec) if self.action == "functions" else 0  # type: ignore[attr-defined]
        problem = Problem(
            parameters=setting,
            observation_space=_layered(fixed, mask_size) if has_layers else _numbers(setting, fixed),
            action_space=action_space,
            state_dtype=records.state(ROOM_OF_ECONOMY if setting.is_economy else ROOM),
            pack=functools.partial(pack, fixed=fixed),
            reset=kernels.reset_layers if has_layers else kernels.reset,
            step=kernels.step_layers if has_layers else kernels.step,
            info=kernels.INFO_NAMES,
            action_mask_size=mask_size,
        )
        self._matches: Matches | None = None
        if backend == "game":
            if (self.action, observation) != ("functions", "layers") or scenario:
                raise ValueError(
                    'backend="game" plays the games as they are, by action="functions" and observation="layers": pass '
                    "these, and no scenario."
                )
            if render_mode is not None:
                raise ValueError(f'render_mode = {render_mode!r}: backend="game" has none, the game has a window.')
            self._matches = Matches(
                _shown(fixed["screen_layer"]),
                _shown(fixed["minimap_layer"]),
                game=game,
                screen=fixed["screen"],
                minimap=fixed["minimap"],
                step_mul=step_mul,
            )
            simulations = Simulations(self._matches.start)
            problem = dataclasses.replace(
                problem, state_dtype=SIMULATION, pack=as_record, reset=simulations.reset, step=simulations.step
            )
        super().__init__(problem, render_mode)
        self._picture: Picture | None = None  # made when it is first asked for

    def frame(self) -> NDArray[np.uint8]:
        """Draw the game, uint8 of shape (600, 960, 3)."""
        if not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.render().")
        if self._picture is None:
            self._picture = Picture(self.game)
        return self._picture.draw(self._rows[0], self._states[0])

    def close(self) -> None:
        """Close the window, and end the game, if there are any."""
        super().close()
        if self._matches is not None:
            self._matches.close()

    @property
    def state(self) -> np.void:
        """A copy of the game as the kernels keep it, see `records.state`."""
        record: np.void = self._states[0].copy()
        return record


class SC2VectorEnv(KernelVectorEnv):
    """Many games, stepped by one call."""

    env_class = SC2Env


#: How figures per second become figures per loop.
_SCALES = dict.fromkeys(("speed", "missile", "regeneration"), 1.0 / LOOPS)
_SCALES |= dict.fromkeys(("period", "damage_point", "build"), float(LOOPS)) | {"acceleration": 1.0 / LOOPS**2}


def pack(setting: Game, *, fixed: Mapping[str, Any]) -> NDArray[np.void]:
    """Return the record of a game, shape ().

    Args:
        setting: the game.
        fixed: what an episode does not change, by field of `records.TASK`.
    """
    task = np.zeros((), records.TASK)
    for name, value in fixed.items():
        task[name] = value
    task["rule"], task["loops"] = RULES.index(setting.rule), round(setting.seconds * LOOPS)
    task["minerals_at_start"] = setting.minerals
    for name in (*records.COUNTS, *records.AMOUNTS[1:], "left", "bottom", "right", "top"):
        task[name] = getattr(setting, name)
    for place, unit in enumerate(setting.units, 1):
        for name in records.PROPERTIES:
            task[name][place] = _SCALES.get(name, 1.0) * getattr(unit, name)
        for name in records.FLAGS:
            task[name][place] = getattr(unit, name)
        task["bounty"][place] = getattr(setting, unit.name, 0.0) if unit.is_zerg else 0.0
    task["fastest"] = 2.0 * task["speed"].max() + 0.5
    return task


def _setting(name: str, changes: Mapping[str, Any] | str | os.PathLike[str]) -> Game:
    """Return a game with changes: fields, or what `rlx sc2 calibrate` has measured of it."""
    fields: Mapping[str, Any] = (
        changes if isinstance(changes, Mapping) else json.loads(Path(changes).read_text())["parameters"].get(name, {})
    )
    allowed = [field.name for field in dataclasses.fields(Game) if field.name not in ("rule", "units")]
    for field in fields:
        one_of("scenario: the field", field, allowed)
    return dataclasses.replace(GAMES[name], **fields)


def _pixels(name: str, given: int | Sequence[int]) -> tuple[int, int]:
    sides = (given, given) if isinstance(given, int | np.integer) else tuple(given)
    if len(sides) != 2 or not all(isinstance(side, int | np.integer) and 8 <= side <= 256 for side in sides):
        raise ValueError(f"{name} = {given!r}: a number of pixels from 8 to 256, or width and height, is needed.")
    return int(sides[0]), int(sides[1])


def _places(name: str, chosen: Sequence[str] | None, known: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the place in the observation of each layer, or -1."""
    places = np.full(len(known), -1)
    for place, layer in enumerate(known if chosen is None else chosen):
        places[known.index(one_of(f"{name}: the layer", layer, known))] = place
    return places


def _shown(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the layers that are shown, in their order."""
    return np.argsort(places, kind="stable")[np.count_nonzero(places < 0) :]


def _numbers(setting: Game, fixed: Mapping[str, Any]) -> spaces.Box:
    width = fixed["own"] * len(OWN_FEATURES) + fixed["others"] * len(OTHER_FEATURES)
    return spaces.Box(-10.0, 10.0, (len(ECONOMY_FEATURES) if setting.is_economy else width,), np.float32)


def _layered(fixed: Mapping[str, Any], mask_size: int) -> spaces.Dict:
    highest = np.iinfo(np.int16).max
    mask = {"action_mask": spaces.Box(0, 1, (mask_size,), np.int16)} if mask_size else {}
    return spaces.Dict(mask | {
        "control_groups": spaces.Box(0, highest, (10, 2), np.int16),
        "feature_minimap": _pictures(fixed["minimap_layer"], layers.MINIMAP, fixed["minimap"]),
        "feature_screen": _pictures(fixed["screen_layer"], layers.SCREEN, fixed["screen"]),
        "player": spaces.Box(0, highest, (len(layers.PLAYER),), np.int16),
    })  # fmt: skip


def _pictures(places: NDArray[np.int64], names: tuple[str, ...], size: tuple[int, int]) -> spaces.Box:
    """Return the space of layers, those with few values bounded by the largest."""
    shown = _shown(places)
    largest = np.array([LARGEST.get(names[k], np.iinfo(np.int16).max) for k in shown], np.int16)
    high = np.broadcast_to(largest[:, None, None], (len(shown), size[1], size[0]))
    return spaces.Box(np.zeros_like(high), high, dtype=np.int16)


def _actions(kind: str, fixed: Mapping[str, Any], setting: Game) -> spaces.Space[Any]:
    if kind == "grid":
        selections = 1 + (setting.marines if setting.rule == "shards" else 0)  # all, or one of them
        return spaces.Discrete(1 + fixed["targets"] + fixed["cells"] ** 2 * fixed["verbs"] * selections)
    if kind == "screen":
        return spaces.Discrete(1 + math.prod(fixed["screen"]))
    if kind == "point":
        return spaces.Box(-1.0, 1.0, (2 + (fixed["verbs"] > 1),), np.float32)
    if kind == "units":
        return spaces.MultiDiscrete([1 + WAYS + min(setting.foes, MOST_OTHERS)] * fixed["own"])
    if kind == "economy":
        return spaces.Discrete(len(MACROS))
    sides = {"screen": fixed["screen"], "minimap": fixed["minimap"], "screen2": fixed["screen"]}
    sizes = [size for name, given in functions.ARGUMENTS for size in sides.get(name, given)]
    return spaces.MultiDiscrete([functions.FUNCTIONS, *sizes])
