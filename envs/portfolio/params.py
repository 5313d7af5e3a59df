"""What trading costs, and what else of a task may change from episode to episode."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any

from ..core import Parameters, quantity
from ..core.reading import entries, one_of
from .worlds import WORLDS, World


def _rate(default: float, meaning: str, high: float = 0.05, from_zero: float = 0.005) -> Any:
    return quantity(default, "1", meaning, low=0.0, high=high, from_zero=from_zero)


def _yearly(default: float, meaning: str, high: float = 1.0, from_zero: float = 0.1) -> Any:
    return quantity(default, "1/year", meaning, low=0.0, high=high, from_zero=from_zero)


@dataclasses.dataclass(frozen=True)
class Costs(Parameters):
    """What it costs to trade, to borrow and to sell short.

    A trade of value u in an asset whose daily returns deviate by sigma, and of which V is traded on a day, costs ::

        |u| (half_spread + buy or sell) + fixed + impact sigma |u| sqrt(|u| / V),

    the last by the square-root law (Almgren et al. 2005; Boyd et al., "Multi-Period Trading via Convex Optimization",
    2017, equation 2.2).
    """

    buy: float = _rate(0.001, "commission on purchases, per value", high=0.2)
    sell: float = _rate(0.001, "commission and taxes on sales, per value", high=0.2)
    half_spread: float = _rate(0.0, "half the spread between bid and ask, per price")
    fixed: float = quantity(0.0, "currency", "of every trade in an asset", low=0.0, high=1e6, from_zero=20.0)
    impact: float = quantity(0.0, "1", "factor of the square-root law; about 1", low=0.0, high=10.0, from_zero=1.0)
    volume: float = quantity(
        1e9, "currency/day", "traded value of an asset, where the data know none", low=1.0, high=1e15
    )
    participation: float = quantity(
        1.0,
        "1",
        "largest share of the day's volume that one may trade; 1: no limit",
        low=1e-6,
        high=1.0,
        spread=(0.01, 1.0),
    )
    borrow: float = _yearly(0.0, "fee for what is sold short")
    financing: float = _yearly(0.0, "what borrowed cash costs above the cash rate")
    haircut: float = quantity(
        0.0, "1", "loss of what is held of an asset when it is delisted", low=0.0, high=1.0, from_zero=1.0
    )


@dataclasses.dataclass(frozen=True)
class Setting(Parameters):
    """The conditions of an episode."""

    costs: Costs = Costs()
    world: World | None = None
    """Where prices come from; None: they are recorded."""
    cash_rate: float = quantity(
        0.0, "1/year", "interest on cash, beside what the data say", low=-0.2, high=1.0, from_zero=0.1
    )
    delay: float = quantity(
        0.0, "1", "probability that an order for the close is late, and traded at the next one", low=0.0, high=1.0
    )
    value: float = quantity(1e6, "currency", "at the start, all in cash", low=1.0, high=1e15, spread=(0.01, 100.0))


def read_costs(given: float | Mapping[str, Any] | Costs | None) -> Costs:
    """Return costs, from a rate for purchases and sales alike, or from what differs from the defaults.

    Args:
        given: None for the defaults, a rate, `Costs`, or a dict of its fields; what a dict leaves out costs nothing.

    Raises:
        ValueError: an unknown field, or a value out of range.
        TypeError: something else.
    """
    if given is None:
        return Costs()
    if isinstance(given, Costs):
        return given
    if isinstance(given, Mapping):
        unknown = set(given) - set(Costs.__dataclass_fields__)
        if unknown:
            allowed = ", ".join(Costs.__dataclass_fields__)
            raise ValueError(f"Costs have no {sorted(unknown)[0]!r}. They have: {allowed}.")
        return Costs(**{"buy": 0.0, "sell": 0.0, **given})
    if not isinstance(given, numbers.Real):
        raise TypeError(f"Costs are a rate, such as 0.001 for 10 basis points, or a dict; {given!r} is neither.")
    return Costs(buy=given, sell=given)


def read_world(given: str | Mapping[str, Any] | World | None) -> World | None:
    """Return a synthetic market, by its name, or from what differs from its defaults.

    Args:
        given: None for recorded prices, a name in `WORLDS`, a dict with the name as ``kind`` and fields, or a `World`.

    Raises:
        ValueError: an unknown name or field, or a value out of range.
    """
    if given is None or isinstance(given, World):
        return given
    fields = entries("world", {"kind": given} if isinstance(given, str) else given)
    kind = WORLDS[one_of("The kind of a world", fields.pop("kind", None), WORLDS)]
    for name in fields:
        one_of(f"The field of a {kind.__name__}", name, kind.__dataclass_fields__)
    return kind(**fields)
