"""How good a policy is: the same episodes for everyone, and all that happened in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

FIRST_SEED = 2**31 - 2**20  # of the evaluation episodes: no run trains on these (see training.first_seed)

#: What info may tell of an episode at its end.
OUTCOMES = ("result", "success")

#: Says how an episode ended, see `evaluate`.
TellEnd = Callable[[bool, Mapping[str, Any]], str]


@dataclasses.dataclass
class Episodes:
    """What happened in the evaluation episodes: one entry per episode in each list."""

    returns: list[float]
    """Sum of rewards, undiscounted."""
    lengths: list[int]
    """Steps."""
    ends: list[str]
    """``"truncated"`` (lasted to the horizon) or ``"terminated"``; where the task defines success, ``"success"``, or
    ``"failure"`` if it terminated without."""
    costs: list[float]
    """Mean of ``info["cost"]`` over the steps; 0 where the environment reports none."""

    @classmethod
    def empty(cls) -> Episodes:
        """Return no episodes."""
        return cls([], [], [], [])

    def add(self, total: float, length: int, end: str, cost: float) -> None:
        """Append an episode; ``cost`` is summed over its steps."""
        self.returns.append(float(total))
        self.lengths.append(int(length))
        self.ends.append(end)
        self.costs.append(float(cost) / length)


def evaluate(
    make_policy: Callable[[gymnasium.Env[Any, Any]], Any],
    env_id: str,
    env_kwargs: Mapping[str, Any],
    episodes: int,
    on_progress: Callable[[float], None] = lambda fraction: None,
    *,
    seed: int = FIRST_SEED,
    tell_end: TellEnd | None = None,
) -> Episodes:
    """Play ``episodes`` episodes, one per seed from ``seed`` on.

    Args:
        make_policy: given the environment, returns the policy.
        env_id: the environment.
        env_kwargs: its keyword arguments.
        episodes: how many.
        on_progress: told now and then which fraction is done.
        seed: of the first episode.
        tell_end: given whether an episode has terminated, and what of `OUTCOMES` its last info has, says how it ended;
            None: as `Episodes.ends` describes.
    """
    tell_end = tell_end or end_of
    env = gymnasium.make(env_id, **env_kwargs)
    try:
        policy = make_policy(env)
        if getattr(policy, "is_batched", False):
            return _evaluate_together(policy, env_id, env_kwargs, episodes, on_progress, seed, tell_end)
        played = Episodes.empty()
        for episode in range(episodes):
            observation, info = env.reset(seed=seed + episode)
            policy.reset()
            total, cost, length, is_over = 0.0, 0.0, 0, False
            while not is_over:
                observation, reward, terminated, truncated, info = env.step(policy.act(observation, info))
                total += float(reward)
                cost += info.get("cost", 0.0)
                length += 1
                is_over = terminated or truncated
            played.add(total, length, tell_end(terminated, info), cost)
            on_progress((episode + 1) / episodes)
        return played
    finally:
        env.close()


def _evaluate_together(
    policy: Any,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    episodes: int,
    on_progress: Callable[[float], None],
    seed: int,
    tell_end: TellEnd,
) -> Episodes:
    """Play the same episodes side by side: row i of a vector environment is the single one with the i-th seed."""
    envs = gymnasium.make_vec(env_id, episodes, **env_kwargs)
    try:
        observations, info = envs.reset(seed=seed)
        totals, costs, lengths = np.zeros(episodes), np.zeros(episodes), np.zeros(episodes, np.int64)
        ends = np.full(episodes, "", object)
        live = np.ones(episodes, np.bool_)
        policy.reset()
        while live.any():
            observations, rewards, terminations, truncations, info = envs.step(policy.act(observations, info))
            totals += np.where(live, rewards, 0.0)
            costs += np.where(live, info.get("cost", 0.0), 0.0)
            lengths += live
            for i in np.flatnonzero(live & (terminations | truncations)):
                ends[i] = tell_end(terminations[i], {name: info[name][i] for name in OUTCOMES if name in info})
                live[i] = False
                on_progress(1.0 - live.mean())
        played = Episodes.empty()
        for total, length, end, cost in zip(totals, lengths.tolist(), ends, costs, strict=True):
            played.add(total, length, end, cost)
        return played
    finally:
        envs.close()


def end_of(terminated: bool, info: Mapping[str, Any]) -> str:
    """Return how an episode ended, as `Episodes.ends` describes, given what of `OUTCOMES` its last info has."""
    success = info.get("success")
    if success:
        return "success"
    if not terminated:
        return "truncated"
    return "terminated" if success is None else "failure"
