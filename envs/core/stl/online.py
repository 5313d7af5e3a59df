"""Robustness of a trace while it grows.

After each sample it is known in which interval the robustness at time 0 will be, whatever comes. That is interval
arithmetic over the formula, where a predicate on a sample that has not come yet is [-inf, inf] (Deshmukh et al.,
"Robust online monitoring of signal temporal logic", Formal Methods in System Design 51, 2017). The bounds are attained
where no two predicates contradict each other.

A formula is flattened into arrays, and a monitor's memory is an array: see `kernels`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .formula import (
    And,
    Finally,
    Formula,
    FormulaError,
    Globally,
    Historically,
    Implies,
    Not,
    Once,
    Or,
    Predicate,
    Since,
    Until,
    check_signals,
)
from .kernels import (
    AND,
    CHANNELS,
    GATHERED,
    HEADER,
    HIGH,
    IMPLIES,
    LEAST,
    LOW,
    MOST,
    NEVER,
    NODE,
    NOT,
    OR,
    PAST_LEAST,
    PAST_MOST,
    PAST_SINCE,
    PREDICATE,
    SINCE,
    UNTIL,
    Array,
    Program,
    advance_many,
    start_many,
)
from .parsing import parse
from .robustness import EXACT, Traces


class Monitor:
    """A formula, made ready to follow traces while they grow.

    ``program`` and arrays of ``memory_size`` numbers are what the kernels `start` and `advance` work on. To follow many
    traces from Python, see `memories` and `follow`.
    """

    def __init__(self, formula: Formula | str, signals: Sequence[str], length: int | None = None) -> None:
        """Flatten a formula.

        Args:
            formula: a formula, or its text.
            signals: the names of a sample's values, in their order.
            length: how many samples the whole trace has; windows end with it, as offline with ``end="clip"``. None if
                that is not known: then time has no end, and ``G F U`` without a window may not stand within an operator
                that looks at several times.

        Raises:
            FormulaError: an unknown signal, or a formula that needs ``length``.
            ValueError: ``length`` is not positive.
        """
        self.formula = parse(formula, signals) if isinstance(formula, str) else formula
        self.signals, self.length = tuple(signals), length
        if length is not None and length < 1:
            raise ValueError(f"length={length}: a trace has at least 1 sample.")
        check_signals(self.formula, self.signals)
        flat = _Flattening(self.signals, length)
        flat.add(self.formula, 0, 0, 1, 0)
        self.program: Program = (np.array(flat.nodes, NODE), np.array(flat.numbers))
        self.memory_size: int = flat.size

    def memories(self, count: int) -> Array:
        """Return the memories of ``count`` monitors at the beginning of a trace, shape (count, `memory_size`)."""
        memories = np.zeros((count, self.memory_size))
        self.begin(memories, np.ones(count, np.bool_))
        return memories

    def begin(self, memories: Array, active: NDArray[np.bool_]) -> None:
        """Begin traces anew in the rows of ``memories`` where ``active`` is true."""
        start_many(self.program, memories, active)

    def follow(self, memories: Array, samples: Array, active: NDArray[np.bool_] | None = None) -> Array:
        """Take a sample into account in each monitor.

        Args:
            memories: from `memories`, or a copy; changed in place.
            samples: shape (N, signals).
            active: the rows that have a sample, shape (N,); all, if None.

        Returns:
            The bounds of the robustness at time 0, shape (N, 2), equal once it is decided. ``memories[:, NOW]`` is
            the robustness as if the traces ended here.

        Raises:
            ValueError: samples of another shape, or NaN; nothing has changed then.
        """
        samples = np.ascontiguousarray(samples, np.float64)
        if samples.shape != (len(memories), len(self.signals)):
            raise ValueError(
                f"Samples are of shape ({len(memories)}, {len(self.signals)}), one row for each monitor in the order "
                f"{', '.join(self.signals)}, not {samples.shape}."
            )
        active = np.ones(len(memories), np.bool_) if active is None else active
        missing = np.isnan(samples) & active[:, None]
        if missing.any():
            row, column = np.argwhere(missing)[0].tolist()
            raise ValueError(f"The signal {self.signals[column]!r} is NaN in row {row}.")
        advance_many(self.program, memories, samples, active)
        return memories[:, LOW : HIGH + 1].copy()


@dataclasses.dataclass
class _Flattening:
    """Writes the nodes of a formula, operands first."""

    signals: tuple[str, ...]
    length: int | None
    nodes: list[tuple[int, ...]] = dataclasses.field(default_factory=list)
    numbers: list[float] = dataclasses.field(default_factory=lambda: [0.0])  # first the room that scratch needs
    size: int = HEADER

    def add(self, formula: Formula, start: int, stop: int, sign: int, lookback: int) -> int:
        """Write ``formula`` and what it is made of.

        Args:
            formula: the part to write.
            start: the first time at which its value is asked for.
            stop: the last one; `NEVER` if there is none.
            sign: -1 under an odd number of negations.
            lookback: how many steps back from the latest sample its values are still read.

        Returns:
            The node's index.
        """
        kind, (first, last), (reach, ahead) = self.kind(formula), self.window(formula), self.spread(formula)
        if kind in (PAST_LEAST, PAST_MOST, PAST_SINCE):  # they build on their last value, from the beginning on
            start, lookback = 0, max(lookback, reach + 1)
        is_single = start == stop and kind in (LEAST, MOST, UNTIL)
        if last == NEVER and not is_single:
            raise FormulaError(
                f"'{formula}' is asked for at several times and looks ahead without end, which takes memory without "
                "end: give it a window, or say how long the trace is (length= of Monitor, steps= of STLMonitor)."
            )
        # The times at which operands are asked for, how far back they are read, and how many at once.
        begin = max(0, start + {LEAST: first, MOST: first, SINCE: -last}.get(kind, 0))
        end = min(stop + (last if kind in (LEAST, MOST, UNTIL) else 0), self.limit - 1)
        inner = [self.spread(operand) for operand in formula.operands]
        back, inner_ahead = (max((spread[i] for spread in inner), default=0) for i in (0, 1))
        if is_single:
            room = min(max(back + inner_ahead, first), max(0, end - begin))
        else:
            back = max(back, reach + {LEAST: -first, MOST: -first, SINCE: last}.get(kind, 0))
            span = last - first if kind in (LEAST, MOST) else last
            room = min(min(stop - start, reach + ahead) + span, self.limit)
        self.numbers[0] = max(self.numbers[0], room + 1)
        operands = [
            self.add(operand, begin, end, -sign if kind == NOT or (kind == IMPLIES and i == 0) else sign, back)
            for i, operand in enumerate(formula.operands)
        ]
        instant = is_instant(formula)
        kept = min(stop - start, lookback + (0 if instant else ahead)) + 1
        mask = (1 << (max(1, kept) - 1).bit_length()) - 1
        node = {
            "kind": kind, "left": operands[0] if operands else 0, "right": operands[-1] if operands else 0,
            "first": first, "last": last, "start": start, "stop": stop, "reach": reach, "ahead": ahead,
            "is_instant": instant, "is_single": is_single, "sign": sign, "at": self.size, "mask": mask,
            "numbers": 0, "terms": 0, "unseen": -1, "rest": -1, "limit": self.limit,
        }  # fmt: skip
        self.size += mask + 1 if instant else CHANNELS * (mask + 1) + (GATHERED if is_single else 0)
        if isinstance(formula, Predicate):
            terms = [(self.signals.index(name), coefficient) for name, coefficient in formula.margin.terms]
            node["terms"] = len(terms)
            node["numbers"] = self.write(np.array([formula.margin.constant, *np.ravel(terms)]))
        if self.length is not None:
            node["unseen"] = self.write(self.unseen(formula, start, stop, sign))
            if is_single:
                values = [self.unseen(operand, begin, end, sign) for operand in formula.operands]
                node["rest"] = self.write(_rest(kind, values, first))
        self.nodes.append(tuple(node[str(name)] for name in NODE.names or ()))
        return len(self.nodes) - 1

    @property
    def limit(self) -> int:
        """When time ends."""
        return NEVER if self.length is None else self.length

    def kind(self, formula: Formula) -> int:
        """Return the kind of a formula's node."""
        kind = _KINDS[type(formula)]
        if self.length is None and isinstance(formula, Historically | Once | Since) and formula.window is None:
            return {LEAST: PAST_LEAST, MOST: PAST_MOST, SINCE: PAST_SINCE}[kind]
        return kind

    def window(self, formula: Formula) -> tuple[int, int]:
        """Return the first and the last step of an operator; those of `H` and `O` are negative."""
        if self.kind(formula) not in (LEAST, MOST, UNTIL, SINCE):
            return 0, 0
        first, last = getattr(formula, "window", None) or (0, NEVER if self.length is None else self.length - 1)
        return (-last, -first) if isinstance(formula, Historically | Once) else (first, last)

    def spread(self, formula: Formula) -> tuple[int, int]:
        """Return ``reach`` and ``ahead`` of a formula's node.

        Where time has no end, all values later than what is known are alike, and one of them is kept: a predicate is
        ahead by one.
        """
        base, most = (1, NEVER) if self.length is None else (0, self.length - 1)
        inner = [self.spread(operand) for operand in formula.operands]
        reach, ahead = max((r for r, _ in inner), default=0), max((a for _, a in inner), default=base)
        (first, last), kind = self.window(formula), self.kind(formula)
        if kind in (LEAST, MOST):
            reach, ahead = max(0, reach + last), max(base, ahead - first)
        elif kind == UNTIL:
            reach += last
        elif kind == SINCE:
            ahead += last
        return min(reach, most), min(ahead, most)

    def unseen(self, formula: Formula, start: int, stop: int, sign: int) -> Array:
        """Return the bounds of a formula's values where nothing is known, shape (2, stop - start + 1)."""
        if start > stop:
            return np.zeros((2, 0))
        traces = Traces(np, EXACT, dict.fromkeys(formula.signals, np.zeros(0)), 0, self.length)
        return np.array([traces.evaluate(formula, start, stop + 1, unknown * sign) for unknown in (-np.inf, np.inf)])

    def write(self, values: Array) -> int:
        """Append to the numbers; return where."""
        self.numbers += values.ravel().tolist()
        return len(self.numbers) - values.size


def _rest(kind: int, values: list[Array], first: int) -> Array:
    """Return what an operator amounts to from each time of its operands' ``values`` on, shape (2, times)."""
    rest = values[-1].copy()
    if kind == UNTIL:
        rest[:, :first] = -np.inf
    for t in range(rest.shape[1] - 2, -1, -1):
        if kind == UNTIL:
            rest[:, t] = np.maximum(rest[:, t], np.minimum(values[0][:, t], rest[:, t + 1]))
        else:
            rest[:, t] = (np.maximum if kind == MOST else np.minimum)(rest[:, t], rest[:, t + 1])
    return rest


def is_instant(formula: Formula) -> bool:
    """Return whether ``formula`` is made of predicates by ``not and or ->``."""
    instant = isinstance(formula, Predicate | Not | And | Or | Implies)
    return instant and all(map(is_instant, formula.operands))


_KINDS = {
    Predicate: PREDICATE, Not: NOT, And: AND, Or: OR, Implies: IMPLIES, Globally: LEAST, Finally: MOST,
    Historically: LEAST, Once: MOST, Until: UNTIL, Since: SINCE,
}  # fmt: skip
