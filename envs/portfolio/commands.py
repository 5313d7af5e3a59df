"""The commands `rlx portfolio ...`: are strategies and trained policies better than holding everything alike?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from .accounting import Backtest
    from .market import Market
    from .report import Study

# What needs pandas, matplotlib or jinja2 is imported where it is used: `--help` must answer at once.

#: Arguments of the environment that the report sets.
_SET_ELSEWHERE = ("dataset", "world", "split", "days", "start", "costs")
#: Weights that do not count as missed: actions are of single precision, and the environment trades no dust.
_DUST = 1e-5
#: What fits into 80 columns.
_COLUMNS = ("Strategy", "CAGR, %", "Volatility, %", "Sharpe", "p", "Drawdown, %", "Cost, bp")

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
        typer.Option(metavar="[NAME=]PATH", help="A trained policy, or the folder of its run; repeatable."),
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
    from .report import Study, findings, rows, write_report
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
    market = shipped() if prices is None else load(prices)
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
        task = progress.add_task("", total=len(names) + len(policies))
        for name, path in policies.items():
            progress.update(task, description=name)
            backtests[name], held_back = play(path, market, cost_bp / 1e4, arguments[name], **ends)
            compliance += [{"strategy": name} | row for row in held_back]
            progress.advance(task)
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
            compliance=compliance,
            settings={
                "Data": f"{prices.name if prices else 'us20'}, {len(market.assets)} assets, digest {market.digest}",
                "Strategies": f"{lookback} days of lookback, rebalanced {rebalance}",
                "Cost": f"{cost_bp:g} bp of what is traded",
            }
            | {
                f"Policy {name}": f"{path}, one run; intervals are over days. In the environment: "
                f"{json.dumps(arguments[name]) if arguments[name] else 'its defaults'}"
                for name, path in policies.items()
            },
            warnings=list(_warnings(market, chosen[0], bool(policies))),
        )
        comparison = study.compare(replicates, seed, block, trials)
        page = write_report(study, comparison, out)
    _show(study, rows(study, comparison), findings(study, comparison))
    console.print(f"The report is {page}", markup=False, highlight=False, soft_wrap=True)


def trained_with(path: Path) -> dict[str, Any]:
    """Return the arguments of the environment in which a policy was trained, if the folder of its run tells.

    Raises:
        ValueError: it was trained in an environment of another family.
    """
    manifest = (path if path.is_dir() else path.parent) / "manifest.json"
    if not manifest.exists():
        return {}
    settings = json.loads(manifest.read_text())["settings"]
    if not settings["env_id"].startswith("rlx/Portfolio"):
        raise ValueError(f"--policy {path}: it was trained in {settings['env_id']}, and knows no portfolios.")
    return {name: value for name, value in settings["env_kwargs"].items() if name not in _SET_ELSEWHERE}


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
    dates = market.dates[(market.dates >= first) & (market.dates <= last)]
    value = np.full(len(dates), info["signals"]["value"], np.float64)
    paid, turnover = np.zeros(len(dates)), np.zeros(len(dates))
    places = [*map(market.assets.index, env.assets), len(market.assets)]
    weights = np.zeros((len(dates), len(market.assets) + 1))
    weights[:, places] = env.weights
    held_back = []
    for day in range(len(dates) - 1):
        try:
            action = policy.act(observation, info)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path} cannot read what the environment shows ({error}). Pass what it was trained with, "
                """as in --env-kwargs '{"observation": "flat", "window": 20}'."""
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
    within = market.between(first or start, last or stop).dates
    return slice(*np.searchsorted(market.dates, [within[0], within[-1] + 1]).tolist())


def _policies(given: list[str]) -> dict[str, Path]:
    """Return the path of each policy by its name."""
    found: dict[str, Path] = {}
    for text in given:
        name, is_named, rest = text.partition("=")
        path = Path(rest if is_named else text)
        if not (path / "policy.npz" if path.is_dir() else path).exists():
            raise ValueError(f"--policy {text}: there is no policy. `rlx train` writes a folder with a policy.npz.")
        name = name if is_named else (path if path.is_dir() else path.parent).resolve().name
        if name in found:
            raise ValueError(f"--policy {text}: another policy is called {name}. Name them: --policy NAME=PATH.")
        found[name] = path
    return found


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
    headings = (name.replace(", ", "\n") for name in _COLUMNS)
    shown = Table(*headings, box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for column in shown.columns[1:]:
        column.justify = "right"
    for row in table:
        shown.add_row(*(escape(row[name]) for name in _COLUMNS))
    console.print(shown, "")
    for sentence in (*study.warnings, *sentences):
        console.print(sentence, markup=False, highlight=False)
