"""A teacher's episodes, of which snapshots are kept."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import gymnasium

from ..states import save_state
from ..states.protocol import layers_of
from .moments import Snapshot, Snapshots

#: Wrappers that learn statistics of what passes through them: a teacher's are not a student's.
_LEARNING = ("NormalizeObservation", "NormalizeReward")


def check_stack(env: gymnasium.Env[Any, Any], user: str) -> None:
    """Refuse wrappers that learn statistics.

    Raises:
        ValueError: there is one.
    """
    for layer in layers_of(env):
        if type(layer).__name__ in _LEARNING:
            name = type(layer).__name__
            raise ValueError(f"{name} learns from what it sees, and a teacher's statistics are not a student's: put it "
                             f"outside, {name}({user}(env, ...)).")  # fmt: skip


def described(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """Return what two environments have in common, if snapshots of the one are for the other."""
    spec = env.unwrapped.spec
    kwargs = {} if spec is None else {name: value for name, value in spec.kwargs.items() if name != "render_mode"}
    return {
        "env_id": None if spec is None else spec.id,
        # Without the addresses that some representations have.
        "env_kwargs": {name: re.sub(" at 0x[0-9a-f]+", "", repr(value)) for name, value in sorted(kwargs.items())},
        "observation_space": str(env.observation_space),
        "action_space": str(env.action_space),
    }


def _actor(policy: Any) -> Callable[[Any, dict[str, Any]], Any]:
    """Return what chooses actions.

    Raises:
        TypeError: ``policy`` does not.
    """
    if hasattr(policy, "act"):
        return policy.act  # type: ignore[no-any-return]
    if hasattr(policy, "predict"):
        return lambda observation, info: policy.predict(observation, deterministic=True)[0]
    if callable(policy):
        return lambda observation, info: policy(observation)
    raise TypeError(f"A policy has act(observation, info), or predict(observation), or is a function; not {policy!r}.")


def collect_snapshots(
    env: gymnasium.Env[Any, Any],
    policy: Any,
    *,
    episodes: int = 10,
    every: int = 10,
    value: Callable[[Any], float] | None = None,
    gamma: float = 0.99,
    seed: int = 0,
) -> Snapshots:
    """Let a teacher act, and keep a snapshot of each episode's start and of every so many-th step.

    Args:
        env: where the student will learn; wrappers without state may differ.
        policy: the teacher: an expert or a policy of rlx, ``act(observation, info)``; a model of Stable-Baselines3,
            ``predict(observation)``; or a function of the observation.
        episodes: how many.
        every: steps from one snapshot to the next.
        value: the teacher's status, a function of the observation: Q(s, pi(s)) or V(s) of its critic. If None, the sum
            of the rewards that followed, discounted by ``gamma``.
        gamma: see ``value``.
        seed: of the first episode; the others follow on.

    Raises:
        StateError: the environment's state cannot be saved.
        ValueError: an argument is out of range, or a wrapper learns statistics.
    """
    if episodes < 1 or every < 1 or not 0.0 <= gamma <= 1.0:
        raise ValueError(f"episodes={episodes}, every={every}, gamma={gamma}: at least 1, at least 1, within [0, 1].")
    check_stack(env, "collect_snapshots")
    act = _actor(policy)
    moments: list[Snapshot] = []
    lengths, returns = [], []
    for episode in range(episodes):
        observation, info = env.reset(seed=seed + episode)
        if hasattr(policy, "reset"):
            policy.reset()
        told = {name: info[name] for name in ("context",) if name in info}  # of the episode as a whole
        rewards: list[float] = []
        taken: list[tuple[Any, ...]] = []
        is_over = False
        while not is_over:
            if len(rewards) % every == 0:
                status = math.nan if value is None else float(value(observation))
                taken.append((save_state(env), *copy.deepcopy((observation, {**told, **info})), status, len(rewards)))
            observation, reward, terminated, truncated, info = env.step(act(observation, info))
            rewards.append(float(reward))
            is_over = terminated or truncated
        sums, discounted = _to_go(rewards, 1.0), _to_go(rewards, gamma)
        moments += [
            Snapshot(state, seen, heard, discounted[t] if value is None else status, episode, t, sums[t])
            for state, seen, heard, status, t in taken
        ]
        lengths.append(len(rewards))
        returns.append(sums[0])
    provenance = {
        **described(env),
        "policy": f"{type(policy).__module__}.{type(policy).__qualname__}",
        "seed": seed, "episodes": episodes, "every": every, "steps": sum(lengths), "lengths": lengths,
        "returns": returns, "value": "discounted rewards" if value is None else "function", "gamma": gamma,
        "versions": {name: version(name) for name in ("gymnasium", "numpy")},
    }  # fmt: skip
    return Snapshots(tuple(moments), provenance)


def _to_go(rewards: list[float], gamma: float) -> list[float]:
    """Return for each step the discounted sum of its reward and those after it."""
    sums, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + gamma * total
        sums.append(total)
    return sums[::-1]
