"""Writes a report on backtests: one page that needs nothing else, its pictures, and the numbers as CSV."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import ArrayLike, NDArray

from . import statistics
from .statistics import DAYS_PER_YEAR, Array, Comparison, Estimate

if TYPE_CHECKING:
    from .accounting import Backtest


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """Backtests of several strategies over the same days, and what else a reader should know of them."""

    dates: NDArray[np.datetime64]
    """(T,)."""
    backtests: Mapping[str, Backtest]
    """By strategy."""
    benchmark: str = "equal_weight"
    """The strategy that the others are compared with."""
    title: str = "Portfolio strategies"
    cash_return: ArrayLike = 0.0
    """Of each day since the one before: a number, or (T,)."""
    index: tuple[str, Array] | None = None
    """An index's name and its level (T,): shown beside the strategies, and not tested."""
    assets: tuple[str, ...] = ()
    """Names of the N assets, or of their groups, without which weights are not drawn."""
    compliance: Sequence[Mapping[str, Any]] = ()
    """What kept a strategy from its targets: rows of ``strategy``, ``date``, ``rule`` and ``amount``, the sum of the
    absolute weights that were not reached."""
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """How this was measured."""
    warnings: Sequence[str] = ()
    """What a reader must know before the results."""

    def __post_init__(self) -> None:
        """Refuse what does not belong together.

        Raises:
            ValueError: curves of other lengths than the dates, weights of other assets, a name that stands twice, or no
                curve of the benchmark.
        """
        days = len(self.dates)
        curves = {f"{name}'s value": backtest.value for name, backtest in self.backtests.items()}
        curves |= {f"{name}'s weights": weights for name, weights in self.held().items()}
        curves |= {self.index[0]: self.index[1]} if self.index else {}
        for what, curve in curves.items():
            if len(curve) != days:
                raise ValueError(f"{what} has {len(curve)} days, but there are {days} dates.")
        for name, weights in self.held().items():
            if self.assets and weights.shape[1] != len(self.assets) + 1:
                raise ValueError(
                    f"{name}'s weights are of {weights.shape[1] - 1} assets, but {len(self.assets)} are named."
                )
        if self.index and self.index[0] in self.backtests:
            raise ValueError(f"There is a strategy of the index's name, {self.index[0]!r}: rename one of them.")
        if self.benchmark not in self.backtests:
            raise ValueError(f"benchmark = {self.benchmark!r} has no backtest. There are: {', '.join(self.backtests)}.")

    def held(self) -> dict[str, Array]:
        """Return the weights (T, N + 1) of the strategies of which they are known."""
        return {name: one.weights for name, one in self.backtests.items() if one.weights is not None}

    def excess(self) -> dict[str, Array]:
        """Return the returns above cash (T - 1,) of each strategy."""
        return {name: statistics.excess_returns(one.value, self.cash_return) for name, one in self.backtests.items()}

    def compare(
        self, replicates: int = 1000, seed: int = 0, block: float | None = None, trials: int | None = None
    ) -> Comparison:
        """Compare the strategies with the benchmark; see `statistics.compare`."""
        return statistics.compare(self.excess(), self.benchmark, replicates, seed, block, trials)


def write_report(study: Study, comparison: Comparison, folder: Path) -> Path:
    """Write the report into ``folder`` and return the page's path.

    Beside ``index.html`` lie the pictures, ``metrics.csv`` (every number of the tables), ``curves.csv`` (each day's
    values) and, if a rule kept a strategy from its targets, ``compliance.csv``.

    Raises:
        DependencyNotInstalled: matplotlib or Jinja2 is missing.
    """
    try:
        import jinja2

        from .figures import draw, lines_of, themed
    except ModuleNotFoundError as error:
        raise DependencyNotInstalled(f'A report needs {error.name}: pip install "rlx[baselines]"') from None
    pictures = draw(study, comparison)
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("rlx.envs.portfolio", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    text = templates.get_template("report.html.j2").render(
        study=study,
        lead=_lead(study),
        findings=findings(study, comparison),
        rows=rows(study, comparison),
        years=_years(study, comparison),
        compliance=_compliance(study),
        pictures={title: themed(picture) for title, picture in pictures.items()},
        colors={name: color for name, (color, _) in lines_of(comparison).items()},
        methods=_methods(comparison),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for title, picture in pictures.items():
        (folder / f"{title.lower().replace(' ', '_')}.svg").write_text(picture, encoding="utf-8")
    _write_csv(folder / "metrics.csv", metrics(study, comparison))
    _write_csv(folder / "curves.csv", _curves(study))
    if study.compliance:
        _write_csv(folder / "compliance.csv", study.compliance)
    page = folder / "index.html"
    page.write_text(text, encoding="utf-8")
    return page


def findings(study: Study, comparison: Comparison) -> list[str]:
    """Return in sentences what the evidence supports, and no more."""
    benchmark, count = study.benchmark, len(comparison.difference)
    best = next(iter(comparison.sharpe))
    said = []
    if count:
        least = min(comparison.p_value.values())
        many = f"{count} comparisons taken together" if count > 1 else "one comparison"
        for name in comparison.different:
            low_or_high = "higher" if comparison.difference[name].value > 0.0 else "lower"
            said.append(
                f"The Sharpe ratio of {name} is {low_or_high} than that of {benchmark} at the 95 % level "
                f"({_interval(comparison.difference[name], sign='+')}, p = {comparison.p_value[name]:.3f}; {many})."
            )
        if not said:
            said.append(
                f"No strategy's Sharpe ratio is shown to differ from that of {benchmark} at the 95 % level ({many}; "
                f"the smallest p = {least:.3f})."
            )
        elif len(said) < count:
            said.append(f"Those of the others are not shown to differ from that of {benchmark}.")
        is_superior = comparison.spa < 1.0 - statistics.CONFIDENCE
        said.append(
            f"Test of superior predictive ability: p = {comparison.spa:.2f}. That some strategy has a higher mean "
            f"return than {benchmark} is {'supported' if is_superior else 'not supported'}."
        )
    if not math.isnan(comparison.sharpe[best].value):
        said.append(
            f"The highest Sharpe ratio is that of {best}, {_interval(comparison.sharpe[best])}. Given that "
            f"{_count(comparison.trials, 'strategy was', 'strategies were')} tried, it is above zero with probability "
            f"{comparison.deflated[best]:.3f} (deflated Sharpe ratio; 0.95 is asked for)."
        )
    if not math.isnan(comparison.overfitting):
        said.append(
            f"Choosing the best by one half of the days gives one below the median in the other half with probability "
            f"{comparison.overfitting:.2f} (probability of backtest overfitting)."
        )
    return said


def rows(study: Study, comparison: Comparison) -> list[dict[str, str]]:
    """Return the table of results as text: a row for each strategy, the highest Sharpe ratio first; last, the index."""
    return [
        {
            "Strategy": row["strategy"],
            "CAGR, %": _number(row["cagr"], 1, 100.0),
            "Volatility, %": _number(row["volatility"], 1, 100.0),
            "Sharpe": _interval(Estimate(row["sharpe"], row["sharpe_low"], row["sharpe_high"])),
            f"less {study.benchmark}'s": _interval(
                Estimate(row["difference"], row["difference_low"], row["difference_high"]), sign="+"
            ),
            "p": _number(row["p_value"], 3),
            "Deflated": _number(row["deflated_sharpe"], 2),
            "Sortino": _number(row["sortino"], 2),
            "Drawdown, %": _number(row["max_drawdown"], 1, 100.0),
            "CVaR, %": _number(row["cvar_95"], 2, 100.0),
            "Turnover": _number(row["turnover"], 2),
            "Cost, bp": _number(row["cost_rate"], 1, 1e4),
        }
        for row in metrics(study, comparison)
    ]


def metrics(study: Study, comparison: Comparison) -> list[dict[str, Any]]:
    """Return every number, a row for each strategy, as `rows`; what does not exist is NaN."""
    nothing = Estimate(math.nan, math.nan, math.nan)
    curves = {name: study.backtests[name].value for name in comparison.sharpe}
    curves |= {study.index[0]: study.index[1]} if study.index else {}
    found = []
    for name, curve in curves.items():
        backtest = study.backtests.get(name)
        ratio, difference = comparison.sharpe.get(name, nothing), comparison.difference.get(name, nothing)
        found.append(
            {"strategy": name}
            | statistics.measures(curve, study.cash_return)
            | {
                "sharpe_low": ratio.low,
                "sharpe_high": ratio.high,
                "difference": difference.value,
                "difference_low": difference.low,
                "difference_high": difference.high,
                "p_value": comparison.p_value.get(name, math.nan),
                "probabilistic_sharpe": comparison.probabilistic.get(name, math.nan),
                "deflated_sharpe": comparison.deflated.get(name, math.nan),
                "turnover": statistics.turnover(backtest.turnover) if backtest else math.nan,
                "cost_rate": statistics.cost_rate(backtest.cost, backtest.value) if backtest else math.nan,
            }
        )
    return found


def _lead(study: Study) -> str:
    first, last = study.dates[0], study.dates[-1]
    years = (len(study.dates) - 1) / DAYS_PER_YEAR
    return (
        f"{_count(len(study.backtests), 'strategy', 'strategies')} from {first} to {last}: {len(study.dates)} days, "
        f"{years:.1f} years of {DAYS_PER_YEAR}."
    )


def _methods(comparison: Comparison) -> list[str]:
    return [
        f"Daily simple returns, {DAYS_PER_YEAR} days to the year. Sharpe and Sortino ratios are of returns above cash. "
        "Values are those before each day's trading.",
        f"Intervals: 95 %, percentiles of {comparison.replicates} stationary bootstrap draws of the days, the same "
        f"for all strategies, blocks of {comparison.block:.1f} days on average, seed {comparison.seed}.",
        "p: how often the largest of all differences from the benchmark's Sharpe ratio, each in units of its standard "
        "error, would be as large as this one if there were none. The interval of a difference is of that one alone.",
        f"Deflated: probability that the true Sharpe ratio is above zero, were the strategy chosen as the best of "
        f"{comparison.trials} (Bailey and Lopez de Prado 2014). Strategies tried and not shown here count too.",
        "Superior predictive ability: Hansen (2005), of mean returns, the consistent p-value. Probability of backtest "
        "overfitting: combinatorially symmetric cross-validation, 16 parts (Bailey et al. 2017).",
        "CVaR 95: mean loss of the days at or beyond the 5 % quantile. Turnover: all that is bought and sold.",
        "Past prices, of which some assets may have been chosen because they did well. No investment advice.",
    ]


def _years(study: Study, comparison: Comparison) -> list[dict[str, Any]]:
    """Return the return of each calendar year in percent, a row for each strategy."""
    years = study.dates.astype("datetime64[Y]")
    ends = np.unique([0, *np.flatnonzero(years[1:] > years[:-1]), len(years) - 1])
    table = []
    for name in comparison.sharpe:
        changes = 100.0 * statistics.simple_returns(study.backtests[name].value[ends])
        shown = np.round(changes, 1) + 0.0  # no minus zero
        table.append({"Strategy": name} | dict(zip(years[ends[1:]].astype(str), shown, strict=True)))
    return table


def _compliance(study: Study) -> list[dict[str, str]]:
    """Return on how many days each rule kept each strategy from its target, and by how much."""
    amounts: dict[tuple[str, str], list[float]] = {}
    for row in study.compliance:
        amounts.setdefault((str(row["strategy"]), str(row["rule"])), []).append(float(row["amount"]))
    return [
        {"Strategy": name, "Rule": rule, "Days": f"{len(found):,}", "Mean amount": f"{np.mean(found):.4f}"}
        for (name, rule), found in sorted(amounts.items())
    ]


def _curves(study: Study) -> Iterable[dict[str, object]]:
    curves = {name: backtest.value for name, backtest in study.backtests.items()}
    curves |= {study.index[0]: study.index[1]} if study.index else {}
    for day, date in enumerate(study.dates):
        yield {"date": str(date)} | {name: float(curve[day]) for name, curve in curves.items()}


def _write_csv(path: Path, table: Iterable[Mapping[str, object]]) -> None:
    """Write rows of the same fields; NaN as nothing."""
    with path.open("w", newline="", encoding="utf-8") as file:
        for i, row in enumerate(table):
            if i == 0:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            writer.writerow({key: "" if value != value else value for key, value in row.items()})


def _interval(estimate: Estimate, sign: str = "-") -> str:
    value, low, high = estimate
    if math.isnan(value):
        return "–"
    if math.isnan(low):
        return format(value, f"{sign}.2f")
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def _number(value: float, digits: int, scale: float = 1.0) -> str:
    return "–" if math.isnan(value) else f"{scale * value:,.{digits}f}"


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
