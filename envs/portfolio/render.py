"""The picture of an account: what it was worth, how far below its peak, and what is held."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..core import canvas as c
from ..core.canvas import Axes, Box, Canvas, History

WIDTH, HEIGHT = 960, 600
#: Days that the picture shows.
WINDOW = 1260
#: Lines of weights that have room.
LINES = 24


class Dashboard:
    """Draws an account.

    Left, over time: wealth beside the benchmark, the drawdown, and what of wealth was held, in layers. Right: the
    weights of today.
    """

    def __init__(self, assets: Sequence[str], benchmark: str) -> None:
        """Prepare pictures.

        Args:
            assets: their names.
            benchmark: what wealth is compared with.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        self._assets, self._benchmark = tuple(assets), benchmark
        self._canvas = Canvas(WIDTH, HEIGHT)
        self._past = History(3 + len(assets) + 1, WINDOW)
        self._trade = {"fee": 0.0, "turnover": 0.0}

    def __reduce__(self) -> tuple[type[Dashboard], tuple[tuple[str, ...], str]]:
        """Make it anew, without its past: pictures are no part of a state."""
        return Dashboard, (self._assets, self._benchmark)

    def restart(self) -> None:
        """Forget the days before."""
        self._past.clear()

    def record(
        self, wealth: float, benchmark: float, drawdown: float, weights: NDArray[np.float64], **trade: float
    ) -> None:
        """Note a day.

        Args:
            wealth: over that at the start.
            benchmark: likewise.
            drawdown: below the peak, 0 to 1.
            weights: (N + 1,), cash last.
            **trade: of the day, ``fee`` and ``turnover``.
        """
        self._past.append([wealth, benchmark, drawdown, *weights])
        self._trade = trade

    def frame(self, when: str, value: float) -> NDArray[np.uint8]:
        """Return the picture, uint8 of shape (600, 960, 3).

        Args:
            when: the day.
            value: of the account.
        """
        canvas = self._canvas
        canvas.clear(c.PAPER)
        page = Box(0, 0, WIDTH, HEIGHT).inset(12, 10, 12, 12)
        self._header(page, when, value)
        charts, side = page.inset(top=54, right=306), page.inset(top=54, left=642)
        for card in (charts, side):
            canvas.rectangle(card, c.CARD, c.EDGE, 6)
        growth, drawdown, layers = (box.inset(top=18) for box in charts.inset(50, 7, 14, 24).rows([2.2, 1.0, 1.6], 7))
        self._growth(growth)
        self._drawdown(drawdown)
        self._layers(layers)
        self._weights(side)
        return canvas.picture()

    def _header(self, page: Box, when: str, value: float) -> None:
        canvas, (wealth, benchmark, *_) = self._canvas, self._past.rows[-1]
        canvas.text(page.x, page.y, "Portfolio", c.INK, c.LARGE)
        canvas.text(page.x, page.y + 27, f"{len(self._assets)} assets and cash   ·   {when}", c.MUTED)
        x = page.right
        for name, text, widest in (
            ("traded today", f"{100.0 * self._trade['turnover']:.1f} %", "000.0 %"),
            ("fees today", f"{self._trade['fee']:,.0f}", "00,000"),
            ("deepest drawdown", f"{100.0 * self._past.rows[:, 2].max():.1f} %", "deepest 00"),
            (self._benchmark, c.number(100.0 * (benchmark - 1.0), 1) + " %", "−000.0 %"),
            ("since the start", c.number(100.0 * (wealth - 1.0), 1) + " %", "−000.0 %"),
            ("value", f"{value:,.0f}", "0,000,000"),
        ):
            canvas.text(x, page.y + 1, name, c.MUTED, c.SMALL, (1, 0))
            canvas.text(x, page.y + 15, text, c.INK, c.LARGE, (1, 0))
            x -= max(canvas.width_of(widest, c.LARGE), canvas.width_of(name, c.SMALL)) + 16

    def _growth(self, box: Box) -> None:
        rows = self._past.rows
        low, high = float(rows[:, :2].min()), float(rows[:, :2].max())
        step = c.tick_step(low - 0.01, high + 0.01, 5)
        axes = self._axes(box, (step * np.floor((low - 0.005) / step), step * np.ceil((high + 0.005) / step)))
        for column, color, width in ((1, c.FAINT, 1.5), (0, c.BLUE, 2.0)):
            axes.trace(np.arange(len(rows)), rows[:, column], color, width)
            axes.head(np.arange(len(rows), dtype=np.float64), rows[:, column], color)
        self._canvas.text(box.x, box.y - 4, "Wealth over that at the start", c.INK, c.NORMAL, (0, 1))
        x = box.right - self._canvas.text(box.right, box.y - 4, self._benchmark, c.MUTED, c.SMALL, (1, 1)) - 14
        self._canvas.text(x, box.y - 4, "account", c.BLUE, c.SMALL, (1, 1))

    def _drawdown(self, box: Box) -> None:
        down = 100.0 * self._past.rows[:, 2]
        depth = max(5.0, 5.0 * np.ceil(down.max() / 5.0))
        axes = self._axes(box, (-depth, 0.0))
        self._canvas.clip(box)
        for x, (left, right) in enumerate(zip(down[:-1], down[1:], strict=True)):
            (x0, y0), (x1, y1) = axes.points([x, x + 1], [0.0, -max(left, right)])
            self._canvas.rectangle(Box(x0, y0, x1 - x0 + 0.5, y1 - y0), c.pale(c.RED, 0.75))
        self._canvas.clip(None)
        axes.trace(np.arange(len(down)), -down, c.RED, 1.5)
        self._canvas.text(box.x, box.y - 4, "Below the peak (%)", c.INK, c.NORMAL, (0, 1))

    def _layers(self, box: Box) -> None:
        """Draw the weights over time as layers, what is owed or short downwards; assets in shades, cash in grey."""
        weights = 100.0 * self._past.rows[:, 3:]
        up, down = np.maximum(weights, 0.0).sum(axis=1).max(), np.minimum(weights, 0.0).sum(axis=1).min()
        axes = self._axes(
            box, (min(0.0, 50.0 * np.floor(down / 50.0 + 1e-6)), max(100.0, 50.0 * np.ceil(up / 50.0 - 1e-6)))
        )
        self._canvas.clip(box)
        for x, row in enumerate(weights[:-1] if len(weights) > 1 else weights):
            above, below = 0.0, 0.0
            for j, weight in enumerate(row):
                start = above if weight >= 0.0 else below
                (x0, y0), (x1, y1) = axes.points([x, x + 1], [start, start + weight])
                box_of = Box(x0, min(y0, y1), x1 - x0 + 0.5, abs(y1 - y0))
                if box_of.height > 0.0:
                    self._canvas.rectangle(box_of, self._color(j))
                above, below = above + max(weight, 0.0), below + min(weight, 0.0)
        self._canvas.clip(None)
        self._canvas.text(box.x, box.y - 4, "What is held (% of wealth)", c.INK, c.NORMAL, (0, 1))
        self._canvas.text(box.right, box.y - 4, "colours as at the right", c.MUTED, c.SMALL, (1, 1))
        self._canvas.text(box.right, box.bottom + 3, "days", c.MUTED, c.SMALL, (1, 0))
        ticks = [t for t in c.ticks(0, self._span(), 8) if t < 0.93 * self._span()]
        axes.label_x(ticks)

    def _weights(self, card: Box) -> None:
        """Draw a bar for each asset, and for cash; the largest, if there are too many."""
        weights = self._past.rows[-1, 3:]
        names = [*self._assets, "cash"]
        shown = range(len(names))
        if len(names) > LINES:
            shown = sorted(np.argsort(-np.abs(weights))[:LINES].tolist())  # type: ignore[assignment]
        self._canvas.text(card.x + 14, card.y + 8, "Weights today (%)", c.INK)
        inner = card.inset(14, 30, 14, 8)
        label = max(self._canvas.width_of(names[j][:10]) for j in shown) + 8
        number = self._canvas.width_of("−000.0") + 6
        low, high = min(0.0, float(weights.min())), max(0.1, float(weights.max()))
        bars = Axes(self._canvas, inner.inset(left=label, right=number), (low, high), (0.0, 1.0))
        for j, row in zip(shown, inner.rows([1.0] * max(len(shown), 8), gap=3), strict=False):
            middle = row.y + row.height / 2
            self._canvas.text(row.x, middle, names[j][:10], c.INK, c.NORMAL, (0, 0.5))
            zero, end = bars.points([0.0, weights[j]], 0.0)[:, 0]
            self._canvas.rectangle(
                Box(min(zero, end), row.y + 1, max(abs(end - zero), 1.0), row.height - 2), self._color(j)
            )
            self._canvas.text(row.right, middle, c.number(100.0 * weights[j], 1), c.INK, c.NORMAL, (1, 0.5))

    def _color(self, j: int) -> c.Color:
        """Return the colour of asset ``j``: one of the series, paler with each round; grey for cash."""
        if j == len(self._assets):
            return c.EDGE
        rounds = -(-len(self._assets) // len(c.SERIES))
        return c.pale(c.SERIES[j % len(c.SERIES)], 0.75 * (j // len(c.SERIES)) / rounds)

    def _span(self) -> float:
        return float(max(len(self._past.rows) - 1, 20))

    def _axes(self, box: Box, y_range: tuple[float, float]) -> Axes:
        axes = Axes(self._canvas, box, (0.0, self._span()), (float(y_range[0]), float(y_range[1])))
        y_ticks = c.ticks(*axes.y_range, max(2, round(box.height / 28)))
        axes.grid(c.ticks(0, self._span(), 8), y_ticks)
        axes.label_y(y_ticks)
        return axes
