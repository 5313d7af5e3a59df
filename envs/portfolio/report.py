"""Writes a report on backtests: one page that needs nothing else, its pictures, and the numbers as CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import ArrayLike, NDArray

from . import statistics
from .statistics import DAYS_PER_YEAR, Array, Comparison, Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .accounting import Backtest

# Colours of the light theme; in the page they become CSS variables, which the dark theme sets anew.
PAPER, INK, SOFT, LINE = "#ffffff", "#1d1f21", "#62676d", "#e3e5e8"
# Colours that also differ in grey and for colour-blind eyes (Okabe and Ito 2008), each solid, then dashed, then dotted.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#a8adb3"
DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.5)), (0, (1.2, 1.2)))
STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,
    "axes.titlecolor": INK,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "path.simplify_threshold": 0.4,
    "svg.fonttype": "none",
    "svg.hashsalt": "rlx",
}
_NAMED_ASSETS = 6
#: As many days as a small panel can show.
_POINTS = 360
_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_PATH = re.compile(r' d="[^"]*"')


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
    """Names of the N assets, for the weights."""
    weights: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    """By strategy: weights (T, N + 1), cash last."""
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
            ValueError: curves of other lengths than the dates, a name that stands twice, or no curve of the benchmark.
        """
        days = len(self.dates)
        curves = {f"{name}'s value": backtest.value for name, backtest in self.backtests.items()}
        curves |= {f"{name}'s weights": weights for name, weights in self.weights.items()}
        curves |= {self.index[0]: self.index[1]} if self.index else {}
        for what, curve in curves.items():
            if len(curve) != days:
                raise ValueError(f"{what} has {len(curve)} days, but there are {days} dates.")
        if self.index and self.index[0] in self.backtests:
            raise ValueError(f"There is a strategy of the index's name, {self.index[0]!r}: rename one of them.")
        if self.benchmark not in self.backtests:
            raise ValueError(f"benchmark = {self.benchmark!r} has no backtest. There are: {', '.join(self.backtests)}.")

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
    pictures = draw(study, comparison)
    folder.mkdir(parents=True, exist_ok=True)
    for title, picture in pictures.items():
        (folder / f"{title.lower().replace(' ', '_')}.svg").write_text(picture, encoding="utf-8")
    _write_csv(folder / "metrics.csv", metrics(study, comparison))
    _write_csv(folder / "curves.csv", _curves(study))
    if study.compliance:
        _write_csv(folder / "compliance.csv", study.compliance)
    page = folder / "index.html"
    page.write_text(html(study, comparison, pictures), encoding="utf-8")
    return page


def html(study: Study, comparison: Comparison, pictures: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        study: what was done.
        comparison: what it says.
        pictures: title -> SVG, as `draw` returns them.
    """
    jinja2 = _module("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rlx.envs.portfolio", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("report.html.j2")
    text: str = template.render(
        study=study,
        lead=_lead(study),
        findings=findings(study, comparison),
        rows=rows(study, comparison),
        years=_years(study, comparison),
        compliance=_compliance(study),
        pictures={title: _themed(picture) for title, picture in pictures.items()},
        colors={name: color for name, (color, _) in _lines(comparison).items()},
        methods=_methods(comparison),
    )
    return text


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
                f"the smallest p = {least:.2f})."
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


def draw(study: Study, comparison: Comparison) -> dict[str, str]:
    """Return the pictures: title -> SVG.

    Raises:
        DependencyNotInstalled: matplotlib is missing.
    """
    matplotlib = _module("matplotlib")
    pictures: dict[str, Callable[[Study, Comparison], Figure]] = {
        "Growth": draw_growth,
        "Sharpe ratios": draw_sharpe,
        "Drawdown": draw_drawdown,
    }
    if len(study.dates) > 2 * DAYS_PER_YEAR:
        pictures["Rolling Sharpe ratio"] = draw_rolling_sharpe
    pictures["Turnover and cost"] = draw_trading
    if study.weights:
        pictures["Weights"] = draw_weights
    drawn = {}
    with matplotlib.rc_context(STYLE):
        for title, picture in pictures.items():
            file = io.StringIO()
            picture(study, comparison).savefig(file, format="svg", metadata={"Date": None, "Title": title})
            drawn[title] = _PATH.sub(lambda path: _NUMBER.sub(r"\1", path[0]), file.getvalue())  # 0.01 points will do
    return drawn


def draw_growth(study: Study, comparison: Comparison) -> Figure:
    """Draw what each strategy made of 1, on a logarithmic scale."""
    figure = _figure(8.6, 4.6)
    axes = figure.subplots()
    lines = _lines(comparison)
    ends = {}
    for name in reversed(lines):
        growth = study.backtests[name].value / study.backtests[name].value[0]
        color, dash = lines[name]
        width = 2.2 if name == study.benchmark else 1.3
        axes.plot(study.dates, np.where(growth > 0.0, growth, np.nan), color=color, linestyle=dash, linewidth=width)
        ends[name] = (growth[-1], color)
    if study.index:
        name, level = study.index
        axes.plot(study.dates, level / level[0], color=SOFT, linewidth=1.0)
        ends[name] = (level[-1] / level[0], SOFT)
    low, high = axes.get_ylim()
    axes.set_yscale("log")
    ticker = _module("matplotlib.ticker")
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)) if high > 10.0 * low else ticker.MaxNLocator(6))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    axes.margins(x=0)
    axes.set_ylabel("value, multiple of the first day's")
    _label_ends(axes, {name: end for name, end in ends.items() if end[0] > 0.0})
    return figure


def draw_sharpe(study: Study, comparison: Comparison) -> Figure:
    """Draw each Sharpe ratio, and its difference from the benchmark's, with 95 % intervals."""
    names = [name for name, ratio in comparison.sharpe.items() if not math.isnan(ratio.value)]
    figure = _figure(8.6, 1.1 + 0.3 * len(names))
    shown = {"annual Sharpe ratio, 95 % interval": comparison.sharpe}
    if comparison.difference:
        shown[f"less that of {study.benchmark}, on the same days"] = comparison.difference
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    lines = _lines(comparison)
    for axes, (label, estimates) in zip(panels, shown.items(), strict=True):
        for place, name in enumerate(names):
            if name in estimates:
                value, low, high = estimates[name]
                axes.plot([low, high], [place, place], color=lines[name][0], linewidth=2.0, solid_capstyle="butt")
                axes.plot(value, place, marker="o", markersize=6, color=lines[name][0])
        axes.axvline(0.0, color=SOFT, linewidth=1.0)
        axes.locator_params(axis="x", nbins=6)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label)
    panels[0].set_yticks(range(len(names)), names, color=INK)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def draw_drawdown(study: Study, comparison: Comparison) -> Figure:
    """Draw how far each strategy is below its highest value so far, beside the benchmark's line."""
    days = _thinned(len(study.dates))
    depths = {  # the deepest of the days that are left out
        name: 100.0 * np.minimum.reduceat(statistics.drawdown(study.backtests[name].value), days)
        for name in comparison.sharpe
    }
    figure = _panels(comparison, study.dates[days], depths, is_filled=True)
    figure.supylabel("below the highest value so far, %", color=SOFT, fontsize=10)
    return figure


def draw_rolling_sharpe(study: Study, comparison: Comparison) -> Figure:
    """Draw each strategy's Sharpe ratio over the year up to each day, beside the benchmark's line."""
    days = _thinned(len(study.dates) - DAYS_PER_YEAR)
    ratios = {name: statistics.rolling_sharpe(excess)[days] for name, excess in study.excess().items()}
    figure = _panels(comparison, study.dates[DAYS_PER_YEAR:][days], ratios, is_filled=False)
    figure.supylabel("annual Sharpe ratio of the last 252 days", color=SOFT, fontsize=10)
    return figure


def draw_trading(study: Study, comparison: Comparison) -> Figure:
    """Draw what each strategy trades in a year, and what that costs."""
    numbers = [row for row in metrics(study, comparison) if row["strategy"] in study.backtests]
    names = [row["strategy"] for row in numbers]
    figure = _figure(8.6, 1.1 + 0.3 * len(names))
    panels = figure.subplots(1, 2, sharey=True)
    lines = _lines(comparison)
    labels = ("turnover per year, multiple of the value", "cost per year, basis points")
    for axes, key, scale, label in zip(panels, ("turnover", "cost_rate"), (1.0, 1e4), labels, strict=True):
        sizes = np.array([scale * row[key] for row in numbers])
        bars = axes.barh(names, sizes, height=0.62, color=[lines[name][0] for name in names])
        texts = [f"{size:,.0f}" if size >= 100.0 else f"{size:.3g}" for size in sizes]
        axes.bar_label(bars, texts, padding=4, color=SOFT, fontsize=9)
        middle = float(np.median(sizes))
        if sizes.max() > 20.0 * middle > 0.0:  # one that trades a great deal must not hide the rest
            threshold = 10.0 ** math.floor(math.log10(middle))
            axes.set_xscale("symlog", linthresh=threshold)
            label += f"\n(logarithmic above {threshold:g})"
        axes.margins(x=0.16)
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,g}")
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label)
    panels[0].tick_params(axis="y", labelcolor=INK)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def draw_weights(study: Study, comparison: Comparison) -> Figure:
    """Draw the weights over time, stacked: the assets held most by name, the others together, and cash."""
    names = [name for name in comparison.sharpe if name in study.weights]
    held = np.mean([np.abs(study.weights[name][:, :-1]).mean(axis=0) for name in names], axis=0)
    named = np.argsort(-held, kind="stable")[:_NAMED_ASSETS]
    others = np.setdiff1d(np.arange(len(held)), named)
    days = _thinned(len(study.dates), _POINTS // 3)
    colors = [*COLORS[: len(named)], GREY, LINE]
    labels = [*(study.assets[i] for i in named), f"{len(others)} others", "cash"]
    figure, panels = _grid(names)
    for axes, name in zip(panels, names, strict=True):
        weights = study.weights[name][days]
        layers = np.column_stack([weights[:, named], weights[:, others].sum(axis=1), weights[:, -1]])
        long, short = 100.0 * np.maximum(layers, 0.0), 100.0 * np.minimum(layers, 0.0)
        shown = axes.stackplot(study.dates[days], long.T, colors=colors, labels=labels, linewidth=0.0)
        if short.any():
            axes.stackplot(study.dates[days], short.T, colors=colors, linewidth=0.0)
        axes.set_title(name, loc="left", fontsize=10)
        axes.margins(x=0, y=0)
    figure.legend(handles=shown, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=9,
                  handlelength=1.0, columnspacing=1.2)  # fmt: skip
    figure.supylabel("weight, %", color=SOFT, fontsize=10)
    return figure


def _thinned(days: int, points: int = _POINTS) -> NDArray[np.int64]:
    """Return the indexes of days to draw, the first and the last among them."""
    return np.unique(np.linspace(0, days - 1, points).astype(np.int64))


def _panels(
    comparison: Comparison, dates: NDArray[np.datetime64], curves: Mapping[str, Array], is_filled: bool
) -> Figure:
    """Draw each strategy's curve in a panel of its own, beside the benchmark's."""
    names = [name for name in comparison.sharpe if not np.isnan(curves[name]).all()]
    rivals = [name for name in names if name != comparison.benchmark] or [comparison.benchmark]
    lines = _lines(comparison)
    figure, panels = _grid(rivals)
    for axes, name in zip(panels, rivals, strict=True):
        axes.axhline(0.0, color=SOFT, linewidth=0.8)
        axes.plot(dates, curves[comparison.benchmark], color=INK, linewidth=0.6)
        if is_filled:
            axes.fill_between(dates, curves[name], color=lines[name][0], alpha=0.35, linewidth=0.0)
        axes.plot(dates, curves[name], color=lines[name][0], linewidth=1.1)
        axes.margins(x=0)
        axes.set_title(name, loc="left", fontsize=10)
    return figure


def _grid(names: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each name, up to three in a row."""
    columns = min(3, len(names))
    height = -(-len(names) // columns)
    figure = _figure(8.6, max(0.8 + 1.5 * height, 2.8))
    panels = list(figure.subplots(height, columns, sharex=True, sharey=True, squeeze=False).ravel())
    for axes in panels[len(names) :]:
        axes.remove()
    for axes in panels[max(len(names) - columns, 0) : len(names)]:  # with a hole below, too
        axes.tick_params(labelbottom=True)
    dates = _module("matplotlib.dates")
    for axes in panels[: len(names)]:
        locator = dates.AutoDateLocator(minticks=2, maxticks=5)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, show_offset=False))
    return figure, panels[: len(names)]


def _figure(width: float, height: float) -> Figure:
    figure: Figure = _module("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")
    return figure


def _lines(comparison: Comparison) -> dict[str, tuple[str, Any]]:
    """Return the colour and the dash of each strategy, the best first; the benchmark has the colour of ink."""
    others = [name for name in comparison.sharpe if name != comparison.benchmark]
    styles = {
        name: (COLORS[i % len(COLORS)], DASHES[i // len(COLORS) % len(DASHES)])
        for i, name in enumerate(others)
    }  # fmt: skip
    styles[comparison.benchmark] = (INK, "solid")
    return {name: styles[name] for name in comparison.sharpe}


def _label_ends(axes: Axes, ends: Mapping[str, tuple[float, str]]) -> None:
    """Name the curves at the right edge, each as near to its end as the other names allow.

    Args:
        axes: where.
        ends: name -> where its curve ends, and its colour.
    """
    axes.figure.canvas.draw()
    height = axes.bbox.height / axes.figure.dpi * 72.0  # in points, as the distances below
    distance = 12.0
    names = sorted(ends, key=lambda name: ends[name][0])
    wanted = [height * axes.transAxes.inverted().transform(axes.transData.transform((0, ends[name][0])))[1]
              for name in names]  # fmt: skip
    places = np.array(wanted)
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + distance)
    places[-1:] = np.minimum(places[-1:], height)
    for i in range(len(places) - 2, -1, -1):
        places[i] = min(places[i], places[i + 1] - distance)
    for name, y, place in zip(names, wanted, places, strict=True):
        axes.annotate(name, (1.0, y / height), xycoords="axes fraction", xytext=(7, place - y), color=ends[name][1],
                      textcoords="offset points", va="center", fontsize=9, annotation_clip=False)  # fmt: skip


def _themed(picture: str) -> Any:
    """Return an SVG for the page: in the page's colours and of its width."""
    for color, variable in ((PAPER, "paper"), (INK, "ink"), (SOFT, "soft"), (LINE, "line")):
        picture = picture.replace(color, f"var(--{variable})")
    return _module("markupsafe").Markup(picture[picture.index("<svg") :])


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


def _module(name: str) -> Any:
    """Return a module that comes with the extra ``baselines``.

    Raises:
        DependencyNotInstalled: it is missing.
    """
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise DependencyNotInstalled(f'A report needs {package}: pip install "rlx[baselines]"') from None
