"""Reads formulas from text.

From the loosest to the tightest: ``->`` (to the right), ``or``, ``and``, ``U S`` (not chained), ``not G F H O``,
comparisons ``> >= < <=`` (which chain, ``-1 < x < 0``), ``+ -``, ``* /``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from .formula import (
    And,
    Finally,
    Formula,
    FormulaError,
    Globally,
    Historically,
    Implies,
    Linear,
    Not,
    Once,
    Or,
    Predicate,
    Since,
    Until,
    Window,
    signal,
    unknown_signal,
)

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>[^\W\d]\w*)|(?P<sign>->|[<>]=?|[-+*/()\[\],]))"
)
_WINDOWED = {"G": Globally, "F": Finally, "H": Historically, "O": Once}
_BINDING = {"U": Until, "S": Since}
_RELATIONS = (">", ">=", "<", "<=")
#: Words that cannot be signals.
RESERVED = (*_WINDOWED, *_BINDING, "not", "and", "or")


class _Token(NamedTuple):
    text: str
    kind: str
    position: int


def parse(text: str, signals: Collection[str] | None = None) -> Formula:
    """Return the formula that ``text`` says, for instance ``G[0,100] (x > 0 and F[0,20] y > 0)``.

    Args:
        text: the formula.
        signals: the names that it may use; any, if None.

    Raises:
        FormulaError: it cannot be read; names what was found, what was expected, and the position.
    """
    return _Parser(text, signals).formula()


class _Parser:
    """One text, read from left to right."""

    def __init__(self, text: str, signals: Collection[str] | None) -> None:
        self.text, self.signals = text, signals
        self.tokens: list[_Token] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                at += len(text[at:]) - len(text[at:].lstrip())
                raise FormulaError(f"{text[at]!r} means nothing here.", text, at)
            kind = str(match.lastgroup)
            self.tokens.append(_Token(match[kind], kind, match.start(kind)))
            at = match.end()
        self.tokens.append(_Token("", "end", len(text.rstrip())))
        self.at = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.next
        self.at += 1
        return token

    def error(self, message: str, position: int | None = None) -> FormulaError:
        return FormulaError(message, self.text, self.next.position if position is None else position)

    def expect(self, text: str, why: str) -> None:
        if self.next.text != text:
            raise self.error(f"Expected {text!r} {why}, found {self.found()}.")
        self.take()

    def found(self) -> str:
        return repr(self.next.text) if self.next.kind != "end" else "the end of the formula"

    def formula(self) -> Formula:
        formula = self.logical(self.implication)
        if self.next.kind != "end":
            extra = "a closing parenthesis too many" if self.next.text == ")" else "an operator before it is missing"
            raise self.error(f"Expected the end of the formula, found {self.found()}: {extra}.")
        return formula

    def logical(self, part: Callable[[], Formula | Linear]) -> Formula:
        """Return what the method ``part`` reads, which must be a formula and no mere expression."""
        start = self.next.position
        return self.as_formula(part(), start)

    def as_formula(self, value: Formula | Linear, start: int) -> Formula:
        if isinstance(value, Linear):
            if self.next.kind == "end" or self.next.text in (")", *RESERVED, "->"):
                raise self.error(f"'{value}' is not compared with anything; write for instance '{value} > 0'.", start)
            raise self.error(f"Expected one of > >= < <= after '{value}', found {self.found()}.")
        return value

    def implication(self) -> Formula | Linear:
        start = self.next.position
        left = self.disjunction()
        if self.next.text != "->":
            return left
        left = self.as_formula(left, start)
        self.take()
        return Implies(left, self.logical(self.implication))

    def disjunction(self) -> Formula | Linear:
        start = self.next.position
        left = self.conjunction()
        while self.next.text == "or":
            left = self.as_formula(left, start)
            self.take()
            left = Or(left, self.logical(self.conjunction))
        return left

    def conjunction(self) -> Formula | Linear:
        start = self.next.position
        left = self.binding()
        while self.next.text == "and":
            left = self.as_formula(left, start)
            self.take()
            left = And(left, self.logical(self.binding))
        return left

    def binding(self) -> Formula | Linear:
        start = self.next.position
        left = self.unary()
        if self.next.text not in _BINDING:
            return left
        left = self.as_formula(left, start)
        kind = _BINDING[self.take().text]
        window = self.window()
        formula = kind(left, self.logical(self.unary), window)
        if self.next.text in _BINDING:
            raise self.error("U and S do not chain: put one of them in parentheses.")
        return formula

    def unary(self) -> Formula | Linear:
        if self.next.text == "not":
            self.take()
            return Not(self.logical(self.unary))
        if self.next.text in _WINDOWED:
            kind = _WINDOWED[self.take().text]
            window = self.window()
            return kind(self.logical(self.unary), window)
        return self.comparison()

    def window(self) -> Window:
        if self.next.text != "[":
            return None
        opening = self.take().position
        first = self.step()
        self.expect(",", "between the window's first and last step")
        last = self.step()
        if self.next.text == ")":
            raise self.error("A window is closed on both sides: expected ']', found ')'.")
        self.expect("]", "after the window's last step")
        if first > last:
            raise self.error(f"The window [{first},{last}] is empty: it needs first <= last.", opening)
        return first, last

    def step(self) -> int:
        if not self.next.text.isdecimal():
            raise self.error(f"Expected a whole number of steps, 0 or more, found {self.found()}.")
        return int(self.take().text)

    def comparison(self) -> Formula | Linear:
        start = self.next.position
        left = self.sum()
        formula: Formula | None = None
        while self.next.text in _RELATIONS:
            if not isinstance(left, Linear):
                raise self.error("A comparison of formulas: only expressions are compared.")
            relation = self.take()
            place = self.next.position
            right = self.sum()
            if not isinstance(right, Linear):
                raise self.error("A comparison of formulas: only expressions are compared.", place)
            margin = left - right if relation.text.startswith(">") else right - left
            if not margin.terms:
                raise self.error("This compares numbers; a predicate needs a signal.", start)
            formula = Predicate(margin) if formula is None else And(formula, Predicate(margin))
            left = right
        return left if formula is None else formula

    def sum(self) -> Formula | Linear:
        start = self.next.position
        left = self.product()
        while self.next.text in ("+", "-"):
            sign = self.take().text
            place = self.next.position
            right = self.expression(self.product(), place)
            left = self.expression(left, start) + (right if sign == "+" else -right)
        return left

    def product(self) -> Formula | Linear:
        start = self.next.position
        left = self.factor()
        while self.next.text in ("*", "/"):
            sign = self.take()
            place = self.next.position
            one, other = self.expression(left, start), self.expression(self.factor(), place)
            if sign.text == "/":
                if other.terms:
                    raise self.error("Not linear: a signal divides; give the quotient as a signal.", sign.position)
                if not other.constant:
                    raise self.error("A division by zero.", place)
                left = one / other.constant
            elif one.terms and other.terms:
                raise self.error("Not linear: signals are multiplied; give the product as a signal.", sign.position)
            else:
                left = one * other.constant if one.terms else other * one.constant
        return left

    def expression(self, value: Formula | Linear, start: int) -> Linear:
        if not isinstance(value, Linear):
            raise self.error("Arithmetic with a formula: expected a signal or a number.", start)
        return value

    def factor(self) -> Formula | Linear:
        start = self.next.position
        if self.next.text == "-":
            self.take()
            return -self.expression(self.factor(), start + 1)
        if self.next.text == "(":
            self.take()
            inner = self.implication()
            if self.next.text != ")":
                opened = f"that closes the one at position {start}"
                raise self.error(f"Expected ')' {opened}, found {self.found()}.")
            self.take()
            return inner
        if self.next.kind == "number":
            if math.isinf(float(self.next.text)):
                raise self.error("This number is too large.")
            return Linear((), float(self.take().text))
        if self.next.kind != "word" or self.next.text in RESERVED:
            raise self.error(f"Expected a signal, a number or '(', found {self.found()}.")
        if self.signals is not None and self.next.text not in self.signals:
            raise self.error(unknown_signal(self.next.text, self.signals))
        return signal(self.take().text)
