"""The dashboard of a drive: what a practitioner would put on the oscilloscope, as a picture."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..core import Parameters
from ..core import canvas as c
from ..core.canvas import Axes, Box, Canvas, History
from . import kernels as k
from .drive import Bridge, Drive
from .params import DriveParameters, PolynomialLoad
from .rewards import Constraint

WIDTH, HEIGHT = 960, 600
#: Steps that the picture shows.
WINDOW = 1000

_SYMBOLS = {"omega": "ω", "torque": "T", "epsilon": "ε", "psi": "ψ"}
_NAMES = {"omega": "Speed", "torque": "Torque", "epsilon": "Rotor angle", "i": "Current", "u": "Voltage", "psi": "Flux"}
_UNITS = {"omega": "rad/s", "torque": "N m", "epsilon": "rad", "i": "A", "u": "V", "psi": "V s"}
_TASKS = {"omega": "speed", "torque": "torque"}


class Dashboard:
    """Draws a drive.

    Left, over time: each controlled signal with its reference; the currents with their limits; the actions. Right: the
    dq current plane with the current limit, the voltage limit at the present speed and the line of maximum torque per
    ampere (DC machines: torque over speed, with the load's characteristic); how much of each constraint is used up;
    the reward.
    """

    def __init__(self, drive: Drive) -> None:
        """Draw ``drive``.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        self.drive = drive
        self._canvas = Canvas(WIDTH, HEIGHT)
        self._lanes = _lanes(drive)
        targets, lanes = map(_starred, drive.references), map("action {}".format, self._lanes)
        self._columns = {name: i for i, name in enumerate(("time", "reward", *drive.signals, *targets, *lanes))}
        self._history = History(len(self._columns), WINDOW)
        self._ranges: dict[str, tuple[float, float]] = {}
        self._asked: Mapping[str, float] = {}  # what the signals should be at the end of this period
        self._parameters = drive.plant.parameters
        self._mtpa = np.empty((0, 2))

    def __reduce__(self) -> tuple[Callable[[Drive], Dashboard], tuple[Drive]]:
        """Leave the pictures out of copies and pickles."""
        return Dashboard, (self.drive,)

    def restart(self, parameters: Parameters) -> None:
        """Forget what was recorded; from now on the drive has these parameters."""
        assert isinstance(parameters, DriveParameters)
        self._history.clear()
        self._ranges.clear()
        self._asked = {}
        self._parameters = parameters
        self._mtpa = maximum_torque_per_ampere(self.drive, parameters)

    def record(
        self,
        step: int,
        action: NDArray[np.float64] | None,
        reward: float,
        signals: Mapping[str, float],
        reference: Mapping[str, float],
    ) -> None:
        """Note a step.

        Args:
            step: control periods since the episode began.
            action: (A,), what was chosen for this period; None at the beginning.
            reward: of this period; NaN at the beginning.
            signals: SI, as `info` has them.
            reference: SI, as `info` has it: what the signals should be after the next period.
        """
        asked, self._asked = self._asked or reference, reference
        levels = [math.nan if action is None else level(action) for level in self._lanes.values()]
        time = 1e3 * self.drive.plant.tau * step
        self._history.append((time, reward, *signals.values(), *asked.values(), *levels))

    def look(self, row: np.void, state: np.void) -> None:
        """Note a state that no recorded step led to.

        Args:
            row: packed parameters, a record of `kernels.ROW`.
            state: a record of `kernels.DRIVE`.
        """
        lane = k.signals_of(row, state)
        signals = {name: float(lane[place]) for name, place in self.drive.signals.items()}
        shares = zip(self.drive.references, state["reference"][:, 0].tolist(), strict=False)  # 0: its value
        reference = {name: self.drive.limits[name] * share for name, share in shares}
        self.record(int(state["k"]), None, math.nan, signals, reference)

    def frame(self) -> NDArray[np.uint8]:
        """Return the picture, uint8 of shape (600, 960, 3)."""
        self._canvas.clear(c.PAPER)
        page = Box(0, 0, WIDTH, HEIGHT).inset(12, 10, 12, 12)
        self._header(page)
        charts, side = page.inset(top=54, right=346), page.inset(top=54, left=602)
        bars = 34 + 24 * max(len(self.drive.constraints), 1)
        plane, constraints, reward = side.rows([318, bars, side.height - 338 - bars], gap=10)
        for card in (charts, plane, constraints, reward):
            self._canvas.rectangle(card, c.CARD, c.EDGE, 6)
        self._charts(charts)
        if self.drive.plant.kind.is_three_phase:
            self._current_plane(plane)
        else:
            self._speed_plane(plane)
        self._constraints(constraints)
        self._reward(reward)
        return self._canvas.picture()

    # -------------------------------------------------------------------------------------------------- the parts

    def _header(self, page: Box) -> None:
        plant, canvas = self.drive.plant, self._canvas
        title = (inspect.getdoc(plant.kind.parameters) or plant.motor).partition(".")[0].partition(":")[0]
        task = next((_TASKS[name] for name in self.drive.references if name in _TASKS), "current")
        bridges = " + ".join(plant.converter.bridges).upper()
        converter = "no converter" if plant.converter.kind == "none" else f"{plant.converter.kind} {bridges} converter"
        facts = (f"{task} control", converter, f"{c.number(self._now('u_sup'), 0)} V", f"{1e-3 / plant.tau:g} kHz")
        canvas.text(page.x, page.y, title, c.INK, c.LARGE)
        canvas.text(page.x, page.y + 27, "   ·   ".join(facts), c.MUTED)
        x = page.right
        for name, value, widest in (
            ("reward", c.number(self._now("reward"), 4), "−00.0000"),
            ("torque", f"{self._number('torque')} N m", "−000.00 N m"),
            ("speed", f"{c.number(self._now('omega') * 30.0 / math.pi, 0)} rpm", "−00000 rpm"),
            ("time", f"{self._now('time'):.{1 if plant.tau > 5e-5 else 2}f} ms", "0000.0 ms"),
        ):
            canvas.text(x, page.y + 1, name, c.MUTED, c.SMALL, (1, 0))
            canvas.text(x, page.y + 15, value, c.INK, c.LARGE, (1, 0))
            x -= canvas.width_of(widest, c.LARGE) + 14

    def _charts(self, card: Box) -> None:
        """Draw what goes over time, on one axis of time."""
        targets = tuple(self.drive.references)
        boxes = card.inset(50, 7, 14, 24).rows([1.2] * len(targets) + [1.2, 1.0], gap=7)
        boxes = [box.inset(top=18) for box in boxes]
        for name, box in zip(targets, boxes, strict=False):
            axes = self._axes(box, self._range(name, name, _starred(name)))
            axes.trace(self._of("time"), self._of(_starred(name)), c.ORANGE, 2.5)
            axes.trace(self._of("time"), self._of(name), c.BLUE, 1.5)
            axes.head(self._of("time"), self._of(_starred(name)), c.ORANGE)
            axes.head(self._of("time"), self._of(name), c.BLUE)
            self._title(box, f"{_kind(_NAMES, name)} {_symbol(name)} ({_kind(_UNITS, name)})")
            self._legend(box, {"reference": (_starred(name), c.ORANGE), "measured": (name, c.BLUE)})
        self._current_chart(boxes[-2])
        if self.drive.plant.converter.is_finite:
            self._switching_chart(boxes[-1])
        else:
            self._duty_chart(boxes[-1])
        start, end = self._time_span()
        axis = Axes(self._canvas, boxes[-1], (start, end), (0.0, 1.0))
        axis.label_x([t for t in c.ticks(start, end, 10) if t < end - 0.07 * (end - start)])
        self._canvas.text(boxes[-1].right, boxes[-1].bottom + 3, "t (ms)", c.MUTED, c.SMALL, (1, 0))

    def _current_chart(self, box: Box) -> None:
        drive, kind = self.drive, self.drive.plant.kind
        names = kind.states
        if kind.is_three_phase:
            first = k.PHASE_CURRENT
            names = tuple(name for name, place in kind.signals.items() if first <= place < first + kind.channels)
            names += ("i_e",) * ("i_e" in kind.signals)
        limit = max(drive.limits[name] for name in names)
        low = min(drive.low(name) for name in names)
        axes = self._axes(box, (1.15 * limit * low, 1.15 * limit))
        for bound in {limit, limit * low} - {0.0}:
            axes.trace(axes.x_range, (bound, bound), c.RED, 1.0)
        for name, color in zip(names, c.SERIES, strict=False):
            axes.trace(self._of("time"), self._of(name), color)
            axes.head(self._of("time"), self._of(name), color)
        self._title(box, "Currents (A)")
        self._legend(box, {_symbol(name): (name, color) for name, color in zip(names, c.SERIES, strict=False)})

    def _duty_chart(self, box: Box) -> None:
        plant = self.drive.plant
        low, high = plant.action_bounds() if self._lanes else ([-1.0], [1.0])
        margin = 0.08 * (max(high) - min(low))
        axes = self._axes(box, (min(low) - margin, max(high) + margin))
        names = tuple(f"action {lane}" for lane in self._lanes)
        for name, color in zip(names, c.SERIES, strict=False):
            axes.trace(self._of("time"), self._of(name), color, steps=True)
        title = "Voltage commands" if plant.action_frame == "dq" else "Duty cycles" if self._lanes else "No actions"
        self._title(box, title)
        lanes = zip(self._lanes, names, c.SERIES, strict=False)
        self._legend(box, {_symbol(lane): (name, color) for lane, name, color in lanes}, decimals=2)

    def _switching_chart(self, box: Box) -> None:
        """Draw switching states as a logic analyser does, one lane each."""
        axes = self._axes(box, (0.0, float(len(self._lanes))), y_ticks=())
        lanes = zip(reversed(self._lanes), reversed(c.SERIES[: len(self._lanes)]), strict=True)
        for i, (lane, color) in enumerate(lanes):
            axes.trace(self._of("time"), i + 0.15 + 0.7 * self._of(f"action {lane}"), color, 1.0, steps=True)
            x, y = axes.points(axes.x_range[0], i + 0.5)
            self._canvas.text(x - 8, y, _symbol(lane), color, c.NORMAL, (1, 0.5))
        self._title(box, "Switching states")

    def _current_plane(self, card: Box) -> None:
        drive = self.drive
        limit = drive.limits["i_sd"]
        box = card.inset(50, 26, 14, 24)
        size = min(box.width, box.height)
        box = Box(box.x + (box.width - size) / 2, box.y, size, size)
        axes = Axes(self._canvas, box, (-1.15 * limit, 1.15 * limit), (-1.15 * limit, 1.15 * limit))
        marks = c.ticks(*axes.x_range, 5)
        axes.grid(marks, marks)
        axes.label_x(marks)
        axes.label_y(marks)
        legend = {"current limit": c.RED}
        circle = np.linspace(0.0, 2.0 * math.pi, 121)
        axes.trace(limit * np.cos(circle), limit * np.sin(circle), c.RED)
        ellipse = self._voltage_limit(circle)
        if len(ellipse):
            axes.trace(ellipse[:, 0], ellipse[:, 1], c.GREEN)
            legend["voltage limit"] = c.GREEN
        if len(self._mtpa):
            axes.trace(self._mtpa[:, 0], self._mtpa[:, 1], c.FAINT)
            legend["MTPA"] = c.MUTED
        pairs = [pair for pair in (("i_sx", "i_sy"), ("i_rd", "i_rq"), ("i_sd", "i_sq")) if pair[0] in drive.signals]
        for (d, q), color in zip(pairs, (c.TEAL, c.BLUE)[-len(pairs) :], strict=True):
            self._trail(axes, d, q, color)
            if {d, q} <= set(drive.references):
                self._cross(axes, self._now(_starred(d)), self._now(_starred(q)))
            axes.head(self._of(d), self._of(q), color, 4.0)
        axes.name("i_{d} (A)", "i_{q} (A)")
        if len(pairs) > 1:
            legend[{"i_sx": "xy plane", "i_rd": "rotor"}[pairs[0][0]]] = c.TEAL
        self._key(card, legend)

    def _speed_plane(self, card: Box) -> None:
        drive = self.drive
        box = card.inset(50, 26, 14, 24)
        names = ("omega", "torque")
        limits = [(drive.limits[name] * drive.low(name), drive.limits[name]) for name in names]
        axes = Axes(self._canvas, box, *((1.15 * low, 1.15 * high) for low, high in limits))
        x_ticks, y_ticks = c.ticks(*axes.x_range, 5), c.ticks(*axes.y_range, 6)
        axes.grid(x_ticks, y_ticks)
        axes.label_x(x_ticks)
        axes.label_y(y_ticks)
        legend = {"limits": c.RED}
        (left, right), (bottom, top) = limits
        axes.trace((left, right, right, left, left), (bottom, bottom, top, top, bottom), c.RED, 1.0)
        load = self._parameters.load
        if isinstance(load, PolynomialLoad):
            omega = np.linspace(*axes.x_range, 101)
            axes.trace(omega, np.sign(omega) * load.a + load.b * omega + load.c * omega * np.abs(omega), c.MUTED)
            legend["load"] = c.MUTED
        for name in (name for name in names if name in drive.references):
            value = (self._now(_starred(name)),) * 2
            axes.trace(*((value, axes.y_range) if name == "omega" else (axes.x_range, value)), c.ORANGE)
            legend["reference"] = c.ORANGE
        self._trail(axes, *names, c.BLUE)
        axes.head(self._of("omega"), self._of("torque"), c.BLUE, 4.0)
        axes.name("ω (rad/s)", "T (N m)")
        self._key(card, legend)

    def _constraints(self, card: Box) -> None:
        """Draw for each constraint how much of it is used up: now (bar), and at most in the picture (mark)."""
        canvas, constraints = self._canvas, self.drive.constraints
        canvas.text(card.x + 14, card.y + 8, "Constraints (1: limit)" if constraints else "No constraints", c.INK)
        if any(constraint.soft < 1.0 for constraint in constraints):
            canvas.text(card.right - 14, card.y + 9, "soft zone", c.AMBER, c.SMALL, (1, 0))
        labels = [", ".join(map(_symbol, constraint.signals)) for constraint in constraints]
        left = 26 + max(map(canvas.width_of, labels), default=0.0)
        for i, (label, constraint) in enumerate(zip(labels, constraints, strict=True)):
            levels = self._levels(constraint)
            now, peak, y = float(levels[-1]), float(levels.max()), card.y + 34 + 24 * i
            bar = Box(card.x + left, y, card.width - left - 52, 13)
            unit = bar.width / 1.2
            canvas.text(card.x + 14, y + 6.5, label, c.MUTED, c.NORMAL, (0, 0.5))
            canvas.rectangle(bar, c.GRID)
            canvas.rectangle(bar.inset(left=unit), c.pale(c.RED, 0.75))
            if constraint.soft < 1.0:
                canvas.rectangle(bar.inset(left=unit * constraint.soft, right=0.2 * unit), c.pale(c.AMBER, 0.55))
            color = c.BLUE if now <= constraint.soft else c.AMBER if now <= 1.0 else c.RED
            canvas.rectangle(Box(bar.x, y + 3, unit * min(now, 1.2), 7), color)
            for level, ink in ((1.0, c.RED), (min(peak, 1.2), c.INK)):
                canvas.line([[bar.x + unit * level, y], [bar.x + unit * level, bar.bottom]], ink, 1.5)
            canvas.text(card.right - 14, y + 6.5, f"{now:.2f}", c.INK, c.NORMAL, (1, 0.5))

    def _reward(self, card: Box) -> None:
        box = card.inset(50, 26, 14, 10)
        rewards = self._of("reward")
        axes = self._axes(box, self._range("reward", "reward"))
        axes.trace(self._of("time"), rewards, c.PURPLE)
        known = rewards[np.isfinite(rewards)]
        mean = float(known.mean()) if len(known) else math.nan
        decimals = min(max(4, 1 - math.floor(math.log10(abs(mean)))), 8) if abs(mean) > 0.0 else 4
        self._canvas.text(card.x + 14, card.y + 7, "Reward", c.INK)
        self._canvas.text(card.right - 14, card.y + 7, f"mean {c.number(mean, decimals)}", c.PURPLE, c.NORMAL, (1, 0))

    # ------------------------------------------------------------------------------------------------- their tools

    def _of(self, name: str) -> NDArray[np.float64]:
        return self._history.rows[:, self._columns[name]]

    def _now(self, name: str) -> float:
        return float(self._history.rows[-1, self._columns[name]])

    def _levels(self, constraint: Constraint) -> NDArray[np.float64]:
        """Return over time how much of a constraint is used up, see `Constraint`."""
        limits = [
            self.drive.limits[name] if limit is None else limit
            for name, limit in zip(constraint.signals, constraint.limits, strict=True)
        ]
        shares = np.stack([self._of(name) for name in constraint.signals], axis=1) / limits
        return np.asarray(np.linalg.norm(shares, constraint.order, axis=1))

    def _number(self, name: str) -> str:
        """Return a signal's or its reference's value with four digits, as seen against its limit."""
        limit = self.drive.limits.get(name.rstrip("*"), 1.0)
        return c.number(self._now(name), max(0, 3 - math.floor(math.log10(limit))))

    def _time_span(self) -> tuple[float, float]:
        start = float(self._of("time")[0])
        return start, start + 1.01 * 1e3 * self.drive.plant.tau * (WINDOW - 1)

    def _range(self, key: str, *names: str) -> tuple[float, float]:
        """Return a range that holds what was seen of ``names``, from tick to tick; it grows during an episode."""
        known = np.concatenate([self._of(name) for name in names])
        known = np.append(known[np.isfinite(known)], self._ranges.get(key, ()))
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        least = 0.05 * self.drive.limits.get(key, 0.2)
        if high - low < least:
            low, high = (low + high - least) / 2, (low + high + least) / 2
        step = c.tick_step(low, high, 4)
        self._ranges[key] = step * math.floor(low / step + 1e-6), step * math.ceil(high / step - 1e-6)
        return self._ranges[key]

    def _axes(self, box: Box, y_range: tuple[float, float], y_ticks: Sequence[float] | None = None) -> Axes:
        """Return axes over the picture's time, with grid and labelled ticks."""
        axes = Axes(self._canvas, box, self._time_span(), y_range)
        y_ticks = c.ticks(*y_range, max(2, round(box.height / 24))) if y_ticks is None else y_ticks
        axes.grid(c.ticks(*axes.x_range, 10), y_ticks)
        axes.label_y(y_ticks)
        return axes

    def _title(self, box: Box, text: str) -> None:
        self._canvas.text(box.x, box.y - 4, text, c.INK, c.NORMAL, (0, 1))

    def _legend(self, box: Box, entries: dict[str, tuple[str, c.Color]], decimals: int | None = None) -> None:
        """Write what the colours mean and the present values, right-aligned above ``box``."""
        x = box.right
        for label, (name, color) in reversed(entries.items()):
            value = self._number(name) if decimals is None else c.number(self._now(name), decimals)
            self._canvas.text(x, box.y - 4, value, color, c.NORMAL, (1, 1))
            x -= self._canvas.width_of("−000.0")
            x -= self._canvas.text(x - 4, box.y - 4, label, color, c.SMALL, (1, 1)) + 14

    def _key(self, card: Box, entries: dict[str, c.Color]) -> None:
        """Write what the colours mean, along the top of ``card``."""
        x = card.x + 14.0
        for name, color in entries.items():
            x += self._canvas.text(x, card.y + 8, name, color, c.SMALL) + 12

    def _trail(self, axes: Axes, x: str, y: str, color: c.Color) -> None:
        """Draw where the point (x, y) was, fading."""
        across, up = self._of(x), self._of(y)
        ends = np.linspace(0, len(across), 13).astype(int).tolist()
        for i, (start, end) in enumerate(itertools.pairwise(ends)):
            piece = slice(max(start - 1, 0), end)
            axes.trace(across[piece], up[piece], c.pale(color, 0.85 * (1.0 - (i + 1) / 12)), 1.25)

    def _cross(self, axes: Axes, x: float, y: float) -> None:
        """Mark a reference."""
        center = axes.points(x, y)
        for arm in ((9.0, 0.0), (0.0, 9.0)):
            self._canvas.line([center - arm, center + arm], c.ORANGE, 2.5)

    def _voltage_limit(self, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (i_d, i_q) that the longest voltage vector holds at the present speed, (n, 2), if known."""
        plant = self.drive.plant
        if plant.kind.is_flux_oriented or plant.converter.kind == "none":
            return np.empty((0, 2))
        machine, omega = plant.kind.machine(self._parameters.motor), self._now("omega")
        voltage = self._now("u_sup") / math.sqrt(3.0) * np.stack([np.cos(angles), np.sin(angles)])
        # Steady state: u = R i + omega (G i + e).
        impedance = np.diag(machine.resistance) + omega * machine.motional
        if abs(np.linalg.det(impedance[:2, :2])) < 1e-12:  # no resistance, standing still: any current
            return np.empty((0, 2))
        others = [self._now(name) for name in plant.kind.states[2:]]
        induced = impedance[:2, 2:] @ np.array(others) + omega * machine.permanent[:2]
        return np.linalg.solve(impedance[:2, :2], voltage - induced[:, None]).T


def maximum_torque_per_ampere(drive: Drive, parameters: DriveParameters) -> NDArray[np.float64]:
    """Return the line of stator currents (i_d, i_q) that give most torque for their length, (n, 2), in A.

    Empty where the torque depends on more than these two.
    """
    kind = drive.plant.kind
    if not kind.is_three_phase or kind.is_flux_oriented or "i_e" in kind.signals:
        return np.empty((0, 2))
    machine = kind.machine(parameters.motor)
    lengths, angles = np.linspace(0.0, drive.limits["i_sd"], 25), np.linspace(0.0, math.pi, 361)
    currents = lengths[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    flux = currents @ machine.motional[:2, :2].T + machine.permanent[:2]
    torque = (machine.power_weight[:2] * currents * flux).sum(axis=-1)
    best = currents[np.arange(len(lengths)), torque.argmax(axis=1)]
    return np.concatenate([best[:0:-1] * (1.0, -1.0), best])


def _lanes(drive: Drive) -> dict[str, Callable[[NDArray[np.float64]], float]]:
    """Return for each line of the chart of actions how high it is."""
    plant = drive.plant
    if plant.converter.kind == "none":
        return {}
    is_dq = plant.action_frame == "dq"
    first, last = (k.VOLTAGE, k.EPSILON) if is_dq else (k.PHASE_VOLTAGE, k.VOLTAGE)
    names = [name for name, place in plant.kind.signals.items() if first <= place < last]
    if not plant.converter.is_finite:
        return {name: _component(i) for i, name in zip(range(len(plant.action_bounds()[0])), names, strict=False)}
    channels = [(source, bridge, i) for source, bridge in enumerate(plant.bridges) for i in range(bridge.channels)]
    return {name: _state(*channel) for name, channel in zip(names, channels, strict=True)}


def _component(i: int) -> Callable[[NDArray[np.float64]], float]:
    return lambda action: float(action[i])


def _state(source: int, bridge: Bridge, channel: int) -> Callable[[NDArray[np.float64]], float]:
    """Return the output of a finite bridge's channel between the lowest (0) and the highest (1)."""
    # A leg is off, at the upper or at the lower rail.
    leg = (0.0 if bridge.has_diode_only else 0.5, 1.0, 0.0)
    table = bridge.table[channel]
    levels = [leg[first] if bridge.legs == 1 else 0.5 * (1.0 + leg[first] - leg[second]) for first, second in table]
    return lambda action: levels[int(action[source])]


def _starred(name: str) -> str:
    """Return the column of a signal's reference."""
    return f"{name}*"


def _kind(table: dict[str, str], name: str) -> str:
    """Return the entry of a signal, or of its kind: the part before the underscore."""
    return table.get(name) or table.get(name.partition("_")[0], "")


def _symbol(name: str) -> str:
    """Return a signal's symbol as `Canvas.text` writes it."""
    base, _, index = name.partition("_")
    index = index.replace("alpha", "α").replace("beta", "β")
    return _SYMBOLS.get(base, base) + (f"_{{{index}}}" if index else "")
