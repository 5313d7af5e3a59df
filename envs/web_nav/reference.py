"""What random play and the oracle reach on each task: what a learner is to be compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from .experts import Oracle

#: Chooses an action by what `reset` or `step` has returned.
Choose = Callable[[Any, dict[str, Any]], int]


class Result(NamedTuple):
    """Means over episodes."""

    success: float
    reward: float
    actions: float


def at_random(task: str, seeds: Sequence[int]) -> Result:
    """Play with actions of the mask, each as likely as the others, drawn by the first of ``seeds``."""
    generator = np.random.default_rng(seeds[0])
    return _play(task, seeds, lambda env: lambda seen, info: int(generator.choice(np.flatnonzero(info["action_mask"]))))


def by_the_oracle(task: str, seeds: Sequence[int]) -> Result:
    """Play as the oracle does.

    Raises:
        LookupError: it would have to type what no field holds.
    """
    return _play(task, seeds, lambda env: Oracle(env).act)


def _play(task: str, seeds: Sequence[int], player: Callable[[gymnasium.Env[Any, Any]], Choose]) -> Result:
    env = gymnasium.make("rlx/WebNav-v0", task=task)
    choose = player(env)
    episodes = []
    for seed in seeds:
        observation, info = env.reset(seed=seed)
        total, actions, is_over = 0.0, 0, False
        while not is_over:
            observation, reward, terminated, truncated, info = env.step(choose(observation, info))
            total += float(reward)
            actions += 1
            is_over = terminated or truncated
        episodes.append((info.get("success", False), total, actions))
    return Result(*np.mean(episodes, axis=0).tolist())
