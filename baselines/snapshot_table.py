"""Compare learning with and without a teacher's snapshots: ``python -m rlx.baselines.snapshot_table``.

It writes `docs/results/snapshot_learning.md` and the picture beside it. Teachers, snapshots and finished runs are kept
in a folder, so that the same command goes on where it was stopped; a run that was stopped itself starts again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import gymnasium
import matplotlib
import numpy as np
from gymnasium.vector import VectorEnv
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from rlx.registry.experts import make_expert
from rlx.wrappers.snapshot import SnapshotReset, SnapshotVectorReset, collect_snapshots, read_snapshots

from .compare.figures import STYLE, colors
from .compare.statistics import Array, Estimate, bootstrap, iqm, iqm_band, probability_of_improvement, stratified_iqm
from .evaluation import evaluate
from .learners import fill_args, make_learner
from .policy import load_policy


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned, and for how long."""

    env_id: str
    algo: str
    steps: int
    """Of a student."""
    teacher_steps: int
    """Of training the teacher."""
    horizon: int
    """Of student trajectory truncation: as in the paper, a tenth of the longest episode."""

    @property
    def name(self) -> str:
        """The task in a file's name."""
        return self.env_id.removeprefix("rlx/").rpartition("-v")[0]


@dataclasses.dataclass(frozen=True)
class Arm:
    """What is done with the snapshots."""

    classes: int | None = None
    """Of status classification; None: none."""
    is_truncated: bool = False
    """Whether trajectories from snapshots are truncated."""


TASKS = (
    Task("Hopper-v5", "ppo", 60_000, 400_000, 100),
    Task("Walker2d-v5", "ppo", 50_000, 400_000, 100),
    Task("rlx/SC2-DefeatRoaches-v0", "ppo", 100_000, 900_000, 24),
    Task("rlx/RoguelikeNPC-Paper-v0", "ppo", 40_000, 300_000, 10),
)
ARMS = {
    "base": None,
    "+Snapshot": Arm(),
    "+SC": Arm(classes=6),
    "+STT": Arm(is_truncated=True),
    "S3RL": Arm(classes=6, is_truncated=True),
}
SEEDS = 5
TEACHER_SEED = 100
PHASE = 4  # one part in so many of a student's steps is taken in episodes from snapshots
POINTS, EPISODES = 20, 10  # of a student's evaluations
FLOOR_EPISODES = 50  # of those of the teacher and of random actions
LEVELS = (0.25, 0.5)  # thresholds, from the return of random actions to the teacher's
SHOWN = (4, 10, 20)  # points whose returns are in the table
STARTED = "SnapshotStart-v0"
HEAD = f"""# Learning with and without a teacher's snapshots

Made by `python -m rlx.baselines.snapshot_table`; teachers, snapshots and runs are kept in `runs/snapshots`.

A run without snapshots (`base`) beside [SnapshotRL and its two additions](../guides/snapshots.md#snapshotrl-and-s3rl):
snapshots alone, with status classification (`+SC`, 6 classes), with student trajectory truncation (`+STT`), and with
both (`S3RL`). {SEEDS} runs each, with the tuned arguments of the task, but for the number of steps, which is small:
they show how learning begins. Episodes start from snapshots in the first quarter of a student's steps; in the paper it
is a tenth of a million. Students are evaluated in the plain environment, at {POINTS} equal distances, in {EPISODES}
episodes from seeds that no run trains on. Intervals are of 95 %, by the bootstrap over runs.

The teacher is a longer run of the same algorithm; its snapshots are of 10 episodes, one each 10 steps. Their status is
the sum of the rewards that followed, discounted, where the paper asks the teacher's critic: a policy is stored without.
Trajectories are truncated after a tenth of the longest episode, in the paper 100 of 1000 steps.
"""
STEPS = """
## Steps to a threshold

Thresholds lie a quarter and half of the way from the return of random actions to the teacher's. The first evaluation at
or above counts. A run that never gets there counts with all of its steps: where that matters, the IQM is a lower bound
(≥), and so is the interval's upper edge. The last column adds the steps of the episodes that the snapshots are of, but
not those in which the teacher learned, which are many times more: a teacher trained for this alone does not pay."""


def make_started(
    num_envs: int,
    env_id: str,
    snapshots: str,
    classes: int | None,
    horizon: int | None,
    steps: int,
    **env_kwargs: Any,
) -> VectorEnv[Any, Any, Any]:
    """Make environments whose first ``steps``, of all of them, are of episodes from snapshots."""
    lot = read_snapshots(snapshots)
    if gymnasium.spec(env_id).vector_entry_point is not None:
        envs = gymnasium.make_vec(env_id, num_envs, **env_kwargs)
        return SnapshotVectorReset(envs, lot, classes=classes, horizon=horizon, steps=steps)

    def start(env: gymnasium.Env[Any, Any]) -> SnapshotReset:
        return SnapshotReset(env, lot, classes=classes, horizon=horizon, steps=steps // num_envs)

    return gymnasium.make_vec(env_id, num_envs, vectorization_mode="sync", wrappers=[start], **env_kwargs)


gymnasium.register(STARTED, vector_entry_point=make_started)  # type: ignore[arg-type]


# Runs


def teach(folder: Path, task: Task) -> dict[str, Any]:
    """Return what is known of the teacher: trained, measured, and followed for its snapshots if it is not there."""
    file = folder / f"{task.name}-teacher.json"
    settings = {"env_id": task.env_id, "algo": task.algo, "steps": task.teacher_steps}
    if not _is_kept(file, settings):
        args = dataclasses.asdict(
            fill_args(task.algo, task.env_id, {"steps": task.teacher_steps, "seed": TEACHER_SEED})
        )
        learner = make_learner(task.algo, task.env_id, {}, args)
        begin = time.process_time()
        learner.learn(task.teacher_steps, lambda step: None)
        spent = time.process_time() - begin
        learner.policy.save(file.with_suffix(".npz"))
        teacher = load_policy(file.with_suffix(".npz"))
        snapshots = collect_snapshots(gymnasium.make(task.env_id), teacher, gamma=args["gamma"])
        snapshots.save(_snapshots(folder, task))
        random = evaluate(lambda env: make_expert(env, "random", seed=0), task.env_id, {}, FLOOR_EPISODES)
        found = {
            "return": float(np.mean(evaluate(lambda env: teacher, task.env_id, {}, FLOOR_EPISODES).returns)),
            "random": float(np.mean(random.returns)),
            "snapshots": len(snapshots),
            "collected": snapshots.provenance["steps"],
            "cpu_seconds": spent,
        }
        _keep(file, settings, found)
    return _kept(file)


def study(folder: Path, task: Task, arm: str, seed: int) -> dict[str, Any]:
    """Return a student's evaluations in the plain environment; let it learn if they are not there."""
    file = folder / f"{task.name}-{arm.strip('+')}-{seed}.json"
    settings = {**dataclasses.asdict(task), **dataclasses.asdict(ARMS[arm] or Arm()), "phase": PHASE, "points": POINTS}
    if not _is_kept(file, settings):
        args = _args(task, task.steps, seed)
        chosen, env_id, env_kwargs = ARMS[arm], task.env_id, {}
        if chosen is not None:
            env_id = STARTED
            env_kwargs = {
                "env_id": task.env_id,
                "snapshots": str(_snapshots(folder, task)),
                "classes": chosen.classes,
                "horizon": task.horizon if chosen.is_truncated else None,
                "steps": task.steps // PHASE,
            }
        learner = make_learner(task.algo, env_id, env_kwargs, args)
        returns, spent = [], 0.0
        for step in points(task):
            begin = time.process_time()
            learner.learn(step, lambda step: None)
            spent += time.process_time() - begin
            returns.append(float(np.mean(evaluate(lambda env: learner.policy, task.env_id, {}, EPISODES).returns)))
        _keep(file, settings, {"returns": returns, "cpu_seconds": spent})
    return _kept(file)


def points(task: Task) -> list[int]:
    """Return the steps at which a student is evaluated."""
    return [task.steps * (k + 1) // POINTS for k in range(POINTS)]


def _args(task: Task, steps: int, seed: int) -> dict[str, Any]:
    return dataclasses.asdict(fill_args(task.algo, task.env_id, {"steps": steps, "seed": seed}))


def _snapshots(folder: Path, task: Task) -> Path:
    return folder / f"{task.name}-snapshots.npz"


def _is_kept(file: Path, settings: Mapping[str, Any]) -> bool:
    """Return whether ``file`` holds what was found with these settings."""
    return file.exists() and _kept(file)["settings"] == settings


def _kept(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _keep(file: Path, settings: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Write what was found, atomically."""
    temporary = file.with_suffix(".partial")
    temporary.write_text(json.dumps({"settings": settings, **found}))
    os.replace(temporary, file)


def run_all(folder: Path, jobs: int) -> None:
    """Make what is missing, in so many processes; teachers first."""
    folder.mkdir(parents=True, exist_ok=True)
    students = [(task, arm, seed) for task in TASKS for seed in range(SEEDS) for arm in ARMS]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        _wait("teachers", [pool.submit(teach, folder, task) for task in TASKS])
        _wait("students", [pool.submit(study, folder, *student) for student in students])


def _wait(what: str, futures: Sequence[Any]) -> None:
    begin = time.monotonic()
    for done, future in enumerate(as_completed(futures), 1):
        future.result()
        print(f"\r{what}: {done} of {len(futures)}, {time.monotonic() - begin:,.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)


# Figures


def steps_to(level: float, curve: Sequence[float], steps: Sequence[int]) -> float:
    """Return the first of ``steps`` at which ``curve`` is at ``level`` or above; infinity where it never is."""
    return next((float(step) for step, value in zip(steps, curve, strict=True) if value >= level), math.inf)


def compare(curves: Mapping[str, Mapping[str, Array]], teachers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the lines of the tables.

    Args:
        curves: by task and arm, returns of shape (seeds, `POINTS`).
        teachers: what `teach` returned, by task.
    """
    lines = [
        "## Returns",
        "",
        "IQM over the runs of the mean return, after so much of the steps and over all points, and how likely a",
        "run's mean over all points is above that of a run without snapshots.",
        "",
        "| task | start | "
        + " | ".join(f"after {100 * k // POINTS} %" for k in SHOWN)
        + " | all points | above base |",
        "|---|---|" + "---:|" * (len(SHOWN) + 2),
    ]
    for task in TASKS:
        digits = 0 if abs(teachers[task.name]["return"]) >= 100.0 else 2
        for arm, found in curves[task.name].items():
            cells = [found[:, k - 1] for k in SHOWN] + [found.mean(axis=1)]
            texts = [_told(bootstrap(stratified_iqm, [cell]), digits) for cell in cells]
            base = curves[task.name]["base"].mean(axis=1)
            above = bootstrap(probability_of_improvement, [found.mean(axis=1)], [base])
            texts.append("" if arm == "base" else _told(above, 2))
            lines.append(f"| {task.name} | {arm} | {' | '.join(texts)} |")
    return lines


def thresholds(curves: Mapping[str, Mapping[str, Array]], teachers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the lines of the table of steps to a threshold, see `compare`."""
    lines = [
        "| task | level | start | runs that reach it | steps | with the teacher's |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for task in TASKS:
        teacher = teachers[task.name]
        for share in LEVELS:
            level = teacher["random"] + share * (teacher["return"] - teacher["random"])
            for arm, found in curves[task.name].items():
                reached = np.array([steps_to(level, curve, points(task)) for curve in found])
                own = bootstrap(stratified_iqm, [np.minimum(reached, task.steps)])
                extra = 0 if ARMS[arm] is None else teacher["collected"]
                bound = "" if np.isfinite(iqm(reached)) else "≥ "
                both = (f"{bound}{_told(Estimate(*(n + more for n in own)), 0)}" for more in (0, extra))
                lines.append(
                    f"| {task.name} | {level:,.4g} | {arm} | {np.isfinite(reached).sum()} of {len(reached)} "
                    f"| {' | '.join(both)} |"
                )
    return lines


def describe(teachers: Mapping[str, Mapping[str, Any]], seconds: Mapping[str, float]) -> list[str]:
    """Return the lines of the table of tasks and teachers; ``seconds`` are those that a run took, by task."""
    lines = [
        "| task | algorithm | steps of a run | CPU s of a run | truncated after | the teacher's training | its return "
        "| random actions' | snapshots | steps of these episodes |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for task in TASKS:
        teacher = teachers[task.name]
        lines.append(
            f"| `{task.env_id}` | {task.algo} | {task.steps:,} | {seconds[task.name]:.0f} | {task.horizon} "
            f"| {task.teacher_steps:,} | {teacher['return']:,.4g} | {teacher['random']:,.4g} | {teacher['snapshots']} "
            f"| {teacher['collected']:,} |"
        )
    return lines


def _told(estimate: Estimate, digits: int) -> str:
    value, low, high = (f"{number:,.{digits}f}" for number in estimate)
    return f"{value} ({low} to {high})"


def draw(curves: Mapping[str, Mapping[str, Array]], teachers: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the interquartile mean of the runs and its band, a panel for each task, see `compare`."""
    figure = Figure(figsize=(9.0, 3.2 * math.ceil(len(TASKS) / 2)), layout="constrained")
    panels = figure.subplots(math.ceil(len(TASKS) / 2), 2, squeeze=False).ravel()
    palette = colors(list(ARMS))
    for axes, task in zip(panels, TASKS, strict=False):
        for arm, found in curves[task.name].items():
            middle, low, high = iqm_band(found)
            axes.fill_between(points(task), low, high, color=palette[arm], alpha=0.1, linewidth=0)
            axes.plot(points(task), middle, color=palette[arm], linewidth=2.0, label=arm)
        axes.axhline(teachers[task.name]["return"], color="#222222", linewidth=1.2, linestyle=(0, (5, 2)))
        axes.axvline(task.steps / PHASE, color="#222222", linewidth=1.0, linestyle=":")
        axes.set_title(task.name, loc="left", fontsize=10)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.margins(x=0)
    for axes in panels[len(TASKS) :]:
        axes.set_visible(False)
    figure.supxlabel("the student's steps (dotted: the last episodes from snapshots begin)", fontsize=10)
    figure.supylabel(f"return of {EPISODES} episodes (dashed: the teacher's)", fontsize=10)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(ARMS), frameon=False)
    return figure


def main() -> None:
    """Run what has not been run, and write the page and its picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/snapshots"), help="Folder of teachers and runs.")
    parser.add_argument("--page", type=Path, default=Path("docs/results/snapshot_learning.md"), help="The page.")
    parser.add_argument("--jobs", type=int, default=1, help="Processes side by side.")
    given = parser.parse_args()
    run_all(given.out, given.jobs)
    teachers = {task.name: teach(given.out, task) for task in TASKS}
    runs = {
        task.name: {arm: [study(given.out, task, arm, seed) for seed in range(SEEDS)] for arm in ARMS} for task in TASKS
    }
    curves = {
        name: {arm: np.array([run["returns"] for run in found]) for arm, found in arms.items()}
        for name, arms in runs.items()
    }
    seconds = {
        name: float(np.median([run["cpu_seconds"] for found in arms.values() for run in found]))
        for name, arms in runs.items()
    }
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        draw(curves, teachers).savefig(given.page.with_suffix(".svg"), metadata={"Date": None})
    given.page.write_text(
        "\n".join(
            [
                HEAD,
                *describe(teachers, seconds),
                f"\n![Learning curves]({given.page.stem}.svg)\n",
                *compare(curves, teachers),
                STEPS,
                "",
                *thresholds(curves, teachers),
                "",
            ]
        )
    )


if __name__ == "__main__":
    main()
