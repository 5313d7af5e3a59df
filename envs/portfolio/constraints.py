"""What weights are allowed, and how trade towards them is held back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.reading import entries, interval, number, one_of
from .kernels import GROUPS

#: Where nothing is limited; finite, so that kernels may subtract it.
NO_LIMIT = 1e9


@dataclasses.dataclass(frozen=True)
class Constraints:
    """Limits on weights (all of the value after trade) and on trade.

    Targets are moved to the nearest weights within the limits; ``info["compliance"]`` tells how far, and what of the
    rest could not be traded, and why.
    """

    lower: NDArray[np.float64]  # (N,) least weight of each asset
    upper: NDArray[np.float64]  # (N,) largest
    net: tuple[float, float]  # least and largest sum of weights; cash is 1 minus it
    gross: float  # largest sum of absolute weights
    groups: Mapping[str, float]  # largest sum of weights in a group
    turnover: float  # largest sum of absolute changes of weights on a day; larger trades are scaled down
    band: float  # changes of weights up to this are not traded
    lot: float  # trades are multiples of this value, rounded towards zero
    ticket: float  # trades of less than this value are not made


def read_constraints(
    given: Mapping[str, Any] | None,
    assets: Sequence[str],
    groups: Sequence[str] | None,
    leverage: float,
    is_long_only: bool,
) -> Constraints:
    """Turn what a user wrote into constraints.

    Args:
        given: any of ``weight``, an interval for all assets or a dict of intervals by asset; ``net``, an interval;
            ``gross``; ``groups``, largest weights by group; ``turnover``, ``band``, ``lot``, ``ticket``.
        assets: names.
        groups: the group of each asset, if they have any.
        leverage: what ``gross`` is if it is not given.
        is_long_only: whether weights and cash are at least 0 unless the constraints say otherwise.

    Raises:
        ValueError: an unknown name, a number out of range, or constraints that no weights fulfil.
    """
    fields: dict[str, Any] = dict.fromkeys(("weight", "net", "gross", "groups", "turnover", "band", "lot", "ticket"))
    for name, value in entries("constraints", given).items():
        fields[one_of("The constraint", name, fields)] = value
    bounds = (0.0, 1.0) if is_long_only else (-leverage, leverage)
    lower, upper = np.full(len(assets), bounds[0]), np.full(len(assets), bounds[1])
    weight = fields["weight"]
    for asset, limits in (weight if isinstance(weight, Mapping) else dict.fromkeys(assets, weight)).items():
        j = list(assets).index(one_of("The asset of a constraint", asset, assets))
        if limits is not None:
            lower[j], upper[j] = interval(f"The weight of {asset}", limits, *bounds)
    net = (0.0, 1.0) if is_long_only else (-leverage, leverage)
    constraints = Constraints(
        lower,
        upper,
        interval("net", net if fields["net"] is None else fields["net"], *net),
        number("gross", leverage if fields["gross"] is None else fields["gross"], 0.0, leverage),
        _read_caps(fields["groups"], groups),
        number("turnover", NO_LIMIT if fields["turnover"] is None else fields["turnover"], 1e-6),
        *(number(name, fields[name] or 0.0, 0.0) for name in ("band", "lot", "ticket")),
    )
    _check_feasible(constraints, groups)
    return constraints


def _read_caps(given: Any, groups: Sequence[str] | None) -> dict[str, float]:
    caps = entries("groups", given)
    if caps and groups is None:
        raise ValueError("The constraint on groups needs assets with groups: Market.groups, or load(..., groups=...).")
    if len(caps) > GROUPS:
        raise ValueError(f"At most {GROUPS} groups can be limited, not {len(caps)}.")
    return {
        one_of("The group of a constraint", name, dict.fromkeys(groups or ())): number(f"The cap of {name}", cap, 0.0)
        for name, cap in caps.items()
    }


def _check_feasible(c: Constraints, groups: Sequence[str] | None) -> None:
    """Refuse constraints that exclude each other.

    Weights nearest to zero have the least gross exposure. From them, groups above their cap must be lowered, and the
    sum moved into ``net``; each of these adds as much to the exposure as it moves.

    Raises:
        ValueError: says which.
    """
    group_of = np.array(groups or ("",) * len(c.lower))
    parts = [(name, cap, group_of == name) for name, cap in c.groups.items()]
    parts.append(("", math.inf, ~np.isin(group_of, list(c.groups))))
    least, most, net, gross = float(c.lower.sum()), 0.0, 0.0, 0.0
    for name, cap, members in parts:
        lower, upper = c.lower[members], c.upper[members]
        if lower.sum() > cap + 1e-12:
            raise ValueError(f"The group {name} is capped at {cap:g}, but its assets need {lower.sum():g}.")
        nearest = np.clip(0.0, lower, upper)
        most += min(cap, float(upper.sum()))
        net += min(cap, float(nearest.sum()))
        gross += float(np.abs(nearest).sum()) + max(float(nearest.sum()) - cap, 0.0)
    if least > c.net[1] + 1e-12 or most < c.net[0] - 1e-12:
        raise ValueError(
            f"The weights of all assets sum to between {least:g} and {most:g}, but net = {c.net}: no weights fulfil "
            "both."
        )
    gross += max(c.net[0] - net, net - c.net[1], 0.0)
    if gross > c.gross + 1e-12:
        raise ValueError(f"gross = {c.gross:g}, but the other constraints need at least {gross:g}.")
