"""Statistics for few runs, after Agarwal et al., "Deep RL at the edge of the statistical precipice" (NeurIPS 2021).

A *sample* holds the scores of independent runs. Scores of several tasks are several samples, one per
task: the *strata*. The bootstrap draws whole runs with replacement, in each stratum on its own, so that an interval
says how far a statistic would move had the same number of runs been done again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
RESAMPLES = 10_000


class Estimate(NamedTuple):
    """A statistic with its interval."""

    value: float
    low: float
    high: float


def iqm(scores: ArrayLike, axis: int | None = None) -> Any:
    """Return the interquartile mean: the mean without the lowest and the highest quarter.

    As `scipy.stats.trim_mean` with 0.25: of n scores, floor(n / 4) are left out at either end.

    Args:
        scores: any shape.
        axis: along which; over all scores if None.
    """
    array = np.asarray(scores, np.float64)
    array = np.sort(array.ravel() if axis is None else np.moveaxis(array, axis, 0), axis=0)
    cut = len(array) // 4
    return array[cut : len(array) - cut].mean(axis=0)


def stratified_iqm(strata: Sequence[Array]) -> Any:
    """Return the interquartile mean of the scores of all strata together.

    Args:
        strata: arrays of scores (..., n); n may differ between them.
    """
    return iqm(np.concatenate(strata, axis=-1), axis=-1)


def joint_iqm(strata: Sequence[Array]) -> Any:
    """Return the interquartile mean of runs that have a score in each of several tasks.

    For `bootstrap` a run is one draw, with all its scores: they come from one policy, and are not independent.

    Args:
        strata: arrays of scores (..., n, S) of n runs in S tasks.
    """
    return stratified_iqm([scores.reshape(*scores.shape[:-2], -1) for scores in strata])


def stratified_mean(strata: Sequence[Array]) -> Any:
    """Return the mean of the scores of all strata together.

    Args:
        strata: arrays of scores (..., n); n may differ between them.
    """
    return np.concatenate(strata, axis=-1).mean(axis=-1)


def stratified_median(strata: Sequence[Array]) -> Any:
    """Return the median over the strata of their mean scores.

    Args:
        strata: arrays of scores (..., n); n may differ between them.
    """
    return np.median(np.stack([scores.mean(axis=-1) for scores in strata]), axis=0)


def optimality_gap(strata: Sequence[Array], target: float = 1.0) -> Any:
    """Return by how much the scores of all strata fall short of ``target``, on average; more than it counts as it.

    Args:
        strata: arrays of scores (..., n); n may differ between them.
        target: the score that is enough; that of an expert where scores are normalised.
    """
    return target - stratified_mean([np.minimum(scores, target) for scores in strata])


def profile(strata: Sequence[Array], thresholds: ArrayLike) -> Any:
    """Return which share of the runs scores more than each threshold: a performance profile.

    Args:
        strata: arrays of scores (..., n); each stratum weighs the same.
        thresholds: shape (T,).

    Returns:
        The shares, (..., T).
    """
    over = [(scores[..., None] > np.asarray(thresholds)).mean(axis=-2) for scores in strata]
    return np.mean(over, axis=0)


def probability_of_improvement(ours: Sequence[Array], theirs: Sequence[Array]) -> Any:
    """Return how likely a run of ours beats a run of theirs, ties counted half, on average over the strata.

    In each stratum this is the Mann-Whitney U divided by the number of pairs.

    Args:
        ours: per stratum the scores (..., n).
        theirs: per stratum the scores (..., m).
    """
    shares = []
    for x, y in zip(ours, theirs, strict=True):
        difference = x[..., :, None] - y[..., None, :]
        shares.append(np.mean((difference > 0) + 0.5 * (difference == 0), axis=(-2, -1)))
    return np.mean(shares, axis=0)


def bootstrap(
    statistic: Callable[..., Any],
    *samples: Sequence[Array],
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> Estimate:
    """Return a statistic with its stratified bootstrap interval (percentiles).

    Args:
        statistic: takes as many lists of strata as there are samples, and works along the last axis (of `joint_iqm`,
            the last two).
        samples: lists of strata, each an array of scores (n,), or (n, S) if a run has several. Runs are drawn in each
            stratum on its own.
        seed: of the draws.
        resamples: how many draws.
        confidence: of the interval.

    Raises:
        ValueError: a stratum without runs.
    """
    if any(len(stratum) == 0 for strata in samples for stratum in strata):
        raise ValueError("A bootstrap needs at least one run in every stratum.")
    generator = np.random.default_rng(seed)
    drawn = [_drawn(strata, generator, resamples) for strata in samples]
    return _estimate(statistic(*samples), statistic(*drawn), confidence)


def paired_difference(
    ours: Array, theirs: Array, seed: int = 0, resamples: int = RESAMPLES, confidence: float = 0.95
) -> Estimate:
    """Return the mean difference of scores on the same episodes, and its interval over runs and episodes.

    Some episodes are harder than others, for everyone; pairing takes that out. Both the runs of each side and the
    episodes are drawn anew, the episodes jointly for both sides.

    Args:
        ours: scores (n, E) of n runs in E episodes; or (n, S, E) in E episodes of each of S tasks, whose episodes are
            drawn on their own, and the runs jointly for all tasks.
        theirs: scores (m, E) or (m, S, E) of m runs in the same episodes.
        seed: of the draws.
        resamples: how many draws.
        confidence: of the interval.
    """
    generator = np.random.default_rng(seed)
    ours, theirs = (scores.reshape(len(scores), -1, scores.shape[-1]) for scores in (ours, theirs))
    _, tasks, episodes = ours.shape
    # The mean over drawn runs and episodes is linear in how often each was drawn.
    our_share, their_share, episode_share = (
        generator.multinomial(n, np.full(n, 1.0 / n), size) / n
        for n, size in ((len(ours), resamples), (len(theirs), resamples), (episodes, (resamples, tasks)))
    )
    means = np.tensordot(our_share, ours, 1) - np.tensordot(their_share, theirs, 1)
    draws = np.einsum("rte,rte->r", means, episode_share) / tasks
    return _estimate(ours.mean() - theirs.mean(), draws, confidence)


def iqm_band(curves: Array, seed: int = 0, resamples: int = 2_000, confidence: float = 0.95) -> tuple[Array, ...]:
    """Return the interquartile mean over runs at every point of a curve, and the interval's two edges.

    Args:
        curves: scores (n, P) of n runs at P points; whole runs are drawn.
        seed: of the draws.
        resamples: how many draws.
        confidence: of the interval.

    Returns:
        Three arrays of shape (P,): middle, low, high.
    """
    return stratified_iqm_band([curves], seed, resamples, confidence)


def stratified_iqm_band(
    strata: Sequence[Array], seed: int = 0, resamples: int = 2_000, confidence: float = 0.95
) -> tuple[Array, ...]:
    """Return the interquartile mean over the runs of all strata at every point of a curve, and its interval's edges.

    Args:
        strata: arrays of scores (n, P) of n runs at P points; whole runs are drawn, in each stratum on its own.
        seed: of the draws.
        resamples: how many draws.
        confidence: of the interval.

    Returns:
        Three arrays of shape (P,): middle, low, high.
    """
    drawn = np.concatenate(_drawn(strata, np.random.default_rng(seed), resamples), axis=1)
    low, high = np.quantile(iqm(drawn, axis=1), _edges(confidence), axis=0)
    return iqm(np.concatenate(strata), axis=0), low, high


def profile_band(
    strata: Sequence[Array], thresholds: Array, seed: int = 0, resamples: int = 2_000, confidence: float = 0.95
) -> tuple[Array, ...]:
    """Return a `profile` at each of the thresholds (T,), and the interval's two edges: three arrays (T,).

    Args:
        strata: arrays of scores (n,); runs are drawn in each stratum on its own.
        thresholds: shape (T,).
        seed: of the draws.
        resamples: how many draws.
        confidence: of the interval.
    """
    over = [(scores[:, None] > thresholds).astype(np.float64) for scores in strata]
    draws = np.mean([part.mean(axis=1) for part in _drawn(over, np.random.default_rng(seed), resamples)], axis=0)
    low, high = np.quantile(draws, _edges(confidence), axis=0)
    return profile(strata, thresholds), low, high


def _drawn(strata: Sequence[Array], generator: np.random.Generator, resamples: int) -> list[Array]:
    """Return runs (resamples, n, ...) drawn with replacement from those of each stratum (n, ...)."""
    return [stratum[generator.integers(len(stratum), size=(resamples, len(stratum)))] for stratum in strata]


def share(hits: int, trials: int, confidence: float = 0.95) -> Estimate:
    """Return ``hits / trials`` with Wilson's interval (1927)."""
    from scipy.stats import binomtest  # takes a while to import

    low, high = binomtest(hits, trials).proportion_ci(confidence, method="wilson")
    return Estimate(hits / trials, float(low), float(high))


def _estimate(value: float, draws: Array, confidence: float) -> Estimate:
    low, high = np.quantile(draws, _edges(confidence))
    return Estimate(float(value), float(low), float(high))


def _edges(confidence: float) -> tuple[float, float]:
    return (1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0
