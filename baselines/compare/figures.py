"""The pictures of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter

from .results import Results
from .statistics import Array, bootstrap, iqm_band, profile_band, stratified_iqm, stratified_iqm_band
from .suite import SuiteResults

# Colours that also differ in grey and for colour-blind eyes (Okabe and Ito 2008); "random" is always grey.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#8a8a8a"
SCALE = "score (0: random play, 1: expert)"
PLACES = (-0.5, 2.0)  # what of that scale is drawn of single scores
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": "#333333",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "xtick.color": "#666666",
    "ytick.color": "#666666",
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "svg.hashsalt": "rlx",  # the same picture, the same file
}


def colors(algos: Sequence[str]) -> dict[str, str]:
    """Return a colour for each algorithm."""
    others = [algo for algo in algos if algo != "random"]
    return {algo: COLORS[i % len(COLORS)] for i, algo in enumerate(others)} | {"random": GREY}


def draw_all(results: Results, folder: Path) -> dict[str, Path]:
    """Draw what there is to draw into ``folder``; return title -> file."""
    pictures = {"Learning curves": draw_curves} if results.learners else {}
    pictures |= {"Returns of the final episodes": draw_returns}
    if results.learners and results.experts:
        pictures |= {"Episode by episode": draw_episodes}
    files = {}
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        for title, draw in pictures.items():
            files[title] = folder / f"{draw.__name__.removeprefix('draw_')}.png"
            figure = draw(results)
            figure.savefig(files[title])
    return files


def draw_suite(results: SuiteResults, folder: Path) -> dict[str, Path]:
    """Draw what there is to draw of several environments into ``folder``; return title -> file."""
    pictures = {"Performance profile": draw_profile, "Learning curves": draw_progress} if results.scores else {}
    files = {}
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        for title, draw in pictures.items():
            files[title] = folder / f"{draw.__name__.removeprefix('draw_')}.png"
            draw(results).savefig(files[title])
    return files


def draw_profile(results: SuiteResults) -> Figure:
    """Draw which share of an algorithm's runs scores more than each threshold, with a 95 % band."""
    lowest = min(scores.min() for of in results.scores.values() for scores in of.values())
    thresholds = np.linspace(max(lowest, -0.5) - 0.02, 1.5, 201)
    figure, axes = _draw_bands(results, results.scores, thresholds, lambda of: profile_band(of, thresholds))
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(SCALE)
    axes.set_ylabel("share of runs that score more")
    return figure


def draw_progress(results: SuiteResults) -> Figure:
    """Draw the interquartile mean over all environments against the share of training that is done."""
    figure, axes = _draw_bands(results, results.curves, None, stratified_iqm_band)
    axes.axhline(1.0, color=GREY, linewidth=1.2, linestyle=(0, (5, 2)))
    axes.set_xlabel("training done, in %")
    axes.set_ylabel(SCALE)
    return figure


def draw_places(results: SuiteResults, groups: Mapping[str, Sequence[str]]) -> Figure:
    """Draw where on the scale each algorithm is, environment by environment, with 95 % intervals of learners.

    Args:
        results: of the environments.
        groups: title -> environments, each group under its title.
    """
    lines: list[tuple[str, str]] = []  # (title or "", environment or "")
    for title, env_ids in groups.items():
        scaled = [("", env_id) for env_id in env_ids if env_id in results.scales]
        lines += [(title, ""), *scaled] if scaled else []
    learners = [algo for algo in results.scores if any(algo in of.learners for of in results.each.values())]
    palette = colors(learners)
    figure = Figure(figsize=(8.4, 1.0 + 0.27 * len(lines)), layout="constrained")
    axes = figure.subplots()
    low, high = PLACES
    for line, (_, env_id) in enumerate(lines):
        playing = [algo for algo in learners if env_id in results.scores[algo]]
        heights = dict(zip(playing, line + 0.16 * (np.arange(len(playing)) - (len(playing) - 1) / 2), strict=True))
        for algo in (algo for algo, of in results.scores.items() if env_id in of):
            place = heights.get(algo, line)
            estimate = bootstrap(stratified_iqm, [results.scores[algo][env_id]])
            x = float(np.clip(estimate.value, low, high))
            if algo in learners:
                end_low, end_high = np.clip([estimate.low, estimate.high], low, high)
                axes.plot([end_low, end_high], [place, place], color=palette[algo], linewidth=2.0, alpha=0.5)
                axes.plot(x, place, "o", color=palette[algo], markersize=6, zorder=3)
            elif algo not in ("random", "expert"):
                axes.plot(x, place, "|", color=GREY, markersize=9, markeredgewidth=1.6)
            if x != estimate.value:  # it lies beyond the edge
                axes.annotate(f"{estimate.value:.1f}", (x, place), (4, 0), textcoords="offset points", fontsize=8,
                              va="center", color=palette.get(algo, GREY))  # fmt: skip
    for level, text in ((0.0, "random"), (1.0, "expert")):
        axes.axvline(level, color=GREY, linewidth=1.2, linestyle=(0, (5, 2)), zorder=0)
        axes.annotate(text, (level, 1.0), (0, 4), xycoords=("data", "axes fraction"), textcoords="offset points",
                      ha="center", color="#666666", fontsize=9)  # fmt: skip
    labels = axes.set_yticks(range(len(lines)), [title or env_id for title, env_id in lines])
    for tick, (title, _) in zip(labels, lines, strict=True):
        tick.label1.set_fontweight("bold" if title else "normal")
        tick.label1.set_color("#222222")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(low - 0.05, high + 0.05)
    axes.set_ylim(len(lines) - 0.5, -0.7)
    axes.set_xlabel(f"{SCALE}; grey: other experts")
    marks = [axes.plot([], [], "o", color=palette[algo], label=algo)[0] for algo in learners]
    figure.legend(handles=marks, frameon=False, ncols=6, loc="outside lower right")
    return figure


def _draw_bands(
    results: SuiteResults,
    strata: Mapping[str, Mapping[str, Array]],
    x: Array | None,
    band: Callable[[list[Array]], tuple[Array, ...]],
) -> tuple[Figure, Axes]:
    """Draw a line with its band for each algorithm, given what it has in each environment; ``x`` None: 0 to 100."""
    figure = Figure(figsize=(8.4, 4.2), layout="constrained")
    axes = figure.subplots()
    palette = colors(list(results.scores))
    for algo, of in strata.items():
        middle, low, high = band(list(of.values()))
        places = np.linspace(0.0, 100.0, len(middle)) if x is None else x
        axes.plot(places, middle, color=palette[algo], linewidth=2.2, label=f"{algo} ({len(of)})")
        axes.fill_between(places, low, high, color=palette[algo], alpha=0.15, linewidth=0)
    axes.margins(x=0)
    axes.legend(frameon=False, title="algorithm (environments)")
    return figure, axes


def draw_curves(results: Results) -> Figure:
    """Draw mean return against steps: every seed, their interquartile mean and its band, the experts' levels.

    Where the second half of training is a small part of the picture, it is drawn again beside it, enlarged.
    """
    curves = {
        algo: np.array([[np.mean(row["returns"]) for row in run.curve] for run in results.runs[algo]])
        for algo in results.learners
    }
    levels = {algo: float(results.scores(algo).mean()) for algo in results.experts}
    late = np.concatenate([curve[:, curve.shape[1] // 2 :].ravel() for curve in curves.values()])
    ends = [*np.quantile(late, [0.1, 1.0]), *sorted(levels.values())[-1:]]
    low, high = min(ends), max(ends)
    everything = np.concatenate([curve.ravel() for curve in curves.values()])
    is_small = 0.0 < high - low < 0.2 * (max(everything.max(), high) - min(everything.min(), low))

    figure = Figure(figsize=(8.4, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, width_ratios=(3, 2)) if is_small else [figure.subplots()]
    for axes in panels:
        _draw_curves(axes, results, curves, levels)
    panels[0].set_ylabel(f"mean return of {results.settings.episodes} episodes")
    if is_small:
        panels[1].set_xlim(panels[1].get_xlim()[1] / 2.0, None)
        panels[1].set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        panels[1].set_title("enlarged", loc="left", fontsize=10, color="#666666")
    for axes in panels:
        _spread_labels(axes)
    return figure


def _draw_curves(axes: Axes, results: Results, curves: dict[str, Array], levels: dict[str, float]) -> None:
    palette = colors(list(results.runs))
    for algo, values in curves.items():
        steps = [row["step"] for row in results.runs[algo][0].curve]
        middle, low, high = iqm_band(values)
        axes.plot(steps, values.T, color=palette[algo], linewidth=0.8, alpha=0.45)
        axes.fill_between(steps, low, high, color=palette[algo], alpha=0.15, linewidth=0)
        axes.plot(steps, middle, color=palette[algo], linewidth=2.2)
        _label(axes, algo, float(middle[-1]), palette[algo])
    for algo, level in levels.items():
        axes.axhline(level, color=palette[algo], linewidth=1.6, linestyle=(0, (5, 2)))
        _label(axes, algo, level, palette[algo])
    axes.margins(x=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.6g}"))
    axes.set_xlabel("environment steps")


def draw_returns(results: Results) -> Figure:
    """Draw every final episode's return, the quartiles and the median, by algorithm."""
    algos = list(results.runs)
    figure = Figure(figsize=(8.4, 0.9 + 0.75 * len(algos)), layout="constrained")
    axes = figure.subplots()
    palette = colors(algos)
    jitter = np.random.default_rng(0)
    for place, algo in enumerate(algos):
        returns = results.returns(algo)
        heights = place + jitter.uniform(-0.27, 0.27, returns.shape)
        axes.scatter(returns, heights, s=11, color=palette[algo], alpha=0.4, linewidths=0)
        quartiles = np.quantile(returns, [0.25, 0.5, 0.75])
        axes.plot(quartiles[[0, 2]], [place, place], color="#222222", linewidth=1.4)
        axes.plot([quartiles[1]] * 2, [place - 0.33, place + 0.33], color="#222222", linewidth=2.0)
    axes.set_yticks(range(len(algos)), algos, color="#222222")
    axes.set_ylim(len(algos) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.6g}"))
    axes.set_xlabel("return of an episode (line: quartiles, bar: median)")
    return figure


def draw_episodes(results: Results) -> Figure:
    """Draw by how much each learner is ahead of the best expert, in each of the evaluation episodes."""
    best = max(results.experts, key=lambda algo: float(results.scores(algo).mean()))
    base = results.returns(best).mean(axis=0)
    order = np.argsort(base)[::-1]
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    axes = figure.subplots()
    palette = colors(list(results.runs))
    places = np.arange(len(base))
    width = 0.8 / len(results.learners)
    for i, algo in enumerate(results.learners):
        ahead = results.returns(algo)[:, order] - base[order]
        x = places + (i - (len(results.learners) - 1) / 2) * width
        axes.bar(x, ahead.mean(axis=0), width, color=palette[algo], alpha=0.35, linewidth=0, label=algo)
        axes.scatter(np.tile(x, (len(ahead), 1)), ahead, s=12, color=palette[algo], linewidths=0)
    axes.axhline(0.0, color=palette[best], linewidth=1.6, linestyle=(0, (5, 2)))
    axes.annotate(best, (1.0, 0.0), xycoords=axes.get_yaxis_transform(), xytext=(6, 0), textcoords="offset points",
                  va="center", color=palette[best], fontweight="bold")  # fmt: skip
    sizes = np.abs(np.concatenate([(results.returns(algo) - base).ravel() for algo in results.learners]))
    if sizes.max() > 20.0 * np.median(sizes) > 0.0:  # a few disasters must not hide the rest
        axes.set_yscale("symlog", linthresh=float(np.median(sizes)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.6g}"))
    axes.set_xticks(places, [str(i) for i in order], fontsize=8)
    axes.grid(axis="x", visible=False)
    axes.margins(x=0.01)
    axes.set_xlabel(f"evaluation episode, from {best}'s best to its worst (dots: runs, bars: their mean)")
    axes.set_ylabel(f"return ahead of {best}")
    if len(results.learners) > 1:
        axes.legend(frameon=False)
    return figure


def _label(axes: Axes, text: str, y: float, color: str) -> None:
    axes.annotate(text, (1.0, y), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
                  va="center", color=color, fontweight="bold", annotation_clip=False)  # fmt: skip


def _spread_labels(axes: Axes) -> None:
    """Move the labels at the right edge apart where they would overlap; drop those of what lies outside."""
    axes.figure.canvas.draw()
    bottom, top = axes.get_ylim()
    for label in tuple(axes.texts):
        if not bottom <= label.xy[1] <= top:  # type: ignore[attr-defined]
            label.remove()
    distance = 14.0 * axes.figure.dpi / 72.0
    height = -np.inf
    for label in sorted(axes.texts, key=lambda text: text.xy[1]):  # type: ignore[attr-defined]
        wanted = axes.transData.transform((0.0, label.xy[1]))[1]  # type: ignore[attr-defined]
        height = max(wanted, height + distance)
        label.set_position((6, (height - wanted) * 72.0 / axes.figure.dpi))
