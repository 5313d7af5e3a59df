"""Writes a report: one page that needs nothing else, its pictures, and the numbers as CSV and Markdown."""

from __future__ import annotations

import base64
import csv
import json
import os
from collections.abc import Mapping
from pathlib import Path

import gymnasium
import jinja2

from rlx.registry.catalog import environments

from ..evaluation import FIRST_SEED
from ..watching import choose_policy, play
from .figures import colors, draw_all, draw_suite
from .job import CONFIG, LOG, POLICY
from .manifest import command_of, label
from .results import Results, Run, count, markdown_table, note, number, protocol, rows, sentences, varied_rows
from .run import job_folder
from .suite import SuiteResults, aggregate_rows, environment_rows, improvement_rows

FRAMES, WIDTH = 60, 360  # of the pictures of an episode
VARIED_NOTE = (
    "The same policies in other set-ups: the mean return and, in the last line, the interquartile mean of the scores "
    "of all runs in all set-ups, with 95 % intervals over runs."
)

SUITE_NOTE = (
    "Over the scores of all runs, with 95 % intervals; runs are drawn in each environment on its own. Median: of the "
    "environments' means. Optimality gap: how far scores fall short of 1, on average. Algorithms that play other "
    "environments cannot be compared by these numbers."
)


def write_report(results: Results, folder: Path, source: Path | None = None) -> Path:
    """Write the report into ``folder`` and return the page's path.

    With ``source``, the folder of the comparison, the page shows how each algorithm's first run plays.

    Beside ``index.html`` lie the pictures, ``results.md`` (the table and the findings) and ``results.csv`` (every
    evaluation episode).
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = draw_all(results, folder)
    (folder / "results.md").write_text(markdown(results), encoding="utf-8")
    write_csv(results, folder / "results.csv")
    page = folder / "index.html"
    clips = draw_clips(results, source, folder) if source is not None else {}
    page.write_text(html(results, pictures, clips, folder), encoding="utf-8")
    return page


def draw_clips(results: Results, source: Path, folder: Path) -> dict[str, Path]:
    """Draw the first evaluation episode of each algorithm's first run into ``folder``; return algorithm -> GIF.

    Environments without pictures, and policies that cannot be read any more, are left out.
    """
    clips = {}
    for algo, (run, *_) in results.runs.items():
        settings, path = results.settings, folder / f"{algo}.gif"
        try:
            env = gymnasium.make(settings.env_id, render_mode="rgb_array", **settings.env_kwargs)
            policy = choose_policy(
                env, str(job_folder(source, run.job) / POLICY) if run.job.learns else algo, run.job.seed
            )
            length = run.final["lengths"][0]
            play(env, policy, FIRST_SEED, length, path, max(1, length // FRAMES), WIDTH)
            env.close()
            clips[algo] = path
        except (gymnasium.error.Error, ValueError, OSError, NotImplementedError):
            continue
    return clips


def html(results: Results, pictures: Mapping[str, Path], clips: Mapping[str, Path], folder: Path) -> str:
    """Return the page, which is to lie in ``folder``."""
    settings, algos = results.settings, list(results.runs)
    row = environments().get(settings.env_id)
    last = results.runs[algos[0]][-1]
    return _template("report.html.j2").render(
        settings=settings,
        algos=algos,
        summary=row.summary if row else "",
        findings=sentences(results),
        rows=rows(results),
        note=note(results),
        varied=varied_rows(results) if results.setups else [],
        varied_note=VARIED_NOTE,
        count=count,
        colors=colors(algos),
        references=[_reference(name, score) for name, score in (row.reference_scores if row else {}).items()],
        improvements=_improvements(results) if len(algos) > 1 else [],
        pictures=[(title, _inline(path)) for title, path in pictures.items()],
        clips=[(algo, _inline(path)) for algo, path in clips.items()],
        models=_models(results),
        protocol=protocol(results),
        arguments=[(algo, _arguments(settings.algos[algo])) for algo in results.learners],
        command=command_of(settings, last.home.parents[1]),
        files=[(algo, [_links(run, folder) for run in runs]) for algo, runs in results.runs.items()],
        machine=json.dumps({key: last.config[key] for key in ("versions", "machine", "commit")}, indent=2),
    )


def write_suite_report(results: SuiteResults, folder: Path, pages: Mapping[str, Path]) -> Path:
    """Write the report of a suite into ``folder`` and return the page's path.

    Args:
        results: of the suite.
        folder: where ``index.html``, the pictures and ``results.md`` go.
        pages: the report of each environment, to which the page has links.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = draw_suite(results, folder)
    tables = {
        "All environments": aggregate_rows(results),
        "Each environment": environment_rows(results),
        "Probability of improvement": improvement_rows(results) if len(results.scores) > 1 else [],
    }
    text = "\n\n".join("\n".join([f"## {title}", "", *markdown_table(rows)]) for title, rows in tables.items() if rows)
    (folder / "results.md").write_text(f"{text}\n\n{SUITE_NOTE}\n", encoding="utf-8")
    page = folder / "index.html"
    aggregates, each, improvements = tables.values()
    html = _template("suite.html.j2").render(
        algos=list(results.scores),
        colors=colors(list(results.scores)),
        aggregates=aggregates,
        each=each,
        improvements=improvements,
        note=SUITE_NOTE,
        count=count,
        links={env_id: os.path.relpath(path, folder) for env_id, path in pages.items()},
        pictures=[(title, _inline(path)) for title, path in pictures.items()],
    )
    page.write_text(html, encoding="utf-8")
    return page


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rlx.baselines.compare", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)


def markdown(results: Results) -> str:
    """Return the findings and the table as Markdown."""
    lines = [f"# {', '.join(results.runs)} on {results.settings.env_id}", ""]
    lines += [line for sentence in sentences(results) for line in (sentence, "")]
    lines += [*markdown_table(rows(results)), "", note(results)]
    if results.setups:
        lines += ["", *markdown_table(varied_rows(results)), "", VARIED_NOTE]
    if len(results.runs) > 1:
        lines += ["", "Probability that a run of the row's algorithm scores higher than one of the column's:", ""]
        lines += markdown_table(_improvements(results))
    lines += ["", *(f"- {line}" for line in protocol(results)), ""]
    return "\n".join(lines)


def write_csv(results: Results, path: Path) -> None:
    """Write every evaluation episode, one per line."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        setup = ["setup"] if results.setups else []
        writer.writerow(
            ["algorithm", "seed", "step", "kind", *setup, "episode_seed", "return", "length", "end", "mean_cost"]
            + ["mean_reward"]
        )
        for algo, runs in results.runs.items():
            for run in runs:
                for row in run.log:
                    episodes = zip(row["returns"], row["lengths"], row["ends"], row["costs"], strict=True)
                    what = [algo, run.job.seed, row["step"], row["kind"]]
                    what += [label(row.get("setup", {}))] if results.setups else []
                    for i, (total, length, end, cost) in enumerate(episodes):
                        writer.writerow([*what, FIRST_SEED + i, total, length, end, cost, total / length])


def _improvements(results: Results) -> list[dict[str, str]]:
    def cell(ours: str, theirs: str) -> str:
        if ours == theirs:
            return "–"
        estimate = results.improvement(ours, theirs)
        return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"

    return [
        {"is better than →": ours} | {theirs: cell(ours, theirs) for theirs in results.runs} for ours in results.runs
    ]


def _models(results: Results) -> list[tuple[str, int, str, str]]:
    """Return of each algorithm whose first run tells of a model: its name, the seed, the text, and the picture."""
    firsts = {algo: runs[0] for algo, runs in results.runs.items() if any(runs[0].model)}
    return [
        (algo, run.job.seed, run.model[0], _inline(run.model[1]) if run.model[1] else "")
        for algo, run in firsts.items()
    ]


def _links(run: Run, folder: Path) -> tuple[int, str, str]:
    """Return a run's seed, and links from ``folder`` to its configuration and its log."""
    config, log = (Path(os.path.relpath(run.home / name, folder)).as_posix() for name in (CONFIG, LOG))
    return run.job.seed, config, log


def _inline(path: Path) -> str:
    return f"data:image/{path.suffix[1:]};base64," + base64.b64encode(path.read_bytes()).decode()


def _arguments(args: object) -> str:
    text = json.dumps(args)
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in json.loads(text).items())


def _reference(name: str, score: dict[str, object]) -> str:
    values = ", ".join(
        f"{key} {number(value)}" for key, value in score.items() if isinstance(value, int | float)
    )  # fmt: skip
    source = f" ({score['source']})" if "source" in score else ""
    return f"Elsewhere {name} was measured at: {values}{source}."
