"""Intervals of shares and of differences on the same episodes, all at 95 %."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONFIDENCE = 0.95
#: The normal quantile that belongs to it.
Z = 1.959963984540054
RESAMPLES = 2000


class Estimate(NamedTuple):
    """A number with its interval."""

    value: float
    low: float
    high: float


def wilson(hits: float, trials: int) -> Estimate:
    """Return a share with its score interval.

    Source:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    share, z2 = float(hits / trials), Z * Z / trials
    middle = share + z2 / 2.0
    half = Z * math.sqrt(share * (1.0 - share) / trials + z2 / trials / 4.0)
    return Estimate(share, max((middle - half) / (1.0 + z2), 0.0), min((middle + half) / (1.0 + z2), 1.0))


def paired_shares(ours: Array, theirs: Array) -> Estimate:
    """Return by how much one share is above another on the same episodes.

    The interval joins the two score intervals, with the correlation of the outcomes: method 10 of Newcombe, "Improved
    confidence intervals for the difference between binomial proportions based on paired data", Statistics in Medicine
    17 (1998).

    Args:
        ours: zeros and ones (n,).
        theirs: of the same episodes.
    """
    n = len(ours)
    both, only_ours, only_theirs = (float(x.sum()) for x in (ours * theirs, ours * (1 - theirs), (1 - ours) * theirs))
    neither = n - both - only_ours - only_theirs
    scale = (both + only_ours) * (only_theirs + neither) * (both + only_theirs) * (only_ours + neither)
    product = both * neither - only_ours * only_theirs
    if product > 0.0:  # continuity correction
        product = max(product - n / 2.0, 0.0)
    correlation = product / math.sqrt(scale) if scale > 0.0 else 0.0
    (p, p_low, p_high), (q, q_low, q_high) = wilson(both + only_ours, n), wilson(both + only_theirs, n)

    def length(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2.0 * correlation * a * b + b * b, 0.0))

    return Estimate(p - q, p - q - length(p - p_low, q_high - q), p - q + length(p_high - p, q - q_low))


def mcnemar(ours: Array, theirs: Array) -> float:
    """Return the exact two-sided p-value of equal shares on the same episodes: McNemar's test (1947).

    Args:
        ours: zeros and ones (n,).
        theirs: of the same episodes.
    """
    fewer, more = sorted((int((ours > theirs).sum()), int((theirs > ours).sum())))
    tail = sum(math.comb(fewer + more, k) for k in range(fewer + 1))
    return min(float(2 * tail / 2 ** (fewer + more)), 1.0)


def shares(episodes: int, seed: int = 0, resamples: int = RESAMPLES) -> Array:
    """Draw bootstrap samples: how often each episode was drawn, as a share, (resamples, episodes)."""
    counts = np.random.default_rng(seed).multinomial(episodes, np.full(episodes, 1.0 / episodes), resamples)
    return np.asarray(counts / episodes)


def bracket(value: float, draws: Array) -> Estimate:
    """Return ``value`` with the percentile interval of its bootstrap draws."""
    low, high = np.quantile(draws, ((1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0))
    return Estimate(float(value), float(low), float(high))


def retention(wins: Any, random: Any, oracle: Any) -> Any:
    """Return which share of the oracle's lead over random play a policy has; arrays or numbers."""
    return (wins - random) / (oracle - random)
