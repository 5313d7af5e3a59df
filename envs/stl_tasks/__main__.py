"""Measure no control, random play and the experts: ``python -m rlx.envs.stl_tasks``, to `docs/results`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from . import FAMILY, experts
from .env import STLTaskEnv

EPISODES = 1000
HEAD = f"""# Experts of the tasks in signal temporal logic

Made by `python -m rlx.envs.stl_tasks > docs/results/stl_tasks_experts.md`.

{EPISODES} episodes, seeds from 0 on. Satisfied: the share of executed trajectories with a robustness of at least 0, and
its 95 % interval (Wilson). Cost: how much the formula was violated, on average. What controllers reach without looking
is the floor that a learner has to leave; not every start can be won.

| task | controller | satisfied | 95 % | mean robustness | median robustness | cost |
|---|---|---:|---|---:|---:|---:|"""


def main() -> None:
    """Print the page."""
    print(HEAD)
    for row in FAMILY["environments"]:
        env = STLTaskEnv(**row["kwargs"])
        env.action_space.seed(0)
        controllers: dict[str, Callable[[Any, Any], Any]] = {
            "zero action": lambda observation, info, env=env: np.zeros(env.action_space.shape, np.float32),  # type: ignore[misc]
            "random": lambda observation, info, env=env: env.action_space.sample(),  # type: ignore[misc]
        }
        for name in row["experts"]:
            controllers[f"`{name}`"] = getattr(experts, name)(env).act
        for name, act in controllers.items():
            rho, cost = np.array([_episode(env, act, seed) for seed in range(EPISODES)]).T
            share = float(np.mean(rho >= 0.0))
            low, high = _interval(share)
            print(
                f"| {env.task} | {name} | {share:.3f} | {low:.3f} to {high:.3f} | {rho.mean():.3f} | "
                f"{np.median(rho):.3f} | {cost.mean():.3f} |"
            )


def _interval(share: float) -> tuple[float, float]:
    """Return Wilson's interval of a share of `EPISODES`."""
    square = 1.96**2 / EPISODES
    middle = (share + 0.5 * square) / (1.0 + square)
    half = np.sqrt(square * share * (1.0 - share) + 0.25 * square * square) / (1.0 + square)
    return middle - half, middle + half


def _episode(env: STLTaskEnv, act: Callable[[Any, Any], Any], seed: int) -> tuple[float, float]:
    """Return the robustness and the cost of an episode."""
    observation, info = env.reset(seed=seed)
    cost, is_over = 0.0, False
    while not is_over:
        observation, _, is_over, _, info = env.step(act(observation, info))
        cost += info["cost"]
    return cast(float, info["robustness"]["low"]), cost


if __name__ == "__main__":
    main()
