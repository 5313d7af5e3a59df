"""The same episodes under several designs, and what happens in them."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import importlib
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ...core import Policy, State, read_policy
from .. import FAMILY
from ..env import RoguelikeEnv
from ..params import Design
from ..records import BOW, DRINK, ITEMS, MELEE, OFFSET, POTION, SHOOT

ENV_ID = "rlx/RoguelikeNPC-v0"
EXPERTS: dict[str, str] = FAMILY["environments"][0]["experts"]
#: Of the first episode; `rlx train` and `rlx compare` train on no such seeds.
FIRST_SEED = 2**31 - 2**20
#: Games played side by side.
BATCH = 1024

#: What is measured of an episode -> (n,), a number for each; besides these ``use.<item>``: how often the npc struck,
#: shot or drank with it.
Episodes = dict[str, NDArray[np.float64]]
METRICS = ("win", "loss", "timeout", "length", "damage_dealt", "damage_taken", "potions", "pickups")
_SIGNALS = METRICS[4:]


@dataclasses.dataclass(frozen=True)
class Setup:
    """How games are set up, whatever the design; the arguments of `RoguelikeEnv`.

    Raises:
        ValueError: the opponent is ``"external"``: nobody.
    """

    npc_class: str = "ranger"
    opponent: str | None = None
    phase: int | None = None
    obs: str = "ids"

    def __post_init__(self) -> None:
        """Refuse games without an opponent."""
        if self.opponent == "external":
            raise ValueError("opponent = 'external': here the other side must be played, by a rule or a policy's file.")


def play(
    policy: str, design: Design, setup: Setup | None = None, episodes: int = 1000, first_seed: int = FIRST_SEED
) -> Episodes:
    """Let a policy play episodes of a design.

    Episode i has the seed ``first_seed + i`` whatever the design: rooms, places, start kits, loot and dice come from
    the same draws, as far as the designs agree.

    Args:
        policy: an expert's name, ``"random"``, a policy's file, or the folder of a training run.
        design: of the games.
        setup: all else; `Setup()` by default.
        episodes: n.
        first_seed: of episode 0.

    Raises:
        ValueError: there is no such policy, or it cannot read the observations.
    """
    parts = [
        _play(policy, design, setup or Setup(), range(first_seed + start, first_seed + min(start + BATCH, episodes)))
        for start in range(0, episodes, BATCH)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def digest(policy: str) -> str | None:
    """Return the SHA-256 of a policy's file; None for an expert."""
    path = Path(policy)
    path = path / "policy.npz" if path.is_dir() else path
    return hashlib.sha256(path.read_bytes()).hexdigest() if not _is_expert(policy) else None


def _is_expert(policy: str) -> bool:
    return policy == "random" or policy in EXPERTS


def _play(policy: str, design: Design, setup: Setup, seeds: range) -> Episodes:
    n = len(seeds)
    arguments = dataclasses.asdict(setup) | {"design": design}
    envs: Any = gymnasium.make_vec(ENV_ID, n, **arguments).unwrapped
    found: Episodes = {name: np.zeros(n) for name in METRICS}
    uses, live, rows = np.zeros((n, ITEMS + 1)), np.ones(n, np.bool_), np.arange(n)
    try:
        observation, info = envs.reset(seed=list(seeds))
        player = _player(policy, arguments, seeds)
        while live.any():
            before = envs.save_state()
            actions = np.zeros(n, np.int64)
            actions[live] = _decide(player, observation, info, before, np.flatnonzero(live), setup)
            used = np.where(live & (info["action_mask"][rows, actions] != 0), _used(before.states, actions), 0)
            uses[rows, used] += 1.0
            observation, _, terminated, truncated, info = envs.step(actions)
            found["length"] += live
            ended = live & (terminated | truncated)
            if ended.any():
                for result in ("win", "loss", "timeout"):
                    found[result][ended] = info["result"][ended] == result
                for signal in _SIGNALS:
                    found[signal][ended] = info["signals"][signal][ended]
            live &= ~ended
    finally:
        envs.close()
    return found | {f"use.{item.name}": uses[:, item.id] for item in design.items}


def _decide(player: _Player, observation: Any, info: Any, state: State, rows: NDArray[np.int64], setup: Setup) -> Any:
    """Return the player's actions in some rows."""
    told = {name: info[name] for name in ("action_mask", "signals")}
    try:
        return player.act(_pick(observation, rows), _pick(told, rows), state, rows)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"The policy cannot act on what obs = {setup.obs!r} shows ({error}). If it was trained on other "
            "observations, say so: ids, dense or entities."
        ) from error


def _used(states: NDArray[np.void], actions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the id of the item with which each action strikes, shoots or drinks; 0 for a move."""
    rows, turn = np.arange(len(states)), states["turn"]
    slot = np.where(actions == POTION, DRINK, np.where(actions >= SHOOT, BOW, MELEE))
    cell = states["cell"][rows, turn] + OFFSET[np.where(actions < POTION, actions, 0)]
    is_move = (actions < POTION) & (states["occupant"][rows, np.clip(cell, 0, states["occupant"].shape[1] - 1)] == 0)
    return np.where(is_move, 0, states["equipment"][rows, turn, slot])


def _pick(values: Any, rows: Any) -> Any:
    """Return the given rows of all arrays in nested dicts."""
    if isinstance(values, dict):
        return {name: _pick(value, rows) for name, value in values.items()}
    return values[rows]


def _split(values: Any) -> list[Any]:
    """Return all arrays in nested dicts row by row."""
    if isinstance(values, dict):
        return [dict(zip(values, row, strict=True)) for row in zip(*map(_split, values.values()), strict=True)]
    return list(values)


# ------------------------------------------------------------------------------------------------------------- players


class _Player(Protocol):
    def act(self, observation: Any, info: Any, state: State, rows: NDArray[np.int64]) -> Any:
        """Choose actions for some rows of the games, whose observations and info these are."""


def _player(policy: str, arguments: dict[str, Any], seeds: range) -> _Player:
    if policy == "random":
        return _Random(seeds)
    if policy in EXPERTS:
        module, _, name = EXPERTS[policy].partition(":")
        game = RoguelikeEnv(**arguments)
        return _Expert(game, getattr(importlib.import_module(module), name)(game))
    try:
        trained = read_policy(policy)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{error} Experts are: {', '.join((*EXPERTS, 'random'))}.") from None
    return _Batched(trained) if getattr(trained, "is_batched", False) else _Single(trained, len(seeds))


class _Random:
    """Draws legal actions; row i draws the same numbers whatever becomes of the others."""

    def __init__(self, seeds: range) -> None:
        self._rng, self._n = np.random.default_rng(seeds.start), len(seeds)

    def act(self, observation: Any, info: Any, state: State, rows: NDArray[np.int64]) -> Any:
        mask = info["action_mask"]
        draws = self._rng.random((self._n, mask.shape[1]))[rows]
        return np.where(mask != 0, draws, -1.0).argmax(axis=1)


class _Expert:
    """An expert, which knows the game that it is asked about."""

    def __init__(self, game: RoguelikeEnv, expert: Policy) -> None:
        self._game, self._expert = game, expert

    def act(self, observation: Any, info: Any, state: State, rows: NDArray[np.int64]) -> Any:
        actions = []
        for i, seen, told in zip(rows.tolist(), _split(observation), _split(info), strict=True):
            own = min(i, len(state.rows) - 1)
            game = State(state.states[i : i + 1], state.rows[own : own + 1], state.parameters[i : i + 1], {})
            self._game.load_state(game)
            actions.append(self._expert.act(seen, told))
        return actions


class _Batched:
    """A policy that takes many observations at once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        policy.reset()

    def act(self, observation: Any, info: Any, state: State, rows: NDArray[np.int64]) -> Any:
        return self._policy.act(observation, info)


class _Single:
    """A policy that takes one observation at a time, and may remember: each game has its own."""

    def __init__(self, policy: Policy, n: int) -> None:
        self._policies = [copy.deepcopy(policy) for _ in range(n)]
        for each in self._policies:
            each.reset()

    def act(self, observation: Any, info: Any, state: State, rows: NDArray[np.int64]) -> Any:
        games = zip(rows.tolist(), _split(observation), _split(info), strict=True)
        return [self._policies[i].act(seen, told) for i, seen, told in games]
