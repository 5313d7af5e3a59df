"""Experts: the rules of the kernel, and a search that looks a few decisions ahead.

A factory takes the environment, wrapped or not, and returns a policy: ``reset()`` at the start of each episode, then
``act(observation, info)``. They know the rules and see the whole game, but no dice that have not been rolled.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from .opponents import PASS
from .records import STATE
from .search import look_ahead

Info = dict[str, Any]


class Rule:
    """A policy that follows a rule of the kernel."""

    def __init__(self, env: gymnasium.Env[Any, Any], rule: str) -> None:
        """Play ``env`` by ``rule``, see `RoguelikeEnv.advise`."""
        self._env: Any = env.unwrapped
        self._rule = rule

    def reset(self) -> None:
        """Do nothing: there is no memory."""

    def act(self, observation: Any, info: Info) -> int:
        """Choose a legal action: the rule's, or the first one where it would pass."""
        action = self._env.advise(self._rule)
        return int(np.argmax(info["action_mask"])) if action == PASS else action


def chaser(env: gymnasium.Env[Any, Any]) -> Rule:
    """Strike, else shoot, else go after the target."""
    return Rule(env, "chaser")


def kiter(env: gymnasium.Env[Any, Any]) -> Rule:
    """Shoot and keep away."""
    return Rule(env, "kiter")


def greedy(env: gymnasium.Env[Any, Any]) -> Rule:
    """Use the attack that takes most, else fetch better equipment on the way, else go after the target."""
    return Rule(env, "greedy")


class Search:
    """A policy that tries each legal action in games of its own."""

    def __init__(self, env: gymnasium.Env[Any, Any], depth: int, samples: int, seed: int) -> None:
        """Play ``env``; the arguments are those of `search`."""
        self._env: Any = env.unwrapped
        self._depth, self._samples = depth, samples
        self._rng = np.random.default_rng(seed)
        self._trial = np.zeros(1, STATE)

    def reset(self) -> None:
        """Do nothing: the generator goes on."""

    def act(self, observation: Any, info: Info) -> int:
        """Choose the action whose trial games end best."""
        state = self._env.save_state()
        key = self._rng.integers(0, 2**64, dtype=np.uint64)
        return int(look_ahead(state.states, state.rows, self._trial, self._depth, self._samples, key))


def search(env: gymnasium.Env[Any, Any], depth: int = 12, samples: int = 16, seed: int = 0) -> Search:
    """Try each legal action in trial games, which go on greedily; the opponent's rule is known.

    Args:
        env: the environment.
        depth: decisions of a trial game.
        samples: trial games per action.
        seed: of their dice.
    """
    return Search(env, depth, samples, seed)
