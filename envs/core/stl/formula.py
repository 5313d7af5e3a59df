"""Formulas of signal temporal logic: what they are, and how they are written."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

#: First and last step of an operator, both included, counted from the present; None is without an end.
Window = tuple[int, int] | None


class FormulaError(ValueError):
    """A formula that cannot be read, or not be monitored; tells the position where there is one."""

    def __init__(self, message: str, text: str | None = None, position: int = 0) -> None:
        """Say ``message``, and show ``text`` with a caret under its character ``position``."""
        self.text, self.position = text, position
        if text is not None:
            start = max(0, position - 60)
            shown = text[start : position + 40].replace("\n", " ")
            message = f"{message} (at position {position})\n    {shown}\n    {' ' * (position - start)}^"
        super().__init__(message)


@dataclasses.dataclass(frozen=True)
class Linear:
    """A linear expression: the sum of ``coefficient * signal`` over ``terms``, plus ``constant``.

    It is built by arithmetic, ``2 * signal("x") + 1``; a comparison of two makes a `Predicate`.
    """

    terms: tuple[tuple[str, float], ...]
    constant: float = 0.0

    def __add__(self, other: Linear | float) -> Linear:
        """Add an expression or a number."""
        other = _linear(other)
        terms = dict(self.terms)
        for name, coefficient in other.terms:
            terms[name] = terms.get(name, 0.0) + coefficient
        return Linear(tuple((name, c) for name, c in terms.items() if c), self.constant + other.constant)

    __radd__ = __add__

    def __mul__(self, factor: float) -> Linear:
        """Multiply by a number."""
        if isinstance(factor, Linear):
            raise FormulaError(f"'{self}' times '{factor}' is not linear; give the product as a signal of its own.")
        return Linear(tuple((name, c * factor) for name, c in self.terms if c * factor), self.constant * factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Linear:
        """Divide by a number."""
        if isinstance(divisor, Linear):
            raise FormulaError(f"'{self}' divided by '{divisor}' is not linear; give it as a signal of its own.")
        return Linear(tuple((name, c / divisor) for name, c in self.terms), self.constant / divisor)

    def __neg__(self) -> Linear:
        """Change the sign."""
        return self * -1.0

    def __sub__(self, other: Linear | float) -> Linear:
        """Subtract an expression or a number."""
        return self + -_linear(other)

    def __rsub__(self, other: float) -> Linear:
        """Subtract this from a number."""
        return _linear(other) + -self

    def __gt__(self, other: Linear | float) -> Predicate:
        """Say that this is larger; ``>=`` means the same."""
        return Predicate(self - other)

    def __lt__(self, other: Linear | float) -> Predicate:
        """Say that this is smaller; ``<=`` means the same."""
        return Predicate(_linear(other) - self)

    __ge__, __le__ = __gt__, __lt__

    def __str__(self) -> str:
        """Return the text that parses back."""
        parts = []
        for name, coefficient in self.terms:
            size = "" if abs(coefficient) == 1.0 else f"{_number(abs(coefficient))}*"
            parts.append(("- " if coefficient < 0 else "+ ") + size + name)
        if self.constant or not parts:
            parts.append(f"{'-' if self.constant < 0 else '+'} {_number(abs(self.constant))}")
        text = " ".join(parts)
        return text.removeprefix("+ ") if text.startswith("+") else "-" + text.removeprefix("- ")


def signal(name: str) -> Linear:
    """Return the expression that is the signal ``name``."""
    return Linear(((name, 1.0),))


def _linear(value: Linear | float) -> Linear:
    return value if isinstance(value, Linear) else Linear((), float(value))


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


class Formula:
    """A formula; ``& | ~ >>`` combine them, and ``str`` gives the text that parses back."""

    #: How tightly the text binds: ``->``, ``or``, ``and``, ``U S``, ``not G F H O``, predicate.
    precedence: ClassVar[int]

    @property
    def operands(self) -> tuple[Formula, ...]:
        """The formulas that this one is directly made of."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))  # type: ignore[arg-type]
        return tuple(value for value in values if isinstance(value, Formula))

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of its signals, in order of appearance."""
        return tuple(dict.fromkeys(name for operand in self.operands for name in operand.signals))

    @property
    def horizon(self) -> int | None:
        """How many steps it looks ahead; None without an end."""
        horizons = [operand.horizon for operand in self.operands]
        return None if None in horizons else max((h for h in horizons if h is not None), default=0)

    def robustness(self, signals: Mapping[str, Any], *, end: str = "clip", full: bool = False) -> Any:
        """Return the quantitative semantics on recorded traces, see `rlx.envs.core.stl.robustness`."""
        from .robustness import robustness

        return robustness(self, signals, end=end, full=full)

    def __and__(self, other: Formula) -> And:
        """Return the conjunction."""
        return And(self, other)

    def __or__(self, other: Formula) -> Or:
        """Return the disjunction."""
        return Or(self, other)

    def __invert__(self) -> Not:
        """Return the negation."""
        return Not(self)

    def __rshift__(self, other: Formula) -> Implies:
        """Return the implication."""
        return Implies(self, other)

    def __bool__(self) -> bool:
        """Refuse: Python's ``and``, ``or``, ``not`` and ``0 < x < 1`` would lose a part of the formula."""
        raise TypeError("A formula is neither true nor false: combine formulas by & | ~ >>, not by and, or, not.")

    def _text(self, operand: Formula, least: int) -> str:
        """Return ``operand`` as text, in parentheses where it binds less tightly than ``least``."""
        return str(operand) if operand.precedence >= least else f"({operand})"


@dataclasses.dataclass(frozen=True)
class Predicate(Formula):
    """``margin > 0``; its robustness is the margin, so that of ``x > c`` is ``x - c``."""

    margin: Linear
    precedence: ClassVar[int] = 5

    def __post_init__(self) -> None:
        """Refuse a comparison of numbers."""
        if not self.margin.terms:
            raise FormulaError(f"'{self.margin} > 0' compares numbers; a predicate needs a signal.")

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of its signals, in order of appearance."""
        return tuple(name for name, _ in self.margin.terms)

    def __str__(self) -> str:
        """Return the text that parses back."""
        relation, margin = (">", self.margin) if self.margin.terms[0][1] > 0 else ("<", -self.margin)
        return f"{Linear(margin.terms)} {relation} {Linear((), 0.0 - margin.constant)}"


@dataclasses.dataclass(frozen=True)
class Not(Formula):
    """``not operand``."""

    operand: Formula
    precedence: ClassVar[int] = 4

    def __str__(self) -> str:
        """Return the text that parses back."""
        return f"not {self._text(self.operand, self.precedence)}"


@dataclasses.dataclass(frozen=True)
class _Binary(Formula):
    left: Formula
    right: Formula
    symbol: ClassVar[str]

    def __str__(self) -> str:
        """Return the text that parses back."""
        left = self._text(self.left, self.precedence)
        return f"{left} {self.symbol} {self._text(self.right, self.precedence + 1)}"


class And(_Binary):
    """``left and right``."""

    precedence, symbol = 2, "and"


class Or(_Binary):
    """``left or right``."""

    precedence, symbol = 1, "or"


class Implies(_Binary):
    """``left -> right``: ``not left or right``."""

    precedence, symbol = 0, "->"

    def __str__(self) -> str:
        """Return the text that parses back."""
        return f"{self._text(self.left, 1)} -> {self._text(self.right, 0)}"


def _check(window: Window, what: str) -> None:
    if window is None:
        return
    if len(window) != 2 or not all(isinstance(step, int) for step in window):
        raise FormulaError(f"The window of {what} is (first, last) in whole steps, or None, not {window!r}.")
    if not 0 <= window[0] <= window[1]:
        raise FormulaError(f"The window {list(window)} of {what} is empty: it needs 0 <= first <= last.")


def _bracket(window: Window) -> str:
    return "" if window is None else f"[{window[0]},{window[1]}]"


@dataclasses.dataclass(frozen=True)
class _Windowed(Formula):
    operand: Formula
    window: Window = None
    symbol: ClassVar[str]
    looks_ahead: ClassVar[bool] = True
    precedence: ClassVar[int] = 4

    def __post_init__(self) -> None:
        """Check the window."""
        _check(self.window, self.symbol)

    @property
    def horizon(self) -> int | None:
        """How many steps it looks ahead; None without an end."""
        return _horizon(self, self.operand.horizon)

    def __str__(self) -> str:
        """Return the text that parses back."""
        return f"{self.symbol}{_bracket(self.window)} {self._text(self.operand, self.precedence)}"


def _horizon(formula: _Windowed | _Binding, within: int | None) -> int | None:
    if within is None:
        return None
    if formula.looks_ahead:
        return None if formula.window is None else within + formula.window[1]
    return max(0, within - (formula.window or (0, 0))[0])


class Globally(_Windowed):
    """``G[a,b] operand``: at each of the coming steps a to b."""

    symbol = "G"


class Finally(_Windowed):
    """``F[a,b] operand``: at one of the coming steps a to b."""

    symbol = "F"


class Historically(_Windowed):
    """``H[a,b] operand``: at each of the steps a to b ago; before the trace's beginning nothing is asked."""

    symbol, looks_ahead = "H", False


class Once(_Windowed):
    """``O[a,b] operand``: at one of the steps a to b ago."""

    symbol, looks_ahead = "O", False


@dataclasses.dataclass(frozen=True)
class _Binding(Formula):
    left: Formula
    right: Formula
    window: Window = None
    symbol: ClassVar[str]
    looks_ahead: ClassVar[bool] = True
    precedence: ClassVar[int] = 3

    def __post_init__(self) -> None:
        """Check the window."""
        _check(self.window, self.symbol)

    @property
    def horizon(self) -> int | None:
        """How many steps it looks ahead; None without an end."""
        return _horizon(self, super().horizon)

    def __str__(self) -> str:
        """Return the text that parses back."""
        left, right = (self._text(operand, self.precedence + 1) for operand in (self.left, self.right))
        return f"{left} {self.symbol}{_bracket(self.window)} {right}"


class Until(_Binding):
    """``left U[a,b] right``: right at a coming step t' from a to b, and left at each from now on, before t'."""

    symbol = "U"


class Since(_Binding):
    """``left S[a,b] right``: right at a step t', a to b ago, and left at each after t', up to now."""

    symbol, looks_ahead = "S", False


def check_signals(formula: Formula, allowed: Iterable[str], hint: str = "") -> None:
    """Refuse a formula with a signal that is not among ``allowed``.

    Raises:
        FormulaError: with the signal's position in the formula's text, and ``hint``.
    """
    known = list(allowed)
    for name in formula.signals:
        if name not in known:
            text = str(formula)
            found = re.search(rf"\b{re.escape(name)}\b", text)
            raise FormulaError(unknown_signal(name, known) + hint, text, found.start() if found else 0)


def unknown_signal(name: str, known: Iterable[str]) -> str:
    """Return what an error says about a signal that is not there."""
    return f"Unknown signal {name!r}. There are: {', '.join(sorted(known)) or 'none'}."
