"""What the runs of a comparison came to: read from their logs, and put into numbers and sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..learners import LEARNERS
from .files import read_json, read_log
from .job import CONFIG, DONE, LOG, MODEL, PICTURE
from .manifest import Job, Settings, jobs_of, label, read_settings, setups_of
from .run import is_done, job_folder
from .statistics import (
    Estimate,
    bootstrap,
    joint_iqm,
    paired_difference,
    probability_of_improvement,
    stratified_iqm,
    stratified_mean,
)
from .stopping import Decisions, decide

Array = NDArray[np.float64]


class Ending(NamedTuple):
    """Which ends of an episode are counted in the table of results."""

    heading: str
    end: str
    """As in `Episodes.ends`."""
    meaning: str


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run."""

    job: Job
    log: list[dict[str, Any]]
    cpu_seconds: float
    config: dict[str, Any]
    home: Path
    """The folder of its files."""

    @property
    def model(self) -> tuple[str, Path | None]:
        """What it told of the model that it learned, and the picture; empty and None if nothing."""
        text, picture = self.home / MODEL, self.home / PICTURE
        return text.read_text(encoding="utf-8") if text.exists() else "", picture if picture.exists() else None

    @property
    def curve(self) -> list[dict[str, Any]]:
        """The evaluations in the set-up of training, one after the other."""
        return [row for row in self.log if "setup" not in row]

    @property
    def final(self) -> dict[str, Any]:
        """The last of them."""
        return self.curve[-1]

    @property
    def varied(self) -> list[dict[str, Any]]:
        """The evaluations in the other set-ups, in the order of `Results.setups`."""
        return [row for row in self.log if "setup" in row]


@dataclasses.dataclass(frozen=True)
class Results:
    """All finished runs of a comparison."""

    settings: Settings
    runs: dict[str, list[Run]]
    """By algorithm, in the order asked for; each at least once."""
    missing: list[Job]
    """Jobs that failed or have not been done, and are needed."""
    decisions: Decisions | None
    """Who is ahead, where that decides how many runs there are."""

    def returns(self, algo: str) -> Array:
        """Return the final episode returns, shape (runs, episodes)."""
        return np.array([run.final["returns"] for run in self.runs[algo]])

    def scores(self, algo: str) -> Array:
        """Return each run's score, its mean episode return, shape (runs,)."""
        return np.asarray(self.returns(algo).mean(axis=1))

    def iqm(self, algo: str) -> Estimate:
        """Return the interquartile mean of the runs' scores."""
        return bootstrap(stratified_iqm, [self.scores(algo)])

    def improvement(self, ours: str, theirs: str) -> Estimate:
        """Return how likely a run of ours scores higher than one of theirs."""
        return bootstrap(probability_of_improvement, [self.scores(ours)], [self.scores(theirs)])

    @property
    def setups(self) -> list[str]:
        """The set-ups in which the runs are judged besides that of training."""
        return [label(setup) for setup in setups_of(self.settings.vary)]

    def varied_returns(self, algo: str) -> Array:
        """Return the final episode returns in the other set-ups, shape (runs, set-ups, episodes)."""
        return np.array([[row["returns"] for row in run.varied] for run in self.runs[algo]])

    @property
    def ending(self) -> Ending | None:
        """What is counted of the episodes' ends: successes, or else those that reached the horizon, if there is one."""
        runs = [run for runs in self.runs.values() for run in runs]
        if any(end in ("success", "failure") for run in runs for row in run.log for end in row["ends"]):
            return Ending("Success", "success", "episodes in which the task was accomplished")
        horizon = runs[0].config["spec"]["max_episode_steps"]
        if horizon is None:
            return None
        return Ending("Completed", "truncated", f"episodes that lasted to the horizon, {horizon:,} steps")

    @property
    def learners(self) -> list[str]:
        """Those of the algorithms that learn."""
        return [algo for algo in self.runs if algo in LEARNERS]

    @property
    def experts(self) -> list[str]:
        """Those of the algorithms that do not."""
        return [algo for algo in self.runs if algo not in LEARNERS]


def load_results(folder: Path) -> Results:
    """Read the finished runs in ``folder``.

    Raises:
        ValueError: no comparison there, or no run is finished yet.
    """
    settings = read_settings(folder)
    runs = finished_runs(folder, settings)
    if not any(runs.values()):
        raise ValueError(f"No run in {folder} is finished yet. `rlx compare` with the same settings continues them.")
    needed, decisions = needed_jobs(settings, runs)
    missing = [job for job in needed if not is_done(folder, job)]
    return Results(settings, {algo: of for algo, of in runs.items() if of}, missing, decisions)


def finished_runs(folder: Path, settings: Settings) -> dict[str, list[Run]]:
    """Return the runs in ``folder`` that are finished, by algorithm, in the order of the seeds."""
    runs: dict[str, list[Run]] = {algo: [] for algo in settings.algos}
    for job in jobs_of(settings):
        home = job_folder(folder, job)
        if is_done(folder, job):
            cpu_seconds = read_json(home / DONE)["cpu_seconds"]
            runs[job.algo].append(Run(job, read_log(home / LOG), cpu_seconds, read_json(home / CONFIG), home))
    return runs


def needed_jobs(settings: Settings, runs: Mapping[str, Sequence[Run]]) -> tuple[list[Job], Decisions | None]:
    """Return the jobs that have to be done, those of finished ``runs`` included, and what these decide.

    They are all jobs, unless runs are made until it is decided who is ahead: then they are a batch of each algorithm,
    and a further one of those that are not decided.
    """
    jobs = jobs_of(settings)
    if not settings.looks:
        return jobs, None
    # Up to the first seed whose run is missing.
    whole = {
        algo: [run for run, seed in zip(of, settings.seeds, strict=False) if run.job.seed == seed]
        for algo, of in runs.items()
    }
    scores = {algo: [np.mean(run.final["returns"]) for run in of] for algo, of in whole.items()}
    decisions = decide(scores, settings.batch, settings.looks)
    count = {algo: len(of) for algo, of in whole.items()}
    count |= dict.fromkeys(decisions.wanted, settings.batch * (decisions.looks + 1))
    return [job for job in jobs if job.seed in settings.seeds[: count[job.algo]]], decisions


def number(value: float, digits: int = 1) -> str:
    """Format for people: ``digits`` decimals, more where the number is small."""
    if not np.isfinite(value):
        return f"{value:.0f}"
    if abs(value) < 5e-7:  # nothing is left at six decimals
        return "0"
    small = 2 - int(np.floor(np.log10(abs(value)))) if abs(value) < 10 else 0
    return f"{value:{',' if abs(value) >= 1e5 else ''}.{min(max(digits, small), 6)}f}"


def interval(estimate: Estimate) -> str:
    """Format an estimate with its interval, where it has one: not of a single run, nor of runs that are all alike."""
    if estimate.low == estimate.high:
        return number(estimate.value)
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def count(n: int, noun: str) -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def rows(results: Results) -> list[dict[str, str]]:
    """Return the table of results: per algorithm, heading -> text."""
    table = []
    ending = results.ending
    for algo, runs in results.runs.items():
        returns = results.returns(algo)
        ends = [end for run in runs for end in run.final["ends"]]
        cost = float(np.mean([run.final["costs"] for run in runs]))
        cpu = float(np.mean([run.cpu_seconds for run in runs]))
        steps = runs[0].final["step"]
        table.append({
            "Algorithm": algo,
            "Runs": str(len(runs)),
            "Mean": number(returns.mean()),
            "Median": number(float(np.median(returns))),
            "IQM [95 %]": interval(results.iqm(algo)),
            "Min": number(returns.min()),
            **({ending.heading: f"{ends.count(ending.end)}/{len(ends)}"} if ending else {}),
            "Mean cost": number(cost, 3),
            "CPU per run": f"{cpu:,.0f} s",
            "Steps": f"{steps:,}" if steps else "–",
        })  # fmt: skip
    return table


def markdown_table(table: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the lines of a table in Markdown, from rows of heading -> text; all but the first column on the right."""
    head = list(table[0])
    body = [list(row.values()) for row in table]
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---", *["---:"] * (len(head) - 1)], *body)]


def note(results: Results) -> str:
    """Say what the columns of `rows` mean."""
    ending = results.ending
    return (
        "Mean, median and minimum are over the returns of all final episodes; the interquartile mean (IQM) is over the "
        f"runs' scores. {f'{ending.heading}: {ending.meaning}. ' if ending else ''}CPU time includes all evaluations."
    )


def varied_rows(results: Results, show: Callable[[Estimate], str] = interval) -> list[dict[str, str]]:
    """Return the table of the other set-ups: per set-up, and for all together, algorithm -> text."""
    scores = {algo: results.varied_returns(algo).mean(axis=2) for algo in results.runs}

    def row(setup: str, estimates: Iterable[Estimate]) -> dict[str, str]:
        return {"Set-up": setup} | dict(zip(scores, map(show, estimates), strict=True))

    table = [
        row(setup, (bootstrap(stratified_mean, [scores[algo][:, i]]) for algo in scores))
        for i, setup in enumerate(results.setups)
    ]
    return [*table, row("IQM of all", (bootstrap(joint_iqm, [scores[algo]]) for algo in scores))]


def sentences(results: Results) -> list[str]:
    """Say what was decided; and for each learner how it stands against each expert, whichever way the numbers fall."""
    pairs = [(learner, expert) for learner in results.learners for expert in results.experts]
    found = ranking(results.decisions) if results.decisions else []
    for learner, expert in pairs:
        ours, theirs = results.returns(learner), results.returns(expert)
        won = 100.0 * np.mean(ours.mean(axis=0) > theirs.mean(axis=0))
        found.append(
            f"{_comparison(learner, expert, ours, theirs)} {learner} does better in {won:.0f} % of the episodes."
        )
    for learner, expert in pairs if results.setups else []:
        ours, theirs = results.varied_returns(learner), results.varied_returns(expert)
        won = int(np.sum(ours.mean(axis=(0, 2)) > theirs.mean(axis=(0, 2))))
        found.append(
            f"On the {count(len(results.setups), 'set-up')} of {', '.join(results.settings.vary)} together, "
            f"{_comparison(learner, expert, ours, theirs)} {learner} does better on {won} of {len(results.setups)}."
        )
    return found


def ranking(decisions: Decisions) -> list[str]:
    """Say who is ahead of whom, and who cannot be told apart, by the sequential test."""
    ahead: dict[str, list[str]] = {}
    for first, second in decisions.better:
        ahead.setdefault(first, []).append(second)
    lines = [f"{first} is ahead of {' and '.join(behind)}" for first, behind in ahead.items()]
    lines += [f"{first} and {second} {'cannot be told apart' if decisions.is_final else 'are not decided yet'}"
              for first, second in decisions.undecided]  # fmt: skip
    return [f"After {count(decisions.looks, 'look')}: {'; '.join(lines)}."] if lines else []


def _comparison(first: str, second: str, ours: Array, theirs: Array) -> str:
    """Say who is ahead, given the returns (runs, episodes) or (runs, set-ups, episodes)."""
    if ours.mean() < theirs.mean():
        first, second, ours, theirs = second, first, theirs, ours
    difference = paired_difference(ours, theirs)
    verdict = "{} is ahead of {}" if difference.low > 0 else "{} and {} cannot be told apart"
    return (
        f"{verdict.format(first, second)}: the mean returns are {number(ours.mean())} and {number(theirs.mean())}, "
        f"the difference is {number(difference.value)} (95 % interval {number(difference.low)} to "
        f"{number(difference.high)})."
    )


def protocol(results: Results) -> list[str]:
    """Say how the numbers came about."""
    settings = results.settings
    learners = results.learners
    lines = [
        f"{'Up to ' if settings.looks else ''}{count(len(settings.seeds), 'run')} of each algorithm (seeds "
        f"{', '.join(map(str, settings.seeds))}); a run's "
        f"score is its mean return over {count(settings.episodes, 'episode')}. A return is the sum of an episode's "
        "rewards, undiscounted.",
        "All algorithms, experts included, play the same episodes; their seeds are fixed and no run trains on them.",
    ]
    if learners:
        steps = ", ".join(f"{settings.algos[algo]['steps']:,} for {algo}" for algo in learners)
        lines += [
            f"Training lasts for a fixed number of environment steps ({steps}). The score is that of the last policy, "
            "without exploration noise; no best checkpoint was picked.",
            "Intervals are percentile bootstraps over whole runs (Agarwal et al. 2021); differences are paired by "
            "episode and drawn over runs and episodes.",
        ]
    for algo, search in settings.tuning.items():
        lines.append(
            f"The arguments of {algo} were found in {count(search['trials'], 'trial')}, {search['steps']:,} steps in "
            "all, with runs and episodes of their own; those steps are not counted above."
        )
    if settings.looks:
        lines.append(
            f"Runs were made in batches of {settings.batch} until a sequential permutation test of all pairs of mean "
            f"scores had decided them, at most {settings.looks} times; the chance of telling any two equal algorithms "
            "apart is 5 %."
        )
    if results.setups:
        lines.append(
            f"After training, each run is judged on {count(len(results.setups), 'more set-up')} (another "
            f"{' or '.join(settings.vary)}, all else as in training), by as many episodes with the same seeds. All "
            "set-ups weigh the same, their returns unscaled. Intervals draw whole runs, jointly for all set-ups, and "
            "episodes in each set-up on its own."
        )
    if len(settings.seeds) < 5:
        lines.append("Fewer than 5 runs: the intervals say little.")
    if results.missing:
        names = ", ".join(f"{job.algo} with seed {job.seed}" for job in results.missing)
        lines.append(f"Not included, since failed or unfinished: {names}.")
    return lines
