"""Measure the experts: ``python -m rlx.envs.malloc_game > docs/results/malloc_game.md``."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import experts
from .bound import bound
from .env import MallocGameEnv
from .program import shipped

NAMES = ("greedy", "greedy_future", "msa", "msa_search", "beam", "mcts")
#: Longer games are not searched by `mcts`, which takes a hundredth of a second for a move.
LONGEST_SEARCH = 1100
GAMES_AT_RANDOM = 5
#: What the bound is proven in, in seconds; more than it needs, so that no figure depends on the machine.
PATIENCE = 600.0

HEAD = """# Memory mapping: what the experts reach

Made by `python -m rlx.envs.malloc_game > docs/results/malloc_game.md`.

Speed-up of the modelled latency over the program without fast memory, on `tpuv4i`. `random` is the mean of five games
of uniformly random legal moves. `plan` is what `msa` would reach if it could choose offsets: its plan, before it is
made to fit the game. `bound` is what no game can beat, whatever its offsets: a mixed-integer program without offsets
and with copies in the sum (`rlx.envs.malloc_game.bound`). `mcts` leaves out games of more than {longest} moves.

*Score*: the mean over the programs of log(T_slow / T) / log(T_slow / T_bound), 0 for slow memory alone and 1 for the
bound. *Over plan*: the geometric mean of how much faster than the plan, which is the way compilers go about it.
"""


def main() -> None:
    """Print the tables, and what is being measured on stderr."""
    print(HEAD.format(longest=LONGEST_SEARCH))
    bounds = {}
    for name in shipped():
        print(f"bound: {name}", file=sys.stderr)
        env = MallocGameEnv(name, observation="buffer")
        bounds[name] = float(env.packed()[0]["all_slow"]) / bound(env.packed()[0], PATIENCE)
    for offset in ("best_fit", "considerate", "agent"):
        columns = ["random", *(f"`{name}`" for name in NAMES), "plan", "bound"]
        print(f'## `offset="{offset}"`\n')
        print(f"| program | moves | {' | '.join(columns)} |")
        print("|---|" + "---:|" * (len(columns) + 1))
        reached = []
        for name in shipped():
            print(f"{offset}: {name}", file=sys.stderr)
            env = MallocGameEnv(name, offset=offset, observation="buffer")
            speedups = [*_measure(env), bounds[name]]
            reached.append(speedups)
            print(_row(name, int(env.packed()[0]["uses"]), speedups), flush=True)
        logs = np.log(np.array(reached))
        print(_row("*score*", None, np.nanmean(logs / logs[:, -1:], axis=0)))
        print(_row("*over plan*", None, np.exp(np.nanmean(logs - logs[:, -2:-1], axis=0))))
        print()


def _measure(env: MallocGameEnv) -> list[float]:
    """Return the speed-ups that random games, the experts and the plan reach; NaN of an expert that was left out."""
    env.reset(seed=0)
    row = env.packed()[0]
    rng = np.random.default_rng(0)
    speedups = [float(np.mean([_play(env, lambda _, info: _draw(rng, info)) for _ in range(GAMES_AT_RANDOM)]))]
    for expert in NAMES:
        if expert == "mcts" and row["uses"] > LONGEST_SEARCH:
            speedups.append(math.nan)
            continue
        policy = getattr(experts, expert)(env)
        policy.reset()
        speedups.append(_play(env, policy.act))
    planner = experts.Planner(env)
    return [*speedups, float(row["all_slow"]) / planner.plan(planner.order)[1]]


def _row(name: str, moves: int | None, numbers: Any) -> str:
    cells = ["" if math.isnan(number) else f"{number:.3f}" for number in numbers]
    return f"| {name} | {'' if moves is None else moves} | {' | '.join(cells)} |"


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
