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
    """Refuse constraints that exclude each other: those on each asset and those on a sum.

    Raises:
        ValueError: says which.
    """
    least, most = float(c.lower.sum()), float(c.upper.sum())
    if least > c.net[1] + 1e-12 or most < c.net[0] - 1e-12:
        raise ValueError(
            f"The weights of all assets sum to between {least:g} and {most:g}, but net = {c.net}: no weights fulfil "
            "both."
        )
    needed = float(np.abs(np.clip(0.0, c.lower, c.upper)).sum())
    needed = max(needed, c.net[0], -c.net[1])
    if needed > c.gross + 1e-12:
        raise ValueError(f"gross = {c.gross:g}, but weights and net need at least {needed:g}.")
    room = 0.0
    for name, cap in c.groups.items():
        members = np.array([group == name for group in groups or ()])
        if c.lower[members].sum() > cap + 1e-12:
            raise ValueError(f"The group {name} is capped at {cap:g}, but its assets need {c.lower[members].sum():g}.")
        room += min(cap, float(c.upper[members].sum()))
    free = math.fsum(u for u, g in zip(c.upper, groups or [""] * len(c.upper), strict=True) if g not in c.groups)
    if room + free < c.net[0] - 1e-12:
        raise ValueError(f"net is at least {c.net[0]:g}, but the groups leave room for {room + free:g} only.")
