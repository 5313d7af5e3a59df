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


def side_by_side(runs: Sequence[Backtest]) -> Backtest:
    """Return the backtests of a learner's R runs as one, whose arrays have a last axis of R entries."""
    arrays = {field.name: [getattr(run, field.name) for run in runs] for field in dataclasses.fields(runs[0])}
    return dataclasses.replace(
        runs[0], **{name: np.stack(found, axis=-1) for name, found in arrays.items() if found[0] is not None}
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """Backtests of several strategies over the same days, and what else a reader should know of them."""

    dates: NDArray[np.datetime64]
    """(T,)."""
    backtests: Mapping[str, Backtest]
    """By strategy; the runs of a learner `side_by_side`."""
    benchmark: str = "equal_weight"
    """The strategy that the others are compared with."""
    title: str = "Portfolio strategies"
    cash_return: ArrayLike = 0.0
    """Of each day since the one before: a number, or (T,)."""
    index: tuple[str, Array] | None = None
    """An index's name and its level (T,): shown beside the strategies, and not tested."""
    assets: tuple[str, ...] = ()
    """Names of the N assets, or of their groups, without which weights are not drawn."""
    runs: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    """Names of a learner's R runs, by strategy: where there are some, its numbers are the means over them."""
    compliance: Sequence[Mapping[str, Any]] = ()
    """What kept a strategy from its targets: rows of ``strategy``, ``date``, ``rule`` and ``amount``, the sum of the
    absolute weights that were not reached; also of ``run``, if there are several."""
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """How this was measured."""
    warnings: Sequence[str] = ()
    """What a reader must know before the results."""

    def __post_init__(self) -> None:
        """Refuse what does not belong together.

        Raises:
            ValueError: curves of other lengths than the dates or of other runs than are named, weights of other assets,
                a name that stands twice, or no curve of the benchmark.
        """
        days = len(self.dates)
        curves = {f"{name}'s value": backtest.value for name, backtest in self.backtests.items()}
        curves |= {f"{name}'s weights": weights for name, weights in self.held().items()}
        curves |= {self.index[0]: self.index[1]} if self.index else {}
        for what, curve in curves.items():
            if len(curve) != days:
                raise ValueError(f"{what} has {len(curve)} days, but there are {days} dates.")
        for name, backtest in self.backtests.items():
            names, shape = self.runs.get(name, ()), backtest.value.shape
            if shape[1:] != ((len(names),) if names else ()):
                raise ValueError(f"{name}'s value has the shape {shape}, but runs names {len(names)} of its runs.")
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
        """Return the weights (T, N + 1) of the strategies of which they are known; of runs, their means."""
        known = {name: one.weights for name, one in self.backtests.items() if one.weights is not None}
        return {name: weights.mean(axis=2) if weights.ndim == 3 else weights for name, weights in known.items()}

    def excess(self) -> dict[str, Array]:
        """Return the returns above cash (T - 1, ...) of each strategy."""
        return {name: statistics.excess_returns(one.value, self.cash_return) for name, one in self.backtests.items()}

    def measures(self, name: str) -> dict[str, Any]:
        """Return each measure of a strategy, by name; of R runs (R,)."""
        one = self.backtests[name]
        return statistics.measures(one.value, self.cash_return) | {
            "turnover": statistics.turnover(one.turnover),
            "cost_rate": statistics.cost_rate(one.cost, one.value),
        }

    def compare(
        self, replicates: int = 1000, seed: int = 0, block: float | None = None, trials: int | None = None
    ) -> Comparison:
        """Compare the strategies with the benchmark; see `statistics.compare`."""
        return statistics.compare(self.excess(), self.benchmark, replicates, seed, block, trials)


def write_report(study: Study, comparison: Comparison, folder: Path) -> Path:
    """Write the report into ``folder`` and return the page's path.

    Beside ``index.html`` lie the pictures, ``metrics.csv`` (every number of the tables), ``curves.csv`` (each day's
    values), ``runs.csv`` if a learner has several, and ``compliance.csv`` if a rule kept a strategy from its targets.

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
        runs=_runs(study, comparison),
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
    for name, table in (("runs", run_metrics(study, comparison)), ("compliance", study.compliance)):
        if table:
            _write_csv(folder / f"{name}.csv", table)
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
        deflated = (
            "Of a mean over runs there is no deflated Sharpe ratio."
            if best in study.runs
            else f"Given that {_count(comparison.trials, 'strategy was', 'strategies were')} tried, it is above zero "
            f"with probability {comparison.deflated[best]:.3f} (deflated Sharpe ratio; 0.95 is asked for)."
        )
        said.append(f"The highest Sharpe ratio is that of {best}, {_interval(comparison.sharpe[best])}. {deflated}")
    if not math.isnan(comparison.overfitting):
        said.append(
            f"Choosing the best by one half of the days gives one below the median in the other half with probability "
            f"{comparison.overfitting:.2f} (probability of backtest overfitting)."
        )
    for name, names in study.runs.items():
        ratios = study.measures(name)["sharpe"]
        said.append(
            f"The numbers of {name} are means over {_count(len(names), 'run', 'runs')}, whose Sharpe ratios go from "
            f"{np.min(ratios):.2f} to {np.max(ratios):.2f}."
        )
    return said


def rows(study: Study, comparison: Comparison) -> list[dict[str, str]]:
    """Return the table of results as text: a row for each strategy, the highest Sharpe ratio first; last, the index."""
    return [
        {
            "Strategy": row["strategy"],
            "Sharpe": _interval(Estimate(row["sharpe"], row["sharpe_low"], row["sharpe_high"])),
            f"less {study.benchmark}'s": _interval(
                Estimate(row["difference"], row["difference_low"], row["difference_high"]), sign="+"
            ),
            "p": _number(row["p_value"], 3),
            "Deflated": _number(row["deflated_sharpe"], 2),
            **_measured(row),
        }
        for row in metrics(study, comparison)
    ]


def _measured(row: Mapping[str, float]) -> dict[str, str]:
    return {
        "CAGR, %": _number(row["cagr"], 1, 100.0),
        "Volatility, %": _number(row["volatility"], 1, 100.0),
        "Sortino": _number(row["sortino"], 2),
        "Drawdown, %": _number(row["max_drawdown"], 1, 100.0),
        "CVaR, %": _number(row["cvar_95"], 2, 100.0),
        "Turnover": _number(row["turnover"], 2),
        "Cost, bp": _number(row["cost_rate"], 1, 1e4),
    }


def metrics(study: Study, comparison: Comparison) -> list[dict[str, Any]]:
    """Return every number, a row for each strategy, as `rows`; what does not exist is NaN."""
    nothing = Estimate(math.nan, math.nan, math.nan)
    measured = {name: study.measures(name) for name in comparison.sharpe}
    if study.index:
        name, level = study.index
        measured[name] = statistics.measures(level, study.cash_return) | {"turnover": math.nan, "cost_rate": math.nan}
    found = []
    for name, numbers in measured.items():
        ratio, difference = comparison.sharpe.get(name, nothing), comparison.difference.get(name, nothing)
        found.append(
            {"strategy": name}
            | {measure: float(np.mean(number)) for measure, number in numbers.items()}
            | {
                "sharpe_low": ratio.low,
                "sharpe_high": ratio.high,
                "difference": difference.value,
                "difference_low": difference.low,
                "difference_high": difference.high,
                "p_value": comparison.p_value.get(name, math.nan),
                "probabilistic_sharpe": comparison.probabilistic.get(name, math.nan),
                "deflated_sharpe": comparison.deflated.get(name, math.nan),
            }
        )
    return found


def run_metrics(study: Study, comparison: Comparison) -> list[dict[str, Any]]:
    """Return the measures of each run, the best learner first, its runs in the order of their names."""
    found = []
    for strategy in comparison.sharpe:
        numbers = study.measures(strategy)
        for place, run in enumerate(study.runs.get(strategy, ())):
            each = {measure: float(number[place]) for measure, number in numbers.items()}
            found.append({"strategy": strategy, "run": run} | each)
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
        changes = 100.0 * statistics.over_runs(statistics.simple_returns(study.backtests[name].value[ends]))
        shown = np.round(changes, 1) + 0.0  # no minus zero
        table.append({"Strategy": name} | dict(zip(years[ends[1:]].astype(str), shown, strict=True)))
    return table


def _runs(study: Study, comparison: Comparison) -> list[dict[str, str]]:
    """Return the table of runs as text."""
    return [
        {"Strategy": row["strategy"], "Run": row["run"], "Sharpe": _number(row["sharpe"], 2), **_measured(row)}
        for row in run_metrics(study, comparison)
    ]


def _compliance(study: Study) -> list[dict[str, str]]:
    """Return on how many days each rule kept each strategy from its target, and by how much; of runs, the means."""
    amounts: dict[tuple[str, str], list[float]] = {}
    for row in study.compliance:
        amounts.setdefault((str(row["strategy"]), str(row["rule"])), []).append(float(row["amount"]))
    return [
        {
            "Strategy": name,
            "Rule": rule,
            "Days": f"{round(len(found) / len(study.runs.get(name, [name])), 1):,g}",
            "Mean amount": f"{np.mean(found):.4f}",
        }
        for (name, rule), found in sorted(amounts.items())
    ]


def _curves(study: Study) -> Iterable[dict[str, object]]:
    curves: dict[str, Array] = {}
    for name, backtest in study.backtests.items():
        names = [f"{name} {run}" for run in study.runs.get(name, ())] or [name]
        curves |= dict(zip(names, np.column_stack([backtest.value]).T, strict=True))
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
