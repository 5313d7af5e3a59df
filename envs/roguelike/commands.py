"""The commands `rlx rogue ...`: what a change of the design does to whoever plays it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from .design import design_id, load
from .records import OBSERVATIONS, RULES

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Designs of the roguelike: check them, and see what changes do."
)
console = Console()

Policy = Annotated[str, typer.Option(help="An expert's name, or a policy's file (or its folder).")]
Class = Annotated[str, typer.Option(help="Class of the npc.")]
Opponent = Annotated[
    str | None,
    typer.Option(
        help=f"{', '.join(rule for rule in RULES if rule != 'external')}, or a policy's file. Default: the design's."
    ),
]
Phase = Annotated[int | None, typer.Option(help="Of the curriculum. Default: the last one.")]
Obs = Annotated[str, typer.Option(help=f"What the policy was trained on: {', '.join(OBSERVATIONS)}.")]
Count = Annotated[int, typer.Option("--episodes", min=2, help="Of each design; the same seeds for all.")]


@app.command("design-check")
def design_check(file: Annotated[str, typer.Argument(help="A design's file, or a shipped one's name.")]) -> None:
    """Say whether a design can be used, and what its id is."""
    console.print(f"ok, {design_id(load(file))}", highlight=False)


@app.command("design-diff")
def design_diff(
    before: Annotated[str, typer.Argument(help="A design: a file, a name, or with a patch, as base+melee_up:weak.")],
    after: Annotated[str, typer.Argument(help="Another one.")],
    policy: Policy,
    episodes: Count = 1000,
    npc_class: Class = "ranger",
    opponent: Opponent = None,
    phase: Phase = None,
    obs: Obs = "ids",
    out: Annotated[Path | None, typer.Option(help="Also write everything to this file, as JSON.")] = None,
) -> None:
    """Play the same episodes under two designs, and compare what happens."""
    from .suite.bench import RESULTS, plain
    from .suite.difference import compare
    from .suite.episodes import Setup
    from .suite.patches import load_changed
    from .suite.report import percent, points, ratio

    setup = Setup(npc_class, opponent, phase, obs)
    found = compare(policy, load_changed(before), load_changed(after), setup, episodes)
    rows = []
    for name, (one, other, difference) in found.changes.items():
        if name in RESULTS:
            rows.append((f"{name}, %", percent(one), percent(other), points(difference)))
        else:
            label = name.replace("_", " ").replace("use.", "used: ")
            rows.append((label, f"{one.value:.2f}", f"{other.value:.2f}", ratio(difference)))
    (old, _), (new, _) = found.designs
    _show(f"{policy} on {old} and {new}, {episodes} episodes", ("", "before", "after", "difference"), rows)
    console.print(f"Equally many wins? McNemar's exact test: p = {found.p_value:.3g}.", highlight=False)
    if out is not None:
        out.write_text(json.dumps(plain(found), indent=1) + "\n", encoding="utf-8")


@app.command()
def bench(
    policy: Policy,
    out: Annotated[Path, typer.Option(help="Folder for bench.json, bench.md and heat_map.svg.")],
    design: Annotated[str, typer.Option(help="What the patches are applied to.")] = "base",
    episodes: Count = 1000,
    npc_class: Class = "ranger",
    opponent: Opponent = None,
    phase: Phase = None,
    obs: Obs = "ids",
    oracle: Annotated[
        Path | None, typer.Option(help="Who counts as 1 in retention: another bench.json. Default: the expert search.")
    ] = None,
    patches: Annotated[Path | None, typer.Option(help="A file of patches, instead of the shipped ones.")] = None,
    balance: Annotated[bool, typer.Option("--balance", help="Also let every class fight every class.")] = False,
) -> None:
    """Play a design with each patch of the suite, and tell what the policy keeps of its wins."""
    from .suite import bench as suite
    from .suite import patches as changes
    from .suite import report
    from .suite.episodes import Setup

    setup = Setup(npc_class, opponent, phase, obs)
    numbers = suite.read_oracle(oracle, setup)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Playing", total=1.0)
        found = suite.run(
            policy, changes.load_changed(design), setup, episodes, changes.patches(patches), numbers,
            on_progress=lambda fraction: progress.update(task, completed=fraction),
        )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    found.save(out / "bench.json")
    (out / "heat_map.svg").write_text(report.heat_map(found), encoding="utf-8")
    page = report.markdown(found, "heat_map.svg", shlex.join(["rlx", *sys.argv[1:]]))
    rows = [
        (name.replace("_", " "), report.points(one.change), report.ratio(one.retention))
        for name, one in found.profile.items()
    ]
    _show(f"{policy} under changed designs", ("Family of patches", "Wins, points", "Retention"), rows)
    console.print(f"Worst: {found.worst}. {report.caveat(found)}".replace("`", ""), markup=False, highlight=False)
    if balance:
        page += f"\n## Balance\n\n{report.BALANCE}\n"
        for rule in suite.BALANCE_RULES:
            wins = suite.balance(changes.load_changed(design), rule, episodes, phase)
            page += "\n" + report.balance_table(rule, wins)
            cells = [(npc, *(f"{100 * cell.value:.0f}" for cell in row.values())) for npc, row in wins.items()]
            _show(f"{rule} on both sides: wins of the npc (rows), %", ("", *wins), cells)
    (out / "bench.md").write_text(page, encoding="utf-8")
    console.print(f"See {out / 'bench.md'} and {out / 'heat_map.svg'}", highlight=False)


def _show(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    for place, head in enumerate(heads):
        table.add_column(escape(head), justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
