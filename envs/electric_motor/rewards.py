"""The reward and the constraints of a drive."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.reading import entries, number, one_of, sequence
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
    for name, value in entries("reward", given).items():
        options[one_of("The reward field", name, options)] = value
    weights = options["weights"]
    weights = _per_signal("weights", 1.0 / len(targets) if weights is None else weights, targets, 0.0)
    powers = _per_signal("power", options["power"], targets, 1.0)
    bias = sum(weights) if options["bias"] == "positive" else number("reward bias", options["bias"])
    gamma = number("reward gamma", options["gamma"], 0.0, 1.0 - 1e-9)
    violation = options["violation_reward"]
    if violation is None:
        violation = min((bias - sum(weights)) / (1.0 - gamma), 0.0)
    return Reward(weights, powers, bias, number("reward violation_reward", violation))


def _per_signal(name: str, given: Any, targets: Sequence[str], default: float) -> tuple[float, ...]:
    values = given if isinstance(given, Mapping) else dict.fromkeys(targets, given)
    for target in values:
        one_of(f"The controlled signal of reward {name}", target, targets)
    return tuple(number(f"reward {name} of {target}", values.get(target, default), 0.0) for target in targets)


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
        for name, limit in zip(self.signals, self.limits, strict=True):
            if limit is not None:
                number(f"Constraint limit of {name}", limit, 1e-12)
        if self.order != math.inf:
            number("Constraint order", self.order, 1.0)
        number("Constraint soft", self.soft, 1e-12, 1.0)


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
    several = sequence("constraints", default if given is None else given)
    constraints = tuple(_read_constraint(one, known) for one in several)
    if len(constraints) > kernels.CONSTRAINTS:
        raise ValueError(f"At most {kernels.CONSTRAINTS} constraints are possible, not {len(constraints)}.")
    return constraints


def _read_constraint(given: Any, known: Sequence[str]) -> Constraint:
    if isinstance(given, str):
        given = {"signals": [given]}
    elif not isinstance(given, Mapping):
        group = sequence("A constraint", given)
        given = {"signals": group, "order": 2.0 if len(group) > 1 else math.inf}
    fields: dict[str, Any] = {"signals": (), "order": math.inf, "soft": 1.0}
    for name, value in given.items():
        fields[one_of("The field of a constraint", name, fields)] = value
    signals = fields["signals"]
    if isinstance(signals, str):
        signals = [signals]
    limits = dict(signals) if isinstance(signals, Mapping) else dict.fromkeys(sequence("Constraint signals", signals))
    for name in limits:
        one_of("The signal of a constraint", name, known)
    order = math.inf if fields["order"] == "inf" else fields["order"]
    return Constraint(tuple(limits), tuple(limits.values()), order, fields["soft"])
