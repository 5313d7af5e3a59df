"""The command ``rlx``: what there is, how it is, and how fast; and by name the commands of families and baselines."""

from __future__ import annotations

import ast
import importlib.util
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import gymnasium
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperCommand, TyperGroup

from . import extras as optional
from .catalog import environments, families, find
from .plugins import plugins, resolve

GROUP = "rlx.commands"
# In a pipe lines stay whole, so that grep finds what belongs together.
_WIDE = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 500
console = Console(soft_wrap=True, width=_WIDE)


class Command(NamedTuple):
    """A command that lies elsewhere and is imported when it is called."""

    target: str  # "module:function" or "module:typer_app"
    distribution: str


def commands() -> Mapping[str, Command]:
    """Return the commands that families and the entry-point group ``rlx.commands`` offer, by name."""
    found = {plugin.name: Command(plugin.target, plugin.distribution) for plugin in plugins(GROUP)}
    for family in families():
        found |= {name: Command(target, family.distribution) for name, target in family.commands.items()}
    return found


class LazyGroup(TyperGroup):
    """Lists all commands, and imports one only to run it: ``rlx --help`` must not import torch."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, own commands first."""
        return [*super().list_commands(ctx), *sorted(commands())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or what help needs to know of one that lies elsewhere."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in commands():
            return own
        return TyperCommand(cmd_name, help=_summary(commands()[cmd_name].target))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command to run."""
        name, command, rest = super().resolve_command(ctx, args)
        if name not in self.commands and (elsewhere := commands().get(name or "")):
            target = resolve(elsewhere.target)
            if not isinstance(target, typer.Typer):
                function, target = target, typer.Typer(add_completion=False)
                target.command(name)(function)
            command = typer.main.get_command(target)
        return name, command, rest


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Reinforcement learning environments from engineering and research practice.",
)


def main() -> None:
    """Run ``rlx``; a mistake of the caller's is told in one line, or with ``RLX_TRACEBACK=1`` in full."""
    try:
        app()
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module == "rlx" or _wants_traceback():
            raise
        name = next(iter(sys.argv[1:]), "")
        distribution = commands()[name].distribution if name in commands() else "rlx"
        _fail(f"rlx {name} needs {module!r}, which is not installed: {optional.how_to_install(module, distribution)}")
    except (gymnasium.error.Error, ValueError) as error:
        if _wants_traceback():
            raise
        _fail(str(error))


@app.command("list")
def list_(
    family: Annotated[str | None, typer.Option(help="Only this family.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only environments with this tag.")] = None,
) -> None:
    """List the environments."""
    rows = [
        row
        for row in environments().values()
        if family in (None, row.family) and (tag is None or tag in row.tags)
    ]  # fmt: skip
    table = _table("Environment", "Steps", "Experts", "Summary")
    for row in rows:
        table.add_row(row.id, str(row.max_episode_steps or ""), _few(tuple(row.experts)), row.summary)
    console.print(table)
    if not rows:
        tags = sorted({tag for row in environments().values() for tag in row.tags})
        names = ", ".join(each.name for each in families())
        console.print(f"Nothing fits. Families: {names}. Tags: {', '.join(tags)}.", markup=False)


def _few(names: tuple[str, ...], shown: int = 3) -> str:
    """Return ``names`` in a line, the first ones if there are many."""
    more = len(names) - shown
    return ", ".join(names) if more < 2 else f"{', '.join(names[:shown])}, {more} more"


@app.command()
def info(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="For instance rlx/ElectricMotor-v0.")],
    check: Annotated[bool, typer.Option("--check", help="Verify the whole contract.")] = False,
) -> None:
    """Show everything about one environment."""
    row = find(env_id)
    family = next(family for family in families() if family.name == row.family)
    env = gymnasium.make(row.id)
    scores = row.reference_scores.items()
    facts = {
        "family": f"{family.title} ({family.name})",
        "install": f'pip install "{family.distribution}' + (f'[{row.extra}]"' if row.extra else '"'),
        "make": f'gymnasium.make("{row.id}")',
        "arguments": ", ".join(f"{key}={value!r}" for key, value in row.kwargs.items()) or "defaults",
        "vector": "native" if row.vector_entry_point else "SyncVectorEnv",
        "horizon": f"{row.max_episode_steps} steps" if row.max_episode_steps else "none",
        "tags": ", ".join(row.tags),
        "paper": row.paper or "",
        "experts": ", ".join((*row.experts, "random")),
        "scores": ", ".join(f"{name} {score.get('mean')} ({score.get('source', '')})" for name, score in scores),
        "observation": str(env.observation_space),
        "action": str(env.action_space),
    }
    console.print(f"[bold]{escape(row.id)}[/]  {escape(row.summary)}\n")
    table = Table(box=None, show_header=False)
    for name, fact in facts.items():
        if fact:
            table.add_row(name, escape(fact))
    console.print(table)
    space = getattr(env.unwrapped, "context_space", None)
    if space:
        context = env.reset(seed=0)[1]["context"]
        table = _table("Context", "default", "low", "high", title="What an episode may vary")
        for name, box in space.items():
            table.add_row(name, *(f"{float(value):g}" for value in (context[name], box.low, box.high)))
        console.print(table)
    env.close()
    if check:
        from .checks import check as verify

        for result in verify(row.id):
            console.print(str(result), markup=False, highlight=False)


@app.command()
def doctor() -> None:
    """Tell versions, missing extras and what to type."""
    table = _table("What", "State")
    table.add_row("python", platform.python_version())
    for name in ("rlx", "gymnasium", "numpy", "numba"):
        table.add_row(name, optional.version(name) or f"missing: pip install {name}")
    for extra, brings in optional.extras().items():
        absent = optional.missing(brings)
        state = f'missing {", ".join(absent)}: pip install "rlx[{extra}]"' if absent else "present"
        table.add_row(escape(f"rlx[{extra}]"), escape(state) if brings else "nothing more needed")
    table.add_row("start-up hook", _hook())
    table.add_row("environments", f"{len(environments())}, of {', '.join(family.name for family in families())}")
    table.add_row("location", str(Path(__file__).parent.parent))
    console.print(table)


@app.command()
def bench(
    env_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="All, if none is named.")] = None,
    num_envs: Annotated[int, typer.Option(help="Rows of the vector environments.")] = 1024,
    rounds: Annotated[int, typer.Option(help="Rounds, of which the best counts.")] = 5,
    out: Annotated[Path | None, typer.Option(help="Also write the table to this file.")] = None,
) -> None:
    """Measure steps per CPU-second, next to an empty environment and any installed peer."""
    from .bench import bench as race
    from .bench import markdown

    with Console(stderr=True).status("Measuring; a minute for each environment or so ..."):
        rates = list(race(env_ids or environments(), num_envs=num_envs, rounds=rounds))
    versions = ", ".join(f"{name} {optional.version(name)}" for name in ("rlx", "gymnasium", "numpy", "numba"))
    text = (
        f"Steps per CPU-second, best of {rounds} rounds. Python {platform.python_version()}, {versions}.\n\n"
        f"{markdown(rates, num_envs)}\n"
    )
    console.print(text, markup=False, highlight=False, end="")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)


def _summary(target: str) -> str:
    """Return the first line of a command's docstring, read from its source: importing it may cost seconds.

    Of several commands in one `typer.Typer` it is the module's.
    """
    module, _, name = target.partition(":")
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        return f"(missing: {module})"
    module_node = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    functions = (node for node in module_node.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return (ast.get_docstring(next(functions, module_node)) or "").partition("\n")[0]


def _hook() -> str:
    """Say whether ``gymnasium.make`` finds rlx by itself."""
    if os.environ.get("RLX_AUTOLOAD") == "0":
        return "off (RLX_AUTOLOAD=0): import rlx before gymnasium.make"
    if "_rlx_autoload" in sys.modules:
        return "active: gymnasium.make finds rlx by itself"
    return "absent: import rlx before gymnasium.make, or pip install rlx again"


def _table(*columns: str, title: str | None = None) -> Table:
    """Return a table whose first column is never cut."""
    table = Table(
        box=None, title=title, title_justify="left", header_style="bold", pad_edge=False, padding=(0, 2, 0, 0)
    )
    for i, column in enumerate(columns):
        table.add_column(column, no_wrap=i == 0, overflow="fold")
    return table


def _wants_traceback() -> bool:
    return os.environ.get("RLX_TRACEBACK") == "1"


def _fail(message: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"[bold red]Error[/] {escape(message)}")
    raise SystemExit(1)


if __name__ == "__main__":
    main()
