"""What the runs of a comparison came to: read from their logs, and put into numbers and sentences."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..learners import LEARNERS
from . import statistics
from .files import read_json, read_log
from .job import CONFIG, DONE, LOG
from .manifest import Job, Settings, jobs_of, read_settings
from .run import job_folder
from .statistics import Estimate

Array = NDArray[np.float64]
HEADINGS = (
    "Algorithm", "Runs", "Mean", "Median", "IQM [95 %]", "Min", "Completed", "Mean cost", "CPU per run",
    "Steps",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run."""

    job: Job
    log: list[dict[str, Any]]
    cpu_seconds: float
    config: dict[str, Any]

    @property
    def final(self) -> dict[str, Any]:
        """The last evaluation."""
        return self.log[-1]


@dataclasses.dataclass(frozen=True)
class Results:
    """All finished runs of a comparison."""

    settings: Settings
    runs: dict[str, list[Run]]
    """By algorithm, in the order asked for; each at least once."""
    missing: list[Job]
    """Jobs that failed or have not been done."""

    def returns(self, algo: str) -> Array:
        """Return the final episode returns, shape (runs, episodes)."""
        return np.array([run.final["returns"] for run in self.runs[algo]])

    def scores(self, algo: str) -> Array:
        """Return each run's score, its mean episode return, shape (runs,)."""
        return np.asarray(self.returns(algo).mean(axis=1))

    def iqm(self, algo: str) -> Estimate:
        """Return the interquartile mean of the runs' scores."""
        return statistics.bootstrap(statistics.stratified_iqm, [self.scores(algo)])

    def improvement(self, ours: str, theirs: str) -> Estimate:
        """Return how likely a run of ours scores higher than one of theirs."""
        samples = [self.scores(ours)], [self.scores(theirs)]
        return statistics.bootstrap(statistics.probability_of_improvement, *samples)

    def difference(self, ours: str, theirs: str) -> Estimate:
        """Return by how much ours is ahead per episode, compared on the same episodes."""
        return statistics.paired_difference(self.returns(ours), self.returns(theirs))

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
    runs: dict[str, list[Run]] = {}
    missing = []
    for job in jobs_of(settings):
        home = job_folder(folder, job)
        if (home / DONE).exists():
            run = Run(job, read_log(home / LOG), read_json(home / DONE)["cpu_seconds"], read_json(home / CONFIG))
            runs.setdefault(job.algo, []).append(run)
        else:
            missing.append(job)
    if not runs:
        raise ValueError(f"No run in {folder} is finished yet. `rlx compare` with the same settings continues them.")
    return Results(settings, {algo: runs[algo] for algo in settings.algos if algo in runs}, missing)


def number(value: float, digits: int = 1) -> str:
    """Format for people: ``digits`` decimals, more where the number is small."""
    if value == 0 or not np.isfinite(value):
        return f"{value:.0f}"
    small = 2 - int(np.floor(np.log10(abs(value)))) if abs(value) < 10 else 0
    return f"{value:{',' if abs(value) >= 1e5 else ''}.{min(max(digits, small), 6)}f}"


def interval(estimate: Estimate) -> str:
    """Format an estimate with its interval."""
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def rows(results: Results) -> list[tuple[str, ...]]:
    """Return the table of results, a row of text per algorithm under `HEADINGS`."""
    table: list[tuple[str, ...]] = []
    for algo, runs in results.runs.items():
        returns = results.returns(algo)
        ends = [end for run in runs for end in run.final["ends"]]
        completed = sum(end != "terminated" for end in ends)
        cost = float(np.mean([run.final["costs"] for run in runs]))
        cpu = float(np.mean([run.cpu_seconds for run in runs]))
        steps = runs[0].final["step"]
        table.append(
            (
                algo,
                str(len(runs)),
                number(returns.mean()),
                number(float(np.median(returns))),
                interval(results.iqm(algo)),
                number(returns.min()),
                f"{completed}/{len(ends)}",
                number(cost, 3),
                f"{cpu:,.0f} s",
                f"{steps:,}" if steps else "–",
            )
        )
    return table


def sentences(results: Results) -> list[str]:
    """Say for each learner how it stands against each expert, whichever way the numbers fall."""
    found = []
    for learner in results.learners:
        for expert in results.experts:
            difference = results.difference(learner, expert)
            size = abs(difference.value) / abs(results.returns(expert).mean()) * 100
            low, high = sorted((abs(difference.low), abs(difference.high)))
            if difference.low > 0 or difference.high < 0:
                first, second = (learner, expert) if difference.value > 0 else (expert, learner)
                text = (
                    f"{first} is ahead of {second} by {number(abs(difference.value))} return per episode "
                    f"(95 % interval {number(low)} to {number(high)}); that is {size:.2g} % of what {expert} scores."
                )
            else:
                text = (
                    f"{learner} and {expert} cannot be told apart: {learner} is {number(difference.value)} ahead per "
                    f"episode, with a 95 % interval from {number(difference.low)} to {number(difference.high)}."
                )
            won = float(np.mean(results.returns(learner).mean(axis=0) > results.returns(expert).mean(axis=0)))
            text += f" {learner} does better in {won:.0%} of the episodes."
            found.append(text)
    return found


def protocol(results: Results) -> list[str]:
    """Say how the numbers came about."""
    settings = results.settings
    learners = results.learners
    lines = [
        f"{len(settings.seeds)} runs of each algorithm (seeds {', '.join(map(str, settings.seeds))}); a run's score is "
        f"its mean return over {settings.episodes} episodes.",
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
    if len(settings.seeds) < 5:
        lines.append("Fewer than 5 runs: the intervals say little.")
    if results.missing:
        names = ", ".join(f"{job.algo} with seed {job.seed}" for job in results.missing)
        lines.append(f"Not included, since failed or unfinished: {names}.")
    return lines
