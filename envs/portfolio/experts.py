"""Experts of the portfolio: the strategies that a fund would compare a new one with.

A factory takes the environment, wrapped or not, and returns a policy: ``reset()`` at the start of each episode, then
``act(observation, info)``. They trade on the first day and on rebalancing days; on others they ask for the weights
that the prices have led to, so that nothing is traded.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, cast

import gymnasium
import numpy as np
from numpy.typing import NDArray

from . import generator
from .accounting import Backtest, backtest
from .generator import Lognormal, Pair, Regimes, World
from .market import Market
from .optimisers import ESTIMATORS, Unsolved, weights
from .params import Costs, read_costs
from .recorded import history

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]
Rebalance = str | int

KNOWN = (Pair, Regimes, Lognormal)
"""Worlds in which the best weights are known."""
INTERVALS: Mapping[str, float] = {"daily": 1, "monthly": 21, "never": math.inf}
"""Days from one trade to the next, of months where there are no dates."""


class Strategy:
    """When to trade, and towards what; knows no environment.

    Attributes:
        lookback: days of returns that it looks at.
        failures: how often the optimiser found no weights, so that nothing was traded.
    """

    def __init__(self, optimiser: str, lookback: int = 252, rebalance: Rebalance = "monthly") -> None:
        """Follow an optimiser.

        Args:
            optimiser: one of `optimisers.OPTIMISERS`.
            lookback: days of returns that it looks at, if there are as many.
            rebalance: "daily"; "monthly", on the first trading day of a month, or every 21 days where there are no
                dates; "never" after the first day; or an interval in days.

        Raises:
            ValueError: ``lookback`` or ``rebalance`` is none of these.
        """
        interval = INTERVALS.get(rebalance, 0) if isinstance(rebalance, str) else rebalance
        if interval < 1:
            allowed = ", ".join(map(repr, INTERVALS))
            raise ValueError(f"rebalance is {allowed} or a number of days, at least 1; not {rebalance!r}.")
        if lookback < 0:
            raise ValueError(f"lookback is a number of days, at least 0; not {lookback}.")
        self.lookback, self.failures = lookback, 0
        self._optimiser, self._is_monthly, self._interval = optimiser, rebalance == "monthly", interval

    def is_due(self, elapsed: int, dates: Days | None) -> bool:
        """Return whether to trade.

        Args:
            elapsed: days since the first.
            dates: yesterday and today; None without a calendar.
        """
        if self._is_monthly and elapsed and dates is not None:
            before, now = dates.astype("datetime64[M]")
            return bool(before < now)
        return elapsed % self._interval == 0

    def target(self, returns: Floats, present: Floats, tradable: NDArray[np.bool_]) -> Floats:
        """Return the weights to hold, shape (N,): the present ones if the optimiser finds none.

        Args:
            returns: the last ``lookback`` days' simple returns, shape (D, N).
            present: the weights held, shape (N,).
            tradable: whether each asset can be traded, shape (N,).
        """
        try:
            return weights(self._optimiser, returns, present, tradable)
        except Unsolved:
            self.failures += 1
            return present


STRATEGIES: Mapping[str, Mapping[str, Any]] = {
    "equal_weight": {"optimiser": "equal_weight", "lookback": 1},
    "equal_weight_daily": {"optimiser": "equal_weight", "lookback": 1, "rebalance": "daily"},
    "buy_and_hold": {"optimiser": "equal_weight", "lookback": 1, "rebalance": "never"},
    **{name: {"optimiser": name} for name in ESTIMATORS},
    "exponentiated_gradient": {"optimiser": "exponentiated_gradient", "lookback": 1, "rebalance": "daily"},
    "olmar": {"optimiser": "olmar", "lookback": 4, "rebalance": "daily"},
}
"""Name -> arguments of its `Strategy`; what is left open is up to the user."""


class Expert:
    """A policy that follows a `Strategy`."""

    def __init__(
        self, env: gymnasium.Env[Any, Any], optimiser: str, lookback: int = 252, rebalance: Rebalance = "monthly"
    ) -> None:
        """Act in ``env``, a `PortfolioEnv`, wrapped or not; the other arguments are those of `Strategy`."""
        self._env: Any = env.unwrapped
        self._strategy = Strategy(optimiser, lookback, rebalance)
        self._elapsed = 0

    @property
    def failures(self) -> int:
        """How often the optimiser found no weights, so that nothing was traded."""
        return self._strategy.failures

    def reset(self) -> None:
        """Begin an episode: its first action trades."""
        self._elapsed = 0

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """Choose the action for today."""
        env, strategy = self._env, self._strategy
        dates = env.market.dates[env.day - 1 : env.day + 1] if env.market is not None else None
        target = env.weights[:-1]
        if strategy.is_due(self._elapsed, dates):
            target = strategy.target(env.past(strategy.lookback), target, env.tradable)
        self._elapsed += 1
        return env.action_of(target)


equal_weight = functools.partial(Expert, **STRATEGIES["equal_weight"])
"""Spread wealth evenly, again each month: 1/N (DeMiguel, Garlappi & Uppal 2009)."""
equal_weight_daily = functools.partial(Expert, **STRATEGIES["equal_weight_daily"])
"""Spread wealth evenly, again each day."""
buy_and_hold = functools.partial(Expert, **STRATEGIES["buy_and_hold"])
"""Spread wealth evenly on the first day."""
inverse_volatility = functools.partial(Expert, **STRATEGIES["inverse_volatility"])
"""Weigh each asset by one over the standard deviation of its returns."""
minimum_variance = functools.partial(Expert, **STRATEGIES["minimum_variance"])
"""Hold what has the least variance (Markowitz 1952)."""
max_sharpe = functools.partial(Expert, **STRATEGIES["max_sharpe"])
"""Hold what had the most return per standard deviation: the tangency portfolio (Sharpe 1966)."""
risk_parity = functools.partial(Expert, **STRATEGIES["risk_parity"])
"""Let every asset contribute the same to the variance (Maillard, Roncalli & Teiletche 2010)."""
hrp = functools.partial(Expert, **STRATEGIES["hrp"])
"""Divide risk down a tree of similar assets: hierarchical risk parity (Lopez de Prado 2016)."""
max_diversification = functools.partial(Expert, **STRATEGIES["max_diversification"])
"""Hold the most volatility of the parts per volatility of the whole (Choueifaty & Coignard 2008)."""
min_cvar = functools.partial(Expert, **STRATEGIES["min_cvar"])
"""Hold what loses least on the mean of its worst 5 % of days (Rockafellar & Uryasev 2000)."""
exponentiated_gradient = functools.partial(Expert, **STRATEGIES["exponentiated_gradient"])
"""Move daily a little towards what has gained: EG (Helmbold et al. 1998), rate 0.05."""
olmar = functools.partial(Expert, **STRATEGIES["olmar"])
"""Bet daily on prices that return to their moving average: OLMAR-1 (Li & Hoi 2012), of 5 days."""


class Optimum:
    """Holds what is best for the next day without costs, where that is known; it sees what the world hides."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Act in ``env``, a `PortfolioEnv`, wrapped or not, whose world has a known optimum.

        Raises:
            ValueError: it has none.
        """
        self._env = cast(Any, env.unwrapped)
        world: World | None = self._env.parameters.world
        if not isinstance(world, KNOWN):
            names = ", ".join(kind.__name__.lower() for kind in KNOWN)
            raise ValueError(
                f"The best weights are known in the worlds {names}, not in {type(world).__name__.lower()}."
                if world is not None
                else f"The best weights are known in the worlds {names}, not for recorded prices."
            )

    def reset(self) -> None:
        """Do nothing: the best weights do not depend on the episode before."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """Choose the action for today."""
        env = self._env
        weights = generator.optimum(
            env.parameters.world,
            len(env.assets),
            env.state,
            cash_rate=env.parameters.cash_rate,
            is_long_only=bool((env.constraints.lower >= 0.0).all()),
            present=env.weights[:-1],
            tradable=env.tradable,
        )
        return env.action_of(weights)


optimum = Optimum
"""Hold what is best for the next day, where that is known: see `Optimum`."""


def walk_forward(
    market: Market,
    names: Iterable[str],
    *,
    lookback: int = 252,
    rebalance: Rebalance = "monthly",
    cost: float | Mapping[str, Any] | Costs = 0.001,
    first: Any = None,
    last: Any = None,
) -> dict[str, Backtest]:
    """Return what strategies would have been worth that know, on each day, the returns up to it.

    Args:
        market: the prices.
        names: of `STRATEGIES`.
        lookback: days that are looked back on, by strategies that do not have a number of their own.
        rebalance: when to trade, see `Strategy`; for strategies that do not have an interval of their own.
        cost: see `backtest`; assets go by their names in the market.
        first: the first day, which trades; by default the first that has ``lookback`` returns.
        last: the last day; by default the market's.

    Raises:
        ValueError: an unknown name, or days that the market does not have.
    """
    names, dates = tuple(names), market.dates
    if unknown := [name for name in names if name not in STRATEGIES]:
        raise ValueError(f"There is no strategy {unknown[0]!r}. There are: {', '.join(STRATEGIES)}.")
    if first is None:
        first = dates[min(lookback, len(dates) - 1)]
    days, costs = market.days_between(first, dates[-1] if last is None else last), read_costs(cost)
    # By position: the prices that go to the account have no names.
    costs = dataclasses.replace(costs, relative=tuple(costs.relative_of(market.assets)))
    prices = np.cumprod(1.0 + np.nan_to_num(history(market)[0]), axis=0, dtype=np.float64)
    results = {}
    for name in names:
        strategy = Strategy(**{"lookback": lookback, "rebalance": rebalance, **STRATEGIES[name]})
        before, targets, is_due = plan(market, strategy, days)
        if strategy.failures:
            share = f"{strategy.failures} of {np.count_nonzero(is_due)} rebalancing days"
            warnings.warn(f"{name} found no weights on {share} and kept what it held.", stacklevel=2)
        result = backtest(prices[days], targets, rebalance=is_due, cost=costs, cash_return=market.cash_return[days])
        results[name] = dataclasses.replace(result, weights=before)
    return results


def plan(market: Market, strategy: Strategy, days: slice) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return the weights that a strategy has on each of some days, and on which of them it trades.

    Weights drift with the prices between two trades, whatever these cost. First all is cash.

    Args:
        market: the prices.
        strategy: what decides.
        days: which of the market's.

    Returns:
        Before trade, (T, N + 1), cash last; after it, (T, N); and (T,).
    """
    returns, tradable = history(market)
    growth = 1.0 + np.column_stack([np.nan_to_num(returns), market.cash_return])
    before = np.zeros((days.stop - days.start, growth.shape[1]))
    held, is_due = np.zeros((len(before), returns.shape[1])), np.zeros(len(before), np.bool_)
    before[0, -1] = 1.0
    for row, day in enumerate(range(days.start, days.stop)):
        if row:
            grown = np.append(held[row - 1], 1.0 - held[row - 1].sum()) * growth[day]
            before[row] = grown / grown.sum()
        held[row] = before[row, :-1]
        is_due[row] = strategy.is_due(row, market.dates[max(day - 1, 0) : day + 1])
        if is_due[row]:
            past = returns[max(day + 1 - strategy.lookback, 1) : day + 1]
            held[row] = strategy.target(past, before[row, :-1], tradable[day])
    return before, held, is_due
