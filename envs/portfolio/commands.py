"""The commands `rlx portfolio ...`: are strategies and trained policies better than holding everything alike?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from . import FAMILY

if TYPE_CHECKING:
    from .accounting import Backtest
    from .market import Market
    from .report import Study

# What needs pandas, matplotlib or jinja2 is imported where it is used: `--help` must answer at once.

#: Arguments of the environment that the report sets.
_SET_ELSEWHERE = ("dataset", "world", "split", "days", "start", "costs")
#: Weights that do not count as missed: actions are of single precision, and the environment trades no dust.
_DUST = 1e-5
#: What is shown in a terminal: as many of these, from the first on, as fit.
_COLUMNS = ("Strategy", "Sharpe", "p", "CAGR, %", "Drawdown, %", "Cost, bp", "Volatility, %")
#: Files in the folders of runs and comparisons.
_MANIFEST, _JOB, _POLICY = "manifest.json", "job.json", "policy.npz"

app = typer.Typer(no_args_is_help=True, add_completion=False)
# In a pipe lines stay whole.
console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 200)


@app.callback()
def portfolio() -> None:
    """Strategies and trained policies on the same days, and what is luck."""


@app.command()
def report(
    strategies: Annotated[
        str, typer.Option(metavar="NAMES", help="Strategies, with commas between. Default: all there are.")
    ] = "",
    prices: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A CSV or Parquet file of prices. Default: 20 US stocks."),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A further column of --prices, which policies see; repeatable."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Of the market: train, validation, test, or all. Default: test if there is one.")
    ] = None,
    first: Annotated[str | None, typer.Option(metavar="DAY", help="The first day, instead of the split's.")] = None,
    last: Annotated[str | None, typer.Option(metavar="DAY", help="The last day, instead of the split's.")] = None,
    lookback: Annotated[int, typer.Option(min=2, help="Days of returns that strategies look at.")] = 252,
    rebalance: Annotated[
        str,
        typer.Option(help="When strategies trade: daily, monthly, never after the first day, or every so many days."),
    ] = "monthly",
    cost_bp: Annotated[
        float, typer.Option(min=0.0, max=2000.0, help="Cost of trade in basis points of what is traded.")
    ] = 10.0,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]PATH",
            help="A trained policy, the folder of its run, or that of a comparison, whose runs of one learner count "
            "together; repeatable.",
        ),
    ] = None,
    env_kwargs: Annotated[
        str,
        typer.Option(
            metavar="JSON", help="Arguments of the policies' environment, besides those a run's folder tells."
        ),
    ] = "{}",
    benchmark: Annotated[str, typer.Option(help="The strategy that the others are compared with.")] = "equal_weight",
    trials: Annotated[
        int | None, typer.Option(help="Strategies tried in all, if there were more than are shown.")
    ] = None,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the report.")] = Path("portfolio-report"),
    replicates: Annotated[int, typer.Option(min=100, help="Bootstrap draws.")] = 1000,
    block: Annotated[
        float | None, typer.Option(min=1.0, help="Mean length in days of the blocks drawn. Default: from the data.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
) -> None:
    """Run strategies and policies over the same days, and write a report: one page, pictures and CSV.

    Every strategy decides with what was known on the day. Costs come out of wealth.
    """
    from .experts import STRATEGIES, walk_forward
    from .loading import load
    from .report import Study, findings, rows, side_by_side, write_report
    from .statistics import MIN_DAYS
    from .us20 import shipped

    names = [name.strip() for name in strategies.split(",") if name.strip()] or list(STRATEGIES)
    if unknown := [name for name in names if name not in STRATEGIES]:
        raise ValueError(f"--strategies {unknown[0]} is unknown. Strategies: {', '.join(STRATEGIES)}.")
    policies = _policies(policy or [])
    if twice := set(policies) & set(names):
        raise ValueError(f"--policy {twice.pop()}: a strategy has that name. Give another: --policy NAME=PATH.")
    if benchmark in STRATEGIES:
        names = list(dict.fromkeys([benchmark, *names]))
    elif benchmark not in policies:
        raise ValueError(f"--benchmark {benchmark} is none of these: {', '.join([*names, *policies])}.")
    if trials is not None and trials < len(names) + len(policies):
        raise ValueError(f"--trials {trials}: {len(names) + len(policies)} are shown, and each of them was tried.")
    given = _arguments(env_kwargs)
    arguments = {name: trained_with(path) | given for name, path in policies.items()}
    runs = {name: runs_of(name, path) for name, path in policies.items()}
    if feature and prices is None:
        raise ValueError("--feature names a column of --prices, which is not given.")
    market = shipped() if prices is None else load(prices, features=feature or ())
    days = _days(market, split, first, last, lookback)
    chosen = market.dates[days]
    if len(chosen) <= MIN_DAYS:
        raise ValueError(
            f"From {chosen[0]} to {chosen[-1]} there are {len(chosen)} days: at least {MIN_DAYS + 1} are needed to "
            f"tell skill from luck. --split all has all days but the first {lookback} (--lookback)."
        )
    ends = {"first": chosen[0], "last": chosen[-1]}

    backtests: dict[str, Backtest] = {}
    compliance: list[dict[str, Any]] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(names) + sum(map(len, runs.values())))
        for name, paths in runs.items():
            played = []
            for run, path in paths.items():
                progress.update(task, description=f"{name} {run}")
                backtest, held_back = play(path, market, cost_bp / 1e4, arguments[name], **ends)
                played.append(backtest)
                compliance += [{"strategy": name, "run": run} | row for row in held_back]
                progress.advance(task)
            backtests[name] = side_by_side(played) if len(played) > 1 else played[0]
        for name in names:
            progress.update(task, description=name)
            backtests |= walk_forward(
                market, [name], lookback=lookback, rebalance=_interval(rebalance), cost=cost_bp / 1e4, **ends
            )
            progress.advance(task)
        progress.update(task, description="statistics and pictures")
        study = Study(
            dates=chosen,
            backtests=backtests,
            benchmark=benchmark,
            title=f"Portfolios of {len(market.assets)} assets",
            cash_return=market.cash_return[days],
            index=None if market.benchmark is None else ("index", market.benchmark[days]),
            assets=market.groups or market.assets,
            runs={name: list(paths) for name, paths in runs.items() if len(paths) > 1},
            compliance=compliance,
            settings={
                "Data": f"{prices.name if prices else 'us20'}, {len(market.assets)} assets, digest {market.digest}",
                "Strategies": f"{lookback} days of lookback, rebalanced {rebalance}",
                "Cost": f"{cost_bp:g} bp of what is traded",
            }
            | {
                f"Policy {name}": f"{path}, "
                + ("one run; intervals are over days. " if len(runs[name]) == 1 else f"{len(runs[name])} runs. ")
                + f"In the environment: {json.dumps(arguments[name]) if arguments[name] else 'its defaults'}"
                for name, path in policies.items()
            },
            warnings=list(_warnings(market, chosen[0], bool(policies))),
        )
        comparison = study.compare(replicates, seed, block, trials)
        page = write_report(study, comparison, out)
    _show(study, rows(study, comparison), findings(study, comparison))
    console.print(f"The report is {page}", markup=False, highlight=False, soft_wrap=True)


def trained_with(path: Path) -> dict[str, Any]:
    """Return the arguments of the environment in which a policy was trained, if its folder tells.

    Raises:
        ValueError: it was trained in an environment of another family.
    """
    folder = path if path.is_dir() else path.parent
    told = [_read(folder / name) for name in (_MANIFEST, _JOB) if (folder / name).exists()]
    if not told:
        return {}
    settings = told[0].get("settings", told[0])
    defaults = {row["id"]: row.get("kwargs", {}) for row in FAMILY["environments"]}
    if settings["env_id"] not in defaults:
        raise ValueError(f"--policy {path}: it was trained in {settings['env_id']}, and knows no portfolios.")
    arguments = defaults[settings["env_id"]] | settings["env_kwargs"]
    return {name: value for name, value in arguments.items() if name not in _SET_ELSEWHERE}


def runs_of(name: str, path: Path) -> dict[str, Path]:
    """Return the policies that were trained alike, but for the seed: where they are, by the run's name.

    Args:
        name: of the learner, where a comparison has several.
        path: a policy's file, the folder of its run, or that of a comparison.

    Raises:
        ValueError: no run or not all runs of the learner are finished, or there are several learners.
    """
    if (path / _POLICY).exists() or not path.is_dir():
        return {"": path}
    manifest = _read(path / _MANIFEST)
    learners = [learner for learner, arguments in manifest["settings"].get("algos", {}).items() if arguments]
    if not learners:
        raise ValueError(f"--policy {path}: no learner was trained there.")
    if len(learners) > 1 and name not in learners:
        raise ValueError(
            f"--policy {path}: several learners were trained there, {', '.join(learners)}. Choose one by its name: "
            f"--policy {learners[0]}={path}."
        )
    prefix = f"{name if name in learners else learners[0]}-seed"
    folders = [path / "jobs" / job for job in manifest["jobs"] if job.startswith(prefix)]
    unfinished = [one.name for one in folders if not all((one / file).exists() for file in (_POLICY, "done.json"))]
    if unfinished:
        raise ValueError(
            f"--policy {path}: {len(unfinished)} of {len(folders)} runs are not finished: {', '.join(unfinished)}. The "
            "command that began them goes on with them."
        )
    return {f"seed {one.name.removeprefix(prefix).partition('-')[0]}": one for one in folders}


def play(
    path: Path, market: Market, cost: float, env_kwargs: dict[str, Any], first: np.datetime64, last: np.datetime64
) -> tuple[Backtest, list[dict[str, Any]]]:
    """Let a trained policy invest, one episode over all days.

    Args:
        path: the policy's file, or the folder of its run.
        market: where.
        cost: per value of what is traded.
        env_kwargs: further arguments of the environment.
        first: the first day.
        last: the last day.

    Returns:
        What became of it, and a row for each day and rule that kept it from its target. After ruin the value stays, and
        nothing is traded.

    Raises:
        ValueError: the policy cannot read the observations, or there are fewer days before the first than it sees.
    """
    from ..core import read_policy
    from .accounting import Backtest
    from .env import PortfolioEnv

    policy = read_policy(path)
    env = PortfolioEnv(dataset=market, split=(first, last), start="first", costs=cost, **env_kwargs)
    observation, info = env.reset(seed=0)
    policy.reset()
    if market.dates[env.day] != first:
        raise ValueError(f"Policies see days before the first, {first}: it can be {market.dates[env.day]} or later.")
    dates = market.dates[market.days_between(first, last)]
    value = np.full(len(dates), info["signals"]["value"], np.float64)
    paid, turnover = np.zeros(len(dates)), np.zeros(len(dates))
    places = [*map(market.assets.index, env.assets), len(market.assets)]
    weights = np.zeros((len(dates), len(market.assets) + 1))
    weights[:, places] = env.weights
    held_back = []
    for day in range(len(dates) - 1):
        try:
            action = policy.act(observation, info)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} cannot read what the environment shows ({error}). Pass what it was trained with, "
                """as in --env-kwargs '{"observation": "flat", "window": 20}', or --feature."""
            ) from error
        observation, _, terminated, _, info = env.step(action)
        signals = info["signals"]
        paid[day], turnover[day] = signals["fee"], signals["turnover"]
        value[day + 1 :], weights[day + 1 :, places] = signals["value"], env.weights
        held_back += [
            {"date": str(dates[day]), "rule": rule, "amount": float(amount)}
            for rule, amount in info["compliance"].items()
            if amount > _DUST
        ]
        if terminated:
            break
    env.close()
    return Backtest(value, paid, turnover, weights), held_back


def _days(market: Market, split: str | None, first: str | None, last: str | None, lookback: int) -> slice:
    """Return the days to report on: of a split, or all that leave a lookback before them, or as told."""
    split = split or ("test" if "test" in market.splits else "all")
    if split != "all" and not market.splits:
        raise ValueError(f"--split {split}: a file of prices has no splits. Choose its days by --first and --last.")
    part = slice(min(lookback, len(market.dates) - 2), len(market.dates)) if split == "all" else market.part(split)
    start, stop = market.dates[part][[0, -1]]
    return market.days_between(first or start, last or stop)


def _policies(given: list[str]) -> dict[str, Path]:
    """Return the path of each policy by its name."""
    found: dict[str, Path] = {}
    for text in given:
        name, is_named, rest = text.partition("=")
        path = Path(rest if is_named else text)
        if not path.is_file() and not any((path / name).exists() for name in (_POLICY, _MANIFEST)):
            raise ValueError(f"--policy {text}: there is no policy. `rlx train` writes a folder with a policy.npz.")
        name = name if is_named else (path if path.is_dir() else path.parent).resolve().name
        if name in found:
            raise ValueError(f"--policy {text}: another policy is called {name}. Name them: --policy NAME=PATH.")
        found[name] = path
    return found


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--env-kwargs {text!r} is no JSON: {error}.") from None
    if not isinstance(found, dict) or not found.keys().isdisjoint(_SET_ELSEWHERE):
        raise ValueError(
            f"--env-kwargs {text!r} must be a JSON object without {', '.join(_SET_ELSEWHERE)}: the report sets these."
        )
    return found


def _interval(rebalance: str) -> str | int:
    return int(rebalance) if rebalance.isdecimal() else rebalance


def _warnings(market: Market, first: np.datetime64, has_policies: bool) -> Iterator[str]:
    if has_policies and "train" in market.splits and first <= market.splits["train"][1]:
        yield (
            f"These days include some up to {market.splits['train'][1]}, on which policies are trained: what a policy "
            "did there says nothing of other days."
        )


def _show(study: Study, table: list[dict[str, str]], sentences: list[str]) -> None:
    console.print(_fitted(table), "")
    for sentence in (*study.warnings, *sentences):
        console.print(sentence, markup=False, highlight=False)


def _fitted(table: list[dict[str, str]]) -> Table:
    """Return as many columns of the table of results as the terminal has room for, but at least two."""
    unbounded = console.options.update(max_width=1000)
    for count in range(len(_COLUMNS), 1, -1):
        shown = _of_columns(table, _COLUMNS[:count])
        if console.measure(shown, options=unbounded).maximum <= console.width:
            break
    return shown


def _of_columns(table: list[dict[str, str]], names: Sequence[str]) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    shown.add_column(names[0], no_wrap=True)
    for name in names[1:]:
        shown.add_column(name.replace(", ", "\n"), justify="right")
    for row in table:
        shown.add_row(*(escape(row[name]) for name in names))
    return shown
