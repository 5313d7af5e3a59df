"""Web pages: are the embedded ones a browser's, how hard are they, how many instructions do our own give?"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from .browser.conformance import Recording, Verdict

_HEADING = "# WebNav: embedded pages beside a browser's\n\nMade by `rlx web conformance --out FILE`."
_COLUMNS = "| Task | Episodes the same | Steps | First difference |\n|---|---|---|---|"
_EXPERTS = "# WebNav: random play and the oracle\n\nMade by `rlx web experts --out FILE`."
_EXPERT_COLUMNS = (
    "| Task | Random play succeeds | its mean reward | its actions | The oracle succeeds | its actions |\n"
    "|---|---:|---:|---:|---:|---:|"
)

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def web() -> None:
    """Web pages: are the embedded ones a browser's, how hard are they, how many instructions do our own give?"""


@app.command()
def conformance(
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be given several times.")] = None,
    seeds: Annotated[int, typer.Option(help="Episodes of each task.", min=1)] = 3,
    first: Annotated[int, typer.Option(help="The first seed.", min=0)] = 0,
    steps: Annotated[int, typer.Option(help="At most so many actions per episode.", min=1)] = 12,
    browser: Annotated[str | None, typer.Option(help="The browser's path.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write what the browser showed into this folder.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the table into this file.")] = None,
) -> None:
    """Play random episodes in the embedded page and in a browser, and tell whether all they showed was the same."""
    from .browser import pages
    from .browser.conformance import play
    from .tasks import MINIWOB

    _need_known(task, MINIWOB)
    found: dict[str, list[tuple[Verdict, Recording | None]]] = {}
    version = ""
    for name in task or MINIWOB:
        kind = pages(name, browser)
        try:
            version = kind.site.version
            found[name] = [play(kind, seed, steps) for seed in range(first, first + seeds)]
        finally:
            kind.site.close()
        typer.echo(_row(name, [verdict for verdict, _ in found[name]]))
    if record is not None:
        _record(record, [recording for played in found.values() for _, recording in played if recording is not None])
    verdicts = {name: [verdict for verdict, _ in played] for name, played in found.items()}
    same = sum(not any(verdict.difference for verdict in told) for told in verdicts.values())
    summary = (
        f"{same} of {len(found)} tasks were the same throughout, embedded and in {version}: sentence, fields, every "
        f"observation, reward and end. Seeds {first} to {first + seeds - 1}, up to {steps} random and oracle actions."
    )
    typer.echo(summary)
    if out is not None:
        _write(out, _HEADING, summary, _COLUMNS, [_row(name, told) for name, told in verdicts.items()])


@app.command()
def experts(
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be given several times.")] = None,
    episodes: Annotated[int, typer.Option(help="Of each player on each task.", min=1)] = 1000,
    first: Annotated[int, typer.Option(help="The first seed.", min=0)] = 20_000,
    out: Annotated[Path | None, typer.Option(help="Write the table into this file.")] = None,
) -> None:
    """Play at random and as the oracle does, and tell how often each succeeds."""
    from .reference import at_random, by_the_oracle
    from .tasks import TASKS

    _need_known(task, TASKS)
    seeds = range(first, first + episodes)
    rows = []
    for name in task or TASKS:
        random = at_random(name, seeds)
        try:
            oracle = by_the_oracle(name, seeds)
            told = f"{oracle.success:.3f} | {oracle.actions:.1f}"
        except LookupError:
            told = "no action types the answer |"
        rows.append(f"| {name} | {random.success:.3f} | {random.reward:.2f} | {random.actions:.1f} | {told} |")
        typer.echo(rows[-1])
    if out is not None:
        summary = (
            f"Seeds {first} to {first + episodes - 1}, {episodes} episodes of each, 50 actions at most. Random play "
            f"draws from the actions of the mask. A share's standard error is at most {0.5 / episodes**0.5:.3f}."
        )
        _write(out, _EXPERTS, summary, _EXPERT_COLUMNS, rows)


@app.command()
def instructions(
    n: Annotated[list[int] | None, typer.Option("--n", help="Size of form-n; may be given several times.")] = None,
) -> None:
    """Print how many instructions each of our own tasks can give."""
    from .tasks.book_flight import BookFlightForm
    from .tasks.form_n import FormN
    from .tasks.multi_page import MultiPage

    rows = [("book-flight-form", BookFlightForm.instructions()), ("multi-page", MultiPage.instructions())]
    rows += [(f"form-n, n = {most}", FormN.instructions(n=most)) for most in n or (8, 10, 14, 20, 40, 60, 80, 100)]
    typer.echo("| Task | Instructions | |\n|---|---|---|")
    for task, count in rows:
        typer.echo(f"| {task} | {count:.2e} | {count} |")


def _need_known(chosen: list[str] | None, tasks: Iterable[str]) -> None:
    if unknown := set(chosen or ()) - set(tasks):
        raise ValueError(f"--task {unknown.pop()!r} is unknown. Allowed: {', '.join(tasks)}.")


def _write(out: Path, heading: str, summary: str, columns: str, rows: list[str]) -> None:
    """Write a page with a table."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join((heading, "", summary, "", columns, *rows, "")), encoding="utf-8")


def _row(name: str, verdicts: list[Verdict]) -> str:
    same = sum(not verdict.difference for verdict in verdicts)
    first = next((f"seed {v.seed}, step {v.steps}, {v.difference}" for v in verdicts if v.difference), "")
    cell = first.replace("|", "\\|").replace("\n", " ")
    cell = f"`{cell[:400].replace('`', chr(39))}`" if cell else ""
    return f"| {name} | {same} / {len(verdicts)} | {sum(verdict.steps for verdict in verdicts)} | {cell} |"


def _record(folder: Path, recordings: Iterable[Recording]) -> None:
    """Write what the browser showed, in the form of ``tests/data/web_nav``."""
    from .browser.conformance import packed

    pages: dict[str, list[Any]] = {}
    rollouts = []
    for task, seed, utterance, (first, *others) in recordings:
        start = packed(first.page)
        pages.setdefault(task, []).append([seed, utterance, start])
        steps = [[step.element, step.text, step.rewards or packed(step.page)] for step in others]
        rollouts.append({"task": task, "seed": seed, "start": start, "steps": steps})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pages.json").write_text(json.dumps(pages, separators=(",", ":")), encoding="utf-8")
    text = json.dumps(rollouts, separators=(",", ":")).encode()
    (folder / "rollouts.json.gz").write_bytes(gzip.compress(text, 9, mtime=0))
