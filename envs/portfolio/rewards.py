"""What a day is worth: named terms, each with a weight.

With r the return of the day, V value, and moments and value at risk that follow the returns of the days before:

- ``log_growth``: log(1 + r); summed over an episode it is the log of how wealth has grown.
- ``differential_sharpe``: what the day adds to the Sharpe ratio, per rate of the moments (Moody and Saffell 1998,
  equation 7); the moments begin at those of equal weights over the first window.
- ``crra``: utility ((1 + r)^(1 - aversion) - 1) / (1 - aversion) of the day's growth, which is log for aversion 1.
- ``mean_variance``: r - aversion / 2 (r - mean)^2.
- ``drawdown``: by how much the largest drawdown has grown, negative; summed, it is minus the maximum drawdown.
- ``cvar``: -(q + max(loss - q, 0) / tail), whose expectation is minus the conditional value at risk for the best q
  (Rockafellar and Uryasev 2000); q follows that quantile of the losses.
- ``benchmark_relative``: log growth beyond that of the benchmark, or of equal weights where there is none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..core.reading import entries, number, one_of
from .kernels import TERMS

_FIELDS = {"aversion": 2.0, "rate": 0.01, "tail": 0.05}


@dataclasses.dataclass(frozen=True)
class Reward:
    """Weights of terms, and their parameters."""

    terms: Mapping[str, float]
    aversion: float  # to risk
    rate: float  # at which moments follow, per day
    tail: float  # probability beyond the value at risk


def read_reward(given: str | Mapping[str, Any] | None) -> Reward:
    """Turn what a user wrote into a reward.

    Args:
        given: None for log growth, a term's name, or a dict of weights by term; it may hold ``aversion`` (2), ``rate``
            (0.01) and ``tail`` (0.05).

    Raises:
        ValueError: an unknown term, no term, or a number out of range.
    """
    if given is None or isinstance(given, str):
        given = {given or "log_growth": 1.0}
    weights, fields = {}, dict(_FIELDS)
    for name, value in entries("reward", given).items():
        if one_of("The term of the reward", name, (*TERMS, *_FIELDS)) in TERMS:
            weights[name] = number(f"The weight of {name}", value)
        else:
            fields[name] = value
    if not weights:
        raise ValueError(f"reward = {given!r} has no term. There are: {', '.join(TERMS)}.")
    return Reward(
        weights,
        number("aversion", fields["aversion"], 0.0, 100.0),
        number("rate", fields["rate"], 1e-6, 1.0),
        number("tail", fields["tail"], 1e-4, 0.5),
    )
