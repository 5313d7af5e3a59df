"""The account: one trading day after the other, with costs that come out of wealth exactly.

A day goes from one close to the next. The trader sees everything up to the close of day t and names target weights.
They are traded at that close, at the next open or at the next close, and what is held drifts with the prices. A trade
is self-financing: after it the weights are the targets, cash included, and value V+ has paid for it,

    V+ = V - fixed - sum_i cost_i(w_i V+ - h_i),

where h_i is held before. Its left side rises with V+ and its right side hardly does, so that Newton's method, kept
within a bracket, finds V+ in a few steps.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import COST, INFO, REWARD, TERMINATED, TRUNCATED, integer, jit, state_dtype, uniform
from .generator import DELISTED, HISTORY, PARAMETERS, STATE, TRADABLE, advance, start, visible

Array = NDArray[Any]
Record = Any

#: How a target is told: `ACTIONS`.
SIMPLEX, SOFTMAX, LONG_SHORT, DELTA = range(4)
#: When a target is traded.
CLOSE, NEXT_OPEN, LATE_CLOSE = range(3)
#: Days in a year, and the weight of a day before in the variance of returns (RiskMetrics).
YEAR, DECAY = 252.0, 0.94
#: Weights this near are not told apart. In single precision they never add up to one quite, and who asks for what is
#: held asks for no trade: of everything, or, where a trade costs a ticket, of an asset.
DUST = 1e-6
#: Caps of groups that a record has room for.
GROUPS = 16

#: Terms of the reward, in the order of `Row.term`.
TERMS = ("log_growth", "differential_sharpe", "crra", "mean_variance", "drawdown", "cvar", "benchmark_relative")
SIGNALS = ("value", "fee", "turnover", "interest", "borrow_fee", "drawdown", "benchmark", "day")
#: Why a target was not reached, in the order in which it is dealt with: sums of absolute weights.
RULES = ("projected", "turnover", "band", "untradable", "participation", "rounded", "unaffordable")
PROJECTED, TURNOVER, BAND, UNTRADABLE, PARTICIPATION, ROUNDED, UNAFFORDABLE = range(7)
(LOG_GROWTH, DIFFERENTIAL_SHARPE, CRRA, MEAN_VARIANCE, DRAWDOWN, CVAR, BENCHMARK_RELATIVE) = range(7)
#: What an observation tells besides prices and weights.
CONDITIONS = ("buy", "sell", "half_spread", "impact", "borrow", "financing", "cash_return", "drawdown", "regime")

_F8, _I8, _F4, _I1 = np.float64, np.int64, np.float32, np.int8


@functools.cache
def layout(size: int, cells: int) -> tuple[np.dtype[np.void], np.dtype[np.void]]:
    """Return the records of a task and of an account.

    Args:
        size: room for that many assets.
        cells: room for that many returns, of assets and days together; 1 where days are recorded. There are few sizes
            of either, so that Numba compiles once for many markets.
    """
    task = np.dtype(
        [
            ("assets", _I8),
            ("window", _I8),  # days that an observation shows
            ("first", _I8),  # day of the data on which an episode may begin
            ("last", _I8),  # day of the data on which it ends at the latest
            ("days", _I8),  # an episode's length
            ("is_anywhere", _I8),  # it begins on any day, not on the first
            ("action", _I8),
            ("is_at_open", _I8),
            ("delay", _F8),
            ("value", _F8),  # at the start
            ("ruin", _F8),  # share of it at which the episode is over
            # Costs, see `Costs`
            ("buy", _F8),
            ("sell", _F8),
            ("half_spread", _F8),
            ("relative", _F8, (size,)),  # of each asset
            ("fixed", _F8),
            ("impact", _F8),
            ("participation", _F8),
            ("volume", _F8),  # where the data know none
            ("borrow", _F8),
            ("financing", _F8),
            ("haircut", _F8),
            ("cash_rate", _F8),
            # Constraints, see `Constraints`
            ("lower", _F8, (size,)),
            ("upper", _F8, (size,)),
            ("group", _I8, (size,)),  # of each asset, or -1
            ("groups", _I8),
            ("cap", _F8, (GROUPS,)),
            ("gross", _F8),
            ("net_lower", _F8),
            ("net_upper", _F8),
            ("turnover", _F8),
            ("band", _F8),
            ("lot", _F8),
            ("ticket", _F8),
            # Rewards
            ("terms", _I8),
            ("term", _I8, (len(TERMS),)),
            ("weight", _F8, (len(TERMS),)),
            ("aversion", _F8),
            ("rate", _F8),  # at which running moments follow
            ("tail", _F8),  # probability beyond the value at risk
            *PARAMETERS(size),
        ],
        align=True,
    )
    account = state_dtype(
        ("day", _I8),  # of the data
        ("elapsed", _I8),
        ("start", _F8),  # value
        ("value", _F8),
        ("peak", _F8),
        ("cash", _F8),
        ("holdings", _F8, (size,)),  # value of each
        ("variance", _F8, (size,)),  # of daily returns
        ("tradable", _I1, (size,)),
        ("target", _F8, (size + 1,)),
        ("trades", _F8, (size + 1,)),
        ("window", _F4, (cells,)),  # log returns of the last days, a ring
        ("benchmark", _F8),
        ("mean", _F8),  # of returns, and of their squares
        ("square", _F8),
        ("at_risk", _F8),  # value at risk of a day's return
        ("deepest", _F8),  # drawdown so far
        ("compliance", _F8, (len(RULES),)),
        *STATE(size if cells > 1 else 1),
    )
    return task, account


# Targets


@jit
def onto_simplex(x: Array, n: int, lower: Array, upper: Array, low: float, high: float) -> None:
    """Move ``x`` (n + 1,), cash last, to the nearest point with bounds on each part and sum 1.

    The nearest point is clip(x - shift) for one shift (Held et al. 1974); the sum falls as the shift rises, so Newton's
    method within a bracket finds it.

    Args:
        x: weights, changed in place.
        n: number of assets.
        lower: least weight of each asset.
        upper: largest weight of each asset.
        low: least weight of cash.
        high: largest weight of cash.
    """
    left, right = x[n] - high, x[n] - low
    for j in range(n):
        left, right = min(left, x[j] - upper[j]), max(right, x[j] - lower[j])
    shift = 0.0
    for _ in range(100):
        part = x[n] - shift
        total, free = min(max(part, low), high), 1 if low < part < high else 0
        for j in range(n):
            part = x[j] - shift
            total += min(max(part, lower[j]), upper[j])
            free += 1 if lower[j] < part < upper[j] else 0
        excess = total - 1.0
        if abs(excess) <= 1e-15 * (n + 1):
            break
        if excess > 0.0:
            left = shift
        else:
            right = shift
        step = shift + excess / free if free > 0 else 0.5 * (left + right)
        # Strictly: Newton's method could go from end to end of the bracket for ever.
        step = step if left < step < right else 0.5 * (left + right)
        if step == shift:
            break
        shift = step
    for j in range(n):
        x[j] = min(max(x[j] - shift, lower[j]), upper[j])
    x[n] = min(max(x[n] - shift, low), high)


@jit
def onto_gross(x: Array, n: int, gross: float) -> None:
    """Move the assets' weights to the nearest ones whose absolute values sum to at most ``gross``: soft thresholds."""
    total, most = 0.0, 0.0
    for j in range(n):
        total += abs(x[j])
        most = max(most, abs(x[j]))
    if total <= gross:
        return
    left, right = 0.0, most
    for _ in range(100):
        cut = 0.5 * (left + right)
        total = 0.0
        for j in range(n):
            total += max(abs(x[j]) - cut, 0.0)
        if total > gross:
            left = cut
        else:
            right = cut
    for j in range(n):
        x[j] = math.copysign(max(abs(x[j]) - right, 0.0), x[j])


@jit
def onto_caps(x: Array, n: int, group: Array, groups: int, cap: Array) -> None:
    """Move the weights to the nearest ones of which each group's sum is within its cap."""
    for g in range(groups):
        total, members = 0.0, 0
        for j in range(n):
            if group[j] == g:
                total += x[j]
                members += 1
        if total > cap[g]:
            for j in range(n):
                if group[j] == g:
                    x[j] -= (total - cap[g]) / members


@jit
def excess(p: Record, x: Array) -> float:
    """Return by how much ``x`` is beyond the gross exposure or a group's cap; the larger of the two."""
    gross = 0.0
    for j in range(p.assets):
        gross += abs(x[j])
    most = gross - p.gross
    for g in range(p.groups):
        total = 0.0
        for j in range(p.assets):
            if p.group[j] == g:
                total += x[j]
        most = max(most, total - p.cap[g])
    return most


@jit
def project(p: Record, wanted: Array, x: Array) -> None:
    """Write the weights that the constraints allow and that are nearest to ``wanted`` (N + 1,), cash last, into ``x``.

    Bounds and the sum alone are exact; with a gross exposure or groups that bind, by Dykstra's alternating projections
    (Boyle and Dykstra 1986), to 1e-9.
    """
    n = p.assets
    low, high = 1.0 - p.net_upper, 1.0 - p.net_lower
    for j in range(n + 1):
        x[j] = wanted[j]
    onto_simplex(x, n, p.lower, p.upper, low, high)
    if excess(p, x) <= 1e-12:
        return
    for j in range(n + 1):
        x[j] = wanted[j]
    first, second, third = np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    before, last = np.empty(n + 1), np.zeros(n + 1)
    for _ in range(10_000):
        for j in range(n + 1):
            before[j] = x[j] = x[j] + first[j]
        onto_gross(x, n, p.gross)
        for j in range(n + 1):
            first[j] = before[j] - x[j]
            before[j] = x[j] = x[j] + second[j]
        onto_caps(x, n, p.group, p.groups, p.cap)
        for j in range(n + 1):
            second[j] = before[j] - x[j]
            before[j] = x[j] = x[j] + third[j]
        onto_simplex(x, n, p.lower, p.upper, low, high)
        moved = 0.0
        for j in range(n + 1):
            third[j] = before[j] - x[j]
            moved = max(moved, abs(x[j] - last[j]))
            last[j] = x[j]
        if moved <= 1e-10 and excess(p, x) <= 1e-9:
            return


@jit
def read_target(p: Record, s: Record, action: Array) -> None:
    """Turn an action into the target weights ``s.target`` (N + 1,), cash last, and note how far it was moved."""
    n, target, wanted = p.assets, s.target, s.trades
    if p.action == SIMPLEX:
        for j in range(n + 1):
            wanted[j] = action[j]
    elif p.action == SOFTMAX:
        most, total = action[0], 0.0
        for j in range(1, n + 1):
            most = max(most, action[j])
        for j in range(n + 1):
            wanted[j] = math.exp(action[j] - most)
            total += wanted[j]
        for j in range(n + 1):
            wanted[j] /= total
    else:
        net = 0.0
        for j in range(n):
            wanted[j] = action[j]
            if p.action == DELTA:
                wanted[j] += s.holdings[j] / s.value
            net += wanted[j]
        wanted[n] = 1.0 - net
    project(p, wanted, target)
    moved = 0.0
    for j in range(n):
        moved += abs(target[j] - wanted[j])
    s.compliance[PROJECTED] = moved if moved > DUST else 0.0
    limit(p, s)


@jit
def limit(p: Record, s: Record) -> None:
    """Bring the target within the turnover that is allowed, and to what is held where it is within the band."""
    n, target, holdings, scale = p.assets, s.target, s.holdings, 1.0 / s.value
    turnover, largest = 0.0, 0.0
    for j in range(n):
        change = abs(target[j] - holdings[j] * scale)
        turnover += change
        largest = max(largest, change)
    if turnover <= p.turnover and p.band == 0.0 and largest > DUST:
        return
    share = 1.0
    if turnover > p.turnover:
        share = p.turnover / turnover
        s.compliance[TURNOVER] = turnover - p.turnover
    target[n] = 1.0
    for j in range(n):
        held = holdings[j] * scale
        change = share * (target[j] - held)
        if largest <= DUST:
            change = 0.0
        elif abs(change) <= p.band:
            s.compliance[BAND] += abs(change) if abs(change) > DUST else 0.0
            change = 0.0
        target[j] = held + change
        target[n] -= target[j]


# Trades


@jit
def bound_trades(p: Record, s: Record, volumes: Array, room: Array, impact: Array) -> None:
    """Find how much of each asset can be traded today, and how much that moves its price.

    Args:
        p: the task.
        s: the account.
        volumes: value of each asset that is traded on this day, (N,); or (0,), which is ``p.volume`` of each.
        room: (N,), to be filled with the most that one can trade; -1 where what is held is kept, within the band.
        impact: (N,), to be filled with what a trade costs per size^1.5.
    """
    # Read once: a compiler does not know that what is written below changes none of it.
    share, factor, band, usual, value = p.participation, p.impact, p.band, p.volume, s.value
    target, holdings, tradable, variance = s.target, s.holdings, s.tradable, s.variance
    for j in range(p.assets):
        volume = volumes[j] if len(volumes) else usual
        most = share * volume if share < 1.0 or volume == 0.0 else math.inf
        # What is held anyway is not traded to pay for the rest.
        if band > 0.0 and abs(target[j] * value - holdings[j]) <= 1e-12 * value:
            most = -1.0
        room[j] = most if tradable[j] == TRADABLE else 0.0
        impact[j] = factor * math.sqrt(variance[j] / volume) if factor > 0.0 and room[j] > 0.0 else 0.0


@jit
def whole(size: float, lot: float, least: float) -> float:
    """Return the size of a trade in whole lots; none, if that is below ``least``."""
    if lot > 0.0:
        size = math.floor(size / lot) * lot
    return size if size >= least else 0.0


@jit
def price(size: float, rate: float, fixed: float, impact: float) -> float:
    """Return what a trade of absolute value ``size`` costs, see `Costs`; ``impact`` is per value of this size."""
    return size * (rate + impact) + (fixed if size > 0.0 else 0.0)


@jit
def settle(p: Record, s: Record, room: Array, impact: Array) -> tuple[float, float, float]:
    """Find the trades to the target that value pays for, ``s.trades``; return value after them, their sum and costs."""
    value, least, lot, fixed = s.value, max(1e-13 * s.value, p.ticket), p.lot, p.fixed
    buy, sell, has_impact = p.half_spread + p.buy, p.half_spread + p.sell, p.impact > 0.0
    assets, target, holdings, trades, relative = p.assets, s.target, s.holdings, s.trades, p.relative
    # At most everything is paid; at best nothing.
    left, right, after, net, cost = 0.0, value, value, 0.0, 0.0
    for _ in range(200):
        net, cost, slope = 0.0, 0.0, 1.0
        for j in range(assets):
            wanted = target[j] * after - holdings[j]
            size = whole(min(abs(wanted), room[j]), lot, least)
            rate = relative[j] * (buy if wanted > 0.0 else sell)
            further = impact[j] * math.sqrt(size) if has_impact else 0.0
            trades[j] = math.copysign(size, wanted)
            net += trades[j]
            cost += price(size, rate, fixed, further)
            slope += target[j] * math.copysign(rate + 1.5 * further, wanted)
        missing = after + cost - value
        if abs(missing) <= 1e-14 * value:
            break
        if missing > 0.0:
            right = after
        else:
            left = after
        step = after - missing / slope
        step = step if left < step < right else 0.5 * (left + right)
        if step == after:
            break
        after = step
    return after, net, cost


@jit
def trade(p: Record, s: Record, volumes: Array, desk: Array) -> tuple[float, float]:
    """Trade to the target, as far as the market and the account allow; self-financing.

    Args:
        p: the task.
        s: the account; holdings, cash and value change.
        volumes: as for `bound_trades`.
        desk: (2, N) room to work.

    Returns:
        What it cost, and the sum of the absolute trades over the value before.
    """
    room, impact, before = desk[0], desk[1], s.value
    if before <= 0.0:  # who has nothing trades nothing
        s.trades[:] = 0.0
        return 0.0, 0.0
    bound_trades(p, s, volumes, room, impact)
    after, net, cost = settle(p, s, room, impact)
    target, holdings, trades, traded = s.target, s.holdings, s.trades, 0.0
    for j in range(p.assets):
        missed = abs(target[j] * after - holdings[j] - trades[j])
        if missed > 1e-12 * before:
            note_missed(s, room, j, missed / before)
    # Where a sale could not be made, there may be less cash than the purchases take.
    floor = (1.0 - p.net_upper) * after
    if s.cash - net - cost < floor - 1e-9 * before:
        net, cost = afford(p, s, impact, floor)
    for j in range(p.assets):
        traded += abs(trades[j])
        holdings[j] += trades[j]
    s.cash -= net + cost
    s.value = before - cost
    return cost, traded / before


@jit
def note_missed(s: Record, room: Array, j: int, missed: float) -> None:
    """Note why ``missed`` of asset ``j``, a weight, was not traded."""
    if s.tradable[j] != TRADABLE:
        s.compliance[UNTRADABLE] += missed
    elif room[j] == abs(s.trades[j]):
        s.compliance[PARTICIPATION] += missed
    elif room[j] > 0.0:
        s.compliance[ROUNDED] += missed


@jit
def afford(p: Record, s: Record, impact: Array, floor: float) -> tuple[float, float]:
    """Shrink all purchases alike until cash is at least ``floor``; return the sum of trades, and costs.

    Sales that cost more than they bring are not made.
    """
    trades, buy, sell, least = s.trades, p.half_spread + p.buy, p.half_spread + p.sell, max(1e-13 * s.value, p.ticket)
    for j in range(p.assets):
        size = -trades[j]
        if size > 0.0 and price(size, p.relative[j] * sell, p.fixed, impact[j] * math.sqrt(size)) > size:
            s.compliance[UNAFFORDABLE] += size / s.value
            trades[j] = 0.0
    left, right, net, cost = 0.0, 1.0, 0.0, 0.0
    for k in range(60):
        # The last look is at a share that can be afforded.
        share = 0.5 * (left + right) if k < 59 else left
        net, cost = 0.0, 0.0
        for j in range(p.assets):
            is_bought = trades[j] > 0.0
            size = whole(trades[j] * share, p.lot, least) if is_bought else -trades[j]
            net += math.copysign(size, trades[j])
            rate = p.relative[j] * (buy if is_bought else sell)
            cost += price(size, rate, p.fixed, impact[j] * math.sqrt(size))
        if s.cash - net - cost >= floor:
            left = share
        else:
            right = share
    for j in range(p.assets):
        if trades[j] > 0.0:
            size = whole(trades[j] * left, p.lot, least)
            s.compliance[UNAFFORDABLE] += (trades[j] - size) / s.value
            trades[j] = size
    return net, cost


@jit
def hold(p: Record, s: Record, relatives: Array) -> None:
    """Let prices change by ``relatives`` (N,)."""
    value, holdings = s.cash, s.holdings
    for j in range(p.assets):
        holdings[j] *= relatives[j]
        value += holdings[j]
    s.value = value


@jit
def pay_interest(p: Record, s: Record, cash_return: float) -> tuple[float, float]:
    """Let a night pass: interest on cash, or for borrowing it, and fees for assets sold short; return both."""
    interest = s.cash * (cash_return + p.cash_rate / YEAR)
    if s.cash < 0.0:
        interest += s.cash * p.financing / YEAR
    short = 0.0
    for j in range(p.assets):
        short -= min(s.holdings[j], 0.0)
    fee = short * p.borrow / YEAR
    s.cash += interest - fee
    s.value += interest - fee
    return interest, fee


@jit
def run(
    tasks: Array,
    accounts: Array,
    relatives: Array,
    targets: Array,
    rebalance: Array,
    cash_return: Array,
    volumes: Array,
    deviations: Array,
    value: Array,
    cost: Array,
    turnover: Array,
) -> None:
    """Keep to ``targets`` over all days, see `accounting.backtest`.

    Args:
        tasks: (1,) of which nothing but costs is read.
        accounts: (1,), as on the first day.
        relatives: (T - 1, N) prices over those of the day before.
        targets: (T, N) weights, or (1, N), the same on all days.
        rebalance: (T,) days on which there is trade.
        cash_return: (T,) interest on cash from the day before.
        volumes: (T, N), or (T, 0).
        deviations: (T, N) standard deviations of daily returns; they matter to the impact of trades alone.
        value: (T,), to be filled: before trade.
        cost: (T,), to be filled.
        turnover: (T,), to be filled.
    """
    p, s = tasks[0], accounts[0]
    n, last = p.assets, len(rebalance) - 1
    desk = np.empty((2, n))
    for t in range(last):
        value[t] = s.value
        if rebalance[t]:
            target, net = targets[min(t, len(targets) - 1)], 0.0
            for j in range(n):
                s.target[j] = target[j]
                net += target[j]
                s.variance[j] = deviations[t, j] * deviations[t, j]
            s.target[n] = 1.0 - net
            cost[t], turnover[t] = trade(p, s, volumes[t], desk)
        pay_interest(p, s, cash_return[t + 1])
        hold(p, s, relatives[t])
    value[last] = s.value


# The environment


@jit
def show_day(p: Record, s: Record, relatives: Array) -> None:
    """Write the day's returns into the variances, and into the ring unless a table has them."""
    assets, variance, window, place = p.assets, s.variance, s.window, (s.elapsed % p.window) * p.assets
    for j in range(assets):
        change = relatives[j] - 1.0
        variance[j] = DECAY * variance[j] + (1.0 - DECAY) * change * change
    if p.world != HISTORY:
        for j in range(assets):
            window[place + j] = math.log(relatives[j])
    s.elapsed += 1


@jit
def show_window(p: Record, s: Record, logs: Array, seen: Array) -> None:
    """Write the log returns of the last days into ``seen`` (window N,), the latest day last."""
    # Loops over slices, which are vectorised: indices that are computed may be negative, for all a compiler knows.
    cells = p.window * p.assets
    if p.world == HISTORY:
        latest = (s.day + 1) * p.assets
        known = logs[latest - cells : latest]
        for k in range(cells):
            seen[k] = known[k]
    else:
        oldest = (s.elapsed % p.window) * p.assets
        known, rest = s.window[oldest:cells], seen[cells - oldest :]
        for k in range(cells - oldest):
            seen[k] = known[k]
        for k in range(oldest):
            rest[k] = s.window[k]


@jit
def show_features(s: Record, features: Array, seen: Array) -> None:
    """Write the features of the last days into ``seen`` (window N F,), the latest day last."""
    latest = (s.day + 1) * features.shape[1]
    known = features.ravel()[latest - len(seen) : latest]
    for k in range(len(seen)):
        seen[k] = known[k]


@jit
def next_day(p: Record, s: Record, returns: Array, tradable: Array, relatives: Array) -> None:
    """Write the relatives of the day that follows, and what can be traded on it; data know, or chance decides."""
    s.day += 1
    if p.world == HISTORY:
        for j in range(p.assets):
            relatives[j] = 1.0 + returns[s.day, j]
            s.tradable[j] = tradable[s.day, j]
    else:
        advance(p, s, returns, relatives)


@jit
def delist(p: Record, s: Record) -> float:
    """Turn what is held of assets that are no longer listed into cash, at the last price; return the haircuts."""
    lost = 0.0
    for j in range(p.assets):
        if s.tradable[j] == DELISTED and s.holdings[j] != 0.0:
            haircut = abs(s.holdings[j]) * p.haircut
            s.cash += s.holdings[j] - haircut
            s.value -= haircut
            s.holdings[j] = 0.0
            lost += haircut
    return lost


@jit
def begin_moments(p: Record, s: Record, seen: Array) -> None:
    """Start the running moments at those of the window, ``seen`` (window N,): of each asset, and of equal weights."""
    s.mean = s.square = 0.0
    s.variance[:] = 0.0
    for k in range(p.window):
        total = 0.0
        for j in range(p.assets):
            change = float(seen[k * p.assets + j])
            s.variance[j] += change * change / p.window
            total += change / p.assets
        s.mean += total / p.window
        s.square += total * total / p.window
    s.at_risk = -s.mean + 1.645 * math.sqrt(max(s.square - s.mean * s.mean, 0.0))


@jit
def reward(p: Record, s: Record, before: float, growth: float, i: int, values: Array) -> None:
    """Judge the day; see `rewards` for what the terms are.

    Args:
        p: the task.
        s: the account.
        before: value at the close before.
        growth: return of the benchmark.
        i: row of ``values``.
        values: (V, rows), to be filled from `INFO` on.
    """
    change = max(s.value / before, 1e-6) - 1.0
    log_growth = math.log1p(change)
    variance = s.square - s.mean * s.mean
    by_mean, by_square = change - s.mean, change * change - s.square
    s.peak = max(s.peak, s.value)
    deepest = max(s.deepest, 1.0 - s.value / s.peak)
    total = 0.0
    for k in range(p.terms):
        kind, term = p.term[k], 0.0
        if kind == LOG_GROWTH:
            term = log_growth
        elif kind == DIFFERENTIAL_SHARPE:
            if variance > 1e-12:
                term = (s.square * by_mean - 0.5 * s.mean * by_square) / variance**1.5
        elif kind == CRRA:
            exponent = 1.0 - p.aversion
            term = log_growth if exponent == 0.0 else math.expm1(exponent * log_growth) / exponent
        elif kind == MEAN_VARIANCE:
            term = change - 0.5 * p.aversion * by_mean * by_mean
        elif kind == DRAWDOWN:
            term = s.deepest - deepest
        elif kind == CVAR:
            term = -s.at_risk - max(-change - s.at_risk, 0.0) / p.tail
        else:
            term = log_growth - math.log1p(growth)
        values[INFO + k, i] = p.weight[k] * term
        total += values[INFO + k, i]
    values[REWARD, i] = total
    s.at_risk += p.rate * math.sqrt(max(variance, 0.0)) * ((1.0 if -change > s.at_risk else 0.0) - p.tail) / p.tail
    s.deepest = deepest
    s.mean += p.rate * by_mean
    s.square += p.rate * by_square


@jit
def report(
    p: Record, s: Record, logs: Array, conditions: Array, features: Array, i: int, observation: Array, values: Array
) -> None:
    """Fill the observation, and what ``info`` tells of the account as it is now."""
    n, line = p.assets, INFO + p.terms
    drawdown = 1.0 - s.value / s.peak
    values[line, i], values[line + 5, i] = s.value, drawdown
    values[line + 6, i], values[line + 7, i] = s.benchmark, s.day
    for k in range(len(RULES)):
        values[line + len(SIGNALS) + k, i] = s.compliance[k]
    values[COST, i] = s.compliance[PROJECTED]

    seen = observation[i]
    cash_return = conditions[s.day, 0] if p.world == HISTORY else 0.0
    seen[0], seen[1], seen[2], seen[3] = p.buy, p.sell, p.half_spread, p.impact
    seen[4], seen[5], seen[6], seen[7] = p.borrow, p.financing, YEAR * cash_return + p.cash_rate, drawdown
    seen[8] = visible(p, s)
    place = len(CONDITIONS)
    if features.shape[1] > 0:  # copying nothing takes time
        place += p.window * features.shape[1]
        show_features(s, features, seen[len(CONDITIONS) : place])
    show_window(p, s, logs, seen[place : place + p.window * n])
    place += p.window * n
    scale = 1.0 / max(s.value, 1e-6 * s.start)  # when all is lost, weights are large, but finite
    holdings, is_tradable = s.holdings, s.tradable
    for j in range(n):
        seen[place + j] = is_tradable[j] == TRADABLE
        seen[place + n + j] = holdings[j] * scale
    seen[place + 2 * n] = s.cash * scale


@jit
def mean_return(p: Record, s: Record, relatives: Array) -> float:
    """Return the mean of the day's returns, of the assets that have a price."""
    total, priced, tradable = 0.0, 0, s.tradable
    for j in range(p.assets):
        total += relatives[j] - 1.0  # 0 without a price
        priced += tradable[j] >= TRADABLE
    return total / max(priced, 1)


@jit
def of_day(table: Array, day: int) -> Array:
    """Return a row of a table, which may have none."""
    return table[day] if day < len(table) else table.ravel()[:0]


@jit
def reset(
    states: Array,
    rows: Array,
    returns: Array,
    logs: Array,
    opens: Array,
    tradable: Array,
    volumes: Array,
    conditions: Array,
    features: Array,
    active: Array,
    observation: Array,
    values: Array,
    action_mask: Array,
) -> None:
    """Open accounts, see `Problem`.

    Args:
        states: accounts.
        rows: tasks.
        returns: (T, N) simple returns of a day, from the close before; 0 where there is no price.
        logs: (T N,) float32, log returns of day after day.
        opens: (T, N) opening prices over the close before; or (0, N).
        tradable: (T, N) of `MISSING`, `TRADABLE`, `DELISTED`.
        volumes: (T, N) traded value; or (0, N).
        conditions: (T, 2) return of cash, and of the benchmark.
        features: (T, N F) float32, what else is known at the close of a day, or (T, 0).
        active: rows to reset.
        observation: (rows, D).
        values: (V, rows).
        action_mask: not used.
    """
    desk = np.empty((3, rows[0].assets))
    for i in range(len(states)):
        if not active[i]:
            continue
        p, s = rows[min(i, len(rows) - 1)], states[i]
        days = p.last - p.first - p.days
        first = p.first + (integer(s.rng, days + 1) if p.is_anywhere and days > 0 else 0)
        s.day, s.elapsed = first, 0
        if p.world == HISTORY:
            s.tradable[: p.assets] = tradable[first]
        else:
            s.day = 0
            start(p, s, returns)
            for _ in range(p.window):
                advance(p, s, returns, desk[2])
                show_day(p, s, desk[2])
        s.elapsed = 0
        s.start = s.value = s.peak = s.cash = p.value
        s.holdings[:] = 0.0
        s.benchmark, s.deepest = 1.0, 0.0
        s.compliance[:] = 0.0
        report(p, s, logs, conditions, features, i, observation, values)
        begin_moments(p, s, observation[i, len(CONDITIONS) + p.window * features.shape[1] :])


@jit
def step(
    states: Array,
    rows: Array,
    returns: Array,
    logs: Array,
    opens: Array,
    tradable: Array,
    volumes: Array,
    conditions: Array,
    features: Array,
    actions: Array,
    active: Array,
    observation: Array,
    values: Array,
    action_mask: Array,
) -> None:
    """Trade and let a day pass, see `Problem` and `reset`; ``actions`` (rows, A)."""
    desk = np.empty((3, rows[0].assets))
    relatives = desk[2]
    for i in range(len(states)):
        if not active[i]:
            continue
        p, s = rows[min(i, len(rows) - 1)], states[i]
        s.compliance[:] = 0.0
        if p.world == HISTORY and s.day >= p.last:  # who goes on after the end of the data stays there
            values[REWARD : INFO + p.terms + len(SIGNALS), i] = 0.0
            values[TRUNCATED, i] = 1.0
            report(p, s, logs, conditions, features, i, observation, values)
            continue
        before = s.value
        read_target(p, s, actions[i])
        fee = turnover = 0.0
        fill = LATE_CLOSE if uniform(s.rng) < p.delay else CLOSE
        if p.is_at_open:
            fill = NEXT_OPEN
        if fill == CLOSE:
            fee, turnover = trade(p, s, of_day(volumes, s.day), desk)
        next_day(p, s, returns, tradable, relatives)
        interest, borrow_fee = pay_interest(p, s, conditions[s.day, 0] if p.world == HISTORY else 0.0)
        if fill == NEXT_OPEN:
            hold(p, s, opens[s.day])
            fee, turnover = trade(p, s, of_day(volumes, s.day), desk)
            for j in range(p.assets):
                relatives[j] /= opens[s.day, j]
            hold(p, s, relatives)
            for j in range(p.assets):
                relatives[j] *= opens[s.day, j]
        else:
            hold(p, s, relatives)
            if fill == LATE_CLOSE:
                fee, turnover = trade(p, s, of_day(volumes, s.day), desk)
        fee += delist(p, s)
        show_day(p, s, relatives)
        growth = conditions[s.day, 1] if p.world == HISTORY else mean_return(p, s, relatives)
        s.benchmark *= 1.0 + growth
        reward(p, s, before, growth, i, values)
        values[INFO + p.terms + 1, i], values[INFO + p.terms + 2, i] = fee, turnover
        values[INFO + p.terms + 3, i], values[INFO + p.terms + 4, i] = interest, borrow_fee
        values[TERMINATED, i] = s.value <= p.ruin * s.start
        values[TRUNCATED, i] = s.elapsed >= p.days or (p.world == HISTORY and s.day >= p.last)
        report(p, s, logs, conditions, features, i, observation, values)
