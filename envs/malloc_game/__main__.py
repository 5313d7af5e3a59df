"""Measure the experts: ``python -m rlx.envs.malloc_game > docs/results/malloc_game.md``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import experts
from .env import MallocGameEnv
from .program import shipped

NAMES = ("greedy", "greedy_future", "msa", "msa_search", "beam", "mcts")
#: Longer games are not searched by `mcts`, which takes a hundredth of a second for a move.
LONGEST_SEARCH = 1100
GAMES_AT_RANDOM = 5

HEAD = """# Memory mapping: what the experts reach

Made by `python -m rlx.envs.malloc_game > docs/results/malloc_game.md`.

Speed-up of the modelled latency over the program without fast memory, on `tpuv4i`. `random` is the mean of five games
of uniformly random legal moves. `plan` is what `msa` would reach if it could choose offsets: its plan, before it is
made to fit the game. `bound` is what fast memory without limits would give, all copies for nothing.
"""


def main() -> None:
    """Print the tables, and what is being measured on stderr."""
    print(HEAD)
    for offset in ("best_fit", "considerate"):
        print(f'## `offset="{offset}"`\n')
        print("| program | moves | random | " + " | ".join(f"`{name}`" for name in NAMES) + " | plan | bound |")
        print("|---|" + "---:|" * (len(NAMES) + 4))
        for name in shipped():
            print(f"{offset}: {name}", file=sys.stderr)
            print(_line(name, MallocGameEnv(name, offset=offset, observation="buffer")), flush=True)
        print()


def _line(name: str, env: MallocGameEnv) -> str:
    env.reset(seed=0)
    row = env.packed()[0]
    moves = int(row["uses"])
    rng = np.random.default_rng(0)
    random = np.mean([_play(env, lambda _, info: _draw(rng, info)) for _ in range(GAMES_AT_RANDOM)])
    cells = [f"{moves}", f"{random:.3f}"]
    for expert in NAMES:
        if expert == "mcts" and moves > LONGEST_SEARCH:
            cells.append("")
            continue
        policy = getattr(experts, expert)(env)
        policy.reset()
        cells.append(f"{_play(env, policy.act):.3f}")
    env.reset(seed=0)
    planner = experts.Planner(env)
    all_slow = float(row["all_slow"])
    cells.append(f"{all_slow / planner.plan(planner.order)[1]:.3f}")
    cells.append(f"{all_slow / bound(row):.3f}")
    return f"| {name} | {' | '.join(cells)} |"


def bound(row: np.void) -> float:
    """Return the latency in s that no game can beat: every use that is anybody's decision in fast memory at once."""
    count, uses = int(row["instructions"]), int(row["uses"])
    fast = np.bincount(row["time"][:uses], row["bytes"][:uses], count)
    slow = row["slow"][:count] - fast
    mixed = fast / row["fast_bandwidth"] + slow / row["slow_bandwidth"]
    return float(np.maximum(row["compute"][:count], mixed).sum())


def _draw(rng: np.random.Generator, info: dict[str, Any]) -> int:
    return int(rng.choice(np.flatnonzero(info["action_mask"])))


def _play(env: MallocGameEnv, choose: Callable[[Any, dict[str, Any]], int]) -> float:
    observation, info = env.reset(seed=0)
    terminated = False
    while not terminated:
        observation, _, terminated, _, info = env.step(choose(observation, info))
    return float(info["speedup"])


if __name__ == "__main__":
    main()
