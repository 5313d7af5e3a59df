"""Comparisons on several environments that belong together: a folder with one comparison each, and what they add up to.

Returns of different environments have nothing in common. They are put on one scale, on which random play is 0 and the
environment's reference expert is 1; both are part of each comparison, and play its episodes.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rlx.registry.catalog import row_of

from ..learners import LEARNERS, learners_for
from ..tuned import TUNED
from .files import read_json, write_json
from .results import Results, interval, load_results, number
from .statistics import (
    Array,
    Estimate,
    bootstrap,
    optimality_gap,
    probability_of_improvement,
    stratified_iqm,
    stratified_mean,
    stratified_median,
)

SUITE = "suite.json"
AGGREGATES = {
    "IQM": stratified_iqm,
    "Mean": stratified_mean,
    "Median": stratified_median,
    "Optimality gap": optimality_gap,
}


def choose(env_id: str, names: Sequence[str]) -> list[str]:
    """Return which of ``names`` play ``env_id``: learners that suit it and experts it has, and the two references.

    Args:
        env_id: an environment.
        names: learners and experts; empty for the learners that are tuned for it, or else the first that suits it.
    """
    suitable = learners_for(env_id, {})
    row = row_of(env_id)
    tuned = [name for name in suitable if (name, env_id) in TUNED] or suitable[:1]
    known = [name for name in names if name in suitable or (row and name in row.experts)] if names else tuned
    return list(dict.fromkeys([*known, *filter(None, [reference_of(env_id)]), "random"]))


def reference_of(env_id: str) -> str:
    """Return the expert whose score counts as 1; empty where there is none."""
    row = row_of(env_id)
    return (row.reference or next(iter(row.experts), "")) if row else ""


def folder_name(env_id: str) -> str:
    """Return what the folder of an environment's comparison is called."""
    return env_id.rpartition("/")[2].rpartition(":")[2]


def write_suite(folder: Path, env_ids: Sequence[str]) -> dict[str, Path]:
    """Make a suite, or check that ``folder`` holds this one; return each environment's folder.

    Raises:
        ValueError: an environment is given twice, or ``folder`` holds another suite.
    """
    folders = {env_id: folder / folder_name(env_id) for env_id in env_ids}
    if len(set(folders.values())) < len(env_ids):
        raise ValueError(f"{', '.join(env_ids)}: every environment once, and with a name of its own.")
    content = {"environments": {env_id: path.name for env_id, path in folders.items()}}
    path = folder / SUITE
    if path.exists() and read_json(path) != content:
        raise ValueError(f"{folder} holds another suite: {', '.join(read_json(path)['environments'])}.")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    return folders


def read_suite(folder: Path) -> dict[str, Path] | None:
    """Return each environment's folder in the suite in ``folder``; None if it holds none."""
    path = folder / SUITE
    if not path.exists():
        return None
    return {env_id: folder / name for env_id, name in read_json(path)["environments"].items()}


@dataclasses.dataclass(frozen=True)
class SuiteResults:
    """The results of several comparisons."""

    each: Mapping[str, Results]
    """By environment."""

    @functools.cached_property
    def scales(self) -> dict[str, tuple[float, float]]:
        """Of each environment that can be put on one scale with others: the mean scores that count as 0 and as 1."""
        found = {}
        for env_id, results in self.each.items():
            reference = reference_of(env_id)
            if {reference, "random"} <= results.runs.keys():
                low, high = (float(results.scores(name).mean()) for name in ("random", reference))
                if low < high:
                    found[env_id] = (low, high)
        return found

    @functools.cached_property
    def scores(self) -> dict[str, dict[str, Array]]:
        """By algorithm and environment the scores (runs,) on that scale; all reference experts are ``expert``."""
        found: dict[str, dict[str, Array]] = {}
        for env_id, (low, high) in self.scales.items():
            results = self.each[env_id]
            for algo in results.runs:
                name = "expert" if algo == reference_of(env_id) else algo
                found.setdefault(name, {})[env_id] = (results.scores(algo) - low) / (high - low)
        learners = [name for name in found if name in LEARNERS]
        return {name: found[name] for name in [*learners, *(name for name in found if name not in LEARNERS)]}

    @functools.cached_property
    def curves(self) -> dict[str, dict[str, Array]]:
        """By learner and environment the scores at the evaluations on that scale, (runs, evaluations)."""
        found: dict[str, dict[str, Array]] = {}
        for env_id, (low, high) in self.scales.items():
            for algo in self.each[env_id].learners:
                runs = self.each[env_id].runs[algo]
                returns = np.array([[np.mean(row["returns"]) for row in run.curve] for run in runs])
                found.setdefault(algo, {})[env_id] = (returns - low) / (high - low)
        return found


def load_suite(folder: Path) -> SuiteResults:
    """Read the finished runs of all comparisons in ``folder``.

    Raises:
        ValueError: no suite there, or no run of some environment is finished yet.
    """
    folders = read_suite(folder)
    if folders is None:
        raise ValueError(f"{folder} holds no suite. `rlx compare ENV ENV ... --out {folder}` makes one.")
    return SuiteResults({env_id: load_results(path) for env_id, path in folders.items()})


def aggregate_rows(results: SuiteResults) -> list[dict[str, str]]:
    """Return a line per algorithm: on how many environments it is, and what its scores there add up to."""
    table = []
    for algo, scores in results.scores.items():
        strata = list(scores.values())
        cells = {name: interval(bootstrap(statistic, strata)) for name, statistic in AGGREGATES.items()}
        table.append({"Algorithm": algo, "Environments": str(len(scores)), **cells})
    return table


def environment_rows(results: SuiteResults) -> list[dict[str, str]]:
    """Return a line per environment: what counts as 0 and 1, and the algorithms' IQM between them."""
    table = []
    for env_id, of in results.each.items():
        low, high = results.scales.get(env_id, (np.nan, np.nan))
        cells = {
            algo: _with_interval(bootstrap(stratified_iqm, [scores[env_id]])) if env_id in scores else ""
            for algo, scores in results.scores.items()
            if algo in LEARNERS
        }
        if env_id not in results.scales:
            low = float(of.scores("random").mean()) if "random" in of.runs else np.nan
        ends = {name: "–" if np.isnan(end) else number(end) for name, end in (("0 is", low), ("1 is", high))}
        table.append({"Environment": env_id, "Expert": reference_of(env_id) or "–", **ends, **cells})
    return table


def improvement_rows(results: SuiteResults) -> list[dict[str, str]]:
    """Return how likely a run of the row's algorithm beats one of the column's, on the environments that both play."""

    def cell(ours: str, theirs: str) -> str:
        common = [env_id for env_id in results.scores[ours] if env_id in results.scores[theirs]]
        if ours == theirs or not common:
            return "–"
        sides = ([results.scores[name][env_id] for env_id in common] for name in (ours, theirs))
        return f"{_with_interval(bootstrap(probability_of_improvement, *sides))} of {len(common)}"

    return [
        {"is better than →": ours} | {theirs: cell(ours, theirs) for theirs in results.scores}
        for ours in results.scores
    ]


def _with_interval(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
