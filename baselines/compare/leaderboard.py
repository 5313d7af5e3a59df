"""The leaderboard: a page of comparisons, family by family, with all that it takes to make them again."""

from __future__ import annotations

import collections
import csv
import shlex
from collections.abc import Sequence
from pathlib import Path

import matplotlib

from rlx.registry.catalog import families, row_of

from ..learners import LEARNERS
from ..tuned import TUNED
from .figures import STYLE, draw_places
from .manifest import MANIFEST, command_of
from .report import SUITE_NOTE
from .results import Results, count, interval, load_results, markdown_table, rows
from .statistics import Estimate
from .suite import SuiteResults, aggregate_rows, folder_name, read_suite, reference_of

MINIMUM_RUNS = 5
OTHERS = "Other environments"
INTRODUCTION = """\
# Leaderboard

Every line stands for as many runs as it says, of one algorithm on one environment. A run's score is its mean return
over {episodes} episodes, the same for all, on which nobody trains; *IQM* is the interquartile mean over the runs,
with a 95 % percentile bootstrap interval unless all are alike. The score of a learner is that of its last policy: no
best checkpoint was picked. *0 to 1* puts scores on a scale on which random play is 0 and the environment's reference
expert 1. CPU times are of one core, and include evaluations and compiling.

A learner is *tuned* where rlx brings arguments for this environment (`rlx train ENV --show-args` lists them), else it
has its defaults. An expert that draws no lots plays alike in all runs. Where an environment is one fixed problem, a
program to be mapped for instance, all episodes are alike, and to learn it is the task.
{picture}
The score of every run is in [{table}]({table}). The commands below make the runs, and one that was stopped goes on when
it is given again; another machine's results may differ a little. Then this makes the page:

```sh
{command}
```
"""


def load_board(folders: Sequence[Path]) -> SuiteResults:
    """Read finished comparisons, suites of them, or folders that hold comparisons.

    Raises:
        ValueError: a folder holds neither, a comparison is not finished or has too few runs, or two are of the same
            environment.
    """
    each: dict[str, Results] = {}
    for folder in folders:
        for path in _comparisons(folder):
            results = load_results(path)
            env_id = results.settings.env_id
            if env_id in each:
                raise ValueError(f"{path}: another of the folders has {env_id} too. Give one of them.")
            if results.missing:
                names = ", ".join(job.name for job in results.missing[:3])
                raise ValueError(
                    f"{path}: {count(len(results.missing), 'run')} on {env_id} not finished ({names}). To go on:\n  "
                    + command_of(results.settings, path)
                )
            few = [f"{count(len(runs), 'run')} of {algo}" for algo, runs in results.runs.items()
                   if len(runs) < MINIMUM_RUNS]  # fmt: skip
            if few:
                raise ValueError(f"{path}: {', '.join(few)} on {env_id}; a leaderboard takes {MINIMUM_RUNS} or more.")
            each[env_id] = results
    return SuiteResults(each)


def _comparisons(folder: Path) -> list[Path]:
    """Return the folders of the comparisons in ``folder``: itself, where it holds none; reading it then says why."""
    if parts := read_suite(folder):
        return list(parts.values())
    return [path.parent for path in sorted(folder.glob(f"*/{MANIFEST}"))] or [folder]


def write_leaderboard(board: SuiteResults, page: Path, folders: Sequence[Path]) -> None:
    """Write ``page``, and beside it a picture, and a table of all runs, under the same name.

    Args:
        board: what is written.
        page: its path, with the suffix ``.md``.
        folders: where it was read, for the command.
    """
    page.parent.mkdir(parents=True, exist_ok=True)
    picture, table = page.with_suffix(".svg"), page.with_suffix(".csv")
    groups = by_family(board)
    write_runs(board, table)
    if board.scores:
        with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
            draw_places(board, groups).savefig(picture, metadata={"Date": None})
    episodes = sorted({results.settings.episodes for results in board.each.values()})
    lines = [
        INTRODUCTION.format(
            episodes=" or ".join(map(str, episodes)),
            picture=f"\n![Scores of all algorithms, environment by environment]({picture.name})\n"
            if board.scores
            else "",
            table=table.name,
            command=shlex.join(["rlx", "leaderboard", *map(str, folders), "--out", str(page)]),
        )
    ]
    if board.scores:
        lines += ["## All environments", "", *markdown_table(total_rows(board)), "", SUITE_NOTE, ""]
    for title, env_ids in groups.items():
        lines += [f"## {title}", ""]
        for env_id in env_ids:
            lines += _section(board, env_id)
    lines += ["## Versions", "", *markdown_table(version_rows(board)), ""]
    page.write_text("\n".join(lines), encoding="utf-8")


def total_rows(board: SuiteResults) -> list[dict[str, str]]:
    """Return what the scores of learners, reference experts and random play add up to: heading -> text."""
    return [row for row in aggregate_rows(board) if row["Algorithm"] in (*LEARNERS, "expert", "random")]


def by_family(board: SuiteResults) -> dict[str, list[str]]:
    """Return the environments by their family's title, in the catalog's order."""
    found = {family.title: [row.id for row in family.environments if row.id in board.each] for family in families()}
    found[OTHERS] = [env_id for env_id in board.each if row_of(env_id) is None]
    return {title: env_ids for title, env_ids in found.items() if env_ids}


def place_rows(board: SuiteResults, env_id: str) -> list[dict[str, str]]:
    """Return the table of an environment, the best algorithm first: heading -> text."""
    results = board.each[env_id]
    low, high = board.scales.get(env_id, (None, None))
    table, of_results = [], rows(results)
    left_out = ["Algorithm", "Mean", "Median", "Min"]
    left_out += ["Mean cost"] * all(row["Mean cost"] == "0" for row in of_results)
    for row in of_results:
        algo = row["Algorithm"]
        estimate = results.iqm(algo)
        kept = {name: text for name, text in row.items() if name not in left_out}
        scaled = {} if low is None or high is None else {
            "0 to 1": interval(Estimate(*((end - low) / (high - low) for end in estimate)))
        }  # fmt: skip
        table.append((estimate.value, {"Algorithm": algo, "Kind": kind(algo, env_id), **scaled, **kept}))
    return [row for _, row in sorted(table, key=lambda entry: -entry[0])]


def kind(algo: str, env_id: str) -> str:
    """Say in a word or two what an algorithm is to an environment."""
    if algo in LEARNERS:
        return "tuned learner" if (algo, env_id) in TUNED else "learner"
    return "" if algo == "random" else "reference expert" if algo == reference_of(env_id) else "expert"


def version_rows(board: SuiteResults) -> list[dict[str, str]]:
    """Return a line per set of versions and machine with which runs were made."""
    found = collections.Counter(
        (
            *run.config["versions"].items(),
            ("commit", run.config["commit"] or "–"),
            ("processor", run.config["machine"]["cpu"]),
        )
        for results in board.each.values()
        for runs in results.runs.values()
        for run in runs
    )
    return [{"Runs": f"{runs:,}", **dict(cells)} for cells, runs in found.items()]


def write_runs(board: SuiteResults, path: Path) -> None:
    """Write a line per run."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["environment", "algorithm", "seed", "score", "steps", "cpu_seconds", "rlx", "job"])
        for env_id, results in board.each.items():
            for algo, runs in results.runs.items():
                for run, score in zip(runs, results.scores(algo), strict=True):
                    writer.writerow(
                        [env_id, algo, run.job.seed, f"{score:.8g}", run.final["step"], round(run.cpu_seconds, 1)]
                        + [run.job.version, run.job.hash[:8]]
                    )


def _section(board: SuiteResults, env_id: str) -> list[str]:
    results, row = board.each[env_id], row_of(env_id)
    said = [row.summary] if row else []
    if results.ending:
        said.append(f"{results.ending.heading}: {results.ending.meaning}.")
    return [
        f"### {env_id}",
        "",
        " ".join(said),
        "",
        *markdown_table(place_rows(board, env_id)),
        "",
        "```sh",
        command_of(results.settings, Path("runs/leaderboard") / folder_name(env_id)),
        "```",
        "",
    ]
