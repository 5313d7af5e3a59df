"""Recorded markets as episodes: which days, and the tables that the kernels read."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.reading import one_of, sequence
from .generator import DELISTED, MISSING, TRADABLE
from .loading import load
from .market import Market
from .us20 import shipped

#: The longest episode of made-up days.
MOST_DAYS = 10**9
#: What nothing that is observed exceeds.
BOUND = 1e9


@dataclasses.dataclass(frozen=True)
class Episodes:
    """Which days of the data an episode may have."""

    window: int  # days that are seen
    first: int  # the first on which one may begin
    last: int  # the last on which one may end
    days: int
    is_anywhere: bool  # it begins on a random day


def read_market(dataset: Any, assets: int | Sequence[str] | None) -> Market:
    """Return the market that ``dataset`` names or holds, or that of some of its assets.

    Args:
        dataset: ``"us20"``, `Market`, what `load` reads, or a dict of all its arguments.
        assets: names, or how many, the first ones; None for all.

    Raises:
        ValueError: there are no such assets, or no such argument of `load`.
    """
    if isinstance(dataset, Market):
        market = dataset
    elif isinstance(dataset, Mapping):
        for name in dataset:
            one_of("The argument of load", name, inspect.signature(load).parameters)
        market = load(**dataset)
    else:
        market = shipped() if isinstance(dataset, str) and dataset == "us20" else load(dataset)
    if assets is None:
        return market
    if isinstance(assets, int | np.integer):
        if not 1 <= assets <= len(market.assets):
            raise ValueError(f"assets = {assets}: the market has {len(market.assets)}, of which at least 1 is needed.")
        assets = market.assets[:assets]
    names = sequence("assets", assets)
    places = [market.assets.index(one_of("The asset", name, market.assets)) for name in names]
    changes: dict[str, Any] = {"assets": names}
    if market.groups is not None:
        changes["groups"] = tuple(market.groups[place] for place in places)
    for name in ("close", "open", "volume"):
        table = getattr(market, name)
        changes[name] = None if table is None else table[:, places]
    changes["features"] = {
        name: table[:, places] if table.ndim == 2 else table for name, table in market.features.items()
    }
    return dataclasses.replace(market, **changes)


def read_episodes(
    market: Market,
    split: str | Sequence[Any] | None,
    days: int | None,
    start: str | None,
    window: int,
    is_synthetic: bool,
) -> Episodes:
    """Return which days episodes have.

    Args:
        market: whose days.
        split: the name of a split, ``"all"``, or its first and last day.
        days: the length of an episode.
        start: ``"anywhere"`` or ``"first"``.
        window: days that are seen.
        is_synthetic: whether days are made up; there are as many as anyone wants.

    Raises:
        ValueError: an unknown split or start, or fewer days than are needed.
    """
    if not isinstance(window, int | np.integer) or window < 1:
        raise ValueError(f"window = {window!r}: a number of days of at least 1 is needed.")
    if split is None:
        split = "train" if "train" in market.splits else "all"
    is_training = split == "train"
    if split == "all":
        part = slice(0, len(market.dates))
    elif isinstance(split, str):
        part = market.part(split)
    else:
        ends = sequence("split", split)
        if len(ends) != 2:
            raise ValueError(f"split = {split!r}: a name, or a first and a last day, is needed.")
        part = market.days_between(*ends)
    # What is seen before the first decision may lie before the split: that is the past.
    first_day, last_day = max(part.start, window), part.stop - 1
    if last_day - first_day < 1:
        raise ValueError(
            f"The split {split!r} has {part.stop - part.start} days, of which {max(last_day - first_day, 0)} are left "
            f"after a window of {window}: choose a smaller window or a longer split."
        )
    most = MOST_DAYS if is_synthetic else last_day - first_day
    if days is None:
        days = min(252, most) if is_training or is_synthetic else most
    if not isinstance(days, int | np.integer) or not 1 <= days <= most:
        raise ValueError(f"days = {days!r}: a whole number from 1 to {most} is needed.")
    start = one_of("start", start or ("anywhere" if is_training else "first"), ("anywhere", "first"))
    return Episodes(window, first_day, last_day, days, start == "anywhere")


def tables(market: Market, window: int, is_synthetic: bool) -> tuple[NDArray[Any], ...]:
    """Return what `kernels.reset` reads of a market; where days are made up, returns alone, to draw from.

    Where there is no price, the last one stands. An asset can be traded when it has a price, and as many returns as the
    window has days. On the day after its last price it is delisted. A volume that is unknown is none, and so is a
    feature.
    """
    close, days = market.close, len(market.dates)
    is_priced = np.isfinite(close)
    closes = carried(close)
    returns = np.zeros_like(closes)
    returns[1:] = np.nan_to_num(closes[1:] / closes[:-1] - 1.0)
    tradable = np.where(is_priced & (is_priced.cumsum(axis=0) > window), TRADABLE, MISSING).astype(np.int8)
    ends = days - is_priced[::-1].argmax(axis=0)  # the day after the last price
    for j in np.flatnonzero(ends < days):
        tradable[ends[j], j] = DELISTED
    opens = np.ones((0, close.shape[1]))
    if is_synthetic:
        return returns, np.zeros(0, np.float32), opens, tradable, opens, np.zeros((0, 2)), np.zeros((0, 0), np.float32)
    if market.open is not None:
        opens = np.ones_like(closes)
        opens[1:] = np.where(np.isfinite(market.open[1:]), market.open[1:] / closes[:-1], 1.0 + returns[1:])
        opens = np.nan_to_num(opens, nan=1.0)
    volumes = np.zeros((0, close.shape[1])) if market.volume is None else np.nan_to_num(market.volume)
    conditions = np.zeros((days, 2))
    conditions[:, 0] = market.cash_return
    if market.benchmark is None:
        count = is_priced[1:].sum(axis=1)
        conditions[1:, 1] = np.where(is_priced[1:], returns[1:], 0.0).sum(axis=1) / np.maximum(count, 1)
    else:
        conditions[1:, 1] = market.benchmark[1:] / market.benchmark[:-1] - 1.0
    logs = np.log1p(returns).astype(np.float32).ravel()
    features = np.zeros((*close.shape, len(market.features)), np.float32)
    for i, feature in enumerate(market.features.values()):
        features[:, :, i] = np.nan_to_num(feature.reshape(days, -1)).clip(-BOUND, BOUND)
    return returns, logs, opens, tradable, volumes, conditions, features.reshape(days, -1)


def history(market: Market) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return simple returns, and whether each asset can be traded or has gone, both (T, N).

    Over a gap the last price stands. There is no return, but NaN, up to the first price and after the last; then what
    is held can still be sold, at that price.
    """
    is_priced = np.isfinite(market.close)
    closes = carried(market.close)
    returns = np.full_like(closes, np.nan)
    returns[1:] = closes[1:] / closes[:-1] - 1.0
    is_gone = ~np.logical_or.accumulate(is_priced[::-1], axis=0)[::-1]
    returns[is_gone] = np.nan
    return returns, is_priced | is_gone


def carried(close: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return closes in which the last price stands where there is none; NaN before the first."""
    latest = np.maximum.accumulate(np.where(np.isfinite(close), np.arange(len(close))[:, None], 0), axis=0)
    return np.take_along_axis(close, latest, axis=0)
