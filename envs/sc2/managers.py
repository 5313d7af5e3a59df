"""Players of the economies: they keep books, and give an order by name when it can be paid."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import gymnasium

from .control import MACROS
from .params import BARRACKS, COMMAND_CENTER, DEPOT, LOOPS, NONE, REFINERY, SCV
from .records import DELIVER, GATHER, IDLE


@dataclasses.dataclass(frozen=True)
class Books:
    """What a player knows of an economy; numbers of units include those that are ordered."""

    minerals: float
    """That are not yet spoken for."""
    food: float
    """Supply used."""
    food_cap: float
    """Supply that there is."""
    food_coming: float
    """That, and what is being built."""
    seconds_left: float
    workers: int
    idle: int
    gas_workers: int
    command_centers: int
    refineries: int
    barracks: int
    free_command_centers: int
    """That stand and make nothing."""
    free_barracks: int
    standing_depots: int
    standing_refineries: int
    standing_barracks: int
    short_queues: int
    """Barracks with fewer than two in their queue."""


def audit(env: Any) -> Books:
    """Return what the player of ``env``, an `SC2Env`, knows of the economy."""
    state, game = env.state, env.parameters
    count = int(state["count"])
    kind, project, order, queued = (state[name][:count] for name in ("kind", "project", "order", "queued"))
    is_worker, stands = kind == SCV, project == NONE
    ordered = {unit: int((is_worker & (project == unit)).sum()) for unit in (COMMAND_CENTER, DEPOT, REFINERY, BARRACKS)}
    there = {unit: int((kind == unit).sum()) for unit in ordered}
    standing = {unit: int(((kind == unit) & stands).sum()) for unit in ordered}
    at = state["target"][:count][is_worker & (order >= GATHER) & (order <= DELIVER)]
    coming = (ordered[unit] + there[unit] - standing[unit] for unit in (COMMAND_CENTER, DEPOT))
    foods = (game.units[unit - 1].food for unit in (COMMAND_CENTER, DEPOT))
    spoken_for = sum(number * game.units[unit - 1].minerals for unit, number in ordered.items())
    is_free = stands & (queued == 0)
    return Books(
        minerals=float(state["minerals"]) - spoken_for,
        food=float(state["food_used"]),
        food_cap=float(state["food_cap"]),
        food_coming=float(state["food_cap"]) + sum(n * food for n, food in zip(coming, foods, strict=True)),
        seconds_left=game.seconds - float(state["loop"]) / LOOPS,
        workers=int(is_worker.sum() + queued[kind == COMMAND_CENTER].sum()),
        idle=int((is_worker & (order == IDLE)).sum()),
        gas_workers=int((kind[at[at >= 0]] == REFINERY).sum()),
        command_centers=there[COMMAND_CENTER] + ordered[COMMAND_CENTER],
        refineries=there[REFINERY] + ordered[REFINERY],
        barracks=there[BARRACKS] + ordered[BARRACKS],
        free_command_centers=int((is_free & (kind == COMMAND_CENTER)).sum()),
        free_barracks=int((is_free & (kind == BARRACKS)).sum()),
        standing_depots=standing[DEPOT],
        standing_refineries=standing[REFINERY],
        standing_barracks=standing[BARRACKS],
        short_queues=int((stands & (queued < 2) & (kind == BARRACKS)).sum()),
    )


class Manager:
    """A policy that runs an economy by what is known now."""

    def __init__(self, env: gymnasium.Env[Any, Any], decide: Callable[[Books], str]) -> None:
        """Run the economy of ``env``, an `SC2Env`, wrapped or not, by ``decide``, which names one of `MACROS`.

        Raises:
            ValueError: it has another interface than ``"economy"``.
        """
        self._env = cast(Any, env.unwrapped)
        self._decide = decide
        if self._env.action != "economy":
            raise ValueError(
                f'This expert does not play through action = {self._env.action!r}. Make the game with action="economy".'
            )

    def reset(self) -> None:
        """Do nothing: there is no memory."""

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """Choose an action."""
        books = audit(self._env)
        return MACROS.index("mine" if books.idle else self._decide(books))


def harvest(env: gymnasium.Env[Any, Any]) -> Manager:
    """Let the workers that there are mine."""
    return Manager(env, lambda books: "no_op")


def expand(env: gymnasium.Env[Any, Any], workers: int = 40, expand_at: int = 14, refineries: int = 4) -> Manager:
    """Make workers without a pause, take a second place to mine, then draw gas.

    Args:
        env: the environment.
        workers: how many to make.
        expand_at: with how many to build the second command centre.
        refineries: how many to build.
    """

    def decide(books: Books) -> str:
        is_large = books.workers >= 20
        if is_large and books.gas_workers < 3 * books.standing_refineries:
            return "draw_gas"
        if books.workers < workers and books.seconds_left > 60.0:
            if books.food_coming - books.food <= 1 + 2 * books.command_centers and books.seconds_left > 80.0:
                return "build_depot" if books.minerals >= 100.0 else "no_op"
            if books.command_centers < 2 and books.workers >= expand_at and books.minerals >= 400.0:
                return "build_command_center"
            if books.free_command_centers and books.minerals >= 50.0 and books.food < books.food_cap:
                return "train_scv"
            if books.command_centers < 2 and books.workers >= expand_at:
                return "no_op"
        if is_large and books.refineries < refineries and books.minerals >= 75.0:
            return "build_refinery"
        return "no_op"

    return Manager(env, decide)


def builder(env: gymnasium.Env[Any, Any], workers: int = 20, barracks: int = 7) -> Manager:
    """Make workers, then depots in time, barracks, and marines in all of them.

    Args:
        env: the environment.
        workers: how many to have.
        barracks: how many to build.
    """

    def decide(books: Books) -> str:
        can_afford_marine = books.seconds_left > 25.0 and books.minerals >= 50.0
        # While a depot is built, each barracks makes more than a marine.
        if books.food_coming - books.food < 3 + 1.2 * books.standing_barracks and books.seconds_left > 40.0:
            return "build_depot" if books.minerals >= 100.0 else "no_op"
        if books.workers < workers and books.free_command_centers:
            return "train_scv" if books.minerals >= 50.0 else "no_op"
        if books.free_barracks and can_afford_marine and books.food < books.food_cap:
            return "train_marine"
        if books.barracks < barracks and books.seconds_left > 120.0:
            return "build_barracks" if books.standing_depots and books.minerals >= 150.0 else "no_op"
        return "train_marine" if books.short_queues and can_afford_marine else "no_op"

    return Manager(env, decide)
