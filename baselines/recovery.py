"""Steps to recover: how long trained policies must be trained on once their task has changed. `rlx recover`.

Each learner of a run of `rlx train` or `rlx compare` goes on from where it ended, in each changed set-up on its own,
and is judged at equal distances by the same held-out episodes. It has recovered when it scores `SHARE` of what its
policy scored in the set-up that it was trained in. The score is the share of successes; where the task defines none, it
is the mean return, and the share is one of the lead over random play, for returns have no zero of their own.

The learning rate is that of the beginning and does not fall, so that the steps do not depend on how many are allowed;
exploration is that of the end. A score is a sample: the first one that reaches the target may do so by luck.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import gymnasium
import numpy as np
import typer

from rlx.registry.experts import make_expert

from .commands import console, parse_vary, show_table
from .compare.files import Log, lock, write_json
from .compare.job import FINAL
from .compare.manifest import Job, jobs_of, label, make_settings, read_settings, setups_of
from .compare.results import markdown_table, number
from .compare.run import is_done, job_folder, progress_bars
from .evaluation import Episodes, evaluate
from .learners import LEARNERS, Learner, make_learner
from .policy import load_policy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOG, NUMBERS, TABLE, PICTURE = "recovery.jsonl", "recovery.json", "recovery.md", "recovery.png"
SHARE = 0.95

OnProgress = Callable[[float], None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """For how long policies are trained on, and how they are judged."""

    steps: int
    """At most."""
    every: int
    """Steps from one evaluation to the next; a learner may take a few more, for it steps several environments."""
    episodes: int
    """Of each evaluation."""

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            ValueError: names the number and what is allowed.
        """
        for name, value in dataclasses.asdict(self).items():
            if value < 1:
                raise ValueError(f"{name} = {value}: at least 1 is needed.")


@dataclasses.dataclass(frozen=True)
class Recovery:
    """How one learner fared in one set-up."""

    job: str
    algo: str
    seed: int
    setup: Mapping[str, Any]
    """What it changes in the environment's keyword arguments."""
    plan: Plan
    has_success: bool
    """Whether scores are shares of successes, not mean returns."""
    before: float
    """Score of the run's policy in the set-up of training."""
    target: float
    """Score to reach."""
    curve: Sequence[tuple[int, float]]
    """Further steps and the score after them, from the run's policy to the first one that reaches the target, or to the
    end."""

    @property
    def steps(self) -> float:
        """Further steps to reach the target; infinity if it was not reached."""
        steps, score = self.curve[-1]
        return steps if score >= self.target else math.inf

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Recovery:
        """Return what `dataclasses.asdict` and JSON have made a row of."""
        curve = [(steps, score) for steps, score in row["curve"]]
        return cls(**{**row, "plan": Plan(**row["plan"]), "curve": curve})


# Training


def recover_all(
    folder: Path,
    out: Path,
    vary: Mapping[str, Sequence[Any]],
    plan: Plan,
    on_progress: OnProgress = lambda fraction: None,
) -> list[Recovery]:
    """Train all learners of a run on in all set-ups, but for what is in ``out`` already.

    Args:
        folder: of the run.
        out: folder of the results, a line in `LOG` for each learner and set-up that is finished.
        vary: keyword arguments of the environment, and their values: each is a set-up.
        plan: how.
        on_progress: told now and then which fraction is done.

    Raises:
        ValueError: no learner has been kept, a set-up in which none can act, or results of another plan.
    """
    asked = [(job, setup) for job in _kept(folder) for setup in _setups(folder, vary)]

    def tell(place: int, part: float) -> None:
        on_progress((place + part) / len(asked))

    log = Log(out / LOG)
    try:
        found = [Recovery.of(row) for row in log.rows]
        for one in found:
            if one.plan != plan:
                raise ValueError(f"{out} was begun with {one.plan}, not {plan}: give another --out.")
        finished = {(one.job, label(one.setup)): one for one in found}
        for place, (job, setup) in enumerate(asked):
            tell(place, 0.0)
            if (job.name, label(setup)) not in finished:
                one = recover_one(job_folder(folder, job), job, setup, plan, functools.partial(tell, place))
                log.append(dataclasses.asdict(one))
                finished[job.name, label(setup)] = one
    finally:
        log.close()
    return [finished[job.name, label(setup)] for job, setup in asked]


def recover_one(folder: Path, job: Job, setup: Mapping[str, Any], plan: Plan, on_progress: OnProgress) -> Recovery:
    """Train the learner in ``folder``, that of ``job``, on in a set-up, until it has recovered or the plan ends."""

    def play(make_policy: Callable[[gymnasium.Env[Any, Any]], Any], changes: Mapping[str, Any]) -> Episodes:
        return evaluate(make_policy, job.env_id, {**job.env_kwargs, **changes}, plan.episodes)

    def score(played: Episodes) -> float:
        return float(played.ends.count("success") / plan.episodes if has_success else np.mean(played.returns))

    policy = load_policy(folder)
    own = play(lambda env: policy, {})
    random = play(lambda env: make_expert(env, "random", seed=0), {})
    has_success = any(end in ("success", "failure") for end in (*own.ends, *random.ends))
    zero = 0.0 if has_success else score(random)
    target = zero + SHARE * (score(own) - zero)
    curve = [(0, score(play(lambda env: policy, setup)))]
    if curve[0][1] < target:
        learner = _learner(folder, job)
        learner.change_envs({**job.env_kwargs, **setup})
        start = learner.step
        while curve[-1][0] < plan.steps and curve[-1][1] < target:
            until = min(curve[-1][0] + plan.every, plan.steps)
            learner.learn(start + until, lambda step: on_progress((step - start) / plan.steps))
            curve.append((learner.step - start, score(play(lambda env: learner.policy, setup))))
    return Recovery(job.name, job.algo, job.seed, setup, plan, has_success, score(own), target, curve)


def _learner(folder: Path, job: Job) -> Learner:
    """Return the learner as it was at the end, with the learning rate of its beginning."""
    learner: Any = make_learner(job.algo, job.env_id, job.env_kwargs, job.args)
    learner.load(folder / FINAL)
    learner.args = dataclasses.replace(learner.args, final_rate=1.0)
    return cast(Learner, learner)


def _kept(folder: Path) -> list[Job]:
    """Return the jobs of a run whose learners can go on."""
    learned = [job for job in jobs_of(read_settings(folder)) if job.learns and is_done(folder, job)]
    kept = [job for job in learned if (job_folder(folder, job) / FINAL).exists()]
    if not kept:
        raise ValueError(
            f"{folder} holds {len(learned)} trained policies, but no learner that could go on. `rlx train` and "
            "`rlx compare` keep these where they are told --keep-learners: run it again so, with another --out."
        )
    return kept


def _setups(folder: Path, vary: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the set-ups, once it is certain that learned policies can act there."""
    run = read_settings(folder)
    algos = [algo for algo in run.algos if algo in LEARNERS]
    vary = make_settings(run.env_id, run.env_kwargs, algos, {}, run.seeds, None, 1, 1, vary or run.vary).vary
    if not vary:
        raise ValueError("Say by --vary in which set-ups to train on, for instance --vary design=base,swap.")
    return setups_of(vary)


# Results


def write_results(out: Path, found: Sequence[Recovery]) -> None:
    """Write numbers, a table and a picture to ``out``."""
    import matplotlib

    from .compare.figures import STYLE

    steps = [one.steps if math.isfinite(one.steps) else None for one in found]
    told = [dataclasses.asdict(one) | {"steps_to_recover": n} for one, n in zip(found, steps, strict=True)]
    write_json(out / NUMBERS, {"share": SHARE, "learners": told})
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        draw(found).savefig(out / PICTURE)
    (out / TABLE).write_text(_markdown(found), encoding="utf-8")


def rows(found: Sequence[Recovery]) -> list[dict[str, str]]:
    """Return the table of steps to recover: heading -> cell, a row for each algorithm and set-up."""
    plan, seeds = found[0].plan, sorted({one.seed for one in found})
    table = []
    for (algo, setup), ones in _grouped(found).items():
        steps = {one.seed: one.steps for one in ones}
        table.append({
            "Set-up": f"{algo}, {setup}",
            "Before": _score(ones, [one.before for one in ones]),
            "At once": _score(ones, [one.curve[0][1] for one in ones]),
            **{f"Seed {seed}": _steps(steps[seed], plan) if seed in steps else "–" for seed in seeds},
            "Median": _steps(float(np.median([*steps.values()])), plan),
        })  # fmt: skip
    return table


def _grouped(found: Sequence[Recovery]) -> dict[tuple[str, str], list[Recovery]]:
    groups: dict[tuple[str, str], list[Recovery]] = {}
    for one in found:
        groups.setdefault((one.algo, label(one.setup)), []).append(one)
    return groups


def _score(ones: Sequence[Recovery], scores: Sequence[float]) -> str:
    mean = float(np.mean(scores))
    return f"{100 * mean:.1f} %" if ones[0].has_success else number(mean)


def _steps(steps: float, plan: Plan) -> str:
    return f"{steps:,.0f}" if math.isfinite(steps) else f"> {plan.steps:,}"


def _markdown(found: Sequence[Recovery]) -> str:
    plan, has_success = found[0].plan, found[0].has_success
    score = "share of successes" if has_success else "mean return, counted from that of random play"
    notes = (
        f"Further steps of training until a policy is at {100 * SHARE:g} % of its own score before the change.",
        f"The score is the {score}, in {plan.episodes:,} held-out episodes,",
        f"the same each time. It is taken every {plan.every:,} steps; the first that reaches the target counts, which",
        "may be a little early by chance. *Before* and *at once* are means over the seeds, before the change and after",
        "it, untrained.",
    )
    parts = (
        "# Steps to recover",
        f"Made by `{shlex.join(['rlx', *sys.argv[1:]])}`.",
        "\n".join(markdown_table(rows(found))),
        "\n".join(notes),
        f"![Score by further steps, and each seed's target, dashed]({PICTURE})",
    )
    return "\n\n".join(parts) + "\n"


def draw(found: Sequence[Recovery]) -> Figure:
    """Draw each learner's score by further steps until it has recovered, and its target dashed: a panel per set-up."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, PercentFormatter

    from .compare.figures import COLORS

    groups = _grouped(found)
    columns = min(len(groups), 3)
    lines = math.ceil(len(groups) / columns)
    figure = Figure(figsize=(1.0 + 3.4 * columns, 0.6 + 2.8 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for (names, ones), axes in zip(groups.items(), panels, strict=False):
        for one in ones:
            color = COLORS[one.seed % len(COLORS)]
            steps, scores = zip(*one.curve, strict=True)
            axes.plot(steps, scores, color=color, marker="o", markersize=3, label=f"seed {one.seed}")
            axes.axhline(one.target, color=color, linestyle="--", linewidth=0.8)
        axes.set_title(", ".join(names), fontsize=10)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        if ones[0].has_success:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in panels[len(groups) :]:
        axes.remove()
    figure.supxlabel("further steps", fontsize=10)
    figure.supylabel("successes" if found[0].has_success else "mean return", fontsize=10)
    panels[0].legend(frameon=False, fontsize=8)
    return figure


# Command


def recover(
    folder: Annotated[Path, typer.Argument(help="What `rlx train` or `rlx compare` was given as --out.")],
    out: Annotated[Path, typer.Option(help="Folder of the results; the same command continues what is there.")],
    steps: Annotated[int, typer.Option(help="Train on for so many steps at most.")],
    every: Annotated[
        int | None, typer.Option(help="Steps from one evaluation to the next. Default: a twentieth.")
    ] = None,
    episodes: Annotated[int, typer.Option(help="Of each evaluation, the same for all.")] = 1000,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="Set-ups to train on in: these values of the environment's argument NAME; repeatable. Default: those "
            "that the run was judged in.",
        ),
    ] = None,
) -> None:
    """Train learned policies on in changed set-ups, and tell how many steps it takes until they are as good as before.

    `rlx train` and `rlx compare` keep learners, with all that they need to go on, where they are told --keep-learners.
    Results are OUT/recovery.json, recovery.md and recovery.png. Ctrl-C stops; the same command continues.
    """
    plan = Plan(steps, max(steps // 20, 1) if every is None else every, episodes)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with lock(out), progress_bars(console) as progress:
            task = progress.add_task("training on", total=1.0)
            found = recover_all(
                folder, out, parse_vary(vary or []), plan, lambda fraction: progress.update(task, completed=fraction)
            )  # fmt: skip
    except KeyboardInterrupt:
        console.print(f"Stopped. To go on:\n  {shlex.join(['rlx', *sys.argv[1:]])}", highlight=False)
        raise typer.Exit(130) from None
    write_results(out, found)
    show_table(f"Steps to {100 * SHARE:g} % of the score before", rows(found))
    console.print(f"See {out / TABLE} and {out / PICTURE}", highlight=False)
