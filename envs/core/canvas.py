"""Axes, traces and labels on an off-screen picture, drawn with pygame. No display is needed."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .display import load_pygame

if TYPE_CHECKING:
    import pygame

Color = tuple[int, int, int]

PAPER, CARD, EDGE, GRID = (244, 246, 248), (255, 255, 255), (214, 219, 226), (233, 236, 240)
INK, MUTED, FAINT = (38, 46, 58), (106, 115, 128), (176, 183, 193)
BLUE, ORANGE, GREEN, PURPLE, BROWN, TEAL = (
    (31, 99, 173), (226, 126, 36), (56, 142, 84), (126, 87, 164), (140, 98, 70), (28, 146, 152),
)  # fmt: skip
RED, AMBER = (199, 55, 52), (236, 176, 62)
#: Colours of traces that belong together.
SERIES = (BLUE, ORANGE, GREEN, PURPLE, BROWN, TEAL)

SMALL, NORMAL, LARGE = 13, 15, 21
"""Sizes of text: ticks, titles and read-outs, headlines."""

_SUBSCRIPT = re.compile(r"_\{(.*?)\}")
_OVERSAMPLING = 2  # everything is drawn this much larger and scaled down: smooth lines of any width, and smooth text
_FAR = 1e6  # pixels: where points beyond are drawn, so that they fit into pygame's integers


def pale(color: Color, share: float) -> Color:
    """Return ``color`` moved towards white by ``share``."""
    red, green, blue = (round(255 - (255 - part) * (1.0 - share)) for part in color)
    return red, green, blue


def tick_step(low: float, high: float, count: int) -> float:
    """Return the round distance (1, 2 or 5 times a power of ten) that puts about ``count`` ticks into [low, high]."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    return power * min((1.0, 2.0, 5.0, 10.0), key=lambda factor: abs(math.log(factor * power / rough)))


def ticks(low: float, high: float, count: int) -> list[float]:
    """Return the multiples of that distance in [low, high]."""
    step = tick_step(low, high, count)
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [step * i for i in range(first, last + 1)]


def number(value: float, decimals: int) -> str:
    """Return ``value`` in print, with a true minus sign and no negative zero; a dash for NaN."""
    if math.isnan(value):
        return "–"
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0.0 else text.replace("-", "−")


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle of the picture, in pixels from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height

    def inset(self, left: float = 0.0, top: float = 0.0, right: float = 0.0, bottom: float = 0.0) -> Box:
        """Return the box without margins of these widths."""
        return Box(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)

    def rows(self, weights: Sequence[float], gap: float = 0.0) -> list[Box]:
        """Divide the box into rows whose heights are in proportion to ``weights``."""
        unit = (self.height - gap * (len(weights) - 1)) / sum(weights)
        boxes, y = [], self.y
        for weight in weights:
            boxes.append(Box(self.x, y, self.width, unit * weight))
            y += unit * weight + gap
        return boxes


class Canvas:
    """A picture to draw on; lengths are in its pixels."""

    def __init__(self, width: int, height: int) -> None:
        """Take a picture of this size.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        pygame = load_pygame()
        self._pygame, self._draw = pygame, pygame.draw
        self._size = (width, height)
        self._surface = pygame.Surface((width * _OVERSAMPLING, height * _OVERSAMPLING), depth=32)
        self._font = functools.lru_cache(maxsize=None)(lambda size: pygame.font.Font(None, round(size * _OVERSAMPLING)))
        self._label = functools.lru_cache(maxsize=1024)(self._render)

    def clear(self, color: Color) -> None:
        """Fill the picture."""
        self._surface.fill(color)

    def rectangle(self, box: Box, fill: Color, edge: Color | None = None, radius: float = 0.0) -> None:
        """Draw a rectangle, with round corners of ``radius`` and perhaps an edge."""
        corner = round(radius * _OVERSAMPLING)
        for color, width in ((fill, 0), (edge, _OVERSAMPLING)):
            if color is not None:
                self._draw.rect(self._surface, color, self._rect(box), width, border_radius=corner)

    def line(self, points: ArrayLike, color: Color, width: float = 1.0) -> None:
        """Draw a polyline through ``points`` (n, 2); those that are not finite leave gaps."""
        scaled = np.clip(np.asarray(points, np.float64) * _OVERSAMPLING, -_FAR, _FAR)
        known = np.isfinite(scaled).all(axis=1)
        parts = [scaled] if known.all() else np.split(scaled, np.flatnonzero(~known))
        for part in parts:
            part = part[1:] if len(part) and not np.isfinite(part[0]).all() else part
            if len(part) > 1:
                self._draw.lines(self._surface, color, False, part.tolist(), round(width * _OVERSAMPLING))

    def dot(self, point: ArrayLike, color: Color, radius: float, edge: Color | None = None) -> None:
        """Draw a disc, with an edge of one pixel."""
        center = np.clip(np.asarray(point, np.float64) * _OVERSAMPLING, -_FAR, _FAR)
        if not np.isfinite(center).all():
            return
        if edge is not None:
            self._draw.circle(self._surface, edge, center.tolist(), (radius + 1.0) * _OVERSAMPLING)
        self._draw.circle(self._surface, color, center.tolist(), radius * _OVERSAMPLING)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        color: Color = INK,
        size: int = NORMAL,
        anchor: tuple[float, float] = (0, 0),
    ) -> float:
        """Write ``text``, in which ``_{...}`` is a subscript; return its width.

        Args:
            x: of the anchor.
            y: of the anchor.
            text: what to write.
            color: of the letters.
            size: of the font.
            anchor: which point of the text lies at (x, y): (0, 0) is the upper left corner, (1, 1) the lower right one.
        """
        label = self._label(text, color, size)
        width, height = label.get_size()
        self._surface.blit(
            label, (round(x * _OVERSAMPLING - anchor[0] * width), round(y * _OVERSAMPLING - anchor[1] * height))
        )
        return float(width / _OVERSAMPLING)

    def width_of(self, text: str, size: int = NORMAL) -> float:
        """Return the width of ``text``."""
        return float(self._label(text, INK, size).get_width() / _OVERSAMPLING)

    def clip(self, box: Box | None) -> None:
        """Draw only within ``box`` from now on; everywhere, if None."""
        self._surface.set_clip(None if box is None else self._rect(box))

    def picture(self) -> NDArray[np.uint8]:
        """Return the picture, uint8 of shape (height, width, 3)."""
        small = self._pygame.transform.smoothscale(self._surface, self._size)
        pixels = np.frombuffer(self._pygame.image.tobytes(small, "RGB"), np.uint8)
        return pixels.reshape(self._size[1], self._size[0], 3).copy()

    def _rect(self, box: Box) -> tuple[int, int, int, int]:
        left, top = round(box.x * _OVERSAMPLING), round(box.y * _OVERSAMPLING)
        return left, top, round(box.right * _OVERSAMPLING) - left, round(box.bottom * _OVERSAMPLING) - top

    def _render(self, text: str, color: Color, size: int) -> pygame.Surface:
        parts = [part for part in enumerate(_SUBSCRIPT.split(text)) if part[1]]
        labels = [self._font(size * (0.78 if i % 2 else 1.0)).render(part, True, color) for i, part in parts]
        drop = [round(0.24 * size * _OVERSAMPLING) if i % 2 else 0 for i, _ in parts]
        whole: pygame.Surface = self._pygame.Surface(
            (sum(label.get_width() for label in labels) or 1, self._font(size).get_height()), self._pygame.SRCALPHA
        )
        x = 0
        for label, y in zip(labels, drop, strict=True):
            whole.blit(label, (x, y))
            x += label.get_width()
        return whole


class History:
    """The last steps of an episode, one row each."""

    def __init__(self, columns: int, length: int) -> None:
        """Remember the last ``length`` rows of ``columns`` numbers."""
        self._length, self._end = length, 0
        self._rows = np.empty((2 * length, columns))

    def append(self, row: Sequence[float]) -> None:
        """Add a row; the oldest goes when there are too many."""
        if self._end == len(self._rows):
            self._rows[: self._length] = self._rows[self._length :]
            self._end = self._length
        self._rows[self._end] = row
        self._end += 1

    def clear(self) -> None:
        """Forget everything."""
        self._end = 0

    @property
    def rows(self) -> NDArray[np.float64]:
        """What is remembered, (n, columns), the newest last."""
        return self._rows[max(0, self._end - self._length) : self._end]


class Axes:
    """A coordinate system on a canvas: a box of it stands for two ranges of numbers."""

    def __init__(self, canvas: Canvas, box: Box, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        """Let ``box`` of ``canvas`` show these ranges."""
        self.canvas, self.box, self.x_range, self.y_range = canvas, box, x_range, y_range

    def points(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return where the numbers lie on the canvas, shape (n, 2)."""
        across = (np.asarray(x, np.float64) - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (np.asarray(y, np.float64) - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        across, up = np.broadcast_arrays(across, up)
        return np.stack([self.box.x + across * self.box.width, self.box.bottom - up * self.box.height], axis=-1)

    def grid(self, x_ticks: Iterable[float], y_ticks: Iterable[float]) -> None:
        """Draw the frame and a line at each tick."""
        (left, bottom), (right, top) = self.points(self.x_range, self.y_range).tolist()
        for x in x_ticks:
            across = self.points(x, 0.0)[0]
            self.canvas.line([(across, bottom), (across, top)], GRID)
        for y in y_ticks:
            up = self.points(0.0, y)[1]
            self.canvas.line([(left, up), (right, up)], FAINT if y == 0.0 else GRID)
        self.canvas.line([(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)], EDGE)

    def label_x(self, x_ticks: Sequence[float]) -> None:
        """Write the numbers under the box."""
        for x in x_ticks:
            self.canvas.text(self.points(x, 0.0)[0], self.box.bottom + 3, _label(x, x_ticks), MUTED, SMALL, (0.5, 0.0))

    def label_y(self, y_ticks: Sequence[float]) -> None:
        """Write the numbers left of the box."""
        for y in y_ticks:
            self.canvas.text(self.box.x - 5, self.points(0.0, y)[1], _label(y, y_ticks), MUTED, SMALL, (1.0, 0.5))

    def name(self, x: str, y: str) -> None:
        """Write what the axes mean into their corners."""
        corners = ((self.box.right, self.box.bottom, x, 1.0), (self.box.x, self.box.y, y, 0.0))
        for across, up, text, end in corners:
            width, height = self.canvas.width_of(text, SMALL) + 8.0, 15.0
            label = Box(across - end * width, up - end * height, width, height)
            self.canvas.rectangle(label.inset(1.0, 1.0, 1.0, 1.0), CARD)
            self.canvas.text(label.x + 4.0, label.y + 4.0, text, MUTED, SMALL)

    def trace(self, x: ArrayLike, y: ArrayLike, color: Color, width: float = 1.5, *, steps: bool = False) -> None:
        """Draw y over x; as a staircase that holds each value from the x before, if ``steps``."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if steps:
            x, y = np.repeat(x, 2)[:-1], np.repeat(y, 2)[1:]
        self.canvas.clip(self.box)
        self.canvas.line(self.points(x, y), color, width)
        self.canvas.clip(None)

    def head(self, x: NDArray[np.float64], y: NDArray[np.float64], color: Color, radius: float = 2.5) -> None:
        """Mark the last point of a trace."""
        self.canvas.clip(self.box)
        self.canvas.dot(self.points(x[-1], y[-1]), color, radius, CARD)
        self.canvas.clip(None)


def _label(tick: float, among: Sequence[float]) -> str:
    """Return a tick's number, with as many decimals as tell it from the next."""
    step = among[1] - among[0] if len(among) > 1 else abs(tick) or 1.0
    return number(tick, max(0, -math.floor(math.log10(step) + 1e-9)))
