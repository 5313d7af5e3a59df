"""Experts of mallocGame: rules of thumb, and the way compilers go about it.

A factory takes the environment, wrapped or not, and returns a policy: ``reset()`` at the start of each episode, then
``act(observation, info)``. They know the program and the chip.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ..core import State
from . import kernels as k
from .planner import plan, rehearse

Info = dict[str, Any]
Choice = Callable[[Info], int]


class Rule:
    """A policy that looks at nothing but the present move."""

    def __init__(self, choose: Choice) -> None:
        """Follow ``choose``."""
        self._choose = choose

    def reset(self) -> None:
        """Do nothing: there is no memory."""

    def act(self, observation: Any, info: Info) -> int:
        """Choose a legal move."""
        return self._choose(info)


def all_slow(env: gymnasium.Env[Any, Any]) -> Rule:
    """Leave everything in slow memory: what speed-ups are measured against."""
    return Rule(lambda info: len(info["action_mask"]) - 1)


def greedy(env: gymnasium.Env[Any, Any]) -> Rule:
    """Use fast memory wherever it is possible, best without a copy."""
    return Rule(lambda info: int(np.argmax(info["action_mask"])))


def greedy_future(env: gymnasium.Env[Any, Any]) -> Rule:
    """Use fast memory where what the buffer's remaining uses could save is worth more than the stall."""

    def choose(info: Info) -> int:
        is_worth_it = info["signals"]["stall"] == 0.0 or info["signals"]["worth"] > info["signals"]["stall"]
        return int(np.argmax(info["action_mask"])) if is_worth_it else len(info["action_mask"]) - 1

    return Rule(choose)


class Planned:
    """A policy that plans the whole game when an episode begins, and plays the plan."""

    def __init__(self, env: gymnasium.Env[Any, Any], find: Callable[[Any], NDArray[np.int8]]) -> None:
        """Plan for ``env`` by ``find``, which is handed the environment itself."""
        self._env, self._find = env.unwrapped, find
        self._actions: NDArray[np.int8] | None = None
        self._packed: bytes = b""
        self._use = 0

    def reset(self) -> None:
        """Begin again; the plan is kept for as long as program and chip are the same."""
        self._use = 0

    def act(self, observation: Any, info: Info) -> int:
        """Play the next move of the plan."""
        if self._use == 0:
            packed = self._env.packed().tobytes()  # type: ignore[attr-defined]
            if packed != self._packed:
                self._packed, self._actions = packed, self._find(self._env)
        assert self._actions is not None
        action = int(self._actions[self._use])
        self._use += 1
        return action if info["action_mask"][action] else len(info["action_mask"]) - 1


class Planner:
    """What plans are made with: the packed program, and games to try moves in."""

    def __init__(self, env: Any) -> None:
        """Look at the present episode of ``env``, a `MallocGameEnv`."""
        self.rows = env.packed()
        self._games = np.zeros(2, env.problem.state_dtype)
        row = self.rows[0]
        self.uses = int(row["uses"])
        first = row["first"][: int(row["buffers"])]
        worth = np.where(first >= 0, row["worth"][first], 0.0)
        priority = worth / np.sqrt(np.maximum(row["size"][: len(first)], 1.0))
        order = np.argsort(-priority, kind="stable")
        self.order: NDArray[np.int64] = order[worth[order] > 0.0]
        """Buffers that could save something, those that save most per square root of their size first, as in XLA."""

    def plan(self, order: NDArray[np.int64]) -> tuple[NDArray[np.int8], float]:
        """Return the moves of a plan that serves buffers in ``order``, and its latency in s, offsets its own."""
        moves = np.full(self.uses, k.DROP, np.int8)
        return moves, plan(self.rows, self._games, order, moves)

    def play(self, moves: NDArray[np.int8], order: NDArray[np.int64]) -> float:
        """Change ``moves`` until the game can follow them; return its latency in s."""
        rank = np.full(len(self.rows[0]["size"]), len(order), np.int64)
        rank[order] = np.arange(len(order))
        return float(rehearse(self.rows, self._games, rank, moves))

    def best(self, order: NDArray[np.int64]) -> tuple[NDArray[np.int8], float]:
        """Return actions that the game can follow, planned in ``order``, and their latency in s."""
        moves, _ = self.plan(order)
        latency = self.play(moves, order)
        return moves * np.int8(self.rows[0]["choices"]), latency


def msa(env: gymnasium.Env[Any, Any]) -> Planned:
    """Plan like XLA's memory space assignment.

    Buffers in the order of benefit / sqrt(size), each with all its uses: it stays in fast memory, else is copied there
    if that is worth it, else is slow.
    """

    def find(game: Any) -> NDArray[np.int8]:
        planner = Planner(game)
        return planner.best(planner.order)[0]

    return Planned(env, find)


def msa_search(env: gymnasium.Env[Any, Any], evaluations: int = 400, seed: int = 0) -> Planned:
    """Plan like `msa`, in the best order of buffers that local search finds.

    Args:
        env: the environment.
        evaluations: orders tried.
        seed: of the search.
    """

    def find(game: Any) -> NDArray[np.int8]:
        planner, rng = Planner(game), np.random.default_rng(seed)
        order = planner.order
        actions, latency = planner.best(order)
        for _ in range(evaluations - 1 if len(order) > 1 else 0):
            # Another place in the queue for one buffer; far moves are rarer than near ones.
            source = int(rng.integers(len(order)))
            step = int(np.ceil(len(order) ** rng.random())) * int(rng.choice((-1, 1)))
            target = int(np.clip(source + step, 0, len(order) - 1))
            candidate = np.insert(np.delete(order, source), target, order[source])
            found, time = planner.best(candidate)
            if time <= latency:
                order, actions, latency = candidate, found, time
        return actions

    return Planned(env, find)


class Trial:
    """A game of its own on the same program and chip, to look ahead in; states are kept as values."""

    def __init__(self, game: Any) -> None:
        """Begin the present episode of ``game``, a `MallocGameEnv`, anew."""
        self._env = game.alike()
        _, info = self._env.reset(options={"context": game.parameters.context()})
        self.mask: NDArray[np.int8] = info["action_mask"]
        self.latency: float = info["signals"]["latency"]
        self.is_over = False

    def play(self, move: int) -> None:
        """Make a legal move."""
        _, _, self.is_over, _, info = self._env.step(move)
        self.mask, self.latency = info["action_mask"], info["signals"]["latency"]

    def save(self) -> tuple[State, NDArray[np.int8], float, bool]:
        """Return everything about the present."""
        return self._env.save_state(), self.mask, self.latency, self.is_over

    def load(self, saved: tuple[State, NDArray[np.int8], float, bool]) -> None:
        """Go back to what `save` returned."""
        state, self.mask, self.latency, self.is_over = saved
        self._env.load_state(state)


def beam(env: gymnasium.Env[Any, Any], width: int = 16) -> Planned:
    """Play the best of ``width`` games that are continued side by side, those with the least latency so far.

    With a width of 3**moves that is exhaustive.
    """

    def find(game: Any) -> NDArray[np.int8]:
        trial = Trial(game)
        games: list[tuple[float, tuple[int, ...], Any]] = [(trial.latency, (), trial.save())]
        while not trial.is_over:
            grown = []
            for _, moves, saved in games:
                trial.load(saved)
                for move in np.flatnonzero(trial.mask).tolist():
                    trial.load(saved)
                    trial.play(move)
                    grown.append((trial.latency, (*moves, move), trial.save()))
            # Of equals, those that used fast memory first.
            games = sorted(grown, key=lambda one: one[:2])[:width]
        return np.array(games[0][1], np.int8)

    return Planned(env, find)


@dataclasses.dataclass
class Node:
    """A position in the search tree."""

    saved: Any
    legal: list[int]
    children: dict[int, Node] = dataclasses.field(default_factory=dict)
    visits: int = 0
    best: float = math.inf
    """The least latency that a game through here had at its horizon, s."""
    is_known: bool = False
    """Whether every game from here on has been played."""

    @classmethod
    def of(cls, trial: Trial) -> Node:
        """Make a node of the present position."""
        legal = [] if trial.is_over else np.flatnonzero(trial.mask).tolist()
        return cls(trial.save(), legal, is_known=trial.is_over)


def mcts(
    env: gymnasium.Env[Any, Any], simulations: int = 24, horizon: int = 48, exploration: float = 0.02, seed: int = 0
) -> Planned:
    """Search the tree of moves before each move, by UCT with greedy games of limited length.

    The game is deterministic: a position is worth the best that was found behind it, not the mean.

    Args:
        env: the environment.
        simulations: games played before each move.
        horizon: moves of such a game.
        exploration: weight of the upper confidence bound, as a share of the latency without fast memory.
        seed: of what a game tries besides greedy moves.
    """

    def find(game: Any) -> NDArray[np.int8]:
        trial, rng = Trial(game), np.random.default_rng(seed)
        scale = exploration * trial.latency
        root = Node.of(trial)
        played: list[int] = []
        # The best game that was found to continue what was played, and whether it went to the end.
        latency, is_whole = math.inf, False
        ahead: list[int] = []

        def simulate() -> list[int]:
            node, path = root, [root]
            moves: list[int] = []
            trial.load(root.saved)
            is_in_tree = True
            while not trial.is_over and len(moves) < horizon:
                if not is_in_tree:
                    legal = np.flatnonzero(trial.mask).tolist()
                    moves.append(legal[0] if rng.random() < 0.9 else int(rng.choice(legal)))
                    trial.play(moves[-1])
                    continue
                fresh = [move for move in node.legal if move not in node.children]
                if fresh:
                    trial.play(fresh[0])
                    node.children[fresh[0]] = Node.of(trial)
                    moves.append(fresh[0])
                    is_in_tree = False
                else:
                    width = scale * math.sqrt(math.log(node.visits + 1))
                    children = node.children
                    moves.append(
                        min(
                            (move for move in node.legal if not children[move].is_known),
                            key=lambda move: children[move].best - width / math.sqrt(children[move].visits + 1),
                        )
                    )
                    trial.load(children[moves[-1]].saved)
                node = node.children[moves[-1]]
                path.append(node)
            for node in reversed(path):
                node.visits += 1
                node.best = min(node.best, trial.latency)
                node.is_known |= len(node.children) == len(node.legal) and all(
                    child.is_known for child in node.children.values()
                )
            return moves

        while True:
            trial.load(root.saved)
            if trial.is_over:
                return np.array(played, np.int8)
            if not is_whole:
                latency = math.inf
            for _ in range(simulations):
                if root.is_known:
                    break
                moves = simulate()
                if trial.latency < latency:
                    latency, ahead, is_whole = trial.latency, moves, trial.is_over
            move, ahead = ahead[0], ahead[1:]
            played.append(move)
            if move not in root.children:
                trial.load(root.saved)
                trial.play(move)
                root.children[move] = Node.of(trial)
            root = root.children[move]

    return Planned(env, find)
