"""The account and the environment: against recorded curves, and against a second book kept by other means."""

import dataclasses
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from scipy.optimize import brentq, minimize

import rlx
from rlx.envs.portfolio import Market, backtest, shipped
from rlx.envs.portfolio.env import PortfolioEnv, PortfolioVectorEnv
from rlx.envs.portfolio.experts import Optimum
from rlx.envs.portfolio.generator import TRADABLE
from rlx.envs.portfolio.params import Costs

DAYS, ASSETS = 300, 5
FREE = Costs(buy=0.0, sell=0.0)


@pytest.fixture(scope="module")
def truth():
    return np.load(Path(__file__).parent / "data" / "portfolio_accounting.npz")


def market(seed=0, days=DAYS, assets=ASSETS, **fields):
    """Make prices, opening prices and volumes up."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(0.02 * rng.standard_normal((days, assets)), axis=0))
    first = np.datetime64("2020-01-01")
    return Market(
        tuple("ABCDEFGH"[:assets]),
        first + np.arange(days),
        close,
        **{
            "open": close * np.exp(0.005 * rng.standard_normal(close.shape)),
            "volume": 1e6 * np.exp(rng.standard_normal(close.shape)),
            "cash_return": 1e-4 * rng.random(days),
            **fields,
        },
    )


class Book:
    """A second account, written for clarity: prices of shares, and a root finder of SciPy's."""

    def __init__(self, value, assets, costs=FREE):
        self.cash, self.shares, self.costs = value, np.zeros(assets), costs

    def value(self, prices):
        return self.cash + self.shares @ prices

    def cost(self, trades, volume, deviation):
        c = self.costs
        total = 0.0
        for u, v, s, factor in zip(trades, volume, deviation, c.relative or [1.0] * len(trades), strict=True):
            if abs(u) > 1e-9:
                rate = factor * (c.half_spread + (c.buy if u > 0 else c.sell))
                total += rate * abs(u) + c.fixed + c.impact * s * abs(u) ** 1.5 / v**0.5
        return total

    def trade(self, prices, weights, volume, deviation):
        held, before = self.shares * prices, self.value(prices)

        def missing(after):
            return after + self.cost(weights * after - held, volume, deviation) - before

        after = (
            brentq(missing, 0.5 * before, before * (1 + 1e-12), xtol=1e-9, rtol=1e-15) if missing(before) else before
        )
        trades = weights * after - held
        paid = self.cost(trades, volume, deviation)
        self.shares = self.shares + trades / prices
        self.cash -= trades.sum() + paid
        return paid, np.abs(trades).sum() / before


@pytest.mark.parametrize(
    ("name", "is_daily", "rate"),
    [("ew_monthly_10bp", False, 1e-3), ("ew_monthly_0bp", False, 0.0), ("ew_daily_10bp", True, 1e-3)],
)
def test_the_recorded_curves(truth, name, is_daily, rate):
    prices = shipped().close
    rebalance = np.ones(len(prices), bool) if is_daily else truth["reb_monthly"]
    result = backtest(prices, np.full(20, 0.05), rebalance=rebalance, cost=rate)
    np.testing.assert_allclose(result.value, truth[f"{name}__exact"], rtol=1e-12)
    np.testing.assert_allclose(result.cost, truth[f"{name}__cost"], rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(result.turnover, truth[f"{name}__turnover"], rtol=1e-11, atol=1e-14)


SCENARIOS = {
    "buy and hold": ([0.2] * 5, 400, {"buy": 1e-3, "sell": 1e-3}),
    "half in cash": ([0.1] * 5, 5, {"buy": 2e-3, "sell": 1e-3}),
    "130/30": ([0.5, 0.5, 0.3, -0.15, -0.15], 20, {"buy": 1e-3, "sell": 2e-3, "half_spread": 5e-4}),
    "leverage": ([0.6, 0.6, 0.6, 0.1, 0.1], 1, {"buy": 5e-4, "sell": 5e-4}),
    "tickets": ([0.3, 0.3, 0.2, 0.1, 0.1], 7, {"buy": 1e-3, "sell": 1e-3, "fixed": 5.0}),
    "impact": ([0.3, 0.3, 0.2, 0.1, 0.1], 3, {"buy": 1e-3, "sell": 1e-3, "impact": 1.0}),
    "dear and cheap": (
        [0.5, 0.5, 0.3, -0.15, -0.15], 3,
        {"buy": 1e-3, "sell": 2e-3, "half_spread": 5e-4, "fixed": 2.0, "relative": [8.0, 0.5, 0.0, 20.0, 1.0]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_second_book_says_the_same(name):
    weights, every, costs = SCENARIOS[name]
    weights, costs = np.array(weights), Costs(**costs)
    world = market()
    volume, volatility = 1e7 + 0.0 * world.close, np.full(ASSETS, 0.02)
    rebalance = np.arange(DAYS) % every == 0
    result = backtest(
        world.close, weights, rebalance=rebalance, cost=costs, cash_return=world.cash_return, v0=2e5,
        volume=volume, volatility=volatility,
    )  # fmt: skip
    book = Book(2e5, ASSETS, costs)
    for t in range(DAYS):
        assert result.value[t] == pytest.approx(book.value(world.close[t]), rel=1e-11), t
        if rebalance[t] and t < DAYS - 1:
            paid, turnover = book.trade(world.close[t], weights, volume[t], volatility)
            assert (result.cost[t], result.turnover[t]) == pytest.approx((paid, turnover), rel=1e-6, abs=1e-9)
        if t < DAYS - 1:
            book.cash *= 1.0 + world.cash_return[t + 1]


def test_assets_may_cost_more_than_others():
    """By hand: half in each of two assets, of which the first costs 4 % and the second 0.5 %."""
    after = 1e6 / (1.0 + 0.5 * 0.04 + 0.5 * 0.005)
    table = pytest.importorskip("pandas").DataFrame(np.ones((2, 2)), columns=["RRC", "WMT"])
    for prices, relative in (
        (table, {"RRC": 4.0, "WMT": 0.5}),
        (table, table.iloc[0].rename(None) * [4.0, 0.5]),
        (np.ones((2, 2)), {0: 4.0, 1: 0.5}),
        (np.ones((2, 2)), [4.0, 0.5]),
        (np.ones((2, 2)), np.array([4.0, 0.5])),
    ):
        cost = {"buy": 0.01, "sell": 0.5e-2, "relative": relative}
        result = backtest(prices, [0.5, 0.5], rebalance=np.ones(2, bool), cost=cost)
        assert result.cost[0] == pytest.approx(1e6 - after, rel=1e-12) and result.value[1] == pytest.approx(after)
    one = backtest(table, [0.0, 0.5], rebalance=np.ones(2, bool), cost={"buy": 0.01, "relative": {"RRC": 4.0}})
    assert one.cost[0] == pytest.approx(0.5e4 / 1.005, rel=1e-12)  # who is not named costs what is said


def test_without_costs_wealth_is_the_product_of_relatives():
    world = market()
    weights = np.array([0.4, 0.3, 0.2, 0.1, 0.0])
    result = backtest(world.close, weights, rebalance=np.ones(DAYS, bool), cost=0.0)
    growth = (world.close[1:] / world.close[:-1]) @ weights
    np.testing.assert_allclose(result.value[1:], 1e6 * np.cumprod(growth), rtol=1e-12)


def test_wealth_falls_as_costs_rise():
    world = market()
    weights = np.random.default_rng(1).dirichlet(np.ones(ASSETS), DAYS)
    ends = [
        backtest(world.close, weights, rebalance=np.ones(DAYS, bool), cost=rate).value[-1]
        for rate in (0.0, 1e-4, 1e-3, 5e-3, 2e-2, 5e-2)
    ]
    assert all(a > b for a, b in zip(ends, ends[1:], strict=False))


@pytest.mark.parametrize("cost", [0.0, 1e-3, {"buy": 2e-3, "fixed": 3.0}])
def test_the_wealth_identity(cost):
    world = market()
    rebalance = np.arange(DAYS) % 3 == 0
    targets = np.random.default_rng(2).dirichlet(np.ones(ASSETS + 1), DAYS)[:, :-1]
    result = backtest(world.close, targets, rebalance=rebalance, cost=cost, cash_return=1e-4)
    # Profit and loss from what was held each night: value after trade, less the cash, times returns.
    holdings, cash, profit, interest = np.zeros(ASSETS), 1e6, 0.0, 0.0
    for t in range(DAYS - 1):
        if rebalance[t]:
            after = result.value[t] - result.cost[t]
            holdings = targets[t] * after
            cash = after - holdings.sum()
        interest += 1e-4 * cash
        cash *= 1.0 + 1e-4
        change = holdings * (world.close[t + 1] / world.close[t] - 1.0)
        profit += change.sum()
        holdings = holdings + change
    assert result.value[-1] == pytest.approx(1e6 + profit - result.cost.sum() + interest, rel=1e-10)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prices": np.ones(5)}, "days, assets"),
        ({"prices": np.array([[1.0, 2.0], [0.0, 1.0]])}, r"prices\[1, 0\] = 0"),
        ({"target_weights": np.ones(3)}, r"shape \(2,\)"),
        ({"target_weights": np.array([np.nan, 0.0])}, "not finite"),
        ({"rebalance": np.ones(3, bool)}, r"bool array of shape \(2,\)"),
        ({"rebalance": np.ones(2)}, "bool array"),
        ({"cost": 0.9}, "outside"),
        ({"cost": {"byu": 0.1}}, "no 'byu'"),
        ({"cost": {"impact": 1.0}}, "volatility="),
        ({"cost": {"relative": [1.0]}}, "has 1 numbers, but there are 2 assets"),
        ({"cost": {"relative": {"RRC": 4.0}}}, "'RRC' is unknown. Allowed: 0, 1"),
        ({"cost": {"relative": [1.0, -1.0]}}, r"relative\[1\] = -1.0: a number in \[0, 100\]"),
        ({"cost": {"relative": {0: np.nan}}}, r"relative\[0\] = nan: a number in"),
        ({"cost": {"relative": 2.0}}, "for each asset or a dict of them by name, = 2.0: a list is needed"),
        ({"cost": {"buy": 0.2, "relative": {1: 6.0}}}, "would cost 1.2 of its value"),
        ({"cash_return": np.ones(3)}, "cash_return"),
        ({"v0": -1.0}, "positive"),
    ],
)
def test_a_backtest_says_what_it_needs(fields, message):
    arguments = {
        "prices": np.ones((2, 2)), "target_weights": np.full(2, 0.5), "rebalance": np.ones(2, bool), "cost": 0.0,
    } | fields  # fmt: skip
    with pytest.raises(ValueError, match=message):
        backtest(arguments.pop("prices"), arguments.pop("target_weights"), **arguments)


# The environment


def play(env, actions, seed=0):
    """Return observations, rewards and infos of an episode, the first included."""
    observation, info = env.reset(seed=seed)
    observations, rewards, infos = [observation], [], [info]
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        observations.append(observation)
        rewards.append(reward)
        infos.append(info)
        if terminated or truncated:
            break
    return observations, rewards, infos


def values(infos):
    return np.array([info["signals"]["value"] for info in infos])


def draw(env, n, seed=3):
    env.action_space.seed(seed)
    return [env.action_space.sample() for _ in range(n)]


def test_an_episode_is_a_backtest():
    env = PortfolioEnv(split="test")
    days = env.market.part("test")
    targets = np.random.default_rng(0).dirichlet(np.ones(21), 1006).astype(np.float32)
    _, rewards, infos = play(env, targets)
    result = backtest(env.market.close[days], targets[:, :20], rebalance=np.ones(1006, bool), cost=1e-3)
    assert len(infos) == 1006 and infos[-1]["signals"]["day"] == 4025
    np.testing.assert_allclose(values(infos), result.value, rtol=1e-6)  # weights in single precision
    assert sum(rewards) == pytest.approx(np.log(values(infos)[-1] / 1e6), rel=1e-9)


def test_an_observation_shows_the_window_and_the_weights():
    env = PortfolioEnv(market(), window=7)
    observation, info = env.reset(seed=0)
    for action in draw(env, 5):
        observation, *_, info = env.step(action)
    day = int(info["signals"]["day"])
    closes = env.market.close
    returns = np.log(closes[day - 6 : day + 1] / closes[day - 7 : day])
    np.testing.assert_allclose(observation["returns"], returns, atol=1e-7)
    np.testing.assert_allclose(observation["weights"], env.weights, atol=1e-7)
    assert observation["weights"].sum() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(env.past(3), closes[day - 2 : day + 1] / closes[day - 3 : day] - 1.0)
    assert observation["tradable"].all()


@pytest.mark.parametrize("fill", ["close", "next_open", "next_close"])
def test_when_targets_are_traded(fill):
    world = market()
    env = PortfolioEnv(world, window=5, fill=fill, costs={"buy": 1e-3, "sell": 2e-3}, days=100, start="first")
    targets = np.random.default_rng(0).dirichlet(np.ones(ASSETS + 1), 100)
    *_, infos = play(env, targets.astype(np.float32))
    book, nothing = Book(1e6, ASSETS, Costs(buy=1e-3, sell=2e-3)), np.zeros(ASSETS)
    for i, target in enumerate(targets.astype(np.float32).astype(float)):
        t, weights = 5 + i, target[:-1] / target.sum()
        assert values(infos)[i] == pytest.approx(book.value(world.close[t]), rel=1e-6)
        if fill == "close":
            book.trade(world.close[t], weights, nothing + 1, nothing)
        book.cash *= 1.0 + world.cash_return[t + 1]
        if fill == "next_open":
            book.trade(world.open[t + 1], weights, nothing + 1, nothing)
        elif fill == "next_close":
            book.trade(world.close[t + 1], weights, nothing + 1, nothing)


@pytest.mark.parametrize("fill", ["close", "next_open", "next_close"])
def test_the_future_does_not_show(fill):
    """Whatever comes after a day, nothing that is seen on it changes."""
    world, cut = market(), 60
    rng = np.random.default_rng(9)
    spoilt = {}
    for name in ("close", "open", "volume", "cash_return"):
        table = getattr(world, name).copy()
        table[cut + 1 :] = np.abs(rng.standard_normal(table[cut + 1 :].shape)) + 0.1
        spoilt[name] = table
    options = {
        "window": 10, "fill": fill, "start": "first", "days": 200,
        "constraints": {"turnover": 0.5}, "costs": {"buy": 1e-3, "impact": 1.0, "participation": 0.5},
        "reward": {"log_growth": 1.0, "differential_sharpe": 1.0, "cvar": 1.0, "benchmark_relative": 1.0},
    }  # fmt: skip
    envs = [PortfolioEnv(one, **options) for one in (world, dataclasses.replace(world, **spoilt))]
    actions = draw(envs[0], 55)
    first, second = (play(env, actions) for env in envs)
    for i in range(cut - 10 + 1):  # day 10 + i is at most `cut`
        for name in first[0][i]:
            np.testing.assert_array_equal(first[0][i][name], second[0][i][name])
        a, b = ({k: v for k, v in infos[i].items() if k != "market"} for infos in (first[2], second[2]))
        assert a == b
    assert first[2][cut - 10 + 2] != second[2][cut - 10 + 2]


def test_assets_that_come_and_go():
    """An asset joins when it has a window of returns, waits where it has no price, and leaves as cash."""
    world = market(days=60)
    close = world.close.copy()
    close[:20, 0] = np.nan  # listed on day 20
    close[30:33, 1] = np.nan  # a gap
    close[40:, 2] = np.nan  # the last price is on day 39
    env = PortfolioEnv(
        dataclasses.replace(world, close=close, open=None, volume=None, cash_return=0.0),
        window=5, start="first", costs={"haircut": 0.25},
    )  # fmt: skip
    equal = env.action_of(np.full(ASSETS, 0.2))
    observation, info = env.reset(seed=0)
    value = info["signals"]["value"]
    for day in range(5, 59):
        tradable = observation["tradable"]
        assert tradable[0] == (day >= 25)
        assert tradable[1] == (not 30 <= day < 33)
        assert tradable[2] == (day < 40)
        held = env.weights.copy()
        observation, *_, info = env.step(equal)
        assert np.isfinite(observation["returns"]).all()
        assert env.weights.sum() == pytest.approx(1.0, abs=1e-12)
        if 30 <= day < 33:  # held at the last price, not traded
            assert env.weights[1] * info["signals"]["value"] == pytest.approx(
                held[1] * value, rel=1e-12 if day < 32 else 1
            )
            assert info["compliance"]["untradable"] > 0.0
        if day == 39:  # delisted on day 40, for three quarters
            assert info["signals"]["fee"] == pytest.approx(0.25 * 0.2 * value, rel=0.1)
        if day >= 39:
            assert env.weights[2] == 0.0
        value = info["signals"]["value"]


def nearest(wanted, lower, upper, cash, gross, groups, caps):
    """Return the projection that SciPy finds, of weights with cash last."""
    n = len(lower)
    rules = [
        {"type": "eq", "fun": lambda x: x.sum() - 1.0},
        {"type": "ineq", "fun": lambda x: gross - np.abs(x[:n]).sum()},
    ]
    for group, cap in enumerate(caps):
        rules.append({"type": "ineq", "fun": lambda x, g=group, c=cap: c - x[:n][groups == g].sum()})
    bounds = [*zip(lower, upper, strict=True), cash]
    found = minimize(
        lambda x: ((x - wanted) ** 2).sum(), np.full(n + 1, 1 / (n + 1)), jac=lambda x: 2 * (x - wanted),
        bounds=bounds, constraints=rules, method="SLSQP", options={"maxiter": 500, "ftol": 1e-15},
    )  # fmt: skip
    return found.x


@pytest.mark.parametrize("seed", range(20))
def test_targets_are_moved_to_the_nearest_allowed_ones(seed):
    rng = np.random.default_rng(seed)
    world = dataclasses.replace(market(days=20, assets=6), groups=("x", "x", "x", "y", "y", "z"))
    is_short = seed % 2 == 1
    constraints = {
        "weight": [-0.5, 0.5] if is_short else [0.02, 0.4],
        "groups": {"x": 0.45, "y": 0.3},
        "net": [0.5, 0.9],
    }
    if is_short:
        constraints["gross"] = 1.2
    env = PortfolioEnv(
        world, window=5, start="first", costs=0.0, constraints=constraints,
        **({"action": "long_short", "leverage": 2.0} if is_short else {}),
    )  # fmt: skip
    env.reset(seed=0)
    action = rng.uniform(-1.0, 1.0, 6) if is_short else rng.dirichlet(np.ones(7)) * rng.uniform(0.5, 1.0)
    wanted = np.append(action, 1.0 - action.sum()) if is_short else action
    *_, info = env.step(action.astype(np.float32))
    held = env._states["target"][0, :7]
    best = nearest(
        wanted, env.constraints.lower, env.constraints.upper, (0.1, 0.5), env.constraints.gross,
        np.array([0, 0, 0, 1, 1, 2]), [0.45, 0.3],
    )  # fmt: skip
    assert ((held - wanted) ** 2).sum() == pytest.approx(((best - wanted) ** 2).sum(), rel=1e-5, abs=1e-7)
    np.testing.assert_allclose(held, best, atol=2e-3 if is_short else 1e-5)
    moved = np.abs(held[:6] - wanted[:6]).sum()
    assert info["compliance"]["projected"] == info["cost"] == pytest.approx(moved, abs=1e-6)
    assert held[:3].sum() <= 0.45 + 1e-8 and held[3:5].sum() <= 0.3 + 1e-8
    assert np.abs(held[:6]).sum() <= env.constraints.gross + 1e-8


def one_step(weights, before=None, **options):
    """Return the environment and the info after a step, or after another one before it."""
    env = PortfolioEnv(market(), window=5, start="first", **options)
    env.reset(seed=0)
    if before is not None:
        env.step(env.action_of(np.asarray(before)))
    held = env.weights
    *_, info = env.step(env.action_of(np.asarray(weights)))
    return env, held, info


def test_an_action_that_is_allowed_is_not_touched():
    _, _, info = one_step([0.2, 0.2, 0.2, 0.2, 0.1])
    assert set(info["compliance"].values()) == {0.0} and info["cost"] == 0.0


def test_turnover_is_capped_along_the_way():
    env, held, info = one_step([1.0, 0, 0, 0, 0], [0, 0.5, 0.5, 0, 0], constraints={"turnover": 0.4}, costs=0.0)
    wanted = np.array([1.0, 0, 0, 0, 0]) - held[:-1]
    assert info["signals"]["turnover"] == pytest.approx(0.4)
    assert info["compliance"]["turnover"] == pytest.approx(np.abs(wanted).sum() - 0.4, rel=1e-6)
    np.testing.assert_allclose(env._states["target"][0, :5], held[:-1] + wanted * 0.4 / np.abs(wanted).sum(), atol=1e-7)


def test_small_changes_are_not_traded():
    env, held, info = one_step([0.21, 0.2, 0.2, 0.3, 0.0], [0.2, 0.2, 0.2, 0.2, 0.0], constraints={"band": 0.05})
    assert info["signals"]["turnover"] == pytest.approx(0.3 - held[3], rel=1e-3)  # but for what costs take
    assert info["compliance"]["band"] == pytest.approx(np.abs(np.array([0.21, 0.2, 0.2]) - held[:3]).sum(), rel=1e-5)


def test_trades_are_whole_lots():
    env, _, info = one_step([0.2, 0.2, 0.2, 0.2, 0.1], constraints={"lot": 30_000.0}, costs=0.0)
    np.testing.assert_allclose(env._states["trades"][0, :5], [180e3, 180e3, 180e3, 180e3, 90e3])
    assert info["compliance"]["rounded"] == pytest.approx(0.09, rel=1e-5)


def test_small_tickets_are_not_written():
    _, _, info = one_step([0.5, 0.3, 0.0, 0.0, 0.001], constraints={"ticket": 5_000.0}, costs=0.0)
    assert info["signals"]["turnover"] == pytest.approx(0.8, rel=1e-6)
    assert info["compliance"]["rounded"] == pytest.approx(0.001, rel=1e-4)


def test_one_is_not_the_whole_market():
    env, _, info = one_step([0.5, 0.5, 0, 0, 0], costs={"participation": 0.1})
    volume = env.market.volume[5]
    np.testing.assert_allclose(env._states["trades"][0, :2], np.minimum(0.1 * volume[:2], 5e5), rtol=1e-6)
    assert info["compliance"]["participation"] > 0.5


def test_what_cannot_be_sold_cannot_pay_for_purchases():
    world = market()
    close = world.close.copy()
    close[6, 0] = np.nan
    env = PortfolioEnv(
        dataclasses.replace(world, close=close, open=None, volume=None), window=5, start="first", costs=1e-3
    )
    env.reset(seed=0)
    env.step(env.action_of(np.array([1.0, 0, 0, 0, 0])))
    *_, info = env.step(env.action_of(np.array([0, 1.0, 0, 0, 0])))  # the first is not priced today
    assert env.weights[-1] >= -1e-9
    assert info["compliance"]["untradable"] == pytest.approx(1.0, abs=0.01)
    assert info["compliance"]["unaffordable"] == pytest.approx(1.0, abs=0.01)


def test_logits_reach_all_of_wealth():
    env = PortfolioEnv(action="softmax")
    env.reset(seed=0)
    action = np.full(21, -10.0, np.float32)
    action[3] = 10.0
    env.step(action)
    assert env.weights[3] > 0.999


@pytest.mark.parametrize("action", ["simplex", "softmax", "long_short", "delta"])
def test_weights_become_the_action_that_asks_for_them(action):
    env = PortfolioEnv(market(), window=5, action=action, costs=0.0, start="first")
    env.reset(seed=0)
    for weights in ([0.3, 0.3, 0.2, 0.1, 0.05], [0.05, 0.1, 0.2, 0.3, 0.3]):
        env.step(env.action_of(np.array(weights)))
        np.testing.assert_allclose(env._states["target"][0, :5], weights, atol=1e-6)


def test_short_positions_pay_to_borrow_and_debts_pay_interest():
    options = {"action": "long_short", "leverage": 2.0, "costs": {"borrow": 0.252, "financing": 0.504}}
    env, _, info = one_step([1.0, 0.5, -0.3, 0, 0], **options, cash_rate=0.252)
    value = 1e6
    assert info["signals"]["borrow_fee"] == pytest.approx(0.3 * value * 1e-3, rel=1e-6)
    rate = env.market.cash_return[6] + 1e-3 + 2e-3
    assert info["signals"]["interest"] == pytest.approx(-0.2 * value * rate, rel=1e-5)


def test_ruin_ends_an_episode():
    close = np.full((40, 1), 100.0)
    close[20:] = 40.0
    world = Market(("A",), np.datetime64("2020-01-01") + np.arange(40), close)
    env = PortfolioEnv(world, window=5, start="first", action="long_short", leverage=2.0)
    env.reset(seed=0)
    for _ in range(30):
        _, reward, terminated, truncated, _ = env.step(np.array([2.0], np.float32))
        if terminated or truncated:
            break
    assert terminated and not truncated and np.isfinite(reward)


def test_the_terms_of_the_reward():
    terms = ("log_growth", "differential_sharpe", "crra", "mean_variance", "drawdown", "cvar", "benchmark_relative")
    reward = {**dict.fromkeys(terms, 1.0), "aversion": 3.0, "rate": 0.05, "tail": 0.1, "drawdown": 2.0}
    env = PortfolioEnv(market(), window=20, start="first", reward=reward, days=200)
    first, _ = env.reset(seed=0)
    even = first["returns"].astype(float).mean(axis=1)
    mean, square = even.mean(), (even**2).mean()
    at_risk, deepest = -mean + 1.645 * np.sqrt(square - mean**2), 0.0
    curve, level = [1e6], 1.0
    total = dict.fromkeys(terms, 0.0)
    for action in draw(env, 200):
        _, reward, _, _, info = env.step(action)
        curve.append(info["signals"]["value"])
        r = curve[-1] / curve[-2] - 1.0
        growth = info["signals"]["benchmark"] / level - 1.0
        level = info["signals"]["benchmark"]
        variance, drawdown = square - mean**2, 1.0 - curve[-1] / max(curve)
        expected = {
            "log_growth": np.log1p(r),
            "differential_sharpe": (square * (r - mean) - 0.5 * mean * (r * r - square)) / variance**1.5,
            "crra": ((1 + r) ** -2 - 1) / -2,
            "mean_variance": r - 1.5 * (r - mean) ** 2,
            "drawdown": -2.0 * max(drawdown - deepest, 0.0),
            "cvar": -(at_risk + max(-r - at_risk, 0.0) / 0.1),
            "benchmark_relative": np.log1p(r) - np.log1p(growth),
        }
        assert info["reward_terms"] == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert reward == pytest.approx(sum(expected.values()), rel=1e-6, abs=1e-9)
        at_risk += 0.05 * np.sqrt(variance) * (float(-r > at_risk) - 0.1) / 0.1
        deepest = max(deepest, drawdown)
        mean, square = mean + 0.05 * (r - mean), square + 0.05 * (r * r - square)
        for name in terms:
            total[name] += info["reward_terms"][name]
    peaks = np.maximum.accumulate(curve)
    assert total["drawdown"] == pytest.approx(-2.0 * (1.0 - np.array(curve) / peaks).max())


def test_an_account_knows_what_each_asset_costs():
    """By hand, and by name: what is bought, what is sold, and what is borrowed."""
    options = {"buy": 0.01, "sell": 0.02, "half_spread": 0.005, "borrow": 0.252, "relative": {"A": 4.0, "C": 0.5}}
    env, _, info = one_step([0.3, 0.2, -0.1, 0.0, 0.0], costs=options, action="long_short", leverage=2.0)
    after = 1e6 / (1.0 + 0.3 * 0.015 * 4.0 + 0.2 * 0.015 + 0.1 * 0.025 * 0.5)
    assert info["signals"]["fee"] == pytest.approx(1e6 - after, rel=1e-6)
    assert info["signals"]["borrow_fee"] == pytest.approx(0.1 * after * 1e-3, rel=1e-6)
    first, _ = env.reset(seed=0, options={"context": {"costs.buy": 0.02}})
    assert first["conditions"][0] == pytest.approx(0.02)  # of an asset with relative 1
    *_, info = env.step(env.action_of(np.array([0.3, 0.0, 0.0, 0.0, 0.0])))
    assert info["signals"]["fee"] == pytest.approx(1e6 * (1.0 - 1.0 / (1.0 + 0.3 * 0.025 * 4.0)), rel=1e-6)


def test_splits_and_episodes():
    train = PortfolioEnv()
    starts = {train.reset(seed=seed)[1]["signals"]["day"] for seed in range(50)}
    days = train.market.part("train")
    assert len(starts) > 40 and min(starts) >= 50 and max(starts) <= days.stop - 1 - 252
    assert len(play(train, [train.action_space.sample()] * 300)[1]) == 252
    test = PortfolioEnv(split="test")
    assert test.reset(seed=5)[1]["signals"]["day"] == test.market.part("test").start
    between = PortfolioEnv(split=("2010-01-01", "2010-12-31"))
    between.reset(seed=0)
    assert str(between.market.dates[between.day]) == "2010-01-04"
    *_, infos = play(between, [between.action_space.sample()] * 300)
    assert str(between.market.dates[int(infos[-1]["signals"]["day"])]) == "2010-12-31"


def test_a_context_changes_costs_for_an_episode_and_not_the_luck():
    env = PortfolioEnv()
    action = env.action_of(np.full(20, 0.05))
    ends = []
    for context in ({}, {"costs.buy": 0.004}, {"delay": 1, "cash_rate": 0.05}):
        _, info = env.reset(seed=0, options={"context": context})
        ends.append((info["signals"]["day"], env.step(action)[4]["signals"]["fee"]))
    assert ends[0][0] == ends[1][0] == ends[2][0]
    assert ends[1][1] == pytest.approx(ends[0][1] * 4 * 1.001 / 1.004)
    assert env.reset(seed=0)[1]["context"]["costs.buy"] == 0.001


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"action": "weights"}, "Allowed: simplex"),
        ({"split": "tset"}, "no split 'tset'"),
        ({"split": ("2030-01-01", "2031-01-01")}, "fewer than two of the market's days"),
        ({"window": 0}, "at least 1"),
        ({"window": 3000}, "smaller window"),
        ({"days": 100_000}, "whole number from 1 to"),
        ({"start": "last"}, "Allowed: anywhere, first"),
        ({"fill": "next_open"}, "opening prices"),
        ({"leverage": 2.0}, "long_short"),
        ({"costs": 0.5}, "outside"),
        ({"costs": {"relative": {"AAPLE": 2.0}}}, "Did you mean 'AAPL'"),
        ({"reward": "sharpe"}, "Allowed: log_growth"),
        ({"reward": {"tail": 0.1}}, "no term"),
        ({"constraints": {"weight": [0.1, 0.5]}}, "net"),
        ({"constraints": {"net": [0.5, 1.0], "weight": [0.0, 0.01]}}, "no weights fulfil both"),
        ({"constraints": {"groups": {"Tech": 0.1}}}, "group"),
        ({"constraints": {"weights": [0.0, 0.1]}}, "Did you mean 'weight'"),
        ({"constraints": {"weight": {"AAPLE": [0, 1]}}}, "Did you mean 'AAPL'"),
    ],
)
def test_arguments_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        PortfolioEnv(**options)


def test_many_accounts_are_so_many_single_ones():
    envs = PortfolioVectorEnv(num_envs=3, max_episode_steps=None, days=20, window=10)
    singles = [PortfolioEnv(days=20, window=10) for _ in range(3)]
    observations, _ = envs.reset(seed=7)
    for i, env in enumerate(singles):
        env.reset(seed=7 + i)
    for _ in range(20):
        actions = envs.action_space.sample()
        observations, rewards, _, truncated, infos = envs.step(actions)
        for i, env in enumerate(singles):
            observation, reward, _, is_over, info = env.step(actions[i])
            assert reward == rewards[i] and is_over == truncated[i]
            assert info["signals"]["value"] == infos["signals"]["value"][i]
            for name in observation:
                np.testing.assert_array_equal(observation[name], observations[name][i])
    assert truncated.all()


def test_it_is_in_the_catalog():
    env = gymnasium.make("rlx/Portfolio-v0", observation="flat")
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation) and observation.shape == (9 + 1000 + 20 + 21,)
    assert info["context"]["costs.buy"] == 0.001


# Synthetic markets


WORLDS = ("bootstrap", "garch", "bates", "pair", "regimes", "lognormal", "mixed")


@pytest.mark.parametrize("world", WORLDS)
def test_a_synthetic_market_is_an_environment_like_any_other(world):
    env = PortfolioEnv(world=world, assets=6, window=8, days=30)
    actions = draw(env, 30)
    other = play(env, actions, seed=1)[1]
    _, rewards, _ = play(env, actions)
    observations, again, _ = play(env, actions)
    assert len(rewards) == 30 and rewards == again != other
    np.testing.assert_allclose(env.past(8), np.expm1(observations[-1]["returns"]), atol=1e-6)
    # What the window shows is what moved the account.
    env.reset(seed=4)
    for action in actions[:5]:
        env.step(action)
    held, value = env.weights, env.state["value"]
    observation, *_, info = env.step(env.action_of(held[:-1]))
    growth = held[-1] + held[:-1] @ np.exp(observation["returns"][-1].astype(float))
    assert info["signals"]["value"] == pytest.approx(value * growth, rel=1e-6)


def test_a_context_changes_a_world():
    env = PortfolioEnv(world={"kind": "lognormal", "mean": 0.0}, assets=2)
    calm, wild = (
        env.reset(seed=0, options={"context": {"world.volatility": v}})[0]["returns"].std() for v in (0.15, 0.5)
    )
    assert wild == pytest.approx(calm * 0.5 / 0.15, rel=0.02)


def test_bootstrapped_days_are_days_of_the_split():
    env = PortfolioEnv(world="bootstrap", split="validation", window=5)
    part = env.reset(seed=0) and shipped().part("validation")
    closes = shipped().close
    known = np.log(closes[part.start + 1 : part.stop] / closes[part.start : part.stop - 1]).astype(np.float32)
    for seed in range(5):
        for row in env.reset(seed=seed)[0]["returns"]:
            assert np.abs(known - row).max(axis=1).min() < 1e-6


@pytest.mark.parametrize("world", ["pair", "regimes"])
def test_who_knows_a_world_beats_one_over_n(world):
    ends = {}
    for name in ("optimum", "equal_weight"):
        env = gymnasium.make("rlx/PortfolioSynthetic-v0", world=world, assets=2, costs=0.0, days=100)
        expert = rlx.make_expert(env, name) if name in rlx.experts("rlx/PortfolioSynthetic-v0") else Optimum(env)
        logs = []
        for seed in range(30):
            observation, info = env.reset(seed=seed)
            expert.reset()
            is_over = False
            while not is_over:
                observation, _, terminated, truncated, info = env.step(expert.act(observation, info))
                is_over = terminated or truncated
            logs.append(np.log(info["signals"]["value"] / 1e6))
        ends[name] = np.array(logs)
    gain = ends["optimum"] - ends["equal_weight"]
    assert gain.mean() > 2.0 * gain.std() / np.sqrt(len(gain))


# Assets that are missing


def missing(seed=0, assets=6, window=8, days=200, **fields):
    """Return an environment whose assets may be missing, and its first observation."""
    env = PortfolioEnv(world={"kind": "lognormal", **fields}, assets=assets, window=window, days=days,
                       costs={"buy": 1e-3, "sell": 1e-3, "haircut": 0.25})  # fmt: skip
    return env, env.reset(seed=seed)[0]


def test_prices_are_the_same_whatever_is_missing():
    plain, first = missing()
    assert first["tradable"].all()
    for fields in ({"absent": 0.5}, {"gaps": 0.5}, {"delist": 5.0}, {"absent": 0.3, "gaps": 0.3, "delist": 1.0}):
        env, seen = missing(**fields)
        expected, is_gone = plain.reset(seed=0)[0], np.zeros(6, bool)
        for _ in range(100):
            was_gone, is_gone = is_gone, env.state["tradable"][:6] < TRADABLE
            assert (is_gone >= was_gone).all() and not seen["tradable"][is_gone].any()
            day = np.where(is_gone, 0.0, expected["returns"][-1])
            np.testing.assert_array_equal(seen["returns"][-1], day.astype(np.float32))
            seen, expected = env.step(env.action_space.low)[0], plain.step(plain.action_space.low)[0]


def test_absent_assets_are_not_there():
    env, seen = missing(absent=0.5)
    is_there = seen["tradable"] == 1.0
    assert 0 < is_there.sum() < 6 and not seen["returns"][:, ~is_there].any() and seen["returns"][:, is_there].all()
    level = 1.0
    for _ in range(50):
        seen, *_, info = env.step(env.action_of(np.full(6, 0.15)))
        assert (seen["tradable"] == is_there).all() and (env.weights[:-1][~is_there] == 0.0).all()
        assert info["compliance"]["untradable"] == pytest.approx(0.15 * (~is_there).sum(), rel=1e-2)
        level *= 1.0 + np.expm1(seen["returns"][-1, is_there].astype(float)).mean()
        assert info["signals"]["benchmark"] == pytest.approx(level, rel=1e-6)
    assert env.reset(seed=0, options={"context": {"world.absent": 0.0}})[0]["tradable"].all()


def test_on_some_days_there_is_no_trade():
    env, seen = missing(gaps=0.3)
    shares = []
    for i in range(100):
        is_traded, held, value = seen["tradable"] == 1.0, env.weights, env.state["value"]
        shares.append(is_traded.mean())
        seen, *_ = env.step(env.action_of(np.roll([0.3, 0.3, 0.1, 0.1, 0.1, 0.0], i)))
        assert not env.state["trades"][:6][~is_traded].any()
        grown = held[:-1] * value * np.exp(seen["returns"][-1].astype(float))
        np.testing.assert_allclose(env.state["holdings"][:6][~is_traded], grown[~is_traded], rtol=1e-6)
    assert np.mean(shares) == pytest.approx(0.7, abs=4 * (0.3 * 0.7 / 600) ** 0.5)


def test_assets_end_as_cash():
    """Bought on the first day and held: what ends pays the haircut, and all are gone in the end with this seed."""
    env, _ = missing(delist=5.0)
    env.step(env.action_of(np.full(6, 0.1)))
    is_there = env.tradable
    assert is_there.any()
    for _ in range(199):
        holdings, cash = env.state["holdings"][:6], env.state["cash"]
        seen, *_, terminated, truncated, info = env.step(env.action_of(env.weights[:-1]))
        has_ended, is_there = is_there & ~env.tradable, env.tradable
        assert info["signals"]["fee"] == pytest.approx(0.25 * holdings[has_ended].sum(), rel=1e-12)
        assert env.state["cash"] == pytest.approx(cash + 0.75 * holdings[has_ended].sum(), rel=1e-12)
        assert not env.weights[:-1][~is_there].any() and not seen["returns"][-1, ~is_there].any()
    assert not is_there.any() and truncated and not terminated and env.weights[-1] == 1.0


def test_the_optimum_keeps_to_what_can_be_traded():
    costs = {"world": {"kind": "lognormal", "mean": 0.05, "absent": 0.2, "gaps": 0.3}, "assets": 5, "costs": 0.0}
    env = PortfolioEnv(**costs, days=60)
    expert, untouched = Optimum(env), 0
    for seed in range(3):
        observation, info = env.reset(seed=seed)
        for _ in range(60):
            held, is_traded = env.weights[:-1], env.tradable
            action = expert.act(observation, info)
            np.testing.assert_allclose(action[:-1][~is_traded], held[~is_traded], atol=1e-7)
            untouched += (held[~is_traded] > 0.0).sum()
            observation, *_, info = env.step(action)
            assert info["compliance"]["untradable"] < 1e-6
    assert untouched > 50


def test_the_optimum_of_recorded_prices_is_not_known():
    with pytest.raises(ValueError, match="not for recorded prices"):
        Optimum(PortfolioEnv())
    with pytest.raises(ValueError, match="not in garch"):
        Optimum(PortfolioEnv(world="garch"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"world": "garhc"}, "Did you mean 'garch'"),
        ({"world": {"kind": "garch", "alhpa": 0.1}}, "Did you mean 'alpha'"),
        ({"world": {"volatility": 0.1}}, "kind of a world"),
        ({"world": {"kind": "garch", "nu": 1.0}}, "outside"),
        ({"world": "garch", "assets": 30}, "the market has 20"),
        ({"assets": ["AAPL", "MSTF"]}, "Did you mean 'MSFT'"),
        ({"world": "garch", "fill": "next_open"}, "opening prices"),
    ],
)
def test_worlds_that_do_not_exist(options, message):
    with pytest.raises(ValueError, match=message):
        PortfolioEnv(**options)


@pytest.mark.parametrize("action", ["simplex", "softmax", "long_short"])
def test_holding_costs_nothing(action):
    """Weights in single precision are no trade: tickets would be paid for dust."""
    env = PortfolioEnv(action=action, costs={"fixed": 5.0}, days=50)
    env.reset(seed=0)
    env.step(env.action_of(np.full(20, 0.05)))
    for _ in range(40):
        *_, info = env.step(env.action_of(env.weights[:-1]))
        assert info["signals"]["fee"] == info["signals"]["turnover"] == 0.0


@pytest.mark.parametrize("action", ["simplex", "softmax", "long_short", "delta"])
@pytest.mark.parametrize(("change", "tickets"), [([0.05], 1), ([0.05, -0.05], 2)], ids=["buy", "exchange"])
def test_nobody_buys_tickets_for_dust(action, change, tickets):
    """Of twenty assets one is bought, or one for another; the others are asked for as they are held."""
    env = PortfolioEnv(action=action, costs={"buy": 1e-3, "sell": 1e-3, "fixed": 5.0}, days=50)
    env.reset(seed=0)
    env.step(env.action_of(np.full(20, 0.045 if tickets == 1 else 0.05)))
    wanted = env.weights[:-1]
    wanted[: len(change)] += change
    value, held = env.state["value"], env.weights
    *_, info = env.step(env.action_of(wanted))
    assert np.flatnonzero(env.state["trades"][:20]).tolist() == list(range(tickets))
    traded = np.abs(env.state["trades"][:20]).sum()
    assert traded == pytest.approx(0.05 * tickets * value, rel=0.01)
    assert info["signals"]["fee"] == pytest.approx(5.0 * tickets + 1e-3 * traded, rel=1e-9)
    assert info["compliance"]["band"] == 0.0 and held[-1] >= 0.0


def test_who_goes_on_after_the_data_stays_at_their_end():
    env = PortfolioEnv(market(days=20), window=5)
    *_, infos = play(env, draw(env, 30))
    for action in draw(env, 3):
        _, reward, terminated, truncated, info = env.step(action)
        assert (reward, terminated, truncated) == (0.0, False, True)
        assert info["signals"]["value"] == infos[-1]["signals"]["value"]
