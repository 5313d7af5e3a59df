"""The reward and the constraints of a drive."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from . import kernels


@dataclasses.dataclass(frozen=True)
class Reward:
    """Weighted sum of errors, blended with a violation reward by the degree to which constraints are violated.

    ::

        r = (1 - degree) (bias - sum_k w_k (|s_k - s_k*| / span_k)^n_k) + degree * violation_reward

    with signals s and references s* as fractions of their limits, and span 2, or 1 for signals that cannot be negative.
    ``info["reward_terms"]`` holds each error term under its signal's name, ``bias`` and ``violation``.
    """

    weights: tuple[float, ...]
    powers: tuple[float, ...]
    bias: float
    violation_reward: float


def read_reward(given: Mapping[str, Any] | None, targets: Sequence[str]) -> Reward:
    """Turn what a user wrote into a `Reward`.

    Args:
        given: ``weights`` (per signal; equal and summing to 1 by default), ``power`` (number or per signal; 1),
            ``bias`` (number or ``"positive"``: the lowest reward is 0; 0), ``gamma`` (0.9), ``violation_reward``
            (lowest reward / (1 - gamma), at most 0).
        targets: the controlled signals.

    Raises:
        ValueError: an unknown field, signal, or value out of range.
    """
    options: dict[str, Any] = {"weights": None, "power": 1.0, "bias": 0.0, "gamma": 0.9, "violation_reward": None}
    for name, value in (given or {}).items():
        if name not in options:
            raise ValueError(f"Unknown reward field {name!r}. Allowed: {', '.join(options)}.")
        options[name] = value
    weights = _per_signal("weights", options["weights"] or 1.0 / len(targets), targets)
    powers = _per_signal("power", options["power"], targets)
    bias = sum(weights) if options["bias"] == "positive" else _finite("bias", options["bias"])
    gamma = _finite("gamma", options["gamma"])
    if not 0.0 <= gamma < 1.0:
        raise ValueError(f"The reward's gamma = {gamma!r} is outside [0, 1).")
    violation = options["violation_reward"]
    if violation is None:
        violation = min((bias - sum(weights)) / (1.0 - gamma), 0.0)
    return Reward(weights, powers, bias, _finite("violation_reward", violation))


def _finite(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"The reward's {name} is a number, not {value!r}.")
    return float(value)


def _per_signal(name: str, given: Any, targets: Sequence[str]) -> tuple[float, ...]:
    values = given if isinstance(given, Mapping) else dict.fromkeys(targets, given)
    unknown = set(values) - set(targets)
    if unknown:
        raise ValueError(f"The reward's {name} names {sorted(unknown)[0]!r}; the references are {', '.join(targets)}.")
    numbers = tuple(_finite(name, values.get(target, 0.0)) for target in targets)
    if any(number < 0.0 for number in numbers):
        raise ValueError(f"The reward's {name} are not negative, but {numbers} were given.")
    return numbers


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A weighted norm of signals that must not exceed 1.

    ``level = (sum_k |s_k / limit_k|^order)^(1/order)``, or their maximum for order infinity: a limit on each signal
    (``inf``), on a vector's length (2), or on any weighted sum (1). The episode ends above 1. From ``soft`` on, the
    degree of violation grows linearly from 0 to 1; it is the step's cost.
    """

    signals: tuple[str, ...]
    limits: tuple[float | None, ...]  # SI; None: the signal's own limit
    order: float = math.inf
    soft: float = 1.0

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ValueError: no or too many signals, an order below 1, or a soft threshold outside (0, 1].
        """
        if not 1 <= len(self.signals) <= 8:
            raise ValueError(f"A constraint names 1 to 8 signals, not {len(self.signals)}.")
        if any(limit is not None and not limit > 0.0 for limit in self.limits):
            raise ValueError(f"The limits of a constraint are positive, not {self.limits}.")
        if not self.order >= 1.0:
            raise ValueError(f"Constraint order = {self.order!r}: a number from 1 to infinity is needed.")
        if not 0.0 < self.soft <= 1.0:
            raise ValueError(f"Constraint soft = {self.soft!r} is outside (0, 1].")


def read_constraints(given: Any, known: Sequence[str], default: Sequence[Sequence[str]]) -> tuple[Constraint, ...]:
    """Turn what a user wrote into constraints.

    Args:
        given: None for ``default``; a list of signal names (each limited), groups of names (limited by their Euclidean
            norm), or dicts of ``signals`` (names, or name -> limit in SI units), ``order`` and ``soft``.
        known: the drive's signals.
        default: groups used if None is given.

    Raises:
        ValueError: an unknown signal or field, or too many constraints.
    """
    constraints = tuple(_read_constraint(one, known) for one in (default if given is None else given))
    if len(constraints) > kernels.CONSTRAINTS:
        raise ValueError(f"At most {kernels.CONSTRAINTS} constraints are possible, not {len(constraints)}.")
    return constraints


def _read_constraint(given: Any, known: Sequence[str]) -> Constraint:
    if isinstance(given, str):
        given = {"signals": [given]}
    elif not isinstance(given, Mapping):
        given = {"signals": list(given), "order": 2.0 if len(list(given)) > 1 else math.inf}
    unknown = set(given) - {"signals", "order", "soft"}
    if unknown or "signals" not in given:
        raise ValueError(f"A constraint has the fields signals, order and soft; {dict(given)!r} was given.")
    signals = given["signals"]
    limits = signals if isinstance(signals, Mapping) else dict.fromkeys(signals)
    for name in limits:
        if name not in known:
            raise ValueError(f"A constraint names the signal {name!r}. Known: {', '.join(known)}.")
    order = {"inf": math.inf}.get(given.get("order", math.inf), given.get("order", math.inf))
    return Constraint(tuple(limits), tuple(limits.values()), float(order), float(given.get("soft", 1.0)))
