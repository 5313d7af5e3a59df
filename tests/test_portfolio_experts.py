"""Optimisers against independent solutions, and strategies on known data, in the environment and beside it."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from decimal import Decimal

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rlx.envs.portfolio import FAMILY, PortfolioEnv, experts, shipped
from rlx.envs.portfolio.experts import STRATEGIES, Strategy, history, plan, walk_forward
from rlx.envs.portfolio.optimisers import ESTIMATORS, OPTIMISERS, Unsolved, weights

HAS_SKFOLIO = importlib.util.find_spec("skfolio") is not None
needs_skfolio = pytest.mark.skipif(not HAS_SKFOLIO, reason="needs skfolio")
BY_HAND = [name for name, row in STRATEGIES.items() if row["optimiser"] not in ESTIMATORS]
USABLE = list(STRATEGIES) if HAS_SKFOLIO else BY_HAND

# Computed beforehand by another program, with skfolio 1.12.2 and the account's formula in numpy, from 2008-02-01 to
# 2022-12-28 at 10 basis points, and rounded twice, to four digits and then to what stands here: CAGR %, volatility %,
# Sharpe, maximum drawdown %, turnover per rebalancing, cost in basis points per year, Sharpe of 2019 to 2022.
KNOWN = {
    ("equal_weight", "monthly"): "13.6 20.6 .719 -45.4 .051 6 1.05",
    ("equal_weight", "daily"): "13.6 20.8 .720 -44.8 .011 27 1.04",
    ("buy_and_hold", "never"): "13.4 20.4 .721 -44.6 .000 0.3 .97",
    ("inverse_volatility", "monthly"): "12.3 18.5 .721 -40.6 .049 6 .98",
    ("minimum_variance", "monthly"): "9.7 15.5 .675 -34.2 .213 28 .73",
    ("max_sharpe", "monthly"): "13.7 23.3 .668 -45.8 .609 72 .88",
    ("min_cvar", "monthly"): "9.6 15.6 .664 -33.5 .408 51 .76",
    ("risk_parity", "monthly"): "12.8 18.6 .741 -41.7 .056 7 1.05",
    ("hrp", "monthly"): "12.0 17.2 .746 -36.2 .207 25 .95",
    ("max_diversification", "monthly"): "14.8 20.7 .769 -44.7 .219 27 1.30",
    ("olmar", "daily"): "-23.9 52.1 -.266 -98.9 1.14 2.95e3 -.07",
}


@pytest.fixture(scope="module")
def market():
    return shipped()


@pytest.fixture(scope="module")
def returns(market):
    """A year of returns, of 2013."""
    closes = market.between("2012-12-31", "2013-12-31").close
    return closes[1:] / closes[:-1] - 1.0


@pytest.fixture(scope="module")
def moments(returns):
    return returns.mean(axis=0), np.cov(returns.T)


# Optimisers


@needs_skfolio
@pytest.mark.parametrize("name", OPTIMISERS)
def test_weights_are_a_portfolio(name, returns):
    found = weights(name, returns)
    assert found.shape == (20,)
    assert found.min() >= 0.0
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.array_equal(found, weights(name, returns.copy()))


@needs_skfolio
@pytest.mark.parametrize("name", OPTIMISERS)
def test_order_of_assets_does_not_matter(name, returns):
    order = np.random.default_rng(3).permutation(20)
    assert weights(name, returns[:, order]) == pytest.approx(weights(name, returns)[order], abs=2e-4)


@needs_skfolio
def test_inverse_volatility_is_its_formula(returns):
    inverse = 1.0 / returns.std(axis=0, ddof=1)
    assert weights("inverse_volatility", returns) == pytest.approx(inverse / inverse.sum(), rel=1e-12)


@needs_skfolio
def test_minimum_variance_meets_its_optimality_conditions(returns, moments):
    found = weights("minimum_variance", returns)
    gradient = moments[1] @ found
    variance = found @ gradient
    assert gradient[found > 0.0] == pytest.approx(variance, rel=2e-3)
    assert gradient[found == 0.0].min() > variance * (1.0 - 2e-3)
    assert 3 < np.count_nonzero(found) < 20


@needs_skfolio
def test_risk_parity_has_equal_contributions(returns, moments):
    found = weights("risk_parity", returns)
    contributions = found * (moments[1] @ found)
    assert contributions / contributions.sum() == pytest.approx(1 / 20, rel=2e-3)


def least(objective, start):
    """Minimise over the simplex by scipy's SLSQP."""
    optimize = pytest.importorskip("scipy.optimize")
    found = optimize.minimize(
        objective,
        start,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(start),
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1.0},
        options={"maxiter": 1000, "ftol": 1e-14},
    )
    assert found.success
    return found.fun


@needs_skfolio
@pytest.mark.parametrize("name", ["minimum_variance", "max_sharpe", "max_diversification"])
def test_objectives_are_those_of_a_general_solver(name, returns, moments):
    mean, covariance = moments

    def risk(x):
        return np.sqrt(x @ covariance @ x)

    objective = {
        "minimum_variance": lambda x: 100.0 * risk(x),
        "max_sharpe": lambda x: -(mean @ x) / risk(x),
        "max_diversification": lambda x: -(np.sqrt(np.diag(covariance)) @ x) / risk(x),
    }[name]
    assert objective(weights(name, returns)) == pytest.approx(least(objective, np.full(20, 1 / 20)), rel=1e-5)


@needs_skfolio
def test_min_cvar_solves_the_linear_program(returns):
    """Rockafellar and Uryasev 2000, equation 17: min a + mean(max(-r x - a, 0)) / 5 %."""
    optimize = pytest.importorskip("scipy.optimize")
    days, assets = returns.shape
    cost = np.r_[np.zeros(assets), 1.0, np.full(days, 1.0 / (0.05 * days))]
    best = optimize.linprog(
        cost,
        A_ub=np.hstack([-returns, -np.ones((days, 1)), -np.eye(days)]),
        b_ub=np.zeros(days),
        A_eq=np.r_[np.ones(assets), np.zeros(1 + days)][None],
        b_eq=[1.0],
        bounds=[(0, None)] * assets + [(None, None)] + [(0, None)] * days,
    )
    losses = np.sort(-returns @ weights("min_cvar", returns))[::-1]
    share = np.clip(0.05 * days - np.arange(days), 0.0, 1.0)  # of each day in the tail; 252 days have 12.6 there
    assert losses @ share / (0.05 * days) == pytest.approx(best.fun, rel=1e-4)


@needs_skfolio
def test_hrp_of_two_assets_splits_by_variance(returns):
    inverse = 1.0 / returns[:, :2].var(axis=0)
    assert weights("hrp", returns[:, :2]) == pytest.approx(inverse / inverse.sum(), rel=1e-9)


@needs_skfolio
def test_hrp_splits_the_same_between_alike_blocks():
    """Two pairs of assets, alike within a pair and independent between: each pair by its variance."""
    noise = np.random.default_rng(0).normal(size=(5000, 4))
    blocks = np.repeat(noise[:, :2] * [0.01, 0.02], 2, axis=1) + 1e-4 * noise
    assert weights("hrp", blocks) == pytest.approx([0.4, 0.4, 0.1, 0.1], abs=0.01)


def test_equal_weight_needs_no_past():
    assert np.array_equal(weights("equal_weight", np.empty((0, 4))), np.full(4, 0.25))


@needs_skfolio
@pytest.mark.parametrize("name", ESTIMATORS)
def test_too_short_a_past_gives_equal_weights(name, returns):
    assert np.array_equal(weights(name, returns[:39]), np.full(20, 1 / 20))
    assert not np.array_equal(weights(name, returns[:40]), np.full(20, 1 / 20))


@pytest.mark.parametrize("name", OPTIMISERS if HAS_SKFOLIO else ["equal_weight", "exponentiated_gradient", "olmar"])
def test_who_takes_part(name, returns):
    """Asset 3 is listed too late; of assets 5 and 6, which cannot be traded, one is held."""
    late = returns.copy()
    late[:-2, 3] = np.nan
    present = np.full(20, 0.04)
    present[6] = 0.0
    tradable = np.ones(20, bool)
    tradable[[5, 6]] = False
    found = weights(name, late, present, tradable)
    assert list(found[[3, 5, 6]]) == [0.0, 0.04, 0.0]
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    others = np.delete(np.arange(20), [3, 5, 6])
    assert found[others] == pytest.approx(0.96 * weights(name, returns[:, others], present[others]), abs=1e-12)


def test_nothing_can_be_traded(returns):
    held = np.full(20, 0.03)
    assert np.array_equal(weights("equal_weight", returns, held, np.zeros(20, bool)), held)


@needs_skfolio
def test_no_weights_are_told(returns):
    with pytest.raises(Unsolved):
        weights("max_sharpe", returns - 1.0)  # no mean return is positive
    with pytest.raises(Unsolved):
        weights("minimum_variance", returns * (np.arange(20) > 0))  # an asset has no variance


def test_unknown_optimiser(returns):
    with pytest.raises(ValueError, match="no optimiser 'markowitz'. There are: equal_weight, inverse_volatility"):
        weights("markowitz", returns)


def test_missing_skfolio(monkeypatch, returns):
    monkeypatch.setitem(sys.modules, "skfolio", None)
    with pytest.raises(DependencyNotInstalled, match=r'pip install "rlx\[portfolio\]"'):
        weights("hrp", returns)


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float64, (5, 6), elements=st.floats(10.0, 100.0)), arrays(np.float64, 6, elements=st.floats(0.01, 1.0))
)
def test_olmar_is_the_nearest_portfolio_that_promises_epsilon(prices, held):
    """In prices, as in the paper: the moving average over today's price, a step to a promise of 10, its projection."""
    held /= held.sum()
    found = weights("olmar", prices[1:] / prices[:-1] - 1.0, held)
    predicted = prices.mean(axis=0) / prices[-1]
    direction = predicted - predicted.mean()
    if direction @ direction < 1e-12:
        return
    target = held + (10.0 - held @ predicted) / (direction @ direction) * direction
    if held @ predicted < 10.0:
        assert target @ predicted == pytest.approx(10.0, rel=1e-6)
    else:
        target = held
    assert found.min() >= 0.0
    assert found.sum() == pytest.approx(1.0, abs=1e-9)
    # No corner of the simplex lies in the direction from the projection to the point.
    assert ((target - found) @ (np.eye(6) - found).T).max() <= 1e-9 * (1.0 + np.abs(target).max())


def test_exponentiated_gradient_moves_towards_what_gained():
    """Equation 3.3 of Helmbold et al. 1998, with the weights of the day before."""
    before, returns = np.array([0.5, 0.3, 0.2]), np.array([0.02, -0.01, 0.0])
    held = before * (1.0 + returns) / (before @ (1.0 + returns))
    expected = before * np.exp(0.05 * (1.0 + returns) / (before @ (1.0 + returns)))
    assert weights("exponentiated_gradient", returns[None], held) == pytest.approx(expected / expected.sum(), rel=1e-12)


def test_olmar_stays_where_nothing_moved():
    held = np.array([0.2, 0.3, 0.5])
    assert weights("olmar", np.zeros((4, 3)), held) == pytest.approx(held, abs=1e-15)


# Strategies


@pytest.mark.parametrize(
    ("rebalance", "days"), [("daily", range(50)), ("monthly", (0, 21, 42)), ("never", (0,)), (20, (0, 20, 40))]
)
def test_days_without_a_calendar(rebalance, days):
    strategy = Strategy("equal_weight", 1, rebalance)
    assert [day for day in range(50) if strategy.is_due(day, None)] == list(days)


def test_months_of_a_calendar(market):
    *_, is_due = plan(market, Strategy("equal_weight", 1), slice(5, 300))
    traded = [str(day) for day in market.dates[5:300][is_due]]
    assert traded[:5] == ["2007-01-10", "2007-02-01", "2007-03-01", "2007-04-02", "2007-05-01"]
    assert len(traded) == 15


@pytest.mark.parametrize("rebalance", ["weekly", 0, -5])
def test_unknown_interval(rebalance):
    with pytest.raises(
        ValueError, match=f"'daily', 'monthly', 'never' or a number of days, at least 1; not {rebalance!r}"
    ):
        Strategy("equal_weight", 1, rebalance)


def test_negative_lookback():
    with pytest.raises(ValueError, match="at least 0; not -1"):
        Strategy("equal_weight", -1)


@needs_skfolio
def test_failures_are_counted_and_nothing_is_traded(returns):
    strategy, held = Strategy("max_sharpe"), np.full(20, 0.05)
    assert np.array_equal(strategy.target(returns - 1.0, held, np.ones(20, bool)), held)
    assert strategy.failures == 1


@needs_skfolio
def test_failures_of_a_walk_are_told(market):
    falling = dataclasses.replace(market, close=np.exp(-0.02 * np.arange(len(market.dates)))[:, None] * market.close)
    with pytest.warns(
        UserWarning, match="max_sharpe found no weights on 3 of 3 rebalancing days and kept what it held"
    ):
        result = walk_forward(falling, ["max_sharpe"], first="2010-01-04", last="2010-03-31")["max_sharpe"]
    assert (result.value == 1e6).all()


# Walking forward


def figures(market, name, rebalance):
    """What `KNOWN` gives."""
    days = slice(int(np.searchsorted(market.dates, np.datetime64("2008-02-01"))), len(market.dates))
    result = walk_forward(market, [name], rebalance=rebalance, first="2008-02-01", last="2022-12-28")[name]
    strategy = Strategy(**{"rebalance": rebalance, **STRATEGIES[name]})
    trades = sum(strategy.is_due(day, market.dates[days][day - 1 : day + 1]) for day in range(1, len(result.value)))
    growth = result.value[1:] / result.value[:-1]
    years = len(growth) / 252
    sharpe = [
        np.sqrt(252) * part.mean() / part.std(ddof=1)
        for part in (growth - 1.0, (growth - 1.0)[market.dates[days][1:] >= np.datetime64("2019-01-01")])
    ]
    return (
        100 * ((result.value[-1] / result.value[0]) ** (1 / years) - 1.0),
        100 * growth.std(ddof=1) * np.sqrt(252),
        sharpe[0],
        100 * (result.value / np.maximum.accumulate(result.value) - 1.0).min(),
        result.turnover[1:].sum() / max(trades, 1),
        1e4 * result.cost.sum() / result.value.mean() / years,
        sharpe[1],
    )


@pytest.mark.parametrize(
    ("name", "rebalance"),
    [
        pytest.param(*row, marks=() if row[0] in BY_HAND else (needs_skfolio, pytest.mark.slow), id="-".join(row))
        for row in KNOWN
    ],
)
def test_known_figures(market, name, rebalance):
    for found, printed in zip(figures(market, name, rebalance), KNOWN[name, rebalance].split(), strict=True):
        known = Decimal(printed)
        assert found == pytest.approx(float(known), abs=0.55 * 10.0 ** known.as_tuple().exponent)


def test_exact_accounting(market):
    """The value of 1/N, monthly from the first day, as cvxportfolio and vectorbt confirm it; see `accounting`."""
    value = walk_forward(market, ["equal_weight"], first=market.dates[0])["equal_weight"].value
    assert len(value) == 4026
    assert value[-1] == pytest.approx(7087228.285077937, rel=1e-9)


def test_walking_begins_when_there_is_a_past(market):
    assert len(walk_forward(market, ["buy_and_hold"])["buy_and_hold"].value) == 4026 - 252
    assert len(walk_forward(market, ["buy_and_hold"], lookback=10, last="2007-12-31")["buy_and_hold"].value) == 251 - 10


@pytest.mark.parametrize("name", USABLE)
def test_nothing_is_known_of_tomorrow(market, name):
    days = slice(300, 345)
    other = np.array(market.close)
    other[330:] *= np.random.default_rng(0).uniform(0.5, 2.0, size=other[330:].shape)
    strategy = {"lookback": 60, "rebalance": 5, **STRATEGIES[name]}
    _, held, _ = plan(market, Strategy(**strategy), days)
    _, changed, _ = plan(dataclasses.replace(market, close=other), Strategy(**strategy), days)
    assert np.array_equal(held[:30], changed[:30])
    # Who spreads wealth evenly each day looks at nothing.
    assert np.array_equal(held[30:], changed[30:]) == (name == "equal_weight_daily")


@pytest.mark.parametrize(
    ("name", "action", "tolerance"), [*((name, "simplex", 2e-7) for name in USABLE), ("buy_and_hold", "delta", 1e-12)]
)
def test_environment_and_walk_agree(market, name, action, tolerance):
    """The same strategy, played as an expert; actions are float32, but no change is no change."""
    costs = {"buy": 1e-3, "sell": 2e-3, "relative": {"RRC": 4.0, "WMT": 0.5}}
    env = PortfolioEnv(split=("2010-01-04", "2010-07-01"), action=action, costs=costs)
    expert = getattr(experts, name)(env)
    for _ in range(2):
        observation, info = env.reset(seed=0)
        expert.reset()
        value, is_over = [info["signals"]["value"]], False
        while not is_over:
            observation, _, is_terminated, is_truncated, info = env.step(expert.act(observation, info))
            value.append(info["signals"]["value"])
            is_over = is_terminated or is_truncated
    expected = walk_forward(market, [name], first="2010-01-04", last="2010-07-01", cost=costs)[name].value
    assert value == pytest.approx(expected, rel=tolerance)
    assert expert.failures == 0


def test_experts_take_their_settings():
    env = PortfolioEnv()
    assert experts.equal_weight(env, rebalance="daily").failures == 0
    with pytest.raises(TypeError, match="rebalanc"):
        experts.equal_weight(env, rebalancing="daily")


def test_experts_are_in_the_catalog():
    for row in FAMILY["environments"]:
        experts = {name: path.rpartition(":")[2] for name, path in row["experts"].items() if name != "optimum"}
        assert experts == {name: name for name in STRATEGIES}


@pytest.fixture
def gappy(market):
    """Asset 0 is listed on day 10, asset 1 misses day 44, and asset 2 has its last price on day 54."""
    part = market.between("2010-01-04", "2010-03-31")
    close = np.array(part.close)
    close[:10, 0] = close[44, 1] = close[55:, 2] = np.nan
    return dataclasses.replace(part, close=close)


@pytest.mark.parametrize("name", ["equal_weight", pytest.param("risk_parity", marks=needs_skfolio)])
def test_assets_come_and_go(gappy, name):
    strategy = Strategy(name, STRATEGIES[name].get("lookback", 42), "daily")
    _, held, _ = plan(gappy, strategy, slice(0, len(gappy.dates)))
    assert held.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    listed = 10 + strategy.lookback  # with as many returns as are looked back on
    assert (held[:listed, 0] == 0.0).all()
    assert held[listed, 0] > 0.0
    grown = held[43] * (1.0 + np.nan_to_num(history(gappy)[0][44]))
    assert held[44, 1] == pytest.approx((grown / grown.sum())[1], rel=1e-12)
    assert held[54, 2] > 0.0
    assert (held[55:, 2] == 0.0).all()
    value = walk_forward(gappy, [name], lookback=42, rebalance="daily", first=gappy.dates[0])[name].value
    assert np.isfinite(value).all()


def test_gaps_carry_the_price(gappy):
    returns, tradable = history(gappy)
    close = gappy.close
    assert np.isnan(returns[:11, 0]).all()
    assert returns[11, 0] == close[11, 0] / close[10, 0] - 1.0
    assert list(returns[44:46, 1]) == [0.0, close[45, 1] / close[43, 1] - 1.0]
    assert np.isnan(returns[55:, 2]).all()
    assert np.count_nonzero(~tradable) == 10 + 1


def test_holdings_drift_with_prices_and_cash(market):
    strategy = Strategy("equal_weight", 1, "never")
    strategy.target = lambda returns, present, tradable: np.full(20, 0.025)
    before, held, is_due = plan(dataclasses.replace(market, cash_return=0.001), strategy, slice(0, 3))
    growth = np.append(0.025 * market.close[2] / market.close[0], 0.5 * 1.001**2)
    assert before[2] == pytest.approx(growth / growth.sum(), rel=1e-12)
    assert np.array_equal(before[0], np.append(np.zeros(20), 1.0)) and np.array_equal(held[0], np.full(20, 0.025))
    assert np.array_equal(held[1:], before[1:, :-1]) and is_due.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["hrp", "markowitz"],), "no strategy 'markowitz'. There are: equal_weight, equal_weight_daily"),
        ((["equal_weight"], "2022-12-28"), "fewer than two of the market's days"),
    ],
)
def test_walks_that_cannot_be(market, arguments, message):
    names, *first = arguments
    with pytest.raises(ValueError, match=message):
        walk_forward(market, names, first=first[0] if first else None)
