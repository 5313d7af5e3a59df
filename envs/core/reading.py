"""Reads what users pass: numbers, intervals, names and dicts; everything else is told what it should have been."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

Interval = tuple[float, float]


def one_of(what: str, value: Any, allowed: Iterable[str]) -> Any:
    """Return ``value`` if it is allowed.

    Raises:
        ValueError: names the value, what is allowed, and what may have been meant.
    """
    names = tuple(allowed)
    if value not in names:
        close = difflib.get_close_matches(str(value), names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{what} = {value!r} is unknown.{hint} Allowed: {', '.join(names)}.")
    return value


def number(what: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """Return ``value`` as a float, if it is a finite number in [low, high].

    Raises:
        ValueError: it is not.
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (is_number and low <= value <= high and -math.inf < value < math.inf):
        raise ValueError(f"{what} = {value!r}: a number{_within(low, high)} is needed.")
    return float(value)


def interval(what: str, value: Any, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Return ``value`` as (smallest, largest), if it is two numbers in that order, or one, in [low, high].

    Raises:
        ValueError: it is not.
    """
    ends = (value, value) if isinstance(value, numbers.Real) else value
    try:
        first, second = (number(what, end, low, high) for end in ends)
    except (TypeError, ValueError):
        first, second = 1.0, 0.0
    if first > second:
        raise ValueError(f"{what} = {value!r}: an interval (smallest, largest){_within(low, high)} is needed.")
    return first, second


def entries(what: str, value: Any) -> dict[str, Any]:
    """Return a copy of the dict ``value``; None is an empty one.

    Raises:
        ValueError: it is something else.
    """
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"{what} = {value!r}: a dict is needed.")
    return dict(value or {})


def sequence(what: str, value: Any) -> tuple[Any, ...]:
    """Return the elements of a list or tuple ``value``.

    Raises:
        ValueError: it is something else; a lone string too.
    """
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise ValueError(f"{what} = {value!r}: a list is needed.")
    return tuple(value)


def _within(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return ""
    return f" of at least {low:g}" if math.isinf(high) else f" in [{low:g}, {high:g}]"
