"""Experts of the mini-games: scripted players.

A factory takes the environment, wrapped or not, and returns a policy: ``reset()`` at the start of each episode, then
``act(observation, info)``. They look at the state, but not at what a player could not see, and act through the
environment's own interface. Where that has one order for all marines, they give the one that most would get.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import gymnasium
import numpy as np
from numpy.typing import NDArray

from .control import WAYS
from .env import MOST_OTHERS
from .managers import builder, harvest
from .managers import expand as expand
from .orders import HALF_VIEW
from .params import (
    BANELING,
    MARINE,
    NONE,
    ROACH,
    Game,
)  # fmt: skip
from .records import ENEMY, NEUTRAL, OWN

Info = dict[str, Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Weapons within so many loops of a shot are as good as ready: a step lasts 8.
SOON = 2.0
#: How far beyond its range a marine takes aim: it is there within a step.
STEP = 0.3


@dataclasses.dataclass(frozen=True)
class Sight:
    """What a player sees of a fight or a walk: units in the order of slots, as actions count them; places in cells."""

    tags: Ints
    """Numbers that marines keep, (M,)."""
    marines: Floats
    """(M, 2)."""
    life: Floats
    """Hit points, (M,)."""
    cooldown: Floats
    """Loops until a marine can shoot again, (M,)."""
    foes: Floats
    """(F, 2)."""
    foe_life: Floats
    """(F,)."""
    foe_kind: Ints
    """(F,), see `params.NAMES`."""
    goods: Floats
    """Beacons and shards, (G, 2)."""
    gaps: Floats
    """From each marine's edge to each foe's, (M, F)."""


def look(env: Any) -> Sight:
    """Return what the player of ``env``, an `SC2Env`, sees now."""
    state, units = env.state, env.parameters.units
    count = int(state["count"])
    kind, owner = state["kind"][:count].astype(np.int64), state["owner"][:count]
    places = np.stack([state["x"][:count], state["y"][:count]], axis=1)
    is_there = kind != NONE
    mine = np.flatnonzero(is_there & (owner == OWN))
    foes = np.flatnonzero(is_there & (owner == ENEMY))
    radius = np.array([unit.radius for unit in units])[kind[foes] - 1]
    away = np.linalg.norm(places[mine][:, None] - places[foes][None], axis=2)
    if env.parameters.rule == "search":
        is_seen = (away <= units[MARINE - 1].sight + radius).any(axis=0)
        foes, radius, away = foes[is_seen], radius[is_seen], away[:, is_seen]
    foes, radius, away = foes[:MOST_OTHERS], radius[:MOST_OTHERS], away[:, :MOST_OTHERS]  # no others can be named
    return Sight(
        tags=state["tag"][mine],
        marines=places[mine],
        life=state["life"][mine],
        cooldown=state["cooldown"][mine],
        foes=places[foes],
        foe_life=state["life"][foes],
        foe_kind=kind[foes],
        goods=places[is_there & (owner == NEUTRAL)],
        gaps=away - radius - units[MARINE - 1].radius,
    )


class Company:
    """Tells marines what to do through the interface of an environment."""

    def __init__(self, env: gymnasium.Env[Any, Any], *allowed: str) -> None:
        """Command the marines of ``env``, an `SC2Env`, wrapped or not.

        Args:
            env: the environment.
            *allowed: the interfaces that will do.

        Raises:
            ValueError: it has another interface.
        """
        self.env = cast(Any, env.unwrapped)
        self.kind: str = self.env.action
        if self.kind not in allowed:
            choices = ", ".join(f'action="{name}"' for name in allowed)
            raise ValueError(f"This expert does not play through action = {self.kind!r}. Make the game with {choices}.")
        self._task = self.env.problem.pack(self.env.parameters)

    @property
    def game(self) -> Game:
        """The game's parameters, of this episode."""
        game: Game = self.env.parameters
        return game

    def cells(self) -> Floats:
        """Return the middles of the grid's cells, (cells * cells, 2)."""
        game, number = self.game, int(self._task["cells"])
        share = (np.arange(number) + 0.5) / number
        x, y = np.meshgrid(game.left + share * (game.right - game.left), game.bottom + share * (game.top - game.bottom))
        return np.stack([x.ravel(), y.ravel()], axis=1)

    def go(self, sight: Sight, place: Floats, is_fighting: bool = True, who: int = -1) -> Any:
        """Return the action that sends marines to a place.

        Args:
            sight: what is seen.
            place: where to, (2,).
            is_fighting: whether they attack on the way.
            who: a marine, or -1 for all; one alone can be sent in ``"grid"``, where there are shards, and ``"units"``.
        """
        game, task = self.game, self._task
        low, high = corners(game)
        share = np.clip((place - low) / (high - low), 0.0, 1.0)
        if self.kind == "grid":
            cells = int(task["cells"])
            column, row = np.minimum((share * cells).astype(int), cells - 1)
            block = int(not is_fighting) if task["verbs"] > 1 else who + 1
            return int(1 + task["targets"] + column + row * cells + block * cells**2)
        if self.kind == "point":
            point = [*(2.0 * share - 1.0), 1.0 if is_fighting else -1.0]
            return np.array(point[: 2 + (int(task["verbs"]) > 1)], np.float32)
        if self.kind == "screen":
            return self._pixel(place)
        orders = np.where(self._are_to_shoot(sight, is_fighting), NOTHING, ways(place - sight.marines))
        targets = sight.gaps.argmin(axis=1) if len(sight.foes) else orders
        orders = np.where(orders == NOTHING, FIRST_TARGET + targets, orders)
        is_sent = np.full(len(orders), who < 0) | (np.arange(len(orders)) == who)
        return self._each(np.where(is_sent, orders, 0))

    def attack(self, sight: Sight, foe: int) -> Any:
        """Return the action by which all marines attack the foe at a place in ``sight``."""
        if self.kind == "grid" and self._task["targets"] > 0:
            return 1 + foe
        if self.kind == "units":
            return self._each(np.full(len(sight.marines), FIRST_TARGET + foe))
        return self.go(sight, sight.foes[foe])

    def each(self, sight: Sight, targets: Ints, directions: Floats) -> Any:
        """Return the action that gives each marine an order of its own, or all the one that most would get.

        Args:
            sight: what is seen.
            targets: the foe that each attacks, (M,); -1: it walks.
            directions: where to, (M, 2); zero: it stays.
        """
        is_walking = targets < 0
        if self.kind == "units":
            return self._each(np.where(is_walking, ways(directions), FIRST_TARGET + targets))
        if 2 * is_walking.sum() > len(targets):
            return self.go(sight, (sight.marines + 2.0 * directions)[is_walking].mean(axis=0), is_fighting=False)
        return self.attack(sight, int(np.bincount(targets[~is_walking]).argmax()))

    def _are_to_shoot(self, sight: Sight, is_fighting: bool) -> NDArray[np.bool_]:
        if not is_fighting or not len(sight.foes):
            return np.zeros(len(sight.marines), np.bool_)
        are_near: NDArray[np.bool_] = sight.gaps.min(axis=1) <= self.game.units[MARINE - 1].range + STEP
        return are_near

    def _each(self, orders: Ints) -> Ints:
        action = np.zeros(int(self._task["own"]), np.int64)
        shown = min(len(orders), len(action))
        action[:shown] = orders[:shown]
        return action

    def _pixel(self, place: Floats) -> int:
        width, height = self._task["screen"]
        camera = self.env.state["camera"]
        column = int(np.clip((place[0] - camera[0] + HALF_VIEW) * width / (2.0 * HALF_VIEW), 0, width - 1))
        row = int(np.clip((camera[1] + HALF_VIEW - place[1]) * height / (2.0 * HALF_VIEW), 0, height - 1))
        return 1 + row * int(width) + column


#: Orders of the interface "units": those to attack come after those to walk.
NOTHING, FIRST_TARGET = -1, 1 + WAYS


def ways(directions: Floats) -> Ints:
    """Return the orders of the interface "units" nearest to directions, (M,); 0 where these are almost zero."""
    turns = np.rint(np.arctan2(directions[:, 1], directions[:, 0]) / (2.0 * np.pi / WAYS)).astype(np.int64) % WAYS
    return np.where(np.linalg.norm(directions, axis=1) < 0.1, 0, 1 + turns)


ARMY = ("grid", "point", "screen", "units")


class Player:
    """A policy that commands marines by what is seen now."""

    def __init__(self, company: Company, decide: Callable[[Company, Sight], Any]) -> None:
        """Follow ``decide``."""
        self._company, self._decide = company, decide

    def reset(self) -> None:
        """Do nothing: there is no memory."""

    def act(self, observation: Any, info: Info) -> Any:
        """Choose an action."""
        return self._decide(self._company, look(self._company.env))


def nearest_good(company: Company, sight: Sight) -> Any:
    """Send all to the beacon or the shard that is nearest to them."""
    away = np.linalg.norm(sight.goods - sight.marines.mean(axis=0), axis=1)
    return company.go(sight, sight.goods[away.argmin()])


def lowest_foe(company: Company, sight: Sight) -> Any:
    """Let all attack the foe that is lowest on the screen, as the scripted player of pysc2 does."""
    return company.attack(sight, int(sight.foes[:, 1].argmin()))


def march(company: Company, sight: Sight) -> Any:
    """Let all go to the middle of the foes, attacking on the way."""
    return company.go(sight, sight.foes.mean(axis=0))


#: A marine with so few hit points dies of the next roach's shot, and steps back from one that is so near, if others
#: are there.
WOUNDED, NEAR_ROACH, OTHERS = 16.5, 4.5, 3
#: A foe in the reach of one marine more is preferred to one with so many hit points less.
PER_MARINE = 30.0
#: Marines that cannot shoot walk away from banelings that are so near.
NEAR_BANELING = 5.5


def concentrate(company: Company, sight: Sight) -> Any:
    """Concentrate fire; keep the wounded away from roaches, and everybody away from banelings between shots."""
    is_roach = (sight.foe_kind == ROACH).any()
    return company.each(sight, *(against_roaches if is_roach else against_banelings)(sight, company.game))


def against_roaches(sight: Sight, game: Game) -> tuple[Ints, Floats]:
    """Return targets and directions, see `Company.each`: all attack one, and the wounded step back."""
    gaps, reach = sight.gaps, game.units[MARINE - 1].range + STEP
    target = (sight.foe_life - PER_MARINE * (gaps <= reach).sum(axis=0)).argmin()
    is_wounded = sight.life <= WOUNDED
    retreats = is_wounded & (gaps.min(axis=1) < NEAR_ROACH) & ((~is_wounded).sum() >= OTHERS)
    return np.where(retreats, -1, target), sight.marines - sight.foes[gaps.argmin(axis=1)]


def against_banelings(sight: Sight, game: Game) -> tuple[Ints, Floats]:
    """Return targets and directions, see `Company.each`: banelings first, none with more shots than it needs."""
    marine, gaps, rows = game.units[MARINE - 1], sight.gaps, np.arange(len(sight.marines))
    is_baneling = sight.foe_kind == BANELING
    to_baneling = np.where(is_baneling, gaps, np.inf)
    nearest = to_baneling.argmin(axis=1)
    is_ready, is_near = sight.cooldown <= SOON, to_baneling[rows, nearest] < NEAR_BANELING
    cost, left = gaps - 100.0 * is_baneling, sight.foe_life.copy()
    targets = np.where(is_near | ~is_ready, -1, gaps.argmin(axis=1))
    for u in gaps.min(axis=1).argsort():
        options = np.where((gaps[u] <= marine.range + STEP) & (left > 0.0), cost[u], np.inf)
        if is_ready[u] and np.isfinite(options).any():
            targets[u] = options.argmin()
            left[targets[u]] -= marine.damage
    return targets, np.where(is_near[:, None], sight.marines - sight.foes[nearest], 0.0)


def corners(game: Game) -> tuple[Floats, Floats]:
    """Return the lower left and the upper right corner of the playable rectangle."""
    return np.array([game.left, game.bottom]), np.array([game.right, game.top])


def focus(env: gymnasium.Env[Any, Any]) -> Player:
    """Concentrate fire and step back in time; best with an order for each marine, ``action="units"``."""
    return Player(Company(env, *ARMY), concentrate)


def attack_move(env: gymnasium.Env[Any, Any]) -> Player:
    """Go where the foes are, attacking on the way."""
    return Player(Company(env, *ARMY), march)


#: What a shard is worth that is a cell further away, and what it is worth not to have to stop for it.
DISCOUNT, STOP = 0.6, 0.8


class Split:
    """Sends each of the marines to where it collects shards soonest, and leaves each the shards on its way."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Play ``env``, a game of shards.

        Raises:
            ValueError: marines cannot be sent one by one.
        """
        self._company = Company(env, "grid", "units")
        self._goals: dict[int, Floats] = {}

    def reset(self) -> None:
        """Forget where the marines are going."""
        self._goals = {}

    def act(self, observation: Any, info: Info) -> Any:
        """Send the marine that gains most by it."""
        company = self._company
        sight, cells = look(company.env), company.cells()
        chosen, most, goal = 0, -1.0, cells[0]
        for u in range(len(sight.marines)):
            shards = self._left(sight, u)
            values = self._values(sight.marines[u], np.vstack([cells, self._goals.get(u, sight.marines[u])]), shards)
            best = int(values[:-1].argmax())
            if (gain := values[best] - values[-1]) > most:
                chosen, most, goal = u, gain, cells[best]
        if most > 0.0:
            self._goals[chosen] = goal
        if company.kind == "grid":
            return company.go(sight, goal, who=chosen) if most > 0.0 else 0
        goals = np.array([self._goals.get(u, place) for u, place in enumerate(sight.marines)])
        return company.each(sight, np.full(len(goals), -1), goals - sight.marines)

    def _left(self, sight: Sight, u: int) -> Floats:
        """Return the shards that no other marine will have collected before marine ``u`` could."""
        reach, shards = self._company.game.reach, sight.goods
        soonest = np.linalg.norm(shards - sight.marines[u], axis=1) - reach
        is_left = np.ones(len(shards), np.bool_)
        for other, goal in self._goals.items():
            if other != u:
                is_left &= entries(sight.marines[other], goal[None], shards, reach)[0] >= soonest
        return shards[is_left] if is_left.any() else shards

    def _values(self, start: Floats, goals: Floats, shards: Floats) -> Floats:
        """Return what it is worth to walk from a place to each of some goals, and on to the two nearest shards."""
        reach = self._company.game.reach
        found = entries(start, goals, shards, reach)
        beyond = np.maximum(np.linalg.norm(goals[:, None] - shards[None], axis=2) - reach, 0.0)
        beyond = np.sort(np.where(np.isfinite(found), np.inf, beyond), axis=1)[:, :2]
        later = (DISCOUNT**beyond * [1.0, 0.5][: beyond.shape[1]]).sum(axis=1)
        # Who stands loses a step, too.
        length = np.maximum(np.linalg.norm(goals - start, axis=1), 1.0)
        values: Floats = (DISCOUNT**found).sum(axis=1) + STOP * later * DISCOUNT**length
        return values


def entries(start: Floats, goals: Floats, shards: Floats, reach: float) -> Floats:
    """Return after how many cells on straight ways shards come into reach, (G, S); infinity where they do not.

    Args:
        start: (2,).
        goals: (G, 2).
        shards: (S, 2).
        reach: in cells.
    """
    way = goals - start
    length = np.linalg.norm(way, axis=1)[:, None]
    offset = shards - start
    along = way / np.maximum(length, 1e-9) @ offset.T
    square = reach**2 - (offset**2).sum(axis=1) + along**2
    half = np.sqrt(np.maximum(square, 0.0))
    is_met = (square > 0.0) & (along - half <= length) & (along + half >= 0.0)
    met: Floats = np.where(is_met, np.maximum(along - half, 0.0), np.inf)
    return met


#: From how far on a foe is worth a halt, and from how far on marines walk between shots.
FIGHT, WALK = 6.0, 3.5
#: How far marines see, to be on the safe side; and how far from marines new zerglings come.
SEEN, NEW = 8.5, 9.0


class Hunt:
    """Goes to the nearest foe that is seen, else to the nearest place where none has been looked for."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Play ``env``, a search."""
        self._company = Company(env, "grid", "point", "units")
        self.reset()

    def reset(self) -> None:
        """Forget where one has been."""
        game = self._company.game
        columns, rows = np.arange(game.left, game.right) + 0.5, np.arange(game.bottom, game.top) + 0.5
        self._cells = np.stack(np.meshgrid(columns, rows), axis=2).reshape(-1, 2)
        self._is_open = np.ones(len(self._cells), np.bool_)
        self._waves = 0

    def act(self, observation: Any, info: Info) -> Any:
        """Choose an action."""
        company = self._company
        sight = look(company.env)
        away = np.linalg.norm(self._cells[:, None] - sight.marines[None], axis=2).min(axis=1)
        waves = int(info["signals"]["kills"]) // max(company.game.foes, 1)
        if waves > self._waves or not self._is_open.any():  # new ones, or one has moved
            self._is_open, self._waves = away >= NEW, waves
        self._is_open &= away > SEEN
        middle = sight.marines.mean(axis=0)
        stops = self._stops(sight.foes, middle)
        far = np.linalg.norm(stops[0] - middle) if len(stops) else np.inf
        is_between_shots = len(sight.foes) and WALK < far <= FIGHT and sight.cooldown.min() > SOON
        if is_between_shots and len(stops) > 1:
            return company.go(sight, stops[1], is_fighting=False)
        return company.go(sight, stops[0] if len(stops) else middle)

    def _stops(self, foes: Floats, middle: Floats) -> Floats:
        """Return the places to go to: foes, the nearest first, then the nearest place to look for others."""
        stops: Floats = foes[np.linalg.norm(foes - middle, axis=1).argsort()]
        if self._is_open.any():
            cells = self._cells[self._is_open]
            stops = np.vstack([stops, cells[np.linalg.norm(cells - middle, axis=1).argmin()]])
        return stops


def scripted(env: gymnasium.Env[Any, Any]) -> Any:
    """Return the plain player of a game.

    Walk to the beacon, or together to the nearest shard; let all attack the roach, zergling or baneling that is lowest
    on the screen; look for zerglings; let workers mine; build marines.
    """
    rule = cast(Any, env.unwrapped).parameters.rule
    if rule == "search":
        return Hunt(env)
    if rule in ("harvest", "barracks"):
        return (harvest if rule == "harvest" else builder)(env)
    return Player(Company(env, *ARMY), lowest_foe if rule == "arena" else nearest_good)


split = Split
"""Send the marines to shards one by one: see `Split`."""
