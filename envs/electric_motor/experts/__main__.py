"""Measure the experts: ``python -m rlx.envs.electric_motor.experts > docs/results/electric_motor_experts.md``."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import PAPER_2019
from ..env import ElectricMotorEnv
from ..presets import GEM_IDS, from_gem
from . import mpc, pi

#: Mean reward per step of gym-electric-motor 3.0.3's own controllers in its environments, seeds 0 to 9, 3000 steps.
GEM_CONTROLLERS = {
    "Cont-CC-PMSM-v0": -0.0071,
    "Cont-CC-SynRM-v0": -0.0048,
    "Cont-CC-SCIM-v0": -0.0522,
    "Cont-CC-SeriesDc-v0": -0.0249,
    "Cont-SC-SeriesDc-v0": -0.0634,
    "Cont-SC-ShuntDc-v0": -0.226,
    "Cont-SC-ExtExDc-v0": -0.128,
}


class RandomPolicy:
    """Uniform actions."""

    def __init__(self, env: ElectricMotorEnv) -> None:
        """Draw from the action space of ``env``."""
        self.space = env.action_space
        self.space.seed(0)

    def reset(self) -> None:
        """Go on with the same stream."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """Draw an action."""
        return self.space.sample()


def episodes(
    arguments: dict[str, Any], make_policy: Callable[[Any], Any], seeds: int, steps: int
) -> list[tuple[float, int, bool]]:
    """Run a policy for an episode of at most ``steps`` from each of ``seeds`` seeds; return, length, terminated."""
    env = ElectricMotorEnv(**arguments)
    policy, results = make_policy(env), []
    for seed in range(seeds):
        observation, info = env.reset(seed=seed)
        policy.reset()
        total, length, terminated = 0.0, 0, False
        while length < steps and not terminated:
            observation, reward, terminated, _, info = env.step(policy.act(observation, info))
            total, length = total + reward, length + 1
        results.append((total, length, terminated))
    return results


def in_gym_electric_motor(name: str, seeds: int, steps: int) -> list[tuple[float, int, bool]]:
    """Run `pi` like `episodes`, but in gym-electric-motor's environment of that name.

    Raises:
        ImportError: gym-electric-motor is not installed.
    """
    gem: Any = importlib.import_module("gym_electric_motor")
    policy, results = pi(ElectricMotorEnv(**from_gem(name))), []
    for seed in range(seeds):
        env = gem.make(name)
        (state, reference), _ = env.reset(seed=seed)
        system = env.unwrapped.physical_system
        places = [system.state_positions[target] for target in env.unwrapped.reference_generator.reference_names]
        policy.reset()
        total, length, terminated = 0.0, 0, False
        while length < steps and not terminated:
            names, limits = system.state_names, system.limits
            info = {
                "signals": dict(zip(names, (state * limits).tolist(), strict=True)),
                "reference": {names[i]: value * limits[i] for i, value in zip(places, reference, strict=True)},
            }
            (state, reference), reward, terminated, _, _ = env.step(policy.act(None, info))
            total, length = total + reward, length + 1
        results.append((total, length, terminated))
    return results


def cell(results: list[tuple[float, int, bool]]) -> str:
    """Write the mean reward per step, and how many episodes a limit ended."""
    ended = sum(terminated for *_, terminated in results)
    mean = float(np.mean([total / length for total, length, _ in results]))
    return f"{mean:.4f}" + (f" ({ended} ended)" if ended else "")


SIXTY = """\
# Experts of the electric motors

Made by `python -m rlx.envs.electric_motor.experts > docs/results/electric_motor_experts.md`.

## The sixty tasks of gym-electric-motor

Mean reward per step up to the end of the episode, which a limit may bring early; {seeds} episodes of 3000 steps (finite
converters: 10 000), seeds from 0 on. Nothing reaches 0: the references are random walks that ignore what a drive can
do. The last two columns are in gym-electric-motor 3.0.3's own environments with its random numbers, 10 episodes of
3000 steps: its own controllers, and `pi` (where that package is installed).

| id | pi | mpc | random | there: its own | there: pi |
|---|---|---|---|---|---|"""

PAPER = """
## The set-up of 2019: `rlx/ElectricMotorPaper2019-v0`

Return of an episode of 10 000 steps; 10 000 is perfect. The last row is that time's cascaded PI in that time's code.

| policy | episodes | mean | median | lowest | completed |
|---|---|---|---|---|---|"""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Measure the experts of the electric motors; prints Markdown.")
    parser.add_argument("--seeds", type=int, default=10, help="episodes of each task (10)")
    parser.add_argument("--paper-seeds", type=int, default=100, help="episodes of the set-up of 2019 (100)")
    options = parser.parse_args()
    print(SIXTY.format(seeds=options.seeds))
    for name in GEM_IDS:
        arguments = from_gem(name)
        is_finite = arguments["converter"] == "finite"
        has_mpc = is_finite and arguments["motor"] in ("pmsm", "synrm")
        policies: tuple[Any, ...] = (pi, mpc if has_mpc else None, RandomPolicy)
        steps = 10_000 if is_finite else 3000
        cells = [cell(episodes(arguments, policy, options.seeds, steps)) if policy else "" for policy in policies]
        has_peer = name in GEM_CONTROLLERS and importlib.util.find_spec("gym_electric_motor")
        there = cell(in_gym_electric_motor(name, 10, 3000)) if has_peer else ""
        print(f"| {name} | {' | '.join(cells)} | {GEM_CONTROLLERS.get(name, '')} | {there} |", flush=True)

    print(PAPER)
    for label, policy, seeds in (("pi", pi, 20), ("pi", pi, options.paper_seeds), ("random", RandomPolicy, 20)):
        results = episodes(PAPER_2019, policy, seeds, 10_000)
        returns = [total for total, *_ in results]
        row = f"{np.mean(returns):.1f} | {np.median(returns):.1f} | {min(returns):.1f}"
        print(f"| {label} | {seeds} | {row} | {sum(not ended for *_, ended in results)} |", flush=True)
    print("| PI of 2019 | 20 | 9812.5 | 9978.3 | 9163.4 | 20 |")


if __name__ == "__main__":
    main()
