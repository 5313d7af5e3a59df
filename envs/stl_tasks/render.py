"""The system as its engineers draw it, and what is known of the formula. No display is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.canvas import (
    AMBER,
    BLUE,
    CARD,
    EDGE,
    FAINT,
    GREEN,
    GRID,
    INK,
    LARGE,
    MUTED,
    NORMAL,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    SMALL,
    Axes,
    Box,
    Canvas,
    Color,
    number,
    pale,
    ticks,
)
from ..core.stl import And, Formula, Monitor
from . import arm, rover
from .tasks import TASKS

WIDTH, HEIGHT = 960, 600
_SCENE, _PANEL = Box(20, 56, 570, 524), Box(606, 56, 334, 524)
_ROAD, _WATER, _BANK, _STEEL = (222, 225, 230), (214, 230, 243), (190, 176, 150), (92, 101, 115)
_LOST, _OPEN, _WON = ("violated", RED), ("undecided", AMBER), ("satisfied", GREEN)

Signals = dict[str, float]


class Picture:
    """Draws a task; remembers the trace since the last reset."""

    def __init__(self, task: str, formula: Formula) -> None:
        """Prepare pictures of ``task``.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        self._task, self._canvas = task, Canvas(WIDTH, HEIGHT)
        self._parts = _conjuncts(formula)
        self._trace: list[Signals] = []
        self._interval: list[tuple[float, float]] = []
        self._judges: list[_Judge] = []

    def restart(self, steps: int) -> None:
        """Forget the trace; an episode begins, of ``steps`` steps."""
        self._trace, self._interval = [], []
        self._judges = [_Judge(part, TASKS[self._task].signals, steps + 1) for part in self._parts]

    def record(self, signals: Signals, interval: dict[str, float]) -> None:
        """Note a state."""
        self._trace.append(dict(signals))
        self._interval.append((interval["low"], interval["high"]))
        for judge in self._judges:
            judge.see(signals)

    def draw(self, state: np.void, row: np.void) -> NDArray[np.uint8]:
        """Return the picture, uint8 of shape (600, 960, 3).

        Args:
            state: a record of `records.layout`.
            row: the packed parameters.
        """
        canvas, steps, step = self._canvas, int(row["steps"]), int(state["step"])
        canvas.clear(PAPER)
        canvas.text(20, 16, self._task, INK, LARGE)
        canvas.text(590, 22, f"step {step} of {steps}", MUTED, NORMAL, (1.0, 0.0))
        canvas.rectangle(_SCENE, CARD, EDGE, 6.0)
        canvas.rectangle(_PANEL, CARD, EDGE, 6.0)
        # After load_state nothing is known of the past.
        is_whole = len(self._trace) == step + 1
        now = dict(zip(TASKS[self._task].signals, state["signals"].tolist(), strict=False))
        trace = self._trace if self._trace else [now]
        _SCENES[self._task](canvas, _SCENE.inset(10, 10, 10, 10), now, trace, row)
        self._status(float(state["low"]), float(state["high"]), step - len(trace) + 1, steps, is_whole)
        return canvas.picture()

    def _status(self, low: float, high: float, first: int, steps: int, is_whole: bool) -> None:
        canvas, box = self._canvas, _PANEL.inset(14, 12, 14, 12)
        name, color = _verdict(low, high)
        canvas.rectangle(Box(box.x, box.y, 96, 24), color, radius=5.0)
        canvas.text(box.x + 48, box.y + 12, name, CARD, NORMAL, (0.5, 0.5))
        known = f"robustness {number(low, 3)}" if low == high else f"robustness in {_ends(low, high)}"
        canvas.text(box.right, box.y + 5, known, INK, NORMAL, (1.0, 0.0))
        y = box.y + 40
        for part, judge in zip(self._parts, self._judges, strict=True):
            color = _verdict(judge.low, judge.high)[1] if is_whole else FAINT
            canvas.dot((box.x + 5, y + 6), color, 5.0)
            for line in _wrapped(canvas, str(part), box.width - 18):
                canvas.text(box.x + 18, y, line, INK, NORMAL)
                y += 17
            y += 7
        self._chart(Box(box.x + 34, max(y + 16, 400), box.width - 40, box.bottom - 18 - max(y + 16, 400)), first, steps)

    def _chart(self, box: Box, first: int, steps: int) -> None:
        """Draw the interval over the steps."""
        ends = np.array(self._interval or [(math.nan, math.nan)])
        finite = ends[np.isfinite(ends)]
        high = max(float(np.abs(finite).max(initial=0.5)) * 1.15, 0.05)
        high = min(high, 1.5 * max(float(np.abs(ends[-1][np.isfinite(ends[-1])]).max(initial=0.5)), 0.5))
        axes = Axes(self._canvas, box, (0.0, steps), (-high, high))
        across, up = ticks(0.0, steps, 5), ticks(-high, high, 4)
        axes.grid(across, up)
        axes.label_x(across)
        axes.label_y(up)
        time = first + np.arange(len(ends))
        shown = np.clip(ends, -2.0 * high, 2.0 * high)
        axes.trace(time, shown[:, 0], BLUE)
        axes.trace(time, shown[:, 1], ORANGE)
        axes.name("step", "lower and upper end")


class _Judge:
    """What is known of one part of the formula."""

    def __init__(self, formula: Formula, signals: Sequence[str], length: int) -> None:
        self._monitor = Monitor(formula, signals, length)
        self._memories = self._monitor.memories(1)
        self.low, self.high = -math.inf, math.inf

    def see(self, signals: Signals) -> None:
        self.low, self.high = self._monitor.follow(self._memories, np.array([list(signals.values())]))[0].tolist()


def _conjuncts(formula: Formula) -> list[Formula]:
    return _conjuncts(formula.left) + _conjuncts(formula.right) if isinstance(formula, And) else [formula]


def _verdict(low: float, high: float) -> tuple[str, Color]:
    return _WON if low >= 0.0 else _LOST if high < 0.0 else _OPEN


def _ends(low: float, high: float) -> str:
    left = "(−inf" if math.isinf(low) else f"[{number(low, 2)}"
    right = "inf)" if math.isinf(high) else f"{number(high, 2)}]"
    return f"{left}, {right}"


def _wrapped(canvas: Canvas, text: str, width: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if canvas.width_of(longer, NORMAL) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


class _Map(Axes):
    """A plan in metres, of one scale in both directions."""

    def __init__(self, canvas: Canvas, box: Box, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        width, height = x_range[1] - x_range[0], y_range[1] - y_range[0]
        self.scale = min(box.width / width, box.height / height)
        fitted = Box(box.x + 0.5 * (box.width - width * self.scale), box.y, width * self.scale, height * self.scale)
        super().__init__(canvas, fitted, x_range, y_range)

    def block(self, left: float, bottom: float, width: float, height: float, color: Color, radius: float = 0.0) -> None:
        """Draw a rectangle."""
        x, y = self.points(left, bottom + height).tolist()
        self.canvas.clip(self.box)
        self.canvas.rectangle(Box(x, y, width * self.scale, height * self.scale), color, radius=radius)
        self.canvas.clip(None)

    def disc(self, x: float, y: float, radius: float, color: Color) -> None:
        """Draw a disc of ``radius`` m."""
        self.canvas.clip(self.box)
        self.canvas.dot(self.points(x, y), color, radius * self.scale)
        self.canvas.clip(None)

    def way(self, x: ArrayLike, y: ArrayLike, color: Color) -> None:
        """Draw a trace with its states."""
        self.trace(x, y, color, 2.0)
        self.canvas.clip(self.box)
        for point in self.points(x, y):
            self.canvas.dot(point, color, 2.0)
        self.canvas.clip(None)

    def label(self, x: float, y: float, text: str, color: Color = INK, size: int = SMALL) -> None:
        """Write ``text`` around a point."""
        across, up = self.points(x, y).tolist()
        self.canvas.text(across, up, text, color, size, (0.5, 0.5))


def _column(trace: Sequence[Signals], name: str) -> NDArray[np.float64]:
    return np.array([signals[name] for signals in trace])


def _strips(canvas: Canvas, box: Box, trace: Sequence[Signals], names: Sequence[str], row: np.void) -> None:
    """Draw signals over the steps, one below the other."""
    for name, place in zip(names, box.rows([1.0] * len(names), 22.0), strict=True):
        values = _column(trace, name)
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        spare = 0.15 * max(high - low, 0.5)
        axes = Axes(canvas, place.inset(34, 0, 6, 0), (0.0, float(row["steps"])), (low - spare, high + spare))
        across, up = ticks(0.0, float(row["steps"]), 5), ticks(low - spare, high + spare, 3)
        axes.grid(across, up)
        axes.label_y(up)
        time = np.arange(float(len(values)))
        axes.trace(time, values, BLUE)
        axes.head(time, values, BLUE)
        axes.name("step", name)
    axes.label_x(across)


def _traffic(canvas: Canvas, box: Box, now: Signals, trace: Sequence[Signals], row: np.void) -> None:
    road, box_length = Box(box.x, box.y, box.width, 190), float(row["box"])
    left = max(-13.0, now["x"] - 14.0)
    plan = _Map(canvas, road, (left, left + 26.0), (-3.2, 5.4))
    plan.block(left, -1.8, 26.0, 3.6, _ROAD)
    for edge in (-1.7, 1.6):
        plan.block(left, edge, 26.0, 0.1, CARD)
    is_light, is_red = now["light"] > 0.5, now["red"] > 0.0
    plan.block(-box_length, -1.8, box_length, 3.6, pale(RED if is_red or not is_light else GREEN, 0.6))
    if is_light:
        plan.block(0.1, 2.0, 0.2, 1.0, _STEEL)
        plan.block(-0.3, 2.8, 1.0, 2.4, INK, 3.0)
        for height, color, is_on in ((4.65, RED, is_red), (4.0, AMBER, False), (3.35, GREEN, not is_red)):
            plan.disc(0.2, height, 0.3, color if is_on else _STEEL)
    else:
        plan.block(0.1, 2.0, 0.2, 1.4, _STEEL)
        plan.disc(0.2, 4.1, 1.0, RED)
        plan.label(0.2, 4.1, "STOP", CARD)
        if now["trigger"] > 0.5:
            plan.label(-5.5, 4.1, "trigger: no further than the middle of the box", RED)
    _car(plan, now["x"], BLUE)
    if now["gap"] > -0.5:
        _car(plan, now["x"] + now["gap"] + 4.0, PURPLE)
    place = f"x {number(now['x'], 2)} m    v {number(now['v'], 2)} m/s    timer {number(now['timer'], 2)} s"
    gap = f"    gap {number(now['gap'], 2)} m" if now["gap"] > -0.5 else ""
    canvas.text(box.x + 6, plan.box.bottom + 4, place + gap, INK, NORMAL)
    _strips(canvas, Box(box.x, 282, box.width, 276), trace, ("v", "x", "timer"), row)


def _car(plan: _Map, front: float, color: Color) -> None:
    """Draw a car of 4 m whose front is at ``front``."""
    plan.block(front - 4.0, -0.95, 4.0, 1.9, color, 7.0)
    plan.block(front - 1.6, -0.75, 0.6, 1.5, pale(color, 0.7), 2.0)
    plan.block(front - 3.6, -0.7, 0.4, 1.4, pale(color, 0.7), 2.0)


def _maze(canvas: Canvas, box: Box, now: Signals, trace: Sequence[Signals], row: np.void) -> None:
    width, band, spacing = float(row["width"]), float(row["band"]), float(row["spacing"])
    plan = _Map(canvas, box, (-0.2, width + 0.2), (-spacing - 0.3, 2.0 * spacing + 0.3))
    plan.block(0.0, -spacing - 0.3, width, 3.0 * spacing + 0.6, pale(FAINT, 0.75))
    for side in (-0.1, width):
        plan.block(side, -spacing - 0.3, 0.1, 3.0 * spacing + 0.6, _STEEL)
    for i, top in ((1, 0.0), (2, spacing)):
        plan.block(now[f"left_{i}"], top - band, now[f"width_{i}"], band, _BANK)
        if now[f"goal_{i}"] > 0.0:
            plan.disc(now[f"goal_{i}"], top - 0.5 * band, 0.5 * float(row["goal_size"]), pale(ORANGE, 0.35))
    plan.way(_column(trace, "x"), _column(trace, "y"), BLUE)
    plan.disc(now["x"], now["y"], 0.12, BLUE)


def _river(canvas: Canvas, box: Box, now: Signals, trace: Sequence[Signals], row: np.void) -> _Map:
    half, ahead = 0.5 * float(row["width"]), max(17.0, now["x"] + 3.0)
    plan = _Map(canvas, box, (ahead - 19.0, ahead), (-half - 0.7, half + 0.7))
    plan.block(ahead - 19.0, -half - 0.7, 19.0, 2.0 * half + 1.4, _BANK)
    plan.block(ahead - 19.0, -half, 19.0, 2.0 * half, _WATER)
    return plan


def _vessel(plan: _Map, now: Signals, trace: Sequence[Signals]) -> None:
    plan.way(_column(trace, "x"), _column(trace, "y"), BLUE)
    across, along = math.sin(now["phi"]), math.cos(now["phi"])
    hull = np.array([(0.7, 0.0), (0.3, 0.22), (-0.6, 0.22), (-0.6, -0.22), (0.3, -0.22), (0.7, 0.0)])
    x, y = now["x"] + hull @ (along, -across), now["y"] + hull @ (across, along)
    plan.trace(x, y, INK, 2.5)
    plan.disc(now["x"], now["y"], 0.12, BLUE)


def _bearing(canvas: Canvas, box: Box, plan: _Map, now: Signals) -> None:
    text = f"heading {number(math.degrees(now['phi']), 1)} deg    surge {number(now['u'], 2)} m/s    "
    text += f"yaw rate {number(now['r'], 2)} rad/s"
    if "time_left" in now:
        text += f"    time left {number(now['time_left'], 2)} s"
    canvas.text(box.x + 6, plan.box.bottom + 6, text, INK, NORMAL)


def _ship_safe(canvas: Canvas, box: Box, now: Signals, trace: Sequence[Signals], row: np.void) -> None:
    plan = _river(canvas, box, now, trace, row)
    for i in (1, 2):
        plan.disc(now[f"obstacle_x_{i}"], now[f"obstacle_y_{i}"], now[f"radius_{i}"], _STEEL)
    _vessel(plan, now, trace)
    _bearing(canvas, box, plan, now)
    _strips(canvas, Box(box.x, 282, box.width, 276), trace, ("clearance_1", "clearance_2", "bank"), row)


def _ship_track(canvas: Canvas, box: Box, now: Signals, trace: Sequence[Signals], row: np.void) -> None:
    plan, track = _river(canvas, box, now, trace, row), float(row["track"])
    plan.block(plan.x_range[0], -track, plan.x_range[1] - plan.x_range[0], 2.0 * track, pale(GREEN, 0.65))
    if now["obstacle_x"] > -5.0:
        plan.disc(now["obstacle_x"], now["obstacle_y"], now["radius"], _STEEL)
    _vessel(plan, now, trace)
    _bearing(canvas, box, plan, now)
    _strips(canvas, Box(box.x, 282, box.width, 276), trace, ("clearance", "on_track", "time_left"), row)


def _rover(canvas: Canvas, box: Box, now: Signals, trace: Sequence[Signals], row: np.void) -> None:
    plan = _Map(canvas, box.inset(0, 0, 0, 38), (-0.3, rover.SIZE + 0.3), (-0.3, rover.SIZE + 0.3))
    plan.block(-0.3, -0.3, rover.SIZE + 0.6, rover.SIZE + 0.6, _STEEL)
    plan.block(0.0, 0.0, rover.SIZE, rover.SIZE, (241, 236, 226))
    for left, bottom, side in rover.OBSTACLES:
        plan.block(left, bottom, side, side, _BANK)
    near = float(row["near"])
    for name, color, letter in (("destination", GREEN, "D"), ("charger", AMBER, "C")):
        x, y = now[f"{name}_x"], now[f"{name}_y"]
        plan.disc(x, y, near, pale(color, 0.55))
        plan.label(x, y, letter, INK, NORMAL)
    plan.way(_column(trace, "x"), _column(trace, "y"), BLUE)
    plan.disc(now["x"], now["y"], 0.18, BLUE)
    bar = Box(box.x + 64, box.bottom - 26, 220, 16)
    share = min(max(now["battery"] / float(row["charge"]), 0.0), 1.0)
    canvas.text(box.x + 6, bar.y + 2, "battery", MUTED, NORMAL)
    canvas.rectangle(bar, GRID, EDGE, 3.0)
    canvas.rectangle(Box(bar.x, bar.y, bar.width * share, bar.height), GREEN if share > 0.4 else RED, radius=3.0)
    text = f"{number(now['battery'], 1)} s    wait {number(max(now['hold'], 0.0), 1)} s"
    canvas.text(bar.right + 12, bar.y + 2, text, INK, NORMAL)


def _arm(canvas: Canvas, box: Box, now: Signals, trace: Sequence[Signals], row: np.void) -> None:
    links = arm.links([now[name] for name in arm.JOINTS])
    upper, lower = box.rows([1.0, 1.0], 6.0)
    span = 1.05 * upper.width / upper.height
    for name, place, (a, b), low in (("side view", upper, (0, 2), -0.35), ("from above", lower, (0, 1), -1.0)):
        high = low + 2.1 * 0.97 if b == 1 else 1.3
        reach = 0.5 * (high - low) * span / 1.05
        plan = _Map(canvas, place, (-reach, reach), (low, high))
        plan.grid(ticks(-reach, reach, 8), ticks(low, high, 4))
        goal, center = [now["goal_" + axis] for axis in "xyz"], [float(row["obstacle_" + axis]) for axis in "xyz"]
        plan.disc(center[a], center[b], float(row["radius"]), pale(RED, 0.5))
        plan.disc(goal[a], goal[b], float(row["tolerance"]), pale(GREEN, 0.45))
        plan.trace(links[:, a], links[:, b], _STEEL, 6.0)
        for joint in links:
            plan.disc(joint[a], joint[b], 0.035, INK)
        tips = np.stack([_column(trace, "tip_" + axis) for axis in "xyz"], 1)
        plan.way(tips[:, a], tips[:, b], BLUE)
        plan.name(f"{'xyz'[a]} (m)", f"{name}, {'xyz'[b]} (m)")


_SCENES: dict[str, Callable[[Canvas, Box, Signals, Sequence[Signals], np.void], None]] = {
    "Traffic": _traffic,
    "Maze": _maze,
    "ShipSafe": _ship_safe,
    "ShipTrack": _ship_track,
    "Rover": _rover,
    "Arm": _arm,
}
