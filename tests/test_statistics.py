"""The statistics of a comparison against scipy's, and against sums done by hand."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rlx.baselines.compare.statistics import (
    bootstrap,
    iqm,
    iqm_band,
    joint_iqm,
    optimality_gap,
    paired_difference,
    probability_of_improvement,
    profile,
    share,
    stratified_iqm,
    stratified_mean,
    stratified_median,
)

RANDOM = np.random.default_rng(20_210_830)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 10, 31])
def test_iqm_is_the_trimmed_mean(n: int):
    scores = RANDOM.standard_normal((n, 3))
    assert iqm(scores) == pytest.approx(stats.trim_mean(scores.ravel(), 0.25))
    np.testing.assert_allclose(iqm(scores, axis=0), stats.trim_mean(scores, 0.25, axis=0))
    np.testing.assert_allclose(iqm(scores.T, axis=1), stats.trim_mean(scores, 0.25, axis=0))


def test_iqm_by_hand():
    assert iqm([100.0, 1.0, 2.0, 3.0, -50.0]) == 2.0
    assert stratified_iqm([np.array([0.0, 9.0]), np.array([4.0, 6.0])]) == 5.0


def test_probability_of_improvement_is_mann_whitney():
    for n, m in ((1, 1), (5, 5), (4, 9)):
        x, y = RANDOM.integers(0, 5, n).astype(float), RANDOM.integers(0, 5, m).astype(float)
        expected = stats.mannwhitneyu(x, y).statistic / (n * m)
        assert probability_of_improvement([x], [y]) == pytest.approx(expected)
        assert probability_of_improvement([y], [x]) == pytest.approx(1.0 - expected)


def test_probability_of_improvement_by_hand():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0])
    assert probability_of_improvement([x], [y]) == pytest.approx((1 + 1.5 + 2) / 6)
    assert probability_of_improvement([x, np.zeros(1)], [y, np.ones(1)]) == pytest.approx((4.5 / 6 + 0) / 2)


def test_bootstrap_agrees_with_scipy():
    sample = RANDOM.normal(10.0, 3.0, 12)
    ours = bootstrap(stratified_iqm, [sample], resamples=20_000)
    theirs = stats.bootstrap(
        (sample,), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis), method="percentile", n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert ours.value == pytest.approx(stats.trim_mean(sample, 0.25))
    assert ours.low == pytest.approx(theirs.low, abs=0.1)
    assert ours.high == pytest.approx(theirs.high, abs=0.1)


def test_bootstrap_of_two_samples_agrees_with_scipy():
    x, y = RANDOM.normal(0.5, 1.0, 10), RANDOM.normal(0.0, 1.0, 8)
    ours = bootstrap(probability_of_improvement, [x], [y], resamples=10_000)
    theirs = stats.bootstrap(
        (x, y), lambda a, b: probability_of_improvement([a], [b]), method="percentile", vectorized=False,
        n_resamples=10_000, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert ours.low == pytest.approx(theirs.low, abs=0.03)
    assert ours.high == pytest.approx(theirs.high, abs=0.03)


def test_bootstrap_of_every_possible_draw():
    """With two runs there are four draws: 0 0, 0 1, 1 0, 1 1."""
    ours = bootstrap(stratified_iqm, [np.array([0.0, 1.0])], resamples=4_000)
    assert (ours.low, ours.high) == (0.0, 1.0)
    narrow = bootstrap(stratified_iqm, [np.array([0.0, 1.0])], resamples=4_000, confidence=0.4)
    assert (narrow.low, narrow.high) == (0.5, 0.5)


def test_bootstrap_keeps_strata_apart():
    """Runs of one task never stand in for runs of another."""
    strata = [np.full(3, 1.0), np.full(4, 5.0)]
    ours = bootstrap(lambda strata: np.concatenate(strata, axis=-1).mean(axis=-1), strata, resamples=200)
    assert ours == pytest.approx([(3 * 1.0 + 4 * 5.0) / 7] * 3)


def test_bootstrap_keeps_the_scores_of_a_run_together():
    """Runs that are good in one task and bad in the other: drawn jointly, what they have together never moves."""
    scores = np.array([[0.0, 10.0], [10.0, 0.0], [4.0, 6.0], [5.0, 5.0]])
    joint = bootstrap(lambda strata: strata[0].mean(axis=(-2, -1)), [scores], resamples=500)
    assert joint == pytest.approx([5.0] * 3)
    apart = bootstrap(stratified_mean, list(scores.T), resamples=500)
    assert apart.value == pytest.approx(5.0)
    assert apart.low < 4.0 < 6.0 < apart.high
    assert bootstrap(joint_iqm, [scores], resamples=500).value == pytest.approx(stats.trim_mean(scores.ravel(), 0.25))


def test_bootstrap_repeats_and_refuses():
    sample = [RANDOM.standard_normal(6)]
    assert bootstrap(stratified_iqm, sample, resamples=500) == bootstrap(stratified_iqm, sample, resamples=500)
    with pytest.raises(ValueError, match="at least one run"):
        bootstrap(stratified_iqm, [np.zeros(0)])


def test_paired_difference_covers_the_truth():
    """Two equal algorithms on episodes of very different difficulty: the interval holds 0 about 95 times in 100."""
    random, covered = np.random.default_rng(5), 0
    for seed in range(300):
        difficulty = random.normal(0.0, 100.0, 15)
        ours, theirs = (difficulty + random.normal(0, 1, (8, 1)) + random.normal(0, 1, (8, 15)) for _ in range(2))
        estimate = paired_difference(ours, theirs, seed=seed, resamples=500)
        assert estimate.high - estimate.low < 5.0  # the difficulty cancels
        covered += estimate.low <= 0.0 <= estimate.high
    assert 0.88 <= covered / 300 <= 1.0


def test_paired_difference_by_hand():
    ours, theirs = np.array([[1.0, 12.0]]), np.array([[0.0, 10.0]])
    estimate = paired_difference(ours, theirs, resamples=4_000)
    assert estimate == (1.5, 1.0, 2.0)  # one run each: only the episodes vary


def test_paired_difference_over_several_tasks():
    ours, theirs = RANDOM.normal(1.0, 1.0, (3, 2, 4)), RANDOM.normal(0.0, 1.0, (5, 2, 4))
    estimate = paired_difference(ours, theirs, resamples=500)
    assert estimate.value == pytest.approx(np.mean([ours[:, k].mean() - theirs[:, k].mean() for k in range(2)]))
    assert paired_difference(ours[:, :1], theirs[:, :1]) == paired_difference(ours[:, 0], theirs[:, 0])
    # Every task takes part in every draw: a large difference between tasks is no uncertainty.
    levels = np.array([[[0.0, 0.0], [100.0, 100.0]]])
    assert paired_difference(levels, np.zeros((1, 2, 2)), resamples=500) == pytest.approx([50.0] * 3)
    # And one run is drawn for all tasks: what it wins in one and loses in the other never moves.
    runs = np.array([[[1.0], [-1.0]], [[-3.0], [3.0]]])
    assert paired_difference(runs, np.zeros((2, 2, 1)), resamples=500) == pytest.approx([0.0] * 3)


def test_band_of_curves():
    curves = RANDOM.standard_normal((4, 5)).cumsum(axis=1)
    middle, low, high = iqm_band(curves)
    np.testing.assert_allclose(middle, stats.trim_mean(curves, 0.25, axis=0))
    for k in range(5):
        every = [stats.trim_mean(draw, 0.25) for draw in itertools.product(curves[:, k], repeat=4)]
        np.testing.assert_allclose([low[k], high[k]], np.quantile(every, [0.025, 0.975]), atol=0.25)


RLIABLE = json.loads((Path(__file__).parent / "data" / "statistics_rliable.json").read_text())
AGGREGATES = {
    "iqm": stratified_iqm,
    "mean": stratified_mean,
    "median": stratified_median,
    "optimality gap": optimality_gap,
}


@pytest.mark.parametrize("name", list(RLIABLE["scores"]))
def test_aggregates_and_intervals_are_those_of_rliable(name: str):
    strata = list(np.array(RLIABLE["scores"][name]).T)  # a stratum per task
    theirs, (low, high) = RLIABLE["values"][name], RLIABLE["intervals"][name]
    for place, aggregate in enumerate(RLIABLE["aggregates"]):
        ours = bootstrap(AGGREGATES[aggregate], strata, resamples=50_000)
        assert ours.value == pytest.approx(theirs[place], abs=1e-12)
        # Both are quantiles of 50 000 draws; their sampling error is some 0.001.
        assert (ours.low, ours.high) == pytest.approx((low[place], high[place]), abs=0.004), aggregate


def test_probability_of_improvement_is_that_of_rliable():
    ours, theirs = (list(np.array(table).T) for table in list(RLIABLE["scores"].values())[:2])
    found = bootstrap(probability_of_improvement, ours, theirs, resamples=10_000)
    assert found.value == pytest.approx(RLIABLE["improvement"][0], abs=1e-12)
    assert found[1:] == pytest.approx(RLIABLE["improvement"][1:], abs=0.015)  # theirs are quantiles of 2 000 draws


def test_profiles_are_those_of_rliable():
    for name, theirs in RLIABLE["profiles"].items():
        strata = list(np.array(RLIABLE["scores"][name]).T)
        np.testing.assert_allclose(profile(strata, RLIABLE["thresholds"]), theirs, atol=1e-12)


def test_shares_have_wilsons_interval():
    assert share(17, 100) == pytest.approx((0.17, 0.1089, 0.2555), abs=1e-4)
    assert share(0, 50).low == 0.0 and share(50, 50).high == 1.0
