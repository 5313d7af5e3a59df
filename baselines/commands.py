"""The commands `rlx train`, `rlx compare`, `rlx report`, `rlx leaderboard` and `rlx watch`."""

from __future__ import annotations

import enum
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from .compare.manifest import Settings

INCUMBENT = "incumbent.json"  # what `rlx tune` finds

# What needs torch, matplotlib or jinja2 is imported where it is used: `--help` must answer at once.

Env = Annotated[str, typer.Argument(metavar="ENV", help="An environment's id; MODULE:ID imports MODULE first.")]
EnvKwargs = Annotated[str, typer.Option(metavar="JSON", help="""Its keyword arguments, e.g. '{"motor": "pmsm"}'.""")]
Steps = Annotated[int | None, typer.Option(help="Steps of training. Default: as tuned for ENV.", show_default=False)]
Out = Annotated[Path, typer.Option(help="Folder of the results; the same command continues what is there.")]
Evaluations = Annotated[int, typer.Option(help="Points of a learning curve.")]
Episodes = Annotated[int, typer.Option("--eval-episodes", help="Episodes per evaluation, the same for all.")]
KeepLearners = Annotated[
    bool, typer.Option("--keep-learners", help="Keep what `rlx recover` needs; with a replay, hundreds of megabytes.")
]


class Stop(enum.StrEnum):
    """When no more runs are made."""

    NEVER = "never"
    ADAPTIVE = "adaptive"


TrackerName = Annotated[
    str, typer.Option("--tracker", help="Follow learning elsewhere too: none, tensorboard, or wandb.")
]

console = Console()


def train(
    env: Env,
    out: Out,
    algo: Annotated[str, typer.Option(help="The learner. Default: one that suits the actions.")] = "",
    steps: Steps = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An argument of the learner; repeatable.")
    ] = None,
    env_kwargs: EnvKwargs = "{}",
    evaluations: Evaluations = 20,
    episodes: Episodes = 20,
    keep_learners: KeepLearners = False,
    tracker: TrackerName = "none",
    show_args: Annotated[bool, typer.Option("--show-args", help="Show the learner's arguments, and stop.")] = False,
) -> None:
    """Train a learner; a run that was stopped goes on where it was.

    The trained policy is OUT/policy.npz: `rlx watch ENV --policy OUT` shows it.
    """
    from .arguments import parse
    from .compare.manifest import make_settings
    from .learners import LEARNERS, learners_for

    if algo and algo not in LEARNERS:
        raise typer.BadParameter(f"{algo!r} does not learn. Learners: {', '.join(LEARNERS)}.", param_hint="--algo")
    if not algo:
        suitable = learners_for(env, json_object(env_kwargs))
        if not suitable:
            raise typer.BadParameter(f"No learner suits the actions of {env}.", param_hint="ENV")
        algo = suitable[0]
    values = {algo: parse(change or [])}
    if show_args:
        _show_args(algo, env, values[algo])
        return
    settings = make_settings(env, json_object(env_kwargs), [algo], values, [seed], steps, evaluations, episodes)
    _run({out: settings}, 1, _options(keep_learners, tracker))
    from .compare.job import MODEL, PICTURE, POLICY
    from .compare.manifest import jobs_of
    from .compare.run import job_folder

    (job,) = jobs_of(settings)
    home, policy = job_folder(out, job), out / POLICY
    policy.write_bytes((home / POLICY).read_bytes())
    console.print(f"The policy is {policy}. See it with: rlx watch {env} --policy {policy}", highlight=False)
    if (home / MODEL).exists():
        console.print(f"What the learner found out is in {home / MODEL} and {PICTURE}.", highlight=False)


def compare(
    envs: Annotated[list[str], typer.Argument(metavar="ENV...", help="Ids; of several, the results are added up.")],
    out: Out,
    algos: Annotated[
        str, typer.Option(metavar="NAMES", help="Learners and experts, with commas between. Default: all there are.")
    ] = "",
    seeds: Annotated[int, typer.Option(help="Runs of each algorithm.")] = 5,
    steps: Steps = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at the same time. Default: one per core.")] = len(
        os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1)
    ),
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="ALGO.NAME=VALUE", help="An argument of a learner; repeatable."),
    ] = None,
    env_kwargs: EnvKwargs = "{}",
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="Judge every run on other set-ups too: with these values of ENV's argument NAME; repeatable.",
        ),
    ] = None,
    evaluations: Evaluations = 20,
    episodes: Episodes = 20,
    keep_learners: KeepLearners = False,
    tracker: TrackerName = "none",
    tuned: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="What `rlx tune` found there; repeatable.")
    ] = None,
    stop: Annotated[
        Stop, typer.Option(help="Make all runs, or no more than it takes to tell the algorithms apart.")
    ] = Stop.NEVER,
    looks: Annotated[int, typer.Option(min=1, help="With --stop adaptive: how often to ask, at most.")] = 5,
    executor: Annotated[str, typer.Option(help="Where runs take place: local, ray, or slurm.")] = "local",
    executor_change: Annotated[
        list[str] | None,
        typer.Option("--executor-set", metavar="NAME=VALUE", help="A setting of the executor; repeatable."),
    ] = None,
) -> None:
    """Compare learners and experts on one environment or several, over several seeds.

    Each run is a process with a log of its own. Ctrl-C stops; the same command continues.
    """
    from .arguments import parse
    from .compare.manifest import make_settings
    from .compare.suite import choose, write_suite

    names = [name.strip() for name in algos.split(",") if name.strip()]
    values: dict[str, dict[str, Any]] = {}
    for name, value in parse(change or []).items():
        algo, dot, argument = name.partition(".")
        if not dot:
            raise typer.BadParameter(f"{name!r}: say whose argument it is, as in ddpg.{name}=...", param_hint="--set")
        values.setdefault(algo, {})[argument] = value
    tuning = {found["algo"]: found for found in map(read_incumbent, tuned or [])}
    for algo, found in tuning.items():
        if (found["env_id"], found["env_kwargs"]) != (envs[0], json_object(env_kwargs)) or len(envs) > 1:
            raise typer.BadParameter(
                f"{algo} was tuned for {found['env_id']} with {found['env_kwargs']}.", param_hint="--tuned"
            )
        values[algo] = found["args"] | values.get(algo, {})
    setups, given = parse_vary(vary or []), json_object(env_kwargs)
    several = len(envs) > 1
    if several and (given or setups):
        raise typer.BadParameter("Arguments are those of one environment.", param_hint="--env-kwargs, --vary")

    def settings(env: str) -> Settings:
        chosen = choose(env, names) if several else names
        changed = {algo: of for algo, of in values.items() if not several or algo in chosen}
        return make_settings(
            env, given, chosen, changed, range(seeds), steps, evaluations, episodes, setups,
            looks if stop == Stop.ADAPTIVE else 0,
            {algo: {name: found[name] for name in ("trials", "steps")} for algo, found in tuning.items()},
        )  # fmt: skip

    made = {env: settings(env) for env in envs}  # before anything is written
    folders = write_suite(out, envs) if several else {envs[0]: out}
    _run(
        {folders[env]: of for env, of in made.items()},
        jobs,
        _options(keep_learners, tracker),
        executor,
        parse(executor_change or []),
    )
    console.print(f"For curves and statistics: rlx report {out}", highlight=False)


def report(
    folder: Annotated[Path, typer.Argument(help="What `rlx compare --out` was given.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write. Default: FOLDER/report.")] = None,
    clips: Annotated[bool, typer.Option(help="Show how each algorithm plays.")] = True,
) -> None:
    """Write curves, statistics and tables of a comparison: one HTML page, pictures, CSV and Markdown."""
    from .compare.report import write_report, write_suite_report
    from .compare.results import load_results
    from .compare.suite import aggregate_rows, load_suite, read_suite

    out = out or folder / "report"
    if parts := read_suite(folder):
        suite = load_suite(folder)
        pages = {
            env: write_report(suite.each[env], out / path.name, path if clips else None) for env, path in parts.items()
        }
        page = write_suite_report(suite, out, pages)
        if suite.scores:
            show_table("All environments", aggregate_rows(suite))
        else:
            console.print("No environment has both a reference expert and random play: nothing can be added up.")
    else:
        page = write_report(load_results(folder), out, folder if clips else None)
        _show_results(folder)
    console.print(f"The report is {page}", highlight=False, soft_wrap=True)


def leaderboard(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="What `rlx compare --out` was given, or above.")
    ],
    out: Annotated[Path, typer.Option(help="Page to write, PAGE.md; a picture and all scores go beside it.")],
) -> None:
    """Write a page of finished comparisons, family by family, with the commands that make them."""
    from .compare.leaderboard import load_board, total_rows, write_leaderboard

    if out.suffix != ".md":
        raise typer.BadParameter(f"{out}: a name that ends in .md is needed.", param_hint="--out")
    board = load_board(folders)
    write_leaderboard(board, out, folders)
    if board.scores:
        show_table("All environments", total_rows(board))
    console.print(f"The leaderboard is {out}", highlight=False, soft_wrap=True)


def watch(
    env: Env,
    policy: Annotated[str, typer.Option(help="An expert's name, or a policy.npz (or its folder).")] = "random",
    out: Annotated[
        Path | None, typer.Option(help="Write a .gif, or a .png of the end, instead of opening a window.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the episode.")] = 0,
    steps: Annotated[int, typer.Option(help="Stop after so many steps.")] = 10_000,
    every: Annotated[int, typer.Option(min=1, help="Steps from one picture of the .gif to the next.")] = 50,
    env_kwargs: EnvKwargs = "{}",
) -> None:
    """Watch an expert or a trained policy."""
    import gymnasium

    from .watching import choose_policy, play

    if out is not None and out.suffix not in (".gif", ".png"):
        raise typer.BadParameter(f"{out}: a name that ends in .gif or .png is needed.", param_hint="--out")
    made = gymnasium.make(env, render_mode="human" if out is None else "rgb_array", **json_object(env_kwargs))
    try:
        total, length = play(made, choose_policy(made, policy, seed), seed, steps, out, every)
    finally:
        made.close()
    console.print(f"Return {total:.6g} in {length} steps." + (f" See {out}" if out else ""), highlight=False)


def _run(
    comparisons: Mapping[Path, Settings],
    parallel: int,
    options: Sequence[str],
    executor: str = "local",
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Run comparisons, by folder; leave with an error if a job failed or the user stopped it."""
    from .compare.executors import make_executor
    from .compare.manifest import write_manifest
    from .compare.results import finished_runs, needed_jobs, ranking
    from .compare.run import Task, last_words, run_jobs

    for folder, of in comparisons.items():
        write_manifest(folder, of)

    def needed() -> list[Task]:
        tasks = []
        for folder, of in comparisons.items():
            jobs, decisions = needed_jobs(of, finished_runs(folder, of) if of.looks else {})
            tasks += [Task(folder, job) for job in jobs]
            for line in ranking(decisions) if decisions else ():
                console.print(line, highlight=False)
        return sorted(tasks, key=lambda task: not task.job.learns)

    tasks, runner = needed(), make_executor(executor, settings)
    try:
        while True:
            failed = run_jobs(tasks, runner, parallel, console, options)
            tasks = needed()
            if failed or all(task.is_done for task in tasks):
                break
    except KeyboardInterrupt:
        done = sum(task.is_done for task in tasks)
        command = shlex.join(["rlx", *sys.argv[1:]])
        console.print(f"Stopped; {done} of {len(tasks)} jobs are done. To go on:", highlight=False)
        console.print(f"  {command}", highlight=False, soft_wrap=True)
        raise typer.Exit(130) from None
    except OSError as error:  # a full disk
        places = ", ".join(map(str, comparisons))  # an error of writing names no file
        console.print(f"[red]Stopped:[/] {escape(f'{error}, at work in {places}')}", highlight=False, soft_wrap=True)
        console.print("What is finished is safe. The same command goes on, once that is mended.")
        raise typer.Exit(1) from None
    finally:
        runner.close()
    for folder in dict.fromkeys(task.folder for task in tasks if task.is_done):
        _show_results(folder)
    if failed:
        for task in failed:
            console.print(f"[red]{task.job.name} failed:[/] {escape(last_words(task))}", highlight=False)
            console.print(f"  all it said: {task.home / 'output.txt'}", highlight=False)
        console.print("The others are safe. The same command tries the failed ones again.")
        raise typer.Exit(1)


def _options(keep_learners: bool, tracker: str) -> list[str]:
    """Return the options of the jobs.

    Raises:
        BadParameter: there is no such tracker.
    """
    from .compare.trackers import TRACKERS

    if tracker not in TRACKERS:
        raise typer.BadParameter(f"{tracker!r}: there are {', '.join(TRACKERS)}.", param_hint="--tracker")
    return ["--keep-learner"] * keep_learners + [f"--tracker={tracker}"] * (tracker != "none")


def _show_results(folder: Path) -> None:
    from .compare.results import load_results, number, rows, varied_rows

    results = load_results(folder)
    table = rows(results)
    shown = list(table[0]).index("Mean cost")  # as much as fits on 80 columns
    show_table(results.settings.env_id, [dict(list(row.items())[:shown]) for row in table])
    if results.setups:
        show_table("Other set-ups", varied_rows(results, lambda estimate: number(estimate.value)))


def show_table(title: str, rows: list[dict[str, str]]) -> None:
    """Print a table: heading -> text of each row."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    for place, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*row.values())
    console.print(table)


def _show_args(algo: str, env: str, values: dict[str, Any]) -> None:
    from .arguments import describe
    from .learners import args_of, fill_args

    args = fill_args(algo, env, values)
    table = Table("Argument", "Value", "Default", "Meaning", title=f"{algo} for {env}")
    for name, default, meaning in describe(args_of(algo)):
        value = json.dumps(getattr(args, name))
        table.add_row(name, value, "" if getattr(args, name) == default else json.dumps(default), escape(meaning))
    console.print(table)


def read_incumbent(folder: Path) -> dict[str, Any]:
    """Return what `rlx tune` found in ``folder``, which may be the file itself.

    Raises:
        BadParameter: there is nothing.
    """
    path = folder if folder.is_file() else folder / INCUMBENT
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except OSError:
        raise typer.BadParameter(
            f"{path} is not there: `rlx tune ENV --out {folder}` makes it.", param_hint="--tuned"
        ) from None
    return found


def parse_vary(options: list[str]) -> dict[str, list[Any]]:
    """Read ``["design=base,swap", "rate=[1, 2],[3, 4]"]``; values are all JSON, or else words and numbers."""
    from .arguments import parse

    values: dict[str, list[Any]] = {}
    for option in options:
        name, _, text = option.partition("=")
        if not name or not text:
            raise typer.BadParameter(
                f"{option!r} varies nothing: write it as NAME=VALUE,VALUE,..., for instance design=base,swap.",
                param_hint="--vary",
            )
        try:
            found = json.loads(f"[{text}]")
        except json.JSONDecodeError:
            found = [parse([f"{name}={word}"])[name] for word in text.split(",")]
        values.setdefault(name, []).extend(found)
    return values


def json_object(text: str) -> dict[str, Any]:
    """Read keyword arguments of an environment.

    Raises:
        BadParameter: ``text`` is not a JSON object.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"{text!r} is not JSON ({error}).", param_hint="--env-kwargs") from None
    if not isinstance(value, dict):
        raise typer.BadParameter(f"{text!r} is not a JSON object {{...}}.", param_hint="--env-kwargs")
    return value
