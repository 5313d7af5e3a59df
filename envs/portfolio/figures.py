"""The pictures of a report."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from . import statistics
from .statistics import DAYS_PER_YEAR, Array, Comparison

if TYPE_CHECKING:
    from .report import Study

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
#: Assets or groups with a colour of their own.
_NAMED = 6
#: As many days as a small panel can show.
_POINTS = 360
_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_PATH = re.compile(r' d="[^"]*"')


def draw(study: Study, comparison: Comparison) -> dict[str, str]:
    """Return the pictures: title -> SVG."""
    pictures: dict[str, Callable[[Study, Comparison], Figure]] = {
        "Growth": draw_growth,
        "Sharpe ratios": draw_sharpe,
        "Drawdown": draw_drawdown,
    }
    if len(study.dates) > 2 * DAYS_PER_YEAR:
        pictures["Rolling Sharpe ratio"] = draw_rolling_sharpe
    pictures["Turnover and cost"] = draw_trading
    if study.assets and study.held():
        pictures["Weights"] = draw_weights
    drawn = {}
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        for title, picture in pictures.items():
            file = io.StringIO()
            picture(study, comparison).savefig(file, format="svg", metadata={"Date": None, "Title": title})
            drawn[title] = _PATH.sub(lambda path: _NUMBER.sub(r"\1", path[0]), file.getvalue())  # 0.01 points will do
    return drawn


def themed(picture: str) -> str:
    """Return an SVG for the page: its element alone, in the page's colours."""
    for color, variable in ((PAPER, "paper"), (INK, "ink"), (SOFT, "soft"), (LINE, "line")):
        picture = picture.replace(color, f"var(--{variable})")
    return picture[picture.index("<svg") :]


def draw_growth(study: Study, comparison: Comparison) -> Figure:
    """Draw what each strategy made of 1, on a logarithmic scale."""
    figure = _figure(8.6, 4.6)
    axes = figure.subplots()
    lines = lines_of(comparison)
    ends = {}
    for name in reversed(lines):
        growth, lowest, highest = _spread(study.backtests[name].value / study.backtests[name].value[0])
        color, dash = lines[name]
        width = 2.2 if name == study.benchmark else 1.3
        axes.plot(study.dates, np.where(growth > 0.0, growth, np.nan), color=color, linestyle=dash, linewidth=width)
        if name in study.runs:
            axes.fill_between(study.dates, lowest, highest, where=lowest > 0.0, color=color, alpha=0.15, linewidth=0.0)
        ends[name] = (growth[-1], color)
    if study.index:
        name, level = study.index
        axes.plot(study.dates, level / level[0], color=SOFT, linewidth=1.0)
        ends[name] = (level[-1] / level[0], SOFT)
    low, high = axes.get_ylim()
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 10.0 * low else MaxNLocator(6))
    axes.yaxis.set_minor_locator(NullLocator())
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
    lines = lines_of(comparison)
    for place, name in enumerate(names):
        if name in study.runs:
            ratios = study.measures(name)["sharpe"]
            panels[0].scatter(ratios, np.full(len(ratios), place + 0.28), s=8, color=lines[name][0], linewidths=0)
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
        name: 100.0 * np.minimum.reduceat(statistics.drawdown(study.backtests[name].value), days, axis=0)
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
    names = list(comparison.sharpe)
    traded = [study.measures(name) for name in names]
    numbers = {
        "turnover per year, multiple of the value": [np.mean(one["turnover"]) for one in traded],
        "cost per year, basis points": [1e4 * np.mean(one["cost_rate"]) for one in traded],
    }
    figure = _figure(8.6, 1.1 + 0.3 * len(names))
    panels = figure.subplots(1, 2, sharey=True)
    lines = lines_of(comparison)
    for axes, (label, found) in zip(panels, numbers.items(), strict=True):
        sizes = np.array(found)
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
    """Draw the weights over time, stacked: the assets or groups held most by name, the others together, and cash."""
    days = _thinned(len(study.dates), _POINTS // 4)
    kinds = list(dict.fromkeys(study.assets))
    members = np.array([[asset == kind for kind in kinds] for asset in study.assets], np.float64)
    held = {name: weights[days] for name, weights in study.held().items()}
    sums = {name: held[name][:, :-1] @ members for name in comparison.sharpe if name in held}
    order = np.argsort(-np.mean([np.abs(each).mean(axis=0) for each in sums.values()], axis=0), kind="stable")
    named, others = order[:_NAMED], order[_NAMED:]
    rest = [kinds[others[0]] if len(others) == 1 else f"{len(others)} others"] if len(others) else []
    labels = [*(kinds[i] for i in named), *rest, "cash"]
    colors = [*COLORS[: len(named)], *(GREY for _ in rest), LINE]
    figure, panels = _grid(list(sums))
    for axes, (name, each) in zip(panels, sums.items(), strict=True):
        together = [each[:, others].sum(axis=1) for _ in rest]
        layers = 100.0 * np.column_stack([each[:, named], *together, held[name][:, -1]]).T
        shown = axes.stackplot(
            study.dates[days], np.maximum(layers, 0.0), colors=colors, labels=labels, linewidth=0.0
        )  # fmt: skip
        if (layers < 0.0).any():
            axes.stackplot(study.dates[days], np.minimum(layers, 0.0), colors=colors, linewidth=0.0)
        axes.set_title(name, loc="left", fontsize=10)
        axes.margins(x=0, y=0)
    figure.legend(handles=shown, loc="outside upper center", ncols=4, frameon=False, fontsize=9, handlelength=1.0)
    figure.supylabel("weight, %", color=SOFT, fontsize=10)
    return figure


def _thinned(days: int, points: int = _POINTS) -> NDArray[np.int64]:
    """Return the indexes of days to draw, the first and the last among them."""
    return np.unique(np.linspace(0, days - 1, points).astype(np.int64))


def _spread(curves: Array) -> tuple[Array, Array, Array]:
    """Return on each day the median of the runs, the lowest and the highest (T,), of curves (T,) or (T, R)."""
    runs = np.column_stack([curves])
    return np.median(runs, axis=1), runs.min(axis=1), runs.max(axis=1)


def _panels(
    comparison: Comparison, dates: NDArray[np.datetime64], curves: Mapping[str, Array], is_filled: bool
) -> Figure:
    """Draw each strategy's curve in a panel of its own, beside the benchmark's."""
    names = [name for name in comparison.sharpe if not np.isnan(curves[name]).all()]
    rivals = [name for name in names if name != comparison.benchmark] or [comparison.benchmark]
    lines = lines_of(comparison)
    figure, panels = _grid(rivals)
    for axes, name in zip(panels, rivals, strict=True):
        axes.axhline(0.0, color=SOFT, linewidth=0.8)
        axes.plot(dates, _spread(curves[comparison.benchmark])[0], color=INK, linewidth=0.6)
        middle, low, high = _spread(curves[name])
        if is_filled:
            axes.fill_between(dates, middle, color=lines[name][0], alpha=0.35, linewidth=0.0)
        if curves[name].ndim == 2:
            axes.fill_between(dates, low, high, color=lines[name][0], alpha=0.15, linewidth=0.0)
        axes.plot(dates, middle, color=lines[name][0], linewidth=1.1)
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
    for axes in panels[: len(names)]:
        locator = AutoDateLocator(minticks=2, maxticks=5)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
    return figure, panels[: len(names)]


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def lines_of(comparison: Comparison) -> dict[str, tuple[str, Any]]:
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
