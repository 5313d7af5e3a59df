"""Web pages: compare the embedded ones with a browser's."""

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

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def web() -> None:
    """Web pages: compare the embedded ones with a browser's."""


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
    from .tasks import TASKS

    if unknown := set(task or ()) - set(TASKS):
        raise ValueError(f"--task {unknown.pop()!r} is unknown. Allowed: {', '.join(TASKS)}.")
    found: dict[str, list[tuple[Verdict, Recording | None]]] = {}
    version = ""
    for name in task or TASKS:
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
        rows = "\n".join(_row(name, told) for name, told in verdicts.items())
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{_HEADING}\n\n{summary}\n\n{_COLUMNS}\n{rows}\n", encoding="utf-8")


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
