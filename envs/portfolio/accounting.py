"""The account without a task: what a strategy would have been worth.

The same kernels keep the account of the environment.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import kernels as k
from .constraints import NO_LIMIT
from .generator import TRADABLE
from .params import Costs, read_costs

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Backtest:
    """What became of a strategy; arrays of shape (T,), one entry per day.

    The runs of a learner, side by side, have a last axis besides, see `report.side_by_side`.
    """

    value: Floats
    """Before trade on that day."""
    cost: Floats
    """Paid on that day for trade."""
    turnover: Floats
    """Sum of the absolute trades over the value before: 1 to invest everything, 2 to exchange everything."""
    weights: Floats | None = None
    """(T, N + 1) before trade, cash last, if they are known."""


def size_class(assets: int, cells: int) -> tuple[int, int]:
    """Return the room to reserve for assets, and for returns of assets by days if there are any (`kernels.layout`)."""
    return _at_least(assets, 8), _at_least(cells, 1024) if cells else 1


def _at_least(needed: int, room: int) -> int:
    while room < needed:
        room *= 4
    return room


def pack_costs(task: NDArray[np.void], costs: Costs, assets: Sequence[Any]) -> None:
    """Write ``costs`` into the record of a task, shape (); ``assets`` are the names."""
    for field in dataclasses.fields(costs):
        if field.name != "relative":
            task[field.name] = getattr(costs, field.name)
    task["relative"][: len(assets)] = costs.relative_of(assets)


def backtest(
    prices: ArrayLike,
    target_weights: ArrayLike,
    *,
    rebalance: ArrayLike,
    cost: float | Mapping[str, Any] | Costs,
    cash_return: ArrayLike = 0.0,
    v0: float = 1e6,
    volume: ArrayLike | None = None,
    volatility: ArrayLike | None = None,
) -> Backtest:
    """Return what trading to target weights at the close of some days would have brought.

    On day t, if ``rebalance[t]``, the account is traded at ``prices[t]`` so that its weights are the targets, cash
    included, after costs (see `kernels`); then it is held until the next day. The account begins with ``v0`` in cash.
    When it is worth nothing, or owes more than it holds, it is closed: its value stays as it is.

    Args:
        prices: (T, N), positive, adjusted for splits and dividends.
        target_weights: (N,), or (T, N), a row for each day; only rows of days with trade are read. They may be
            negative; cash is 1 minus their sum, and is borrowed if that is negative.
        rebalance: (T,) bool, the days with trade. On the last day there is none: nothing would come of it.
        cost: per value of purchases and sales alike; or `Costs`, or a dict of its fields. Its ``relative`` names assets
            as a pandas table of prices does, or by position: 0, 1, ...
        cash_return: simple return of cash from one day to the next, of all days or (T,), where entry t is from day
            t - 1 to day t. A negative amount of cash pays it.
        v0: value at the start.
        volume: traded value, of all, (N,) or (T, N); it limits trades and tells their impact. That of ``cost`` if None.
        volatility: standard deviations of daily returns, of all, (N,) or (T, N), for the impact; needed for that alone.

    Returns:
        Value, cost and turnover of each day.

    Raises:
        ValueError: shapes that do not fit, prices that are not positive, weights that are not finite, or tables of
            pandas whose assets are in another order.
    """
    for what, table in (("target_weights", target_weights), ("volume", volume), ("volatility", volatility)):
        _check_order(what, table, prices)
    closes = _table("prices", prices, None)
    days, assets = closes.shape
    if not (np.isfinite(closes).all() and (closes > 0.0).all()):
        t, j = np.argwhere(~(np.isfinite(closes) & (closes > 0.0)))[0]
        raise ValueError(
            f"prices[{t}, {j}] = {closes[t, j]}: prices are positive; for gaps see rlx.envs.portfolio.load."
        )
    is_traded = np.asarray(rebalance)
    if is_traded.shape != (days,) or is_traded.dtype != np.bool_:
        raise ValueError(f"rebalance is a bool array of shape ({days},), not {is_traded.dtype} {is_traded.shape}.")
    targets = np.atleast_2d(_numbers("target_weights", target_weights))
    if targets.shape not in ((1, assets), (days, assets)):
        raise ValueError(f"target_weights has shape ({assets},) or ({days}, {assets}), not {np.shape(target_weights)}.")
    if not np.isfinite(targets[is_traded] if len(targets) == days else targets).all():
        raise ValueError("target_weights has entries that are not finite on days with trade.")
    if not (isinstance(v0, numbers.Real) and 0.0 < v0 < math.inf):
        raise ValueError(f"v0 = {v0!r}: the account begins with a positive value.")
    cash = _numbers("cash_return", cash_return)
    if cash.shape not in ((), (days,)) or not (np.isfinite(cash).all() and (cash > -1.0).all()):
        raise ValueError(f"cash_return is a number above -1 or ({days},) of them, not {cash_return!r}.")
    costs = read_costs(cost)
    if costs.impact > 0.0 and volatility is None:
        raise ValueError("The impact of trades depends on volatility: pass volatility=, of daily returns.")

    task_dtype, account_dtype = k.layout(*size_class(assets, 0))
    tasks, accounts = np.zeros(1, task_dtype), np.zeros(1, account_dtype)
    task, account = tasks[0], accounts[0]
    pack_costs(task, costs, getattr(prices, "columns", range(assets)))
    task["assets"], task["net_upper"] = assets, NO_LIMIT
    account["value"] = account["cash"] = v0
    account["tradable"] = TRADABLE
    value, paid, turnover = np.zeros(days), np.zeros(days), np.zeros(days)
    k.run(
        tasks,
        accounts,
        closes[1:] / closes[:-1],
        targets,
        is_traded,
        np.broadcast_to(cash, (days,)).copy(),
        np.zeros((days, 0)) if volume is None else _table("volume", volume, closes.shape),
        np.zeros((days, assets)) if volatility is None else _table("volatility", volatility, closes.shape),
        value,
        paid,
        turnover,
    )
    for day in np.flatnonzero(value <= 0.0)[:1]:
        value[day:], paid[day:], turnover[day:] = value[day], 0.0, 0.0
    return Backtest(value, paid, turnover)


def _check_order(what: str, table: Any, prices: Any) -> None:
    """Refuse a table of pandas that names its assets in another order than ``prices``: arrays are read by position."""
    if hasattr(prices, "columns") and hasattr(table, "iloc"):
        names, order = list(table.columns if table.ndim == 2 else table.index), list(prices.columns)
        if names != order and set(names) == set(order):
            raise ValueError(f"{what} names the assets in the order {names}, but prices in the order {order}.")


def _numbers(what: str, given: ArrayLike) -> Floats:
    try:
        return np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} has an entry that is no number: {error}.") from None


def _table(what: str, given: ArrayLike, shape: tuple[int, ...] | None) -> Floats:
    """Return ``given`` as a table of ``shape``, or as any table of days by assets."""
    table = _numbers(what, given)
    if shape is None:
        if table.ndim != 2 or 0 in table.shape:
            raise ValueError(f"{what} has the shape (days, assets), not {table.shape}.")
        return np.ascontiguousarray(table)
    try:
        filled = np.broadcast_to(table, shape)
    except ValueError:
        raise ValueError(f"{what} is a number, ({shape[1]},) or {shape}, not {table.shape}.") from None
    if not (np.isfinite(filled).all() and (filled >= 0.0).all()):
        raise ValueError(f"{what} has entries that are negative or not finite.")
    return np.ascontiguousarray(filled)
