"""Search for a learner's arguments, with a budget that is counted: `rlx tune`.

After Eimer, Lindauer and Raileanu, "Hyperparameters in Reinforcement Learning and How To Tune Them" (ICML 2023,
https://arxiv.org/abs/2306.01324): arguments are judged by runs with seeds, and on episodes, that no comparison uses, or
the result would be the luckiest setting of a few; what is reported is what `rlx compare` makes of the best one on seeds
of its own. Optuna proposes, by a tree of Parzen estimators, and gives up what is worse than the median half-way.

Which arguments are tried follows from the seed and the trials before; a search that was stopped goes on as if it had
not been.
"""

from __future__ import annotations

import dataclasses
import json
import math
import multiprocessing
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from rlx import __version__

from .arguments import parse
from .commands import INCUMBENT, Env, EnvKwargs, Out, console, json_object, show_table
from .compare.executors import ONE_THREAD, POLL_PERIOD
from .compare.files import lock, read_json, write_json
from .compare.run import progress_bars
from .evaluation import FIRST_SEED, evaluate
from .learners import args_of, fill_args, learners_for, make_learner, misfits

if TYPE_CHECKING:
    import optuna

FIRST_RUN = 9_000  # seed of the first run: comparisons count from 0
FIRST_EPISODE = FIRST_SEED + 2**19  # beyond the episodes of comparisons
PLAN, JOURNAL = "plan.json", "journal.log"
DONE = ("COMPLETE", "PRUNED")
STARTUP = 10  # trials that are proposed at random


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers between two, whole ones if both are; by their logarithms if they span orders of magnitude."""

    low: float
    high: float
    is_log: bool = False


Space = Mapping[str, Range | list[Any]]
"""Name of an argument -> what to try."""

_NETWORKS = [[64, 64], [128, 128], [256, 256]]
#: Learner -> what is tried unless the user says otherwise.
SPACES: dict[str, Space] = {
    "ddpg": {
        "actor_rate": Range(1e-5, 1e-2, is_log=True),
        "critic_rate": Range(1e-4, 1e-2, is_log=True),
        "gamma": [0.9, 0.95, 0.98, 0.99, 0.995],
        "tau": Range(0.001, 0.05, is_log=True),
        "noise_start": Range(0.05, 1.0),
        "saturation_penalty": [0.0, 0.1, 1.0],
        "batch_size": [64, 128, 256],
        "hidden_sizes": _NETWORKS,
    },
    "dqn": {
        "rate": Range(1e-5, 1e-2, is_log=True),
        "gamma": [0.9, 0.95, 0.98, 0.99, 0.995],
        "n_steps": [1, 3, 5, 10],
        "epsilon_end": Range(0.005, 0.1, is_log=True),
        "epsilon_fraction": Range(0.05, 0.5),
        "batch_size": [64, 128, 256],
        "hidden_sizes": _NETWORKS,
    },
    "ppo": {
        "rate": Range(1e-5, 1e-2, is_log=True),
        "gamma": [0.9, 0.95, 0.98, 0.99, 0.995],
        "gae_lambda": [0.8, 0.9, 0.95, 1.0],
        "entropy_weight": Range(1e-5, 0.1, is_log=True),
        "clip": [0.1, 0.2, 0.3],
        "epochs": Range(2, 12),
        "batch_size": [128, 256, 512, 1024],
        "hidden_sizes": _NETWORKS,
    },
    "sindy_rl": {
        "threshold": Range(1e-3, 0.1, is_log=True),
        "ridge": Range(1e-8, 1e-3, is_log=True),
        "surrogate_horizon": [25, 50, 100, 200],
        "practice": [4_000, 12_000, 36_000],
        "actor_rate": Range(1e-5, 1e-2, is_log=True),
        "gamma": [0.9, 0.95, 0.98, 0.99],
    },
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is searched, and how."""

    algo: str
    env_id: str
    env_kwargs: Mapping[str, Any]
    given: Mapping[str, Any]
    """Arguments that are not searched, but differ from the tuned ones."""
    space: Mapping[str, Any]
    """What `read_space` takes."""
    runs: int
    """Per trial."""
    evaluations: int
    """Of each run; at each, a trial may be given up."""
    episodes: int
    """Per evaluation."""
    seed: int
    """Of the proposals."""
    version: str = __version__
    """Of rlx."""


def read_space(algo: str, texts: Mapping[str, Any]) -> Space:
    """Return what to try of each argument.

    Args:
        algo: the learner.
        texts: name -> a list of values, or ``"LOW:HIGH"``, or ``"LOW:HIGH:log"``; empty for the learner's of `SPACES`.

    Raises:
        ValueError: no such argument, or it cannot be read; says how to write it.
    """
    if not texts and algo not in SPACES:
        raise ValueError(
            f"Say what to search of {algo}: --search NAME=LOW:HIGH. Only {', '.join(SPACES)} have a space of their own."
        )
    space: dict[str, Range | list[Any]] = {}
    known = [field.name for field in dataclasses.fields(args_of(algo))]
    for name, value in texts.items():
        if name not in known:
            raise ValueError(f"{algo} has no argument {name!r}. It has: {', '.join(known)}.")
        parts = str(value).split(":")
        if isinstance(value, list) and value:
            space[name] = value
        elif len(parts) in (2, 3) and parts[2:] in ([], ["log"]):
            low, high = (json.loads(part) for part in parts[:2])
            if not low < high or (parts[2:] and low <= 0):
                raise ValueError(f"{name}={value}: LOW is less than HIGH, and more than 0 for their logarithms.")
            space[name] = Range(low, high, bool(parts[2:]))
        else:
            raise ValueError(f"{name}={value}: write LOW:HIGH, LOW:HIGH:log, or a list of values like [64, 128].")
    return space or SPACES[algo]


def propose(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """Return arguments to try."""
    values: dict[str, Any] = {}
    for name, of in space.items():
        if isinstance(of, list):  # Optuna's choices are numbers and words
            values[name] = json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in of]))
        elif isinstance(of.low, int) and isinstance(of.high, int):
            values[name] = trial.suggest_int(name, of.low, of.high, log=of.is_log)
        else:
            values[name] = trial.suggest_float(name, of.low, of.high, log=of.is_log)
    return values


def attempt(trial: optuna.Trial, plan: Plan, on_progress: Callable[[float], None]) -> float | None:
    """Train with what ``trial`` proposes; return the mean return of all runs at the end, or None if it was given up."""
    values = {**plan.given, **propose(trial, read_space(plan.algo, plan.space))}
    try:
        args = [
            dataclasses.asdict(fill_args(plan.algo, plan.env_id, {**values, "seed": FIRST_RUN + run}))
            for run in range(plan.runs)
        ]
        runs = [make_learner(plan.algo, plan.env_id, plan.env_kwargs, of) for of in args]
    except ValueError:  # arguments that do not go together
        trial.set_user_attr("steps", 0)
        return None
    steps, score = args[0]["steps"], math.nan
    for point in range(1, plan.evaluations + 1):
        scores = []
        for place, run in enumerate(runs):
            run.learn(steps * point // plan.evaluations, lambda step: None)
            played = evaluate(
                lambda env, run=run: run.policy,  # type: ignore[misc]
                plan.env_id, plan.env_kwargs, plan.episodes, seed=FIRST_EPISODE,
            )  # fmt: skip
            scores.append(np.mean(played.returns))
            on_progress((point - 1 + (place + 1) / plan.runs) / plan.evaluations)
        score = float(np.mean(scores))
        trial.set_user_attr("steps", sum(run.step for run in runs))
        trial.report(score, point)
        if point < plan.evaluations and trial.should_prune():
            return None
    return score


def work(folder: Path, trials: int) -> None:
    """Make trials in ``folder`` until there are so many, those of other processes included."""
    import optuna

    plan, study = Plan(**read_json(folder / PLAN)), open_study(folder)
    progress = folder / f"progress-{multiprocessing.current_process().name}"
    while True:
        done, running = (len(states_of(study, states)) for states in (DONE, ("RUNNING",)))
        if done + running >= trials:
            return
        # A sampler for each trial: what it draws does not depend on where the search was interrupted.
        (seed,) = np.random.SeedSequence((plan.seed, done + running)).generate_state(1).tolist()
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
        trial = study.ask()
        value = attempt(trial, plan, lambda fraction: _tell(progress, fraction))
        study.tell(trial, value, state=None if value is not None else optuna.trial.TrialState.PRUNED)
        progress.unlink(missing_ok=True)


def _tell(progress: Path, fraction: float) -> None:
    progress.write_text(f"{fraction:.4f}")
    if not multiprocessing.parent_process().is_alive():  # type: ignore[union-attr]
        raise SystemExit("The search that started this process is gone. It can be resumed.")


def open_study(folder: Path) -> optuna.Study:
    """Return the search whose journal is in ``folder``."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5)
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    return optuna.create_study(
        storage=storage, study_name="rlx", direction="maximize", pruner=pruner, load_if_exists=True
    )


def states_of(study: optuna.Study, states: Collection[str]) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that are in one of ``states``."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in states]


def resume(study: optuna.Study) -> None:
    """Let the trials that were under way when the search stopped be made again, with what they proposed."""
    import optuna

    for trial in states_of(study, ("RUNNING",)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)


def incumbent(study: optuna.Study, plan: Plan) -> dict[str, Any] | None:
    """Return the best arguments so far, and what it took to find them; None if no trial is complete."""
    done = states_of(study, DONE)
    if not any(trial.state.name == "COMPLETE" for trial in done):
        return None
    best, space = study.best_trial, read_space(plan.algo, plan.space)
    found = {name: json.loads(value) if isinstance(space[name], list) else value for name, value in best.params.items()}
    return {
        "algo": plan.algo,
        "env_id": plan.env_id,
        "env_kwargs": plan.env_kwargs,
        "args": {**plan.given, **found},
        "score": best.value,
        "trials": len(done),
        "steps": sum(trial.user_attrs.get("steps", 0) for trial in done),
        "plan": dataclasses.asdict(plan),
    }


# Command


def tune(
    env: Env,
    out: Out,
    algo: Annotated[str, typer.Option(help="The learner. Default: one that suits the actions.")] = "",
    trials: Annotated[int, typer.Option(min=1, help="Settings to try.")] = 30,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each, by which it is judged.")] = 3,
    steps: Annotated[
        int | None, typer.Option(help="Of each run. Default: as tuned for ENV.", show_default=False)
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SPACE", help="LOW:HIGH, LOW:HIGH:log, or [VALUE, ...]; repeatable. Default: usual ones."
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An argument that is not searched; repeatable."),
    ] = None,
    env_kwargs: EnvKwargs = "{}",
    evaluations: Annotated[int, typer.Option(min=1, help="Of each run; at each, a trial may be given up.")] = 5,
    episodes: Annotated[int, typer.Option("--eval-episodes", min=1, help="Per evaluation.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of the proposals.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Trials at the same time; more than one are not reproducible.")] = 1,
) -> None:
    """Search for a learner's arguments. The best ones are OUT/incumbent.json: rlx compare ENV --tuned OUT.

    Runs and episodes are others than those of comparisons. Ctrl-C stops; the same command continues, and more --trials
    go on.
    """
    kwargs = json_object(env_kwargs)
    suitable = learners_for(env, kwargs)
    if (algo or None) not in (None, *suitable):
        raise typer.BadParameter(f"{algo} does not suit {misfits(env, kwargs).get(algo, env)}", param_hint="--algo")
    algo = algo or suitable[0]
    given = parse(change or []) | ({} if steps is None else {"steps": steps})
    plan = Plan(algo, env, kwargs, given, parse(search or []), runs, evaluations, episodes, seed)
    fill_args(algo, env, given)
    space = read_space(algo, plan.space)
    out.mkdir(parents=True, exist_ok=True)
    with lock(out):
        _keep(out, plan)
        study = open_study(out)
        resume(study)
        try:
            _watch(out, study, trials, jobs)
        except KeyboardInterrupt:
            console.print(f"Stopped. To go on:\n  {shlex.join(['rlx', *sys.argv[1:]])}", highlight=False)
            raise typer.Exit(130) from None
        finally:
            found = incumbent(study, plan)
            if found is not None:
                write_json(out / INCUMBENT, found)
    if found is None:
        raise typer.BadParameter("No trial came to an end.", param_hint="--trials")
    rows = [{"Argument": name, "Best": json.dumps(found["args"][name])} for name in space]
    show_table(f"{algo} for {env}: {found['score']:.6g} after {found['trials']} trials", rows)
    console.print(
        f"{found['steps']:,} steps of training. Compare with: rlx compare {env} --tuned {out} --out ...",
        highlight=False,
    )


def _keep(out: Path, plan: Plan) -> None:
    """Write the plan, or check that the one in ``out`` is this one."""
    path, content = out / PLAN, json.loads(json.dumps(dataclasses.asdict(plan)))
    if path.exists() and read_json(path) != content:
        different = [name for name, value in read_json(path).items() if content[name] != value]
        raise ValueError(f"{out} holds another search: {', '.join(different)} differ. Give another folder with --out.")
    write_json(path, content)


def _watch(out: Path, study: optuna.Study, trials: int, jobs: int) -> None:
    """Let ``jobs`` processes make trials, and show how far they are."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(out, trials), name=f"{k}", daemon=True) for k in range(jobs)]
    os.environ.update(ONE_THREAD)  # the processes inherit it
    for worker in workers:
        worker.start()
    shown = len(states_of(study, DONE))
    try:
        with progress_bars(console) as progress:
            bar = progress.add_task("trials", total=trials, completed=shown)
            while any(worker.is_alive() for worker in workers) or len(states_of(study, DONE)) > shown:
                for trial in states_of(study, DONE)[shown:]:
                    value = "given up" if trial.value is None or trial.state.name == "PRUNED" else f"{trial.value:.6g}"
                    console.print(f"trial {trial.number}: {value}  {trial.params}", highlight=False)
                    shown += 1
                under_way = sum(float(path.read_text() or 0.0) for path in out.glob("progress-*") if path.exists())
                progress.update(bar, completed=shown + under_way)
                time.sleep(POLL_PERIOD)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
        for path in out.glob("progress-*"):
            path.unlink()
    failed = [worker for worker in workers if worker.exitcode not in (0, -signal.SIGTERM)]
    if failed:
        raise ValueError("A trial failed; what it said is above. The same command tries it again.")
