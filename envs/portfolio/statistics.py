"""What a curve of wealth was worth, and how much of that was luck: measures, intervals and tests.

Conventions: a year has 252 days, returns are simple and daily, *excess* returns are those above cash. Deviations are
sample deviations (n - 1), moments are plain averages, kurtosis is 3 for a normal distribution. Losses (value at risk,
CVaR) are positive, drawdowns negative. Curves and returns are (T,) or, of K strategies side by side, (T, K): whatever
is measured is measured along the first axis. A learner that was trained R times is one strategy, (T, R), and its
measures are the means over its runs.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

DAYS_PER_YEAR = 252
CONFIDENCE = 0.95
#: Least days for a comparison: a quarter of a year.
MIN_DAYS = 63
#: Rounding moves daily returns that are equal by less than this.
_ROUNDING = 1e-12


class Estimate(NamedTuple):
    """A statistic with its interval at 95 %."""

    value: float
    low: float
    high: float


def simple_returns(value: Array) -> Array:
    """Return the daily returns (T - 1, ...) of a curve; after ruin, where nothing is left, zeros."""
    return _share(np.diff(value, axis=0), value[:-1])


def cagr(value: Array) -> Any:
    """Return the compound annual growth rate of a curve; -1 if nothing is left."""
    return np.maximum(value[-1] / value[0], 0.0) ** (DAYS_PER_YEAR / (len(value) - 1)) - 1.0


def volatility(returns: Array) -> Any:
    """Return the annual standard deviation."""
    return np.std(returns, axis=0, ddof=1) * math.sqrt(DAYS_PER_YEAR)


def sharpe(excess: Array) -> Any:
    """Return the annual Sharpe ratio; NaN where nothing was risked."""
    return _ratio(np.mean(excess, axis=0), np.std(excess, axis=0, ddof=1))


def sortino(excess: Array) -> Any:
    """Return the annual Sortino ratio: the mean over the root mean square of the losses, all days counted."""
    return _ratio(np.mean(excess, axis=0), np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2, axis=0)))


def rolling_sharpe(excess: Array, days: int = DAYS_PER_YEAR) -> Array:
    """Return the annual Sharpe ratio of each stretch of so many days, (T - days + 1, ...)."""
    windows = np.lib.stride_tricks.sliding_window_view(excess, days, axis=0)
    return np.asarray(sharpe(np.moveaxis(windows, -1, 0)))


def drawdown(value: Array) -> Array:
    """Return on each day how far a curve is below its highest point so far, as a share of it, at most 0."""
    return value / np.maximum.accumulate(value, axis=0) - 1.0


def max_drawdown(value: Array) -> Any:
    """Return the deepest drawdown."""
    return drawdown(value).min(axis=0)


def value_at_risk(returns: Array, level: float = 0.95) -> Any:
    """Return the loss that a day exceeds with probability 1 - level: the quantile, interpolated linearly."""
    return -np.quantile(returns, 1.0 - level, axis=0)


def cvar(returns: Array, level: float = 0.95) -> Any:
    """Return the mean loss of the days on which it is at least `value_at_risk`.

    Whole days are counted. Rockafellar and Uryasev's CVaR, which counts a part of the last one, differs by about
    1 / (days in the tail).
    """
    losses = -returns
    return np.mean(losses, axis=0, where=losses >= value_at_risk(returns, level))


def skewness(returns: Array) -> Any:
    """Return the third standardised moment."""
    return _moment(returns, 3)


def kurtosis(returns: Array) -> Any:
    """Return the fourth standardised moment; 3 for a normal distribution."""
    return _moment(returns, 4)


def turnover(traded: Array) -> Any:
    """Return what is traded in a year, bought and sold together, as a multiple of the value.

    Args:
        traded: (T, ...), on each day the sum of the trades' sizes over the value before them. The last day's trade was
            never held, and does not count.
    """
    return np.mean(traded[:-1], axis=0) * DAYS_PER_YEAR


def cost_rate(cost: Array, value: Array) -> Any:
    """Return what trading costs in a year, as a share of the value.

    Args:
        cost: (T, ...), paid on each day.
        value: (T, ...), before trading.
    """
    return np.mean(_share(cost, value)[:-1], axis=0) * DAYS_PER_YEAR


def measures(value: Array, cash_return: ArrayLike = 0.0) -> dict[str, Any]:
    """Return every measure of a curve, by name.

    Args:
        value: (T, ...).
        cash_return: of each day since the one before: a number, or (T,), of which the first is not used.
    """
    returns, excess = simple_returns(value), excess_returns(value, cash_return)
    found = {
        "final_value": value[-1],
        "cagr": cagr(value),
        "volatility": volatility(returns),
        "sharpe": sharpe(excess),
        "sortino": sortino(excess),
        "max_drawdown": max_drawdown(value),
        "value_at_risk_95": value_at_risk(returns),
        "cvar_95": cvar(returns),
        "skewness": skewness(returns),
        "kurtosis": kurtosis(returns),
    }
    return {name: np.asarray(x)[()] for name, x in found.items()}  # a number, where there is but one curve


def excess_returns(value: Array, cash_return: ArrayLike = 0.0) -> Array:
    """Return the returns above cash (T - 1, ...) of a curve (T, ...); `cash_return` as in `measures`."""
    cash = np.broadcast_to(np.asarray(cash_return, np.float64), len(value))[1:]
    return (simple_returns(value).T - cash).T


def over_runs(found: Array) -> Array:
    """Return the mean over runs (T,) of what is (T, R), and what is (T,) as it is."""
    return found if found.ndim == 1 else found.mean(axis=1)


def probabilistic_sharpe_ratio(excess: Array, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above ``benchmark``.

    Args:
        excess: (T,).
        benchmark: an annual Sharpe ratio.

    Returns:
        A share; NaN if nothing was risked.

    Source:
        Bailey and Lopez de Prado, "The Sharpe ratio efficient frontier", Journal of Risk 15 (2012).
    """
    year = math.sqrt(DAYS_PER_YEAR)
    daily = float(sharpe(excess)) / year
    variance = 1.0 - skewness(excess) * daily + (kurtosis(excess) - 1.0) / 4.0 * daily**2
    if not variance > 0.0:
        return math.nan
    return NormalDist().cdf((daily - benchmark / year) * math.sqrt((len(excess) - 1) / variance))


def expected_max_sharpe(trials: float, deviation: float) -> float:
    """Return the Sharpe ratio to be expected of the best of several strategies of which none has any.

    Args:
        trials: how many independent strategies were tried.
        deviation: the standard deviation of their Sharpe ratios; the result has its unit.

    Source:
        Bailey and Lopez de Prado, "The deflated Sharpe ratio", Journal of Portfolio Management 40 (2014), equation 1.
    """
    if trials <= 1:
        return 0.0
    quantile = NormalDist().inv_cdf
    return deviation * (
        (1.0 - np.euler_gamma) * quantile(1.0 - 1.0 / trials) + np.euler_gamma * quantile(1.0 - 1.0 / (trials * math.e))
    )


def deflated_sharpe_ratio(excess: Array, tried: ArrayLike, trials: int | None = None) -> float:
    """Return the probability that a strategy's true Sharpe ratio is above 0, given that it was chosen among several.

    Args:
        excess: (T,), the strategy's.
        tried: annual Sharpe ratios of the strategies tried, its own included.
        trials: how many were tried in all, if they are not all in ``tried``.

    Source:
        Bailey and Lopez de Prado (2014), as `expected_max_sharpe`.
    """
    ratios = np.asarray(tried, np.float64)
    ratios = ratios[np.isfinite(ratios)]
    deviation = float(np.std(ratios, ddof=1)) if len(ratios) > 1 else 0.0
    return probabilistic_sharpe_ratio(excess, expected_max_sharpe(trials or len(ratios), deviation))


def overfitting_probability(excess: Array, parts: int = 16, runs: Sequence[int] | None = None) -> float:
    """Return how likely the strategy that was best in one half of the days is not above the median in the other half.

    Combinatorially symmetric cross-validation: the days are cut into parts, and every choice of half of them is a
    sample to choose by, the others the sample to judge by.

    Args:
        excess: (T, K) of K strategies.
        parts: an even number. Of the oldest days as many are left out as do not fill the parts.
        runs: how many columns belong to each strategy; by default one.

    Source:
        Bailey, Borwein, Lopez de Prado and Zhu, "The probability of backtest overfitting", Journal of Computational
        Finance 20 (2017), section 3.
    """
    days, columns = len(excess) // parts, excess.shape[1]
    blocks = excess[len(excess) - days * parts :].reshape(parts, days, columns)
    sums, squares = blocks.sum(axis=1), (blocks**2).sum(axis=1)
    halves = np.zeros((math.comb(parts, parts // 2), parts))
    for row, half in enumerate(itertools.combinations(range(parts), parts // 2)):
        halves[row, half] = 1.0

    def ratios(chosen: Array) -> Array:
        mean, square = (chosen @ x / (days * parts / 2.0) for x in (sums, squares))
        return _by_strategy(_or_zero(_ratio(mean, np.sqrt(np.maximum(square - mean**2, 0.0)))), runs)

    best = np.argmax(ratios(halves), axis=1)
    judged = ratios(1.0 - halves)
    rank = np.sum(judged <= judged[np.arange(len(best)), best][:, None], axis=1)
    return float(np.mean(rank / (judged.shape[1] + 1.0) <= 0.5))


def block_length(excess: Array, runs: Sequence[int] | None = None) -> float:
    """Return the mean length of blocks with which to draw days anew, to see how far Sharpe ratios vary.

    It is the length that Politis and White choose for the mean of the ratio's influence function, whose variance is
    that of the ratio; of several strategies, the longest.

    Args:
        excess: (T, K).
        runs: how many columns belong to each strategy; by default one.

    Source:
        Politis and White, "Automatic block-length selection for the dependent bootstrap", Econometric Reviews 23
        (2004), corrected by Patton, Politis and White (2009).
    """
    scaled = (excess - excess.mean(axis=0)) / excess.std(axis=0)
    influence = scaled - excess.mean(axis=0) / excess.std(axis=0) * (scaled**2 - 1.0) / 2.0
    return max(1.0, float(_arch().optimal_block_length(_by_strategy(influence, runs))["stationary"].max()))


def superior_predictive_ability(
    excess: Array, benchmark: Array, block: float, replicates: int = 1000, seed: int = 0
) -> float:
    """Return Hansen's p-value: how likely the best of several strategies leads so far if none has a higher mean return.

    Args:
        excess: (T, K) of K strategies.
        benchmark: (T,), what they are held against.
        block: mean length of the blocks drawn.
        replicates: how many draws.
        seed: of the draws.

    Source:
        Hansen, "A test for superior predictive ability", Journal of Business & Economic Statistics 23 (2005); the
        consistent p-value.
    """
    test = _arch().SPA(-benchmark, -excess, block_size=max(1, round(block)), reps=replicates, seed=seed)
    test.compute()
    return float(test.pvalues["consistent"])


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What the days say of strategies beside one of them, the benchmark. A value that does not exist is NaN."""

    benchmark: str
    trials: int
    """How many strategies were tried."""
    block: float
    """Mean length of the blocks drawn, in days."""
    replicates: int
    seed: int
    sharpe: dict[str, Estimate]
    """Annual ratios of all strategies, the highest first."""
    difference: dict[str, Estimate]
    """Annual ratios less the benchmark's, on the same days."""
    p_value: dict[str, float]
    """Of each difference, adjusted for there being so many."""
    probabilistic: dict[str, float]
    """NaN, as the next, of a strategy with runs: they are statements of one curve, and a mean ratio has none."""
    deflated: dict[str, float]
    spa: float
    overfitting: float

    @property
    def different(self) -> list[str]:
        """The strategies whose Sharpe ratio differs from the benchmark's, all comparisons taken together."""
        return [name for name, p in self.p_value.items() if p < 1.0 - CONFIDENCE]


def compare(
    excess: Mapping[str, Array],
    benchmark: str,
    replicates: int = 1000,
    seed: int = 0,
    block: float | None = None,
    trials: int | None = None,
) -> Comparison:
    """Compare strategies with one of them, on the same days.

    Days are drawn anew in blocks (the stationary bootstrap), jointly for all strategies; intervals are percentiles. The
    p-values are those of the largest of all studentised differences, so that the probability of any false finding is
    at most 5 % (single step, Romano and Wolf, "Stepwise multiple testing as formalized data snooping", Econometrica 73,
    2005).

    The Sharpe ratio of a learner is the mean of its runs' ratios, NaN if a run risks nothing. Of its R runs R are drawn
    anew with the days, so that intervals are about other runs on other days. They are too narrow for two or three runs
    that differ much, and too wide for runs that have little in common, since what is particular to a run and a day
    counts twice (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007). Hansen's test, of mean
    returns, has the runs' mean returns.

    Args:
        excess: the excess returns by name: (T,), or (T, R) of a learner's R runs.
        benchmark: one of the names.
        replicates: how many draws.
        seed: of the draws.
        block: mean length of the blocks in days; by default `block_length`.
        trials: how many strategies were tried in all, if more than these.

    Raises:
        ValueError: there are fewer than `MIN_DAYS` days, or the benchmark does not exist or risks nothing.
        DependencyNotInstalled: arch is missing.
    """
    if benchmark not in excess:
        raise ValueError(f"benchmark = {benchmark!r} is not among the strategies: {', '.join(excess)}.")
    days = len(excess[benchmark])
    if days < MIN_DAYS:
        raise ValueError(f"{days} daily returns: at least {MIN_DAYS} are needed to tell skill from luck.")
    if trials is not None and trials < len(excess):
        raise ValueError(f"trials = {trials}: at least the {len(excess)} strategies compared were tried.")
    ratios = {name: float(np.mean(sharpe(x))) for name, x in excess.items()}
    if math.isnan(ratios[benchmark]):
        raise ValueError(f"benchmark = {benchmark!r} risks nothing, and has no Sharpe ratio to compare with.")
    ordered = sorted(excess, key=lambda name: -math.inf if math.isnan(ratios[name]) else ratios[name], reverse=True)
    risky = [name for name in ordered if not math.isnan(ratios[name])]
    daily = {name: over_runs(excess[name]) for name in risky}
    rivals = [name for name in risky if name != benchmark and np.std(daily[name] - daily[benchmark]) > _ROUNDING]
    together = np.column_stack([excess[name] for name in risky])
    runs = [excess[name][0].size for name in risky]

    block = block or block_length(together, runs)
    draws = _or_zero(_arch().StationaryBootstrap(block, together, seed=seed).apply(sharpe, replicates))
    random = np.random.default_rng([seed, 1])
    drawn = {
        name: _runs_redrawn(found, random)
        for name, found in zip(risky, np.split(draws, np.cumsum(runs)[:-1], axis=1), strict=True)
    }
    differences = {name: (ratios[name] - ratios[benchmark], drawn[name] - drawn[benchmark]) for name in rivals}
    nothing = np.full(replicates, math.nan)
    unknown = dict.fromkeys(ordered, math.nan)
    curves = {name: x for name, x in excess.items() if x.ndim == 1}
    return Comparison(
        benchmark=benchmark,
        trials=trials or len(excess),
        block=block,
        replicates=replicates,
        seed=seed,
        sharpe={name: _estimate(ratios[name], drawn.get(name, nothing)) for name in ordered},
        difference={name: _estimate(*found) for name, found in differences.items()},
        p_value=_adjusted(differences),
        probabilistic=unknown | {name: probabilistic_sharpe_ratio(x) for name, x in curves.items()},
        deflated=unknown
        | {name: deflated_sharpe_ratio(x, list(ratios.values()), trials) for name, x in curves.items()},
        spa=superior_predictive_ability(
            np.column_stack([daily[name] for name in rivals]), daily[benchmark], block, replicates, seed
        )
        if rivals
        else math.nan,
        overfitting=overfitting_probability(together, runs=runs) if len(risky) > 1 else math.nan,
    )


def _runs_redrawn(ratios: Array, random: np.random.Generator) -> Array:
    """Return in each draw the mean of as many runs, drawn with replacement.

    Args:
        ratios: (replicates, R) of each run.
        random: draws the runs.
    """
    chosen = random.integers(ratios.shape[1], size=ratios.shape)
    return np.asarray(np.take_along_axis(ratios, chosen, axis=1).mean(axis=1))


def _by_strategy(found: Array, runs: Sequence[int] | None) -> Array:
    """Return the means over the columns that belong to each strategy."""
    if runs is None:
        return found
    starts = np.cumsum([0, *runs[:-1]])
    return np.asarray(np.add.reduceat(found, starts, axis=1) / np.asarray(runs))


def _adjusted(differences: Mapping[str, tuple[float, Array]]) -> dict[str, float]:
    """Return the p-value of each difference, given as what was measured and as drawn (replicates,)."""
    if not differences:
        return {}
    deviation = {name: float(np.std(drawn, ddof=1)) for name, (_, drawn) in differences.items()}
    largest = np.max(
        [np.abs(drawn - value) / deviation[name] for name, (value, drawn) in differences.items()], axis=0
    )  # fmt: skip
    return {
        name: float((1.0 + np.sum(largest >= abs(value) / deviation[name])) / (1.0 + len(largest)))
        for name, (value, _) in differences.items()
    }


def _estimate(value: float, drawn: Array) -> Estimate:
    low, high = np.quantile(drawn, [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0])
    return Estimate(value, float(low), float(high))


def _share(part: Array, value: Array) -> Array:
    """Return parts of a value; zero where there is no value."""
    return np.divide(part, value, out=np.zeros_like(part), where=value > 0.0)


def _ratio(mean: Any, risk: Any) -> Any:
    """Return an annual ratio; NaN where the risk is but rounding."""
    is_risky = np.greater(risk, _ROUNDING)
    return np.where(is_risky, mean, math.nan) / np.where(is_risky, risk, 1.0) * math.sqrt(DAYS_PER_YEAR)


def _or_zero(ratios: Any) -> Array:
    """Return ratios; on days on which nothing was risked, nothing was earned."""
    return np.asarray(np.nan_to_num(ratios))


def _moment(returns: Array, order: int) -> Any:
    centred = returns - np.mean(returns, axis=0)
    with np.errstate(invalid="ignore"):
        return np.mean(centred**order, axis=0) / np.std(returns, axis=0) ** order


def _arch() -> Any:
    """Return arch's bootstrap.

    Raises:
        DependencyNotInstalled: it is missing.
    """
    try:
        from arch import bootstrap
    except ImportError:
        raise DependencyNotInstalled('Intervals and tests need arch: pip install "rlx[portfolio]"') from None
    return bootstrap
