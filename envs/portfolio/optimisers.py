"""Weights from past returns: what classical portfolio optimisation asks for.

The estimators are skfolio's, with the settings of `ESTIMATORS`; 1/N, EG and OLMAR are written here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Make = Callable[[Any], Any]

CUTOFF = 0.002
"""Weights below this share of 1/N become zero: where a weight is zero, interior-point solvers leave about 1e-5."""

ESTIMATORS: Mapping[str, Make] = {
    "inverse_volatility": lambda skfolio: skfolio.optimization.InverseVolatility(),
    "minimum_variance": lambda skfolio: skfolio.optimization.MeanRisk(),
    "max_sharpe": lambda skfolio: skfolio.optimization.MeanRisk(
        objective_function=skfolio.optimization.ObjectiveFunction.MAXIMIZE_RATIO
    ),
    "min_cvar": lambda skfolio: skfolio.optimization.MeanRisk(risk_measure=skfolio.RiskMeasure.CVAR, cvar_beta=0.95),
    "risk_parity": lambda skfolio: skfolio.optimization.RiskBudgeting(),
    "hrp": lambda skfolio: skfolio.optimization.HierarchicalRiskParity(),
    "max_diversification": lambda skfolio: skfolio.optimization.MaximumDiversification(),
}
"""Name -> how to make it from the package skfolio.

All are long-only and fully invested, with sample moments and no risk-free rate. The tree of ``hrp`` is Ward's; in
Lopez de Prado 2016 it is by single linkage.
"""


class Unsolved(Exception):
    """An estimator found no weights for these returns."""


def weights(
    name: str, returns: Floats, present: Floats | None = None, tradable: NDArray[np.bool_] | None = None
) -> Floats:
    """Return the weights that an optimiser would hold from now on.

    Only assets that can be traded and have a return on each of the days take part. Of the others, what cannot be
    traded stays as it is, and the rest is sold. With fewer than two days per asset that takes part, an estimator falls
    back on 1/N: with no more days than assets their sample covariance is singular, with few more it is mostly noise.

    Args:
        name: one of `OPTIMISERS`.
        returns: simple returns of one day, shape (D, N), the latest last; NaN where an asset had no price.
        present: the weights held, shape (N,); all in cash by default.
        tradable: whether each asset can be traded now, shape (N,); all by default.

    Returns:
        Shape (N,); not negative and of sum 1 if ``present`` is, unless no asset takes part.

    Raises:
        Unsolved: no weights were found, or there are none (of ``max_sharpe``, if no asset's mean return is positive).
        ValueError: there is no optimiser of that name; lists those there are.
        DependencyNotInstalled: the optimiser is an estimator, and skfolio is missing.
    """
    if name not in OPTIMISERS:
        raise ValueError(f"There is no optimiser {name!r}. There are: {', '.join(OPTIMISERS)}.")
    present = np.zeros(returns.shape[1]) if present is None else present
    tradable = np.ones(returns.shape[1], np.bool_) if tradable is None else tradable
    chosen = tradable & np.isfinite(returns).all(axis=0)
    result = np.where(tradable, 0.0, present)
    if chosen.any():
        result[chosen] = (1.0 - result.sum()) * OPTIMISERS[name](returns[:, chosen], present[chosen])
    return result


def _equal_weight(returns: Floats, present: Floats) -> Floats:
    """Return 1/N (DeMiguel, Garlappi & Uppal 2009)."""
    return np.full(len(present), 1.0 / len(present))


def _estimate(make: Make, returns: Floats, present: Floats) -> Floats:
    """Return the weights of one of skfolio's optimisers, without those that are but the solver's noise."""
    days, assets = returns.shape
    if days < 2 * assets:
        return _equal_weight(returns, present)
    try:
        import skfolio
        import skfolio.exceptions
        import skfolio.optimization
    except ModuleNotFoundError as error:
        raise DependencyNotInstalled('These strategies need skfolio: pip install "rlx[portfolio]"') from error
    try:
        found = make(skfolio).fit(returns).weights_
    except (skfolio.exceptions.SkfolioError, ValueError) as error:  # the latter if no mean is positive
        raise Unsolved(str(error)) from error
    found = np.where(found < CUTOFF / assets, 0.0, found)
    return np.asarray(found / found.sum(), np.float64)


def _olmar(returns: Floats, present: Floats, epsilon: float = 10.0) -> Floats:
    """Return the weights of OLMAR-1 (Li & Hoi 2012, algorithm 2): bet on prices that return to their moving average.

    The window is one price more than there are returns. The step starts from the weights held, which in the paper are
    those asked for the day before.
    """
    assets = len(present)
    held = present / present.sum() if present.any() else np.full(assets, 1.0 / assets)
    prices = np.cumprod(1.0 / (1.0 + returns[::-1]), axis=0)  # in units of today's, back from yesterday
    predicted = (1.0 + prices.sum(axis=0)) / (1 + len(returns))
    direction = predicted - predicted.mean()
    norm = direction @ direction
    step = max(0.0, epsilon - held @ predicted) / norm if norm > 0.0 else 0.0
    return nearest_weights(held + step * direction)


def _exponentiated_gradient(returns: Floats, present: Floats, rate: float = 0.05) -> Floats:
    """Return the weights of EG (Helmbold et al. 1998, equation 3.3): a little more of what has just gained.

    The weights of the day before are those held, less the day's returns.
    """
    relatives = 1.0 + returns[-1]
    before = present / relatives if present.any() else np.ones(len(present))
    before /= before.sum()
    found = before * np.exp(rate * relatives / (before @ relatives))
    return np.asarray(found / found.sum(), np.float64)


def nearest_weights(point: Floats) -> Floats:
    """Return the weights nearest to ``point`` (Duchi et al. 2008, figure 1)."""
    descending = np.sort(point)[::-1]
    thresholds = (np.cumsum(descending) - 1.0) / np.arange(1, len(point) + 1)
    nearest: Floats = np.maximum(point - thresholds[np.count_nonzero(descending > thresholds) - 1], 0.0)
    return nearest


OPTIMISERS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "equal_weight": _equal_weight,
    **{name: functools.partial(_estimate, make) for name, make in ESTIMATORS.items()},
    "exponentiated_gradient": _exponentiated_gradient,
    "olmar": _olmar,
}
"""What `weights` can compute: name -> function of returns (D, M) and present weights (M,) of what takes part."""
