"""What trading costs, and what else of a task may change from episode to episode."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Parameters, quantity
from ..core.reading import entries, number, one_of, sequence
from .generator import WORLDS, World


def _rate(default: float, meaning: str, high: float = 0.05, from_zero: float = 0.005) -> Any:
    return quantity(default, "1", meaning, low=0.0, high=high, from_zero=from_zero)


def _yearly(default: float, meaning: str, high: float = 1.0, from_zero: float = 0.1) -> Any:
    return quantity(default, "1/year", meaning, low=0.0, high=high, from_zero=from_zero)


@dataclasses.dataclass(frozen=True)
class Costs(Parameters):
    """What it costs to trade, to borrow and to sell short.

    A trade of value u in an asset whose daily returns deviate by sigma, and of which V is traded on a day, costs ::

        |u| relative (half_spread + buy or sell) + fixed + impact sigma |u| sqrt(|u| / V),

    the last by the square-root law (Almgren et al. 2005; Boyd et al., "Multi-Period Trading via Convex Optimization",
    2017, equation 2.2).

    ``relative`` is how dear an asset is to trade, by name, 1 if it is not named; or a number for each asset. It stays
    the same whatever the context, and no observation shows it. The other costs do not depend on it: a ticket is paid
    for an order, impact knows each asset by its volume and volatility, and what it costs to borrow shares follows how
    many people sell them short, not the spread.

    Raises:
        ValueError: a number is out of range, or a trade would cost more than it is worth.
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
    relative: Mapping[str, float] | tuple[float, ...] = dataclasses.field(default=(), hash=False)

    def __post_init__(self) -> None:
        """Check the numbers, and copy ``relative``, which may be any mapping or sequence."""
        super().__post_init__()
        given: Any = self.relative
        is_named = hasattr(given, "items")
        what = "Costs.relative, a number for each asset or a dict of them by name,"
        rows = given.items() if is_named else enumerate(sequence(what, given))
        factors = {str(name): number(f"Costs.relative[{name!r}]", factor, 0.0, 100.0) for name, factor in rows}
        object.__setattr__(self, "relative", factors if is_named else tuple(factors.values()))
        name, factor = max(factors.items(), key=lambda row: row[1], default=("", 1.0))
        rate = factor * (self.half_spread + max(self.buy, self.sell))
        if rate > 1.0:
            raise ValueError(
                f"Costs.relative[{name!r}] = {factor:g}: a trade would cost {rate:g} of its value, of at most 1."
            )

    def relative_of(self, assets: Sequence[Any]) -> NDArray[np.float64]:
        """Return ``relative`` of each asset, (N,).

        Args:
            assets: their names.

        Raises:
            ValueError: ``relative`` names an asset that is not among them, or has another number of assets.
        """
        if isinstance(self.relative, Mapping):
            names = [str(asset) for asset in assets]
            factors = np.ones(len(names))
            for name, factor in self.relative.items():
                factors[names.index(one_of("The asset of Costs.relative", name, names))] = factor
            return factors
        if len(self.relative) not in (0, len(assets)):
            raise ValueError(
                f"Costs.relative has {len(self.relative)} numbers, but there are {len(assets)} assets: pass one for "
                "each, or a dict by name, as in {'AAPL': 2.0}."
            )
        return np.array(self.relative or (1.0,) * len(assets))


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


def read_costs(given: float | Mapping[str, Any] | Costs) -> Costs:
    """Return costs, from a rate for purchases and sales alike, or from what differs from the defaults.

    Args:
        given: a rate, `Costs`, or a dict of its fields; what a dict leaves out costs nothing.

    Raises:
        ValueError: an unknown field, or a value out of range.
        TypeError: something else.
    """
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
