"""Measures and tests of portfolios against curves measured elsewhere, skfolio, brute force, and sums done by hand."""

from __future__ import annotations

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled

from rlx.envs.portfolio import shipped, statistics
from rlx.envs.portfolio.statistics import (
    block_length,
    compare,
    cost_rate,
    cvar,
    deflated_sharpe_ratio,
    drawdown,
    excess_returns,
    expected_max_sharpe,
    kurtosis,
    max_drawdown,
    measures,
    over_runs,
    overfitting_probability,
    probabilistic_sharpe_ratio,
    rolling_sharpe,
    sharpe,
    simple_returns,
    skewness,
    sortino,
    superior_predictive_ability,
    turnover,
    value_at_risk,
    volatility,
)

DATA = Path(__file__).parent / "data"
TRUTH = json.loads((DATA / "portfolio_curves.json").read_text())
OURS = {
    "final": "final_value",
    "cagr": "cagr",
    "vol_ann": "volatility",
    "sharpe_ann": "sharpe",
    "sortino_ann": "sortino",
    "max_drawdown": "max_drawdown",
    "cvar95_day": "cvar_95",
    "var95_day": "value_at_risk_95",
    "skew": "skewness",
    "kurt": "kurtosis",
}


@pytest.fixture(scope="module")
def curves():
    with np.load(DATA / "portfolio_accounting.npz") as file:
        return {"dates": shipped().dates, **{name: file[f"{name}__exact"] for name in TRUTH["metrics"]}}


def walk_forward(curves):
    """Return equal weights, each month anew, from the first day of the walk-forward; that day buys everything."""
    told = TRUTH["walk_forward"]
    value = curves["ew_monthly_10bp"][curves["dates"] >= np.datetime64(told["first"])].copy()
    value[0] *= (1.0 - told["cost_share"]) * 1.001
    return value


def student(days: int, names: str, seed: int = 0, drift: float = 0.0005) -> dict[str, np.ndarray]:
    """Return correlated returns with fat tails."""
    random = np.random.default_rng(seed)
    common = random.standard_t(5, days)
    return {name: drift + 0.006 * common + 0.004 * random.standard_t(5, days) for name in names}


@pytest.mark.parametrize("scenario", TRUTH["metrics"])
def test_measures_are_those_measured_elsewhere(curves, scenario: str):
    found, expected = measures(curves[scenario]), TRUTH["metrics"][scenario]
    assert {name: found[ours] for name, ours in OURS.items()} == pytest.approx(
        {name: expected[name] for name in OURS}, rel=1e-9
    )
    assert set(found) == set(OURS.values())


def test_the_walk_forward_of_equal_weights_is_reproduced(curves):
    value, told = walk_forward(curves), TRUTH["walk_forward"]
    found = measures(value)
    assert round(100.0 * found["cagr"], 1) == told["cagr"]
    assert round(100.0 * found["volatility"], 1) == told["volatility"]
    assert round(100.0 * found["max_drawdown"], 1) == told["max_drawdown"]
    assert round(found["sharpe"], 3) == told["sharpe"]
    interval = compare({"ew": excess_returns(value)}, "ew", block=20.0).sharpe["ew"]
    assert (round(interval.low, 2), round(interval.high, 2)) == (told["sharpe_low"], told["sharpe_high"])


def test_measures_by_hand():
    value = np.array([100.0, 110.0, 99.0, 99.0, 118.8])
    np.testing.assert_allclose(simple_returns(value), [0.1, -0.1, 0.0, 0.2], atol=1e-15)
    np.testing.assert_allclose(drawdown(value), [0.0, 0.0, -0.1, -0.1, 0.0], atol=1e-15)
    assert max_drawdown(value) == pytest.approx(-0.1)
    returns = simple_returns(value)
    assert sortino(returns) == pytest.approx(0.05 / math.sqrt(0.01 / 4) * math.sqrt(252))
    assert volatility(returns) == pytest.approx(math.sqrt(0.05 / 3 * 252))
    assert value_at_risk(returns, 0.5) == pytest.approx(-0.05)  # half way between 0 and 0.1
    assert cvar(returns, 0.5) == pytest.approx(0.05)  # the mean of 0.1 and 0
    assert turnover(np.array([1.0, 0.0, 0.5, 7.0])) == pytest.approx(0.5 * 252)
    cost, value = np.array([1.0, 0.0, 2.0, 9.0]), np.array([100.0, 50.0, 50.0, 1.0])
    assert cost_rate(cost, value) == pytest.approx(0.05 / 3 * 252)


def test_measures_side_by_side_are_those_one_by_one():
    value = np.cumprod(1.0 + np.column_stack(list(student(300, "abc").values())), axis=0)
    returns = simple_returns(value)
    for measure in (statistics.cagr, max_drawdown):
        np.testing.assert_allclose(measure(value), [measure(x) for x in value.T])
    for measure in (sharpe, sortino, volatility, value_at_risk, cvar, skewness, kurtosis):
        np.testing.assert_allclose(measure(returns), [measure(x) for x in returns.T])


def test_cash_is_taken_off():
    rate = np.full(400, 0.0001)
    value = np.cumprod(1.0 + student(400, "a")["a"])
    np.testing.assert_allclose(excess_returns(value, rate), simple_returns(value) - 0.0001)
    assert measures(value, rate)["sharpe"] == measures(value, 0.0001)["sharpe"] < measures(value)["sharpe"]


def test_nothing_risked_has_no_ratio():
    cash = np.cumprod(np.full(300, 1.0001))
    assert all(math.isnan(measures(cash, 0.0001)[name]) for name in ("sharpe", "sortino"))
    assert math.isnan(measures(np.ones(300))["sharpe"])
    assert math.isnan(probabilistic_sharpe_ratio(np.zeros(299)))


def test_after_ruin_nothing_returns():
    value = np.array([1.0, 0.5, 0.0, 0.0])
    np.testing.assert_array_equal(simple_returns(value), [-0.5, -1.0, 0.0])
    assert measures(value)["cagr"] == -1.0
    assert cost_rate(np.zeros(4), value) == 0.0


def test_rolling_sharpe_is_the_ratio_of_each_stretch():
    returns = student(300, "a")["a"]
    rolling = rolling_sharpe(returns, 252)
    np.testing.assert_allclose(rolling, [sharpe(returns[i : i + 252]) for i in range(300 - 252 + 1)])


@pytest.mark.parametrize("benchmark", [0.0, 0.7])
def test_probabilistic_sharpe_is_skfolios(benchmark: float):
    skfolio = pytest.importorskip("skfolio.measures")
    returns = student(900, "a")["a"]
    theirs = skfolio.probabilistic_sharpe_ratio(returns, benchmark / math.sqrt(252))
    assert probabilistic_sharpe_ratio(returns, benchmark) == pytest.approx(theirs, rel=1e-9)


def test_deflated_sharpe_is_skfolios():
    skfolio = pytest.importorskip("skfolio.measures")
    tried = np.array([0.3, 0.7, 0.72, -0.3, 1.1, math.nan])
    returns = student(900, "a")["a"]
    theirs = skfolio.deflated_sharpe_ratio(returns, tried / math.sqrt(252))
    assert deflated_sharpe_ratio(returns, tried) == pytest.approx(theirs, rel=1e-9)
    for trials in (1, 2, 11, 1000.0):
        theirs = skfolio.expected_max_sharpe_ratio(trials, 0.3)
        assert expected_max_sharpe(trials, 0.3) == pytest.approx(theirs, rel=1e-9)
    assert deflated_sharpe_ratio(returns, tried, 100) < deflated_sharpe_ratio(returns, tried)


def test_moments_and_tails_are_skfolios():
    skfolio = pytest.importorskip("skfolio.measures")
    returns = student(2000, "a")["a"]
    assert skewness(returns) == pytest.approx(skfolio.skew(returns), rel=1e-9)
    assert kurtosis(returns) == pytest.approx(skfolio.kurtosis(returns), rel=1e-9)
    # 5 % of 2000 days are 100: whole days, so that both conventions of the mean beyond them agree.
    assert cvar(returns) == pytest.approx(skfolio.cvar(returns), rel=1e-9)


def test_overfitting_is_what_brute_force_counts():
    excess = np.column_stack(list(student(203, "abcd", seed=3).values()))
    blocks = np.split(excess[3:], 4)
    failures = []
    for half in itertools.combinations(range(4), 2):
        inside = sharpe(np.concatenate([blocks[i] for i in half]))
        outside = sharpe(np.concatenate([blocks[i] for i in range(4) if i not in half]))
        rank = 1 + sorted(outside).index(outside[np.argmax(inside)])
        failures.append(rank / 5 <= 0.5)
    assert overfitting_probability(excess, parts=4) == np.mean(failures) > 0.0


def test_overfitting_of_skill_and_of_noise():
    noise = np.random.default_rng(0).normal(0.0, 0.01, (40, 640, 6))
    assert np.mean([overfitting_probability(x, parts=8) for x in noise]) == pytest.approx(0.5, abs=0.1)
    noise[0, :, 2] += 0.01
    assert overfitting_probability(noise[0]) == 0.0


def test_blocks_are_longer_where_days_depend_on_each_other():
    noise = np.random.default_rng(1).normal(0.0, 0.01, (2000, 1))
    persistent = noise.copy()
    for day in range(1, len(noise)):
        persistent[day] += 0.8 * persistent[day - 1]
    assert 1.0 <= block_length(noise) < 6.0 < block_length(persistent)
    assert block_length(np.hstack([noise, persistent])) == pytest.approx(block_length(persistent))


def test_intervals_of_independent_days_are_lo_s():
    """Lo (2002): the standard error of a daily ratio of T normal returns is sqrt((1 + ratio^2 / 2) / T)."""
    returns = np.random.default_rng(2).normal(0.0008, 0.01, 2520)
    interval = compare({"a": returns}, "a", block=1.0, replicates=2000).sharpe["a"]
    error = math.sqrt((1.0 + float(sharpe(returns)) ** 2 / 252 / 2.0) / 2520 * 252)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    assert interval.value == pytest.approx((interval.low + interval.high) / 2.0, abs=0.2 * error)


def test_a_better_strategy_is_found():
    excess = student(1500, "abcd")
    excess["b"] = excess["b"] + 0.001
    found = compare(excess, "a")
    assert found.different == ["b"] and next(iter(found.sharpe)) == "b"
    assert found.difference["b"].low > 0.0 and found.spa < 0.01 and found.deflated["b"] > 0.95
    assert found.overfitting == 0.0 and found.probabilistic["b"] > found.deflated["b"]
    assert compare(excess, "a", trials=10**6).deflated["b"] < found.deflated["b"]


def test_equals_are_not_told_apart():
    excess = student(1500, "abcd", seed=1)
    found = compare(excess, "a")
    assert found.different == [] and found.spa > 0.1
    assert all(estimate.low < 0.0 < estimate.high for estimate in found.difference.values())
    assert list(found.difference) == [name for name in found.sharpe if name != "a"]


def test_draws_are_repeatable():
    excess = student(500, "abc")
    assert compare(excess, "a", seed=5) == compare(excess, "a", seed=5) != compare(excess, "a", seed=6)


def test_many_comparisons_find_nothing_false_more_often_than_promised():
    """Equal strategies, their differences drawn with the errors that they have: false findings are 5 % of the cases."""
    random = np.random.default_rng(4)
    mixing = random.normal(size=(6, 6))
    cases = 600
    false = 0
    for _ in range(cases):
        value = mixing @ random.normal(size=6)
        drawn = value[:, None] + mixing @ random.normal(size=(6, 400))
        p = statistics._adjusted({str(i): (value[i], drawn[i]) for i in range(6)})
        false += min(p.values()) < 0.05
    assert false / cases == pytest.approx(0.05, abs=3.0 * math.sqrt(0.05 * 0.95 / cases))


def test_one_comparison_needs_no_adjustment():
    value = 1.96
    drawn = np.random.default_rng(5).normal(value, 1.0, 20_000)
    assert statistics._adjusted({"a": (value, drawn)})["a"] == pytest.approx(0.05, abs=0.005)


def test_superior_predictive_ability_is_one_sided():
    excess = student(800, "abc")
    others = np.column_stack([excess["b"], excess["c"]])
    assert superior_predictive_ability(others - 0.01, excess["a"], 5.0) > 0.5
    assert superior_predictive_ability(others + 0.01, excess["a"], 5.0) == 0.0


def test_what_cannot_be_compared_is_left_out():
    excess = student(300, "ab")
    excess |= {"twin": excess["a"].copy(), "cash": np.zeros(300)}
    found = compare(excess, "a")
    assert list(found.difference) == ["b"] and list(found.sharpe)[-1] == "cash"
    assert all(map(math.isnan, found.sharpe["cash"])) and math.isnan(found.deflated["cash"])
    assert found.trials == 4
    alone = compare({"a": excess["a"]}, "a")
    assert alone.difference == alone.p_value == {} and math.isnan(alone.spa) and math.isnan(alone.overfitting)
    with pytest.raises(ValueError, match="benchmark = 'cash' risks nothing"):
        compare(excess, "cash")


# Learners with several runs


def runs(days: int, count: int, seed: int = 1, spread: float = 0.0) -> np.ndarray:
    """Return runs (days, count) that differ in their mean returns alone, up to the spread."""
    return student(days, "r", seed)["r"][:, None] + np.linspace(-spread, spread, count)


def test_the_ratio_of_runs_is_the_mean_of_theirs():
    excess = student(400, "ab") | {"r": runs(400, 5, spread=0.001)}
    found = compare(excess, "a", replicates=200)
    mean = np.mean([sharpe(run) for run in excess["r"].T])
    assert found.sharpe["r"].value == pytest.approx(mean, rel=1e-12)
    assert found.difference["r"].value == pytest.approx(mean - sharpe(excess["a"]), rel=1e-9)
    assert math.isnan(found.deflated["r"]) and math.isnan(found.probabilistic["r"])
    assert found.trials == 3
    ratios = [found.sharpe[name].value for name in "abr"]
    assert found.deflated["a"] == deflated_sharpe_ratio(excess["a"], ratios)


def test_identical_runs_are_one_run():
    excess = student(400, "abc")
    once = compare(excess, "a", replicates=200)
    thrice = compare(excess | {"b": np.tile(excess["b"][:, None], 3)}, "a", replicates=200)
    assert thrice.block == pytest.approx(once.block, rel=1e-9)
    for name in "abc":
        assert thrice.sharpe[name] == pytest.approx(once.sharpe[name], rel=1e-9)
    for name in "bc":
        assert thrice.difference[name] == pytest.approx(once.difference[name], rel=1e-9)
    assert thrice.p_value == once.p_value
    assert (thrice.spa, thrice.overfitting) == (once.spa, once.overfitting)


def test_luck_of_training_widens_the_interval_by_its_variance():
    """The draws' variance is that of the days and, of R runs, the variance of their ratios over R."""
    excess = {"one": runs(1500, 1)[:, 0], "ten": runs(1500, 10, spread=0.0012)}
    excess["one"] += np.random.default_rng(6).normal(0.0, 1e-5, 1500)
    found = compare(excess, "one", block=1.0, replicates=4000)
    width = {name: (each.high - each.low) / (2.0 * 1.96) for name, each in found.sharpe.items()}
    luck = np.var(sharpe(excess["ten"])) / 10
    assert luck > 0.2 * width["one"] ** 2
    assert width["ten"] ** 2 == pytest.approx(width["one"] ** 2 + luck, rel=0.1)
    low, high = found.difference["ten"][1:]
    assert (high - low) / (2.0 * 1.96) == pytest.approx(math.sqrt(luck), rel=0.06)


def test_a_learner_can_be_the_benchmark():
    excess = student(400, "ab") | {"r": runs(400, 4, spread=0.001), "s": runs(400, 3, seed=9)}
    forth, back = compare(excess, "a", replicates=200), compare(excess, "r", replicates=200)
    assert set(back.difference) == {"a", "b", "s"}
    value, low, high = forth.difference["r"]
    assert back.difference["a"] == pytest.approx((-value, -high, -low), rel=1e-9)


def test_superior_predictive_ability_has_the_runs_mean_returns():
    excess = student(400, "a") | {"r": runs(400, 5, seed=3, spread=0.001)}
    found = compare(excess, "a", replicates=200, block=3.0)
    mean = excess["r"].mean(axis=1)
    assert found.spa == superior_predictive_ability(mean[:, None], excess["a"], 3.0, 200)
    np.testing.assert_array_equal(over_runs(excess["r"]), mean)
    assert over_runs(excess["a"]) is excess["a"]


def test_overfitting_of_runs_is_what_brute_force_counts():
    excess = student(200, "abc", seed=3) | {"r": runs(200, 3, seed=4, spread=0.002)}
    together = np.column_stack(list(excess.values()))
    blocks = np.split(together, 4)

    def ratios(parts) -> np.ndarray:
        each = sharpe(np.concatenate([blocks[i] for i in parts]))
        return np.append(each[:3], each[3:].mean())

    failures = []
    for half in itertools.combinations(range(4), 2):
        outside = ratios([i for i in range(4) if i not in half])
        failures.append((1 + sorted(outside).index(outside[np.argmax(ratios(half))])) / 5 <= 0.5)
    assert overfitting_probability(together, parts=4, runs=[1, 1, 1, 3]) == np.mean(failures) > 0.0


def test_a_run_that_risks_nothing_leaves_no_mean():
    excess = student(200, "ab") | {"r": runs(200, 3)}
    excess["r"][:, 1] = 0.0
    found = compare(excess, "a", replicates=200)
    assert all(map(math.isnan, found.sharpe["r"])) and "r" not in found.difference


def test_measures_of_runs_are_those_of_each():
    value = np.cumprod(1.0 + runs(300, 3, spread=0.001), axis=0)
    found = measures(value, np.full(300, 0.0001))
    for place, curve in enumerate(value.T):
        each = measures(curve, np.full(300, 0.0001))
        assert {name: x[place] for name, x in found.items()} == pytest.approx(each, rel=1e-9)


def test_half_a_history_in_cash_is_not_the_best_half():
    excess = np.column_stack(list(student(320, "abc", drift=0.002).values()))
    excess[:160, 2] = 0.0
    inside = np.nan_to_num(sharpe(excess[:160]))
    assert inside.argmax() != 2
    expected = [np.nan_to_num(sharpe(half)) for half in (excess[:160], excess[160:])]
    failures = [
        (1 + sorted(judged).index(judged[chosen.argmax()])) / 4 <= 0.5
        for chosen, judged in (expected, expected[::-1])
    ]  # fmt: skip
    assert overfitting_probability(excess, parts=2) == np.mean(failures)


def test_a_strategy_that_hardly_ever_invests_has_an_interval():
    excess = student(300, "ab")
    excess["b"][1:] = 0.0
    low, high = compare(excess, "a").sharpe["b"][1:]
    assert low <= 0.0 <= high and high - low > 0.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"benchmark": "z"}, "benchmark = 'z' is not among the strategies: a, b."),
        ({"trials": 1}, "trials = 1: at least the 2"),
        ({"days": 62}, "62 daily returns: at least 63"),
    ],
)
def test_mistakes_are_told(changes: dict, words: str):
    days = changes.pop("days", 100)
    with pytest.raises(ValueError, match=words):
        compare(student(days, "ab"), **{"benchmark": "a"} | changes)


def test_without_arch_it_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "arch", None)
    with pytest.raises(DependencyNotInstalled, match=r'pip install "rlx\[portfolio\]"'):
        compare(student(100, "ab"), "a")
