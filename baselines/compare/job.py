"""One job, in a process of its own: ``python -m rlx.baselines.compare.job FOLDER``, where FOLDER holds a job.json."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import gymnasium
from matplotlib.figure import Figure

from rlx.registry.experts import make_expert

from ..evaluation import Episodes, evaluate
from ..learners import Learner, make_learner
from .files import Log, lock, read_json, write_json
from .manifest import Job, content, setups_of
from .trackers import TRACKERS, Tracker, numbers

JOB, CONFIG, LOG, DONE, PROGRESS, OUTPUT = "job.json", "config.json", "log.jsonl", "done.json", "progress", "output.txt"
POLICY, CHECKPOINT, USAGE = "policy.npz", "checkpoint.pt", "usage.json"
MODEL, PICTURE = "model.txt", "model.png"  # of a learner that has something to tell of a model
FINAL = "final.pt"  # the learner as it is at the end, from which `rlx recover` goes on
PROGRESS_PERIOD = 0.5  # s


def run(folder: Path, keep_learner: bool = False, tracker: str = "none") -> None:
    """Carry out the job in ``folder`` from where it was left, and mark it done.

    Args:
        folder: of the job.
        keep_learner: write `FINAL`; with a replay it may have hundreds of megabytes.
        tracker: of `TRACKERS`, takes the numbers of evaluations while it learns.
    """
    job = Job(**read_json(folder / JOB))
    write_json(folder / CONFIG, describe(job))
    usage = read_json(folder / USAGE)["cpu_seconds"] if (folder / USAGE).exists() else 0.0
    report = Reporter(folder / PROGRESS)
    log = Log(folder / LOG)

    def cpu_seconds() -> float:
        return round(usage + time.process_time(), 3)

    if job.learns:
        following = TRACKERS[tracker](folder, job)
        learner = _learn(
            job, folder, log, report, lambda: write_json(folder / USAGE, {"cpu_seconds": cpu_seconds()}), following
        )
        following.close()
        _judge(job, lambda env: learner.policy, learner.step, log, report)
        if keep_learner:
            learner.save(folder / FINAL)
    else:
        # An expert that draws lots draws others in each run; the episodes are the same for all.
        arguments = {"seed": job.seed} if job.algo == "random" else {}
        _judge(job, lambda env: make_expert(env, job.algo, **arguments), 0, log, report)
    log.close()
    write_json(folder / DONE, {"hash": job.hash, "cpu_seconds": cpu_seconds()})
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _judge(
    job: Job,
    make_policy: Callable[[gymnasium.Env[Any, Any]], Any],
    step: int,
    log: Log,
    report: Callable[[float], None],
) -> None:
    """Evaluate for the last time, in the set-up of training and then in the others; go on where the log ends."""
    setups: list[dict[str, Any]] = [{}, *setups_of(job.vary)]

    def judge(place: int) -> Episodes:
        env_kwargs = {**job.env_kwargs, **setups[place]}
        return evaluate(
            make_policy, job.env_id, env_kwargs, job.episodes, lambda part: report((place + part) / len(setups))
        )

    for place in range(sum(row["kind"] == "final" for row in log.rows), len(setups)):
        log.append(_row("final", step, judge(place), **({"setup": setups[place]} if place else {})))


def _learn(
    job: Job, folder: Path, log: Log, report: Callable[[float], None], keep_usage: Callable[[], None], tracker: Tracker
) -> Learner:
    """Train; evaluate at equal distances, from before the first step to after the last; keep a checkpoint of each.

    The checkpoints lie at fixed steps, not at fixed times, and a row that is in the log already is not written again:
    so a run that was killed ends with the same log, byte for byte, as one that was not.
    """
    learner = make_learner(job.algo, job.env_id, job.env_kwargs, job.args)
    checkpoint, steps, kept = folder / CHECKPOINT, job.args["steps"], -1
    if checkpoint.exists():
        learner.load(checkpoint)
        kept = learner.step
    for point in range(job.evaluations + 1):
        learner.learn(steps * point // job.evaluations, lambda step: report(step / steps))
        if point == len(log.rows):
            episodes = evaluate(lambda env: learner.policy, job.env_id, job.env_kwargs, job.episodes)
            kind = "final" if point == job.evaluations else "evaluation"
            log.append(_row(kind, learner.step, episodes, metrics=learner.metrics))
            tracker.log(learner.step, numbers(log.rows[-1]))
        if kept < learner.step < steps:
            learner.save(checkpoint)
            keep_usage()
            kept = learner.step
    learner.policy.save(folder / POLICY)
    _tell_model(learner, folder)
    return learner


def _tell_model(learner: Any, folder: Path) -> None:
    """Keep what a learner has to tell of the model it learned, if it has; these parts of `Learner` are optional."""
    if hasattr(learner, "describe_model"):
        (folder / MODEL).write_text(f"{learner.describe_model()}\n", encoding="utf-8")
    if hasattr(learner, "draw_model"):
        figure = Figure(layout="constrained")
        learner.draw_model(figure)
        figure.savefig(folder / PICTURE, dpi=110)


def _row(kind: str, step: int, episodes: Episodes, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "step": step, **dataclasses.asdict(episodes), **more}


class Reporter:
    """Tells the process that watches this one how far it is."""

    def __init__(self, path: Path) -> None:
        """Write to ``path``."""
        self._path, self._told, self._parent = path, 0.0, os.getppid()

    def __call__(self, fraction: float) -> None:
        """Tell the fraction that is done, now and then; end the process when nobody is left to listen."""
        now = time.monotonic()
        if now - self._told > PROGRESS_PERIOD:
            self._told = now
            self._path.write_text(f"{fraction:.4f}")
            if os.getppid() != self._parent:
                raise SystemExit("The process that started this job is gone. The job can be resumed.")


def describe(job: Job) -> dict[str, Any]:
    """Return what one may want to know of a job later: versions, machine, the environment's specification."""
    env = gymnasium.make(job.env_id, **job.env_kwargs)
    env.close()
    names = ("rlx", "gymnasium", "numpy", "numba", "torch")
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        **content(job),
        "hash": job.hash,
        "spec": _spec(env),
        "versions": {"python": platform.python_version(), **versions},
        "machine": {"system": platform.platform(), "cpu": _cpu(), "cores": os.cpu_count()},
        "commit": _commit(),
    }


def _spec(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    assert env.spec is not None  # for it was made by its id
    try:
        spec: dict[str, Any] = json.loads(env.spec.to_json())
    except ValueError:  # registered with a class or function instead of its name
        return {"id": env.spec.id, "max_episode_steps": env.spec.max_episode_steps, "text": str(env.spec)}
    return spec


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str | None:
    """Return the commit of the checkout that rlx runs from, if it does."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep-learner", action="store_true")
    parser.add_argument("--tracker", default="none")
    told = parser.parse_args()
    with lock(told.folder, is_patient=True):  # an attempt that is lost may not have ended yet
        run(told.folder, told.keep_learner, told.tracker)
