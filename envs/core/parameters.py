"""Parameters are data: frozen dataclasses that know the unit, the meaning and the range of every field."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import numbers
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from gymnasium import spaces

P = TypeVar("P", bound="Parameters")


def quantity(
    default: float,
    unit: str,
    meaning: str,
    *,
    low: float,
    high: float,
    varies: bool = True,
    spread: tuple[float, float] = (0.25, 4.0),
    from_zero: float | None = None,
) -> Any:
    """Declare a number of a `Parameters` class.

    Args:
        default: its value when nothing else is said.
        unit: SI unit, ``"1"`` for a plain number.
        meaning: one line for the reader.
        low: the smallest allowed value.
        high: the largest allowed value. Both bounds are inclusive and finite.
        varies: whether an episode's context may change it.
        spread: how far a context may move it, as multiples of the environment's own value.
        from_zero: up to where a context may move it where the environment's own value is zero; ``high``, if None.

    Returns:
        A dataclass field.
    """
    metadata = {"unit": unit, "meaning": meaning, "low": low, "high": high, "varies": varies,
                "spread": spread, "from_zero": from_zero}  # fmt: skip
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Base of every parameter class: refuses values outside the declared ranges.

    A subclass is a frozen dataclass whose fields are made by `quantity`, are `Parameters` themselves, tuples of
    `Parameters` that have a field ``name`` of their own, or plain values. It may add checks that span fields in its own
    ``__post_init__`` (call ``super().__post_init__()`` first).

    Raises:
        ValueError: a number is out of range or not finite; names field, value, unit and range.
        TypeError: a quantity is not a number.
    """

    def __post_init__(self) -> None:
        """Check every quantity against its declared range."""
        for field in dataclasses.fields(self):
            if "unit" not in field.metadata:
                continue
            value = getattr(self, field.name)
            where = f"{type(self).__name__}.{field.name}"
            kind: type = numbers.Integral if isinstance(field.default, int) else numbers.Real
            if isinstance(value, bool) or not isinstance(value, kind):
                what = "a whole number" if kind is numbers.Integral else f"a number in {field.metadata['unit']}"
                raise TypeError(f"{where} is {what}, but {value!r} was given.")
            low, high = field.metadata["low"], field.metadata["high"]
            if not low <= value <= high:
                raise ValueError(
                    f"{where} = {value!r} is outside [{low:g}, {high:g}] {field.metadata['unit']} "
                    f"({field.metadata['meaning']})."
                )

    def _quantities(self, prefix: str = "") -> Iterator[tuple[str, float, Mapping[str, Any]]]:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "unit" in field.metadata:
                yield prefix + field.name, value, field.metadata
            for name, part in _parts(field.name, value):
                yield from part._quantities(f"{prefix}{name}.")

    @functools.cached_property
    def _context(self) -> Mapping[str, float]:
        return {name: float(value) for name, value, meta in self._quantities() if meta["varies"]}

    def context(self) -> dict[str, float]:
        """Return the values an episode may change, by dotted name, e.g. ``{"motor.r_a": 0.016}``.

        A member of a tuple goes by its name: ``{"wheels.front.radius": 0.3}``.
        """
        return dict(self._context)

    @functools.cached_property
    def _bounds(self) -> Mapping[str, tuple[float, float]]:
        bounds = {}
        for name, value, meta in self._quantities():
            if meta["varies"]:
                ends = [value * factor for factor in meta["spread"]]
                if value == 0.0:
                    ends = [meta["low"], meta["high"] if meta["from_zero"] is None else meta["from_zero"]]
                bounds[name] = max(min(ends), meta["low"]), min(max(ends), meta["high"])
        return bounds

    def context_space(self) -> spaces.Dict:
        """Return the space of contexts: per dotted name a float64 `Box` of shape () with finite bounds."""
        return spaces.Dict({name: spaces.Box(low, high, (), np.float64) for name, (low, high) in self._bounds.items()})

    def with_context(self: P, context: Mapping[str, Any]) -> P:
        """Return a copy in which ``context`` replaces the named values; the others stay.

        Args:
            context: dotted names and numbers, as in `context`.

        Raises:
            ValueError: an unknown name, a value outside `context_space`, or values that do not fit each other.
        """
        if not context:
            return self
        bounds = self._bounds
        values = {}
        for name, value in context.items():
            if name not in bounds:
                close = difflib.get_close_matches(str(name), bounds, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise ValueError(f"Unknown context name {name!r}.{hint} Allowed: {', '.join(sorted(bounds))}.")
            values[name] = _number(name, value)
            low, high = bounds[name]
            if not low <= values[name] <= high:
                raise ValueError(
                    f"The context value {name} = {values[name]!r} is outside [{low:g}, {high:g}]. A wider "
                    "change is another environment: pass it to gymnasium.make."
                )
        return self._replaced(values)

    def _replaced(self: P, values: Mapping[str, float], prefix: str = "") -> P:
        changes: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            name, value = prefix + field.name, getattr(self, field.name)
            changed = {part: old._replaced(values, f"{prefix}{part}.") for part, old in _parts(field.name, value)}
            if any(new is not old for new, (_, old) in zip(changed.values(), _parts(field.name, value), strict=True)):
                changes[field.name] = tuple(changed.values()) if isinstance(value, tuple) else changed[field.name]
            elif name in values:
                # A whole number stays one: pole pairs index nothing, but they print as 3, not 3.0.
                number = values[name]
                changes[field.name] = int(number) if isinstance(value, int) and number == int(number) else number
        return dataclasses.replace(self, **changes) if changes else self


def _parts(name: str, value: Any) -> tuple[tuple[str, Parameters], ...]:
    """Return the `Parameters` in a field and what they are called there; none for other fields."""
    if isinstance(value, Parameters):
        return ((name, value),)
    if isinstance(value, tuple) and all(isinstance(part, Parameters) for part in value):
        return tuple((f"{name}.{part.name}", part) for part in value)
    return ()


def _number(name: str, value: Any) -> float:
    try:
        return float(np.asarray(value).item())
    except (TypeError, ValueError):
        raise ValueError(f"The context value {name} = {value!r} is not a number.") from None
