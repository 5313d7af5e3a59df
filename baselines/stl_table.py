"""Measure controllers of the tasks in temporal logic: ``python -m rlx.baselines.stl_table``, to `docs/results`.

Networks are trained where there are none in the folder, with the tuned arguments; what has been measured is kept there,
so that the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from rlx.registry.catalog import environments
from rlx.registry.experts import make_expert

from .compare.statistics import Estimate, share
from .evaluation import FIRST_SEED, evaluate
from .learners import fill_args, make_learner
from .policy import load_policy
from .stl_milp import maze
from .stl_planners import CEM, Gradient, NeuralPlanner, RandomShooting, model_of

TASKS = [row.id for row in environments().values() if row.family == "stl_tasks"]
BATCH = 50  # episodes side by side
EPISODES = 500
#: Where plans take long: episodes, and of those how many are timed.
FEW, TIMED = 100, 20
OURS = "NPC + backup"
CLASSICAL = ("random shooting", "CEM", "CEM, until satisfied", "gradient")
HEAD = f"""# Controllers of the tasks in signal temporal logic

Made by `python -m rlx.baselines.stl_table > docs/results/stl_tasks.md`, on one core; networks and figures are kept in
`runs/stl_tasks`. What a controller is, is told below.

{EPISODES} episodes, the same for all, from seeds that no run trains on; `gradient` {FEW}. Satisfied: the share of
executed trajectories whose robustness is at least 0, with a 95 % interval (Wilson). Violation: -robustness where that
is positive, else 0; the mean. Per decision: CPU time of an episode by its steps, one episode at a time; of planners
that take long, only some are timed.
"""
TAIL = """## The controllers

All planners plan once, at the start of an episode. The formula speaks of the whole episode and the model is exact: what
is executed is what was planned, and to plan again is nothing but more search, which can as well be done at the start.
A plan's time is shared by the steps it serves.

- `random`, and the family's `expert`, which reads the signals and knows the task: no learning, no search.
- `DDPG`: for contrast, from the reward that its name tells; it sees one observation at a time, and was hardly tuned.
- `random shooting`: the best of 2 000 plans, noise correlated over time. `CEM`: 20 iterations of 1 000 plans, 50
  elites; `until satisfied`, it stops with the first plan that satisfies the formula.
- `gradient`: Adam on the smooth robustness through the model, 100 iterations, 16 plans side by side.
- `MILP`: a mixed-integer linear program (HiGHS). `Maze` alone: its dynamics are affine while nothing is clipped, and
  its formula can be put in linear predicates. In `Traffic` the time waited is no linear predicate; the others ask for
  distances, headings, or a kinematic chain.
- `untrained`: the neural predictive controller's network as it starts; `untrained + backup`: the search that is the
  backup, from there. What the network adds to the search is the difference to the last row.
- `NPC`: the best of the 16 plans that the trained network proposes, by exact robustness. `NPC + backup`: where none of
  them satisfies the formula, the search, of at most 10 rounds of 200 plans; 5 in `ShipTrack`, where most are in vain
  (chosen for speed after 10 had been measured on these episodes: 0.466 in twice the time).

CEM and the backup roll out compiled dynamics, some two microseconds a plan: a search is cheap here, and a network that
is to be faster has to be fast. Planners that spend a fixed budget are slower by far; one that stops with the first plan
that satisfies the formula is not, where a few random plans will do.

## Training
"""


@dataclasses.dataclass(frozen=True)
class Method:
    """A row of the table."""

    make: Callable[[gymnasium.Env[Any, Any], Path], Any]
    """Returns the policy, given the environment and the folder of the networks."""
    episodes: int = EPISODES
    timed: int = EPISODES
    """Episodes whose decisions are timed."""
    only: str = ""
    """The one environment that it is for."""


def _npc(folder: Path, env_id: str, rounds: int | None) -> NeuralPlanner:
    """Return the trained network, with another search than it was trained with unless ``rounds`` is None."""
    planner = load_policy(_trained(folder, env_id, "stl_npc", {}))
    assert isinstance(planner, NeuralPlanner)
    planner.backup = (planner.backup[0] if rounds is None else rounds, planner.backup[1])
    return planner


def _untrained(env_id: str, **changes: int) -> NeuralPlanner:
    """Return a network as it starts."""
    args = dataclasses.asdict(fill_args("stl_npc", env_id, changes))
    return make_learner("stl_npc", env_id, {}, args).policy  # type: ignore[no-any-return]


def _trained(folder: Path, env_id: str, algo: str, env_kwargs: Mapping[str, Any]) -> Path:
    """Return the file of a trained policy; train if there is none."""
    name = "-".join([env_id.partition("/")[2], algo, *env_kwargs.values()])
    file = folder / f"{name}.npz"
    if not file.exists():
        args = dataclasses.asdict(fill_args(algo, env_id, {}))
        learner = make_learner(algo, env_id, env_kwargs, args)
        begin = time.process_time()
        for percent in range(1, 101):
            learner.learn(args["steps"] * percent // 100, lambda step: None)
            _tell(f"{name}: {percent} %, {time.process_time() - begin:.0f} s")
        file.with_suffix(".json").write_text(json.dumps({"cpu_seconds": time.process_time() - begin}))
        learner.policy.save(file)
    return file


def _id(env: gymnasium.Env[Any, Any]) -> str:
    assert env.spec is not None  # for it was made by its id
    return env.spec.id


METHODS = {
    "random": Method(lambda env, folder: make_expert(env, "random", seed=0)),
    "untrained": Method(lambda env, folder: _untrained(_id(env), backup_rounds=0)),
    "untrained + backup": Method(lambda env, folder: _untrained(_id(env)), timed=FEW),
    "DDPG, robustness": Method(
        lambda env, folder: load_policy(_trained(folder, _id(env), "ddpg", {"reward": "robustness"}))
    ),
    "DDPG, progress": Method(
        lambda env, folder: load_policy(_trained(folder, _id(env), "ddpg", {"reward": "progress"}))
    ),
    "expert": Method(lambda env, folder: make_expert(env, next(iter(environments()[_id(env)].experts)))),
    "random shooting": Method(lambda env, folder: RandomShooting(model_of(_id(env))), timed=TIMED),
    "CEM": Method(lambda env, folder: CEM(model_of(_id(env))), timed=TIMED),
    "CEM, until satisfied": Method(lambda env, folder: CEM(model_of(_id(env)), has_patience=False), timed=FEW),
    "gradient": Method(lambda env, folder: Gradient(model_of(_id(env))), FEW, timed=5),
    "MILP": Method(lambda env, folder: maze(), timed=FEW, only="rlx/STL-Maze-v0"),
    "NPC": Method(lambda env, folder: _npc(folder, _id(env), 0)),
    OURS: Method(lambda env, folder: _npc(folder, _id(env), None)),
}


def main() -> None:
    """Measure what has not been measured, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/stl_tasks"), help="Folder of networks and figures.")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        env_id: {
            name: _measured(folder, env_id, name) for name, method in METHODS.items() if method.only in ("", env_id)
        }
        for env_id in TASKS
    }
    print("\n".join([HEAD, *_summary(found), "", *_rows(found), "", TAIL, *_training(folder)]))


def _measured(folder: Path, env_id: str, name: str) -> dict[str, float]:
    """Return the figures of a cell; measure them if they are not there."""
    file = folder / "cells" / f"{env_id.partition('/')[2]}-{name.replace(' ', '_')}.json"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(measure(METHODS[name], env_id, folder)))
        _tell(f"{env_id} {name}: {file.read_text()}\n")
    figures: dict[str, float] = json.loads(file.read_text())
    return figures


def measure(method: Method, env_id: str, folder: Path) -> dict[str, float]:
    """Return episodes, satisfied ones, the mean violation, and the CPU seconds of a decision."""
    wins, violation = 0, 0.0
    for first in range(0, method.episodes, BATCH):
        played = evaluate(lambda env: method.make(env, folder), env_id, {}, BATCH, seed=FIRST_SEED + first)
        wins += played.ends.count("success")
        violation += float(np.dot(played.costs, played.lengths))
    seconds = seconds_per_decision(method, env_id, folder)
    return {"episodes": method.episodes, "wins": wins, "violation": violation / method.episodes, "seconds": seconds}


def seconds_per_decision(method: Method, env_id: str, folder: Path) -> float:
    """Return the CPU time that an action takes, the mean over whole episodes that are played one by one."""
    env = gymnasium.make(env_id)
    policy, spent, steps = method.make(env, folder), 0.0, 0
    for episode in range(-1, method.timed):
        observation, info = env.reset(seed=FIRST_SEED + max(episode, 0))
        policy.reset()
        is_over = False
        while not is_over:
            begin = time.process_time()
            action = policy.act(observation, info)
            if episode >= 0:  # the one before is for warming up
                spent, steps = spent + time.process_time() - begin, steps + 1
            observation, _, terminated, truncated, info = env.step(action)
            is_over = terminated or truncated
    env.close()
    return spent / steps


def _share(figures: Mapping[str, float]) -> Estimate:
    return share(int(figures["wins"]), int(figures["episodes"]))


def _summary(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """Return how the network with its backup stands beside the best of the others, and how fast it is."""
    lines = [
        f"Whether `{OURS}` reaches the interval of the best other, and how many times as fast it is as planners:",
        "",
        f"| task | {OURS} | best other | reached | " + " | ".join(CLASSICAL) + " |",
        "|---|---:|---|---" + "|---:" * len(CLASSICAL) + "|",
    ]
    for env_id, cells in found.items():
        ours = cells[OURS]
        others = {name: cells[name] for name in cells if name not in (OURS, "NPC")}
        best = max(others, key=lambda name: _share(others[name]).value)
        is_reached = _share(ours).value >= _share(others[best]).low
        ratios = [_figure(cells[name]["seconds"] / ours["seconds"]) for name in CLASSICAL]
        lines.append(
            f"| {_short(env_id)} | {_share(ours).value:.3f} | {best}, {_share(others[best]).value:.3f} "
            f"| {'yes' if is_reached else 'no'} | {' | '.join(ratios)} |"
        )
    return lines


def _rows(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    lines = [
        "| task | controller | satisfied | 95 % | mean violation | per decision, µs |",
        "|---|---|---:|---|---:|---:|",
    ]
    for env_id, cells in found.items():
        for name, figures in cells.items():
            satisfied = _share(figures)
            lines.append(
                f"| {_short(env_id)} | {name} | {satisfied.value:.3f} | {satisfied.low:.3f} to {satisfied.high:.3f} "
                f"| {figures['violation']:.3f} | {_figure(1e6 * figures['seconds'])} |"
            )
    return lines


def _training(folder: Path) -> list[str]:
    """Return what training took."""
    lines = ["| network | training, CPU s |", "|---|---:|"]
    for file in sorted(folder.glob("*.json")):
        lines.append(f"| {file.stem} | {json.loads(file.read_text())['cpu_seconds']:.0f} |")
    return lines


def _figure(number: float) -> str:
    return f"{number:.2g}" if number < 10.0 else f"{number:,.0f}"


def _short(env_id: str) -> str:
    return env_id.removeprefix("rlx/STL-").removesuffix("-v0")


def _tell(text: str) -> None:
    print(f"\r{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
