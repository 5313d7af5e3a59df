"""Quantitative semantics on recorded traces, many at once.

Robustness as Donzé and Maler define it ("Robust satisfaction of temporal logic over real-valued signals", FORMATS
2010), on samples: a conjunction is the minimum, ``G`` the minimum over its window, and so on. Zero counts as satisfied.

Only those times of a part are computed that the formula asks for. A window of w samples takes O(log w) operations on
whole arrays, ``U`` and ``S`` one pass over time.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

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
    Window,
    check_signals,
)

#: Bytes of a signal that are worked on at once, so that they stay in the processor's cache.
_CACHE = 2**18
#: What is done about windows that reach beyond the trace.
ENDS = ("clip", "strong", "weak", "raise")


def robustness(formula: Formula, signals: Mapping[str, Any], *, end: str = "clip", full: bool = False) -> Any:
    """Return how well recorded traces satisfy ``formula``: positive if they do, negative if they do not.

    Args:
        formula: what is asked.
        signals: an array by name, time last: (T,) for one trace, (B, T) for many, all of one shape. What is not float32
            is computed in float64.
        end: what is done about windows that reach beyond the trace. ``"clip"``: they end with it (as in rtamt; this is
            the neutral view of Eisner et al., "Reasoning with temporal logic on truncated paths", CAV 2003); of a
            window that lies beyond altogether, ``F`` and ``U`` are -inf and ``G`` inf. ``"strong"`` and ``"weak"``: the
            trace is the beginning of a longer one, whatever is missing counts against, or in favour of, the formula.
            ``"raise"``: it is an error. All agree where the trace is long enough. Without a window, an operator
            reaches to the trace's end, or beyond it if that is strong or weak.
        full: return the robustness at all times, not only at time 0.

    Returns:
        Shape (B,), or a float for one trace; of the signals' shape if ``full``.

    Raises:
        FormulaError: an unknown signal, or a window that reaches beyond the trace if ``end="raise"``.
        ValueError: no samples, signals of different shapes, or NaN.
    """
    if end not in ENDS:
        raise ValueError(f"end={end!r}: allowed are {', '.join(ENDS)}.")
    arrays = read_signals(formula, signals)
    *batch, length = next(iter(arrays.values())).shape
    flat = {name: array.reshape(-1, length) for name, array in arrays.items()}
    traces, itemsize = len(next(iter(flat.values()))), next(iter(flat.values())).itemsize
    block = max(1, _CACHE // (length * itemsize))
    unknown = -np.inf if end == "strong" else np.inf
    parts = []
    for i in range(0, traces, block):
        part = Traces(
            np,
            EXACT,
            {name: array[i : i + block].T for name, array in flat.items()},
            length,
            limit=None if end in ("strong", "weak") else length,
            is_strict=end == "raise",
        )
        parts.append(part.evaluate(formula, 0, length if full else 1, unknown).T)
    result = np.concatenate(parts).reshape((*batch, length) if full else batch)
    return result if result.ndim else float(result)


def read_signals(formula: Formula, signals: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return what ``formula`` needs of ``signals`` as floating-point arrays."""
    check_signals(formula, signals)
    arrays = {name: np.asarray(signals[name]) for name in formula.signals}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"Signals are arrays of one shape, time last, but: {told}.")
    is_single = all(array.dtype == np.float32 for array in arrays.values())
    for name, array in arrays.items():
        if array.ndim == 0 or array.size == 0:
            raise ValueError(f"The signal {name!r} has no samples: it is of shape {array.shape}, time last.")
        array = array.astype(np.float32 if is_single else np.float64, copy=False)
        if np.isnan(array).any():
            raise ValueError(f"The signal {name!r} is NaN at {tuple(map(int, np.argwhere(np.isnan(array))[0]))}.")
        arrays[name] = array
    return arrays


@dataclasses.dataclass(frozen=True)
class Operation:
    """Minimum or maximum, exact or smooth: an associative operation on arrays, time first."""

    combine: Callable[[Any, Any], Any]
    of_nothing: float
    """Its value where there is no operand."""
    lift: Callable[[Any], Any] = lambda x: x
    """Turns values into what ``combine`` works on."""
    lower: Callable[[Any], Any] = lambda x: x
    """Turns that back."""

    def pair(self, x: Any, y: Any) -> Any:
        """Return the operation on two arrays, element by element."""
        return self.lower(self.combine(self.lift(x), self.lift(y)))

    def all(self, x: Any) -> Any:
        """Return the operation over all times: (n, ...) to (1, ...)."""
        x, odd = self.lift(x), None
        while True:
            half = len(x) // 2
            if len(x) % 2:
                odd = x[-1:] if odd is None else self.combine(odd, x[-1:])
            if half == 0:
                return self.lower(odd)
            x = self.combine(x[:half], x[half : 2 * half])

    def slide(self, x: Any, width: int) -> Any:
        """Return the operation over each ``width`` samples in a row: (n, ...) to (n - width + 1, ...)."""
        count = len(x) - width + 1
        if count == 1:
            return self.all(x)
        # Blocks of 1, 2, 4, ... samples make up the window without overlap, so that this is right for sums as well.
        block, size, done, result = self.lift(x), 1, 0, None
        while True:
            if width & size:
                part = block[done : done + count]
                result = part if result is None else self.combine(result, part)
                done += size
            if done == width:
                return self.lower(result)
            block = self.combine(block[:-size], block[size:])
            size *= 2

    def onwards(self, x: Any, xp: Any) -> Any:
        """Return the operation over all samples from each one on: (n, ...) to (n, ...)."""
        x, size = self.lift(x), 1
        while size < len(x):
            x = xp.concatenate([self.combine(x[:-size], x[size:]), x[-size:]])
            size *= 2
        return self.lower(x)


#: Maximum and minimum.
EXACT = (Operation(np.maximum, -np.inf), Operation(np.minimum, np.inf))


@dataclasses.dataclass(frozen=True)
class Traces:
    """Traces on which formulas are evaluated: the definition of what each operator means.

    After ``length`` samples everything is unknown: a predicate has the value that `evaluate` is told. Time itself ends
    after ``limit`` samples, if that is not None.
    """

    xp: Any
    """The module of arrays: NumPy or torch."""
    operations: tuple[Operation, Operation]
    """Maximum and minimum."""
    signals: Mapping[str, Any]
    length: int
    limit: int | None
    is_strict: bool = False
    """Whether a window that reaches beyond the limit is an error."""
    placement: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Where torch makes new arrays."""

    def rows(self, count: int, value: float) -> Any:
        """Return so many samples of a number."""
        like = next(iter(self.signals.values()))
        return self.xp.full((count, *like.shape[1:]), value, dtype=like.dtype, **self.placement)

    def evaluate(self, formula: Formula, start: int, stop: int, unknown: float) -> Any:
        """Return the robustness at times ``start`` up to ``stop``, this one excluded: shape (stop - start, ...).

        Args:
            formula: a formula without unknown signals.
            start: the first time.
            stop: the end of times, more than ``start``.
            unknown: the value of a predicate on unknown samples; its negative under a negation.
        """
        largest, smallest = self.operations

        def of(operand: Formula, sign: float = 1.0) -> Any:
            values = self.evaluate(operand, start, stop, sign * unknown)
            return values if sign > 0 else -values

        match formula:
            case Predicate():
                return self._predicate(formula, start, stop, unknown)
            case Not(operand):
                return of(operand, -1.0)
            case And(left, right):
                return smallest.pair(of(left), of(right))
            case Or(left, right):
                return largest.pair(of(left), of(right))
            case Implies(left, right):
                return largest.pair(of(left, -1.0), of(right))
            case Globally(operand, window) | Finally(operand, window):
                x = self.evaluate(operand, start, self._end(formula, stop), unknown)
                return self._over(smallest if isinstance(formula, Globally) else largest, x, window, stop - start)
            case Historically(operand, window) | Once(operand, window):
                x = self._flip(self.evaluate(operand, self._beginning(window, start), stop, unknown))
                operation = smallest if isinstance(formula, Historically) else largest
                return self._flip(self._over(operation, x, window, stop - start))
            case Until(left, right, window):
                end = self._end(formula, stop)
                x, y = self.evaluate(left, start, end, unknown), self.evaluate(right, start, end, unknown)
                return self._until(x, y, window, stop - start)
            case Since(left, right, window):
                beginning = self._beginning(window, start)
                x, y = (self._flip(self.evaluate(part, beginning, stop, unknown)) for part in (left, right))
                return self._flip(self._until(x, y, window, stop - start))
        raise TypeError(f"{formula!r} is no formula.")

    def _predicate(self, predicate: Predicate, start: int, stop: int, unknown: float) -> Any:
        known = slice(start, min(stop, self.length))
        parts = [
            self.signals[name][known] * c if c != 1.0 else self.signals[name][known]
            for name, c in predicate.margin.terms
        ]
        value = functools.reduce(operator.add, parts)
        if predicate.margin.constant:
            value = value + predicate.margin.constant
        missing = stop - max(start, self.length)
        return value if missing <= 0 else self.xp.concatenate([value, self.rows(missing, unknown)])

    def _end(self, formula: Globally | Finally | Until, stop: int) -> int:
        """Return where the times end that an operator looks at from times before ``stop``."""
        if formula.window is None:
            # Where time has no end, all times that see nothing but unknown samples are alike; one stands for all.
            return self.limit if self.limit is not None else max(stop, self.length + memory(formula) + 1)
        end = stop + formula.window[1]
        if self.limit is None or end <= self.limit:
            return end
        if self.is_strict:
            raise FormulaError(
                f"The window of '{formula}' reaches {end - self.limit} steps beyond a trace of {self.limit} samples: "
                "give a longer trace, or end='clip', 'strong' or 'weak'."
            )
        return self.limit

    @staticmethod
    def _beginning(window: Window, start: int) -> int:
        return 0 if window is None else max(0, start - window[1])

    def _flip(self, x: Any) -> Any:
        return self.xp.flip(x, (0,))

    def _over(self, operation: Operation, x: Any, window: Window, count: int) -> Any:
        """Return ``operation`` over the window, for the first ``count`` samples of ``x``; beyond ``x`` is nothing."""
        if window is None:
            return operation.all(x) if count == 1 else operation.onwards(x, self.xp)[:count]
        first, last = window[0], min(window[1], len(x) - 1)
        if first > last:
            return self.rows(count, operation.of_nothing)
        missing = count + last - len(x)
        if missing > 0:
            x = self.xp.concatenate([x, self.rows(missing, operation.of_nothing)])
        return operation.slide(x[first : count + last], last - first + 1)

    def _until(self, left: Any, right: Any, window: Window, count: int) -> Any:
        """Return ``left U right`` for the first ``count`` samples.

        With a window it is that without one, a steps ahead, and left before, and right in the window (Donzé, Ferrère
        and Maler, "Efficient robust monitoring for STL", CAV 2013).
        """
        largest, smallest = self.operations
        values = [right[-1:]]
        for i in range(len(right) - 2, -1, -1):
            values.append(largest.pair(right[i : i + 1], smallest.pair(left[i : i + 1], values[-1])))
        until = self.xp.concatenate(values[::-1])
        if window is None:
            return until[:count]
        first, last = window
        result = self._over(largest, right, window, count)
        result = smallest.pair(result, self._over(largest, until, (first, first), count))
        if first:
            result = smallest.pair(result, self._over(smallest, left, (0, first - 1), count))
        return result


def memory(formula: Formula) -> int:
    """Return how many steps ``formula`` looks back, operators without a window aside."""
    own = formula.window[1] if isinstance(formula, Historically | Once | Since) and formula.window else 0
    return own + max(map(memory, formula.operands), default=0)
