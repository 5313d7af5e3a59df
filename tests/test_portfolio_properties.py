"""What holds of every account, whatever the market, the costs, the constraints and the actions are."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from rlx.envs.portfolio import Market, backtest
from rlx.envs.portfolio.constraints import read_constraints
from rlx.envs.portfolio.env import ACTIONS, FILLS, PortfolioEnv
from rlx.envs.portfolio.generator import WORLDS
from rlx.envs.portfolio.params import Costs

# One size of record for recorded markets, and one for those that are made up: each other one compiles its own kernels.
ASSETS, DAYS, WINDOW, STEPS = 5, 40, 6, 24
NAMES, GROUPS = tuple("ABCDE"), ("x", "x", "y", "y", "y")
few = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip
many = settings(few, max_examples=200)

seeds = st.integers(0, 2**32 - 1)
costs = st.fixed_dictionaries(
    {"buy": st.sampled_from((0.0, 1e-3, 0.05)), "sell": st.sampled_from((0.0, 2e-3, 0.05))},
    optional={
        "half_spread": st.sampled_from((5e-4, 0.05)),
        "fixed": st.sampled_from((1e-3, 20.0)),
        "impact": st.sampled_from((1.0, 10.0)),
        "volume": st.sampled_from((1e3, 1e8)),
        "participation": st.sampled_from((1e-3, 0.1)),
        "borrow": st.just(0.5),
        "financing": st.just(0.5),
        "haircut": st.sampled_from((0.3, 1.0)),
    },
)
limits_of_weights = {
    "weight": st.sampled_from(([0.0, 0.3], [0.05, 0.5], {"A": [0.1, 0.1], "C": [0.0, 0.0]}, [-0.4, 0.2])),
    "net": st.sampled_from(([0.5, 1.0], [0.0, 0.6], [0.7, 0.7], [-0.2, 0.0])),
    "gross": st.sampled_from((0.4, 0.8, 1.0)),
    "groups": st.sampled_from(({"x": 0.3}, {"x": 0.5, "y": 0.25}, {"x": 0.0})),
}
limits_of_trade = {
    "turnover": st.sampled_from((0.05, 0.5)),
    "band": st.just(0.04),
    "lot": st.sampled_from((1e-3, 100.0, 3e4)),
    "ticket": st.sampled_from((10.0, 5e4)),
}


@st.composite
def markets(draw) -> Market:
    """Return five assets, of which some come late, miss days, leave, or are not always traded."""
    rng = np.random.default_rng(draw(seeds))
    volatility = draw(st.sampled_from((0.0, 0.02, 0.1)))
    faults = draw(st.sets(st.sampled_from(("late", "gap", "gone", "opens", "volumes", "cash"))))
    shape, turn = (DAYS, ASSETS), int(rng.integers(1, DAYS - 1))
    close = 50.0 * np.exp(np.cumsum(volatility * rng.standard_t(3, shape).clip(-8, 8), axis=0))
    if "late" in faults:
        close[:turn, 0] = np.nan
    if "gap" in faults:
        close[1:-1, 1][rng.random(DAYS - 2) < 0.3] = np.nan
    if "gone" in faults:
        close[turn:, 2] = np.nan
    tables = {}
    if "opens" in faults:
        opens = close * np.exp(0.01 * rng.standard_normal(shape))
        tables["open"] = np.where(rng.random(shape) < 0.1, np.nan, opens)
    if "volumes" in faults:
        tables["volume"] = 1e6 * rng.choice([0.0, np.nan, 1.0, 5.0], shape, p=[0.1, 0.1, 0.4, 0.4])
    if "cash" in faults:
        tables["cash_return"] = rng.uniform(-1e-3, 1e-3, DAYS)
    return Market(NAMES, np.datetime64("2020-01-01") + np.arange(DAYS), close, groups=GROUPS, **tables)


@st.composite
def accounts(draw) -> PortfolioEnv:
    """Return an environment of recorded prices."""
    market, action = draw(markets()), draw(st.sampled_from(ACTIONS))
    options = {
        "action": action,
        "fill": draw(st.sampled_from([fill for fill in FILLS if fill != "next_open" or market.open is not None])),
        "costs": draw(costs)
        | {"relative": draw(st.sampled_from(((), {"A": 8.0, "B": 0.0}, (0.5, 1.0, 4.0, 0.0, 1.0))))},
        "constraints": draw(st.fixed_dictionaries({}, optional=limits_of_weights | limits_of_trade)),
        "value": draw(st.sampled_from((1.0, 1e4, 1e6, 1e9))),
        "cash_rate": draw(st.sampled_from((0.0, 0.2))),
        "leverage": draw(st.sampled_from((0.5, 1.0, 3.0))) if action == "long_short" else None,
    }
    try:
        env = PortfolioEnv(market, window=WINDOW, start="first", **options)
    except ValueError:
        assume(False)
    note(str(options))
    return env


@st.composite
def made_up_accounts(draw) -> PortfolioEnv:
    """Return an environment of prices that are made up."""
    missing = {"absent": 0.3, "gaps": 0.2, "delist": 20.0}
    return PortfolioEnv(
        world={"kind": draw(st.sampled_from(sorted(WORLDS))), **draw(st.sampled_from(({}, missing)))},
        assets=draw(st.integers(2, 4).map(lambda n: 2 * n)), window=WINDOW,
        action=draw(st.sampled_from(ACTIONS)), costs=draw(costs), days=STEPS,
    )  # fmt: skip


def choose(env: PortfolioEnv, rng: np.random.Generator) -> np.ndarray:
    """Return an action: as far as possible into one asset, what is held, an end of the space, or anything."""
    space = env.action_space
    kind = rng.integers(5)
    if kind == 0:
        return np.where(np.arange(len(space.low)) == rng.integers(len(space.low)), space.high, space.low)
    if kind == 1:
        return env.action_of(env.weights[:-1])
    if kind == 2:
        return rng.choice((space.low, space.high))
    return rng.uniform(space.low, space.high).astype(np.float32)


class Books:
    """A second account: what the prices, the rates, and the trades of the first one make of it."""

    def __init__(self, env: PortfolioEnv) -> None:
        self.market, self.costs, self.cash_rate = env.market, env.parameters.costs, env.parameters.cash_rate
        self.cash, self.holdings = env.parameters.value, np.zeros(ASSETS)
        given = self.costs.relative
        self.relative = [given.get(name, 1.0) for name in NAMES] if isinstance(given, dict) else given or [1.0] * ASSETS
        self.profit = self.paid = self.interest = self.fees = 0.0
        close = self.market.close.copy()
        for day in range(1, DAYS):  # the last price stands
            close[day] = np.where(np.isnan(close[day]), close[day - 1], close[day])
        opens = close if self.market.open is None else np.where(np.isnan(self.market.open), close, self.market.open)
        self.by_open, self.by_close = np.ones_like(close), np.ones_like(close)
        self.by_open[1:] = np.nan_to_num(opens[1:] / close[:-1], nan=1.0)
        self.by_close[1:] = np.nan_to_num(close[1:] / close[:-1], nan=1.0) / self.by_open[1:]
        self.leaves = np.array([np.flatnonzero(np.isfinite(column))[-1] + 1 for column in self.market.close.T])

    @property
    def value(self) -> float:
        return self.cash + self.holdings.sum()

    def move(self, relatives: np.ndarray) -> None:
        self.profit += self.holdings @ (relatives - 1.0)
        self.holdings = self.holdings * relatives

    def sleep(self, day: int) -> None:
        interest = self.cash * (self.market.cash_return[day] + self.cash_rate / 252)
        interest += min(self.cash, 0.0) * self.costs.financing / 252
        fee = -np.minimum(self.holdings, 0.0).sum() * self.costs.borrow / 252
        self.interest, self.fees, self.cash = self.interest + interest, self.fees + fee, self.cash + interest - fee

    def trade(self, trades: np.ndarray, volume: np.ndarray, deviation: np.ndarray) -> None:
        c = self.costs
        for j in np.flatnonzero(trades):
            size, rate = abs(trades[j]), self.relative[j] * (c.half_spread + (c.buy if trades[j] > 0 else c.sell))
            impact = c.impact * deviation[j] * size * np.sqrt(size / volume[j]) if c.impact else 0.0
            self.pay(size * rate + impact + c.fixed)
        self.cash -= trades.sum()
        self.holdings = self.holdings + trades

    def close_out(self, day: int) -> None:
        for j in np.flatnonzero(self.leaves == day):
            self.pay(abs(self.holdings[j]) * self.costs.haircut)
            self.cash += self.holdings[j]
            self.holdings[j] = 0.0

    def pay(self, cost: float) -> None:
        self.paid, self.cash = self.paid + cost, self.cash - cost


@few
@given(accounts(), seeds)
def test_every_account_adds_up(env, seed):
    """A second book says the same after each day, and limits hold."""
    rng = np.random.default_rng(seed)
    market, limits, charges = env.market, env.constraints, env.parameters.costs
    is_late, is_at_open = env.parameters.delay == 1.0, bool(env._rows[0]["is_at_open"])
    is_priced = np.isfinite(market.close)
    can_owe = env.action in ("long_short", "delta") and limits.net[1] > 1.0
    books = Books(env)
    observation, info = env.reset(seed=seed)
    for _ in range(STEPS):
        assert env.observation_space.contains(observation)
        action = choose(env, rng)
        note(str(action))
        before, day, held = env.state, env.day, env.weights
        observation, _, terminated, truncated, info = env.step(action)
        after, signals = env.state, info["signals"]
        trades, target = after["trades"][:ASSETS], after["target"][: ASSETS + 1]

        traded_on = day + (is_late or is_at_open)
        volume = np.full(ASSETS, charges.volume) if market.volume is None else np.nan_to_num(market.volume[traded_on])
        if is_late or is_at_open:
            books.sleep(day + 1)
            books.move(books.by_open[day + 1])
        if is_late:
            books.move(books.by_close[day + 1])
        paid, value = books.paid, books.value
        books.trade(trades, volume, np.sqrt(before["variance"][:ASSETS]))
        if not (is_late or is_at_open):
            books.sleep(day + 1)
            books.move(books.by_open[day + 1])
        if not is_late:
            books.move(books.by_close[day + 1])
        books.close_out(day + 1)

        # What is held and what it is worth.
        rounding = 1e-11 * (np.abs(before["holdings"]).sum() + abs(before["cash"]) + np.abs(books.holdings).sum())
        exactly = {"rel": 1e-10, "abs": rounding}
        assert after["cash"] == pytest.approx(books.cash, **exactly)
        assert after["holdings"][:ASSETS] == pytest.approx(books.holdings, **exactly)
        assert signals["value"] == pytest.approx(after["cash"] + after["holdings"].sum(), **exactly)
        total = env.parameters.value + books.profit - books.paid + books.interest - books.fees
        assert signals["value"] == pytest.approx(total, **exactly)
        assert signals["fee"] == pytest.approx(books.paid - paid, **exactly)
        assert signals["fee"] >= 0.0 and signals["borrow_fee"] >= 0.0
        assert signals["turnover"] == pytest.approx(np.abs(trades).sum() / value, rel=1e-9, abs=1e-9)
        # What was traded.
        sizes = np.abs(trades)
        assert not sizes[~is_priced[traded_on] | (is_priced[: traded_on + 1].sum(axis=0) <= WINDOW)].any()
        assert charges.participation == 1.0 or (sizes <= charges.participation * volume * (1.0 + 1e-9)).all()
        assert (sizes[sizes > 0.0] >= limits.ticket * (1.0 - 1e-9)).all()
        if limits.lot:
            assert sizes == pytest.approx(limits.lot * np.round(sizes / limits.lot), rel=1e-9)
        # What was asked for; changes of less than 1e-6 are none.
        assert target.sum() == pytest.approx(1.0, abs=1e-9)
        assert all(amount >= 0.0 for amount in info["compliance"].values())
        assert np.abs(target - held)[:-1].sum() <= limits.turnover + 1e-9
        if limits.turnover > 1e6 and not limits.band:
            assert (target[:-1] >= limits.lower - 1e-6).all() and (target[:-1] <= limits.upper + 1e-6).all()
            assert limits.net[0] - 1e-5 <= target[:-1].sum() <= limits.net[1] + 1e-5
            assert np.abs(target[:-1]).sum() <= limits.gross + 1e-5
            for name, cap in limits.groups.items():
                assert target[:-1][np.array(GROUPS) == name].sum() <= cap + 1e-5
        if terminated or truncated:
            break
        assert env.weights.sum() == pytest.approx(1.0, abs=1e-9)
        assert can_owe or after["cash"] >= -1e-6 * after["value"]
        assert (limits.lower < 0.0).any() or (after["holdings"] >= 0.0).all()


@few
@given(accounts() | made_up_accounts(), seeds)
def test_an_account_can_be_left_and_taken_up_again(env, seed):
    """A saved state, pickled and loaded into another environment, goes on as the first one did."""
    env.reset(seed=seed)
    other = pickle.loads(pickle.dumps(env))
    rng = np.random.default_rng(seed)
    for _ in range(6):
        env.step(choose(env, rng))
    state = pickle.loads(pickle.dumps(env.save_state()))
    actions = []
    told = []
    for _ in range(6):
        actions.append(choose(env, rng))
        told.append(env.step(actions[-1]))
    for environment in (env, other):
        environment.load_state(state)
        for action, expected in zip(actions, told, strict=True):
            assert pickle.dumps(environment.step(action)) == pickle.dumps(expected)


def digest() -> str:
    """Return a digest of everything that is told of two episodes, recorded and made up."""
    found = hashlib.sha256()
    for options in ({"split": "train"}, {"world": "mixed"}):
        env = PortfolioEnv(assets=ASSETS, window=WINDOW, days=STEPS, fill="next_close", **options)
        env.action_space.seed(3)
        found.update(pickle.dumps(env.reset(seed=5)))
        for _ in range(STEPS):
            found.update(pickle.dumps(env.step(env.action_space.sample())))
    return found.hexdigest()


def test_a_seed_says_the_same_in_another_process():
    command = "import test_portfolio_properties as tests; print(tests.digest())"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )  # fmt: skip
    assert done.stdout.strip() == digest() == digest()


@st.composite
def plans(draw) -> dict[str, Any]:
    """Return arguments of `backtest`: any weights that leave something of a value, and any days of trade."""
    rng, days, assets = np.random.default_rng(draw(seeds)), draw(st.integers(2, 30)), draw(st.integers(1, ASSETS))
    weights = rng.normal(0.0, draw(st.sampled_from((0.1, 0.5))), (days, assets))
    return {
        "prices": np.exp(np.cumsum(0.02 * rng.standard_normal((days, assets)), axis=0)),
        "target_weights": weights[0] if draw(st.booleans()) else weights,
        "rebalance": rng.random(days) < draw(st.sampled_from((0.1, 0.5, 1.0))),
        "cash_return": rng.uniform(-1e-3, 1e-3, days),
        "v0": draw(st.sampled_from((1e-3, 1.0, 1e6, 1e12))),
    }


@many
@given(plans(), st.sampled_from((0.0, 1e-4, 0.01, 0.05)), st.sampled_from((0.0, 1e-3, 0.05)))
def test_after_a_trade_the_weights_are_the_targets(plan, buy, sell):
    """The equation of self-financing trade holds on each day, whatever has solved it."""
    result = backtest(**plan, cost={"buy": buy, "sell": sell})
    prices, targets = plan["prices"], np.broadcast_to(plan["target_weights"], plan["prices"].shape)
    holdings, cash, scale = np.zeros(prices.shape[1]), plan["v0"], plan["v0"]
    for t in range(len(prices)):
        scale = max(scale, np.abs(holdings).sum())
        assert result.value[t] == pytest.approx(holdings.sum() + cash, rel=1e-10, abs=1e-12 * scale)
        trades = np.zeros(prices.shape[1])
        if plan["rebalance"][t] and t < len(prices) - 1:
            after = result.value[t] - result.cost[t]
            trades = targets[t] * after - holdings
            holdings, cash = targets[t] * after, after - (targets[t] * after).sum()
        cost = buy * trades[trades > 0.0].sum() - sell * trades[trades < 0.0].sum()
        assert result.cost[t] == pytest.approx(cost, rel=1e-9, abs=1e-12 * scale)
        assert result.turnover[t] == pytest.approx(np.abs(trades).sum() / result.value[t], rel=1e-9, abs=1e-12)
        if t < len(prices) - 1:
            cash *= 1.0 + plan["cash_return"][t + 1]
            holdings = holdings * prices[t + 1] / prices[t]


@many
@given(plans(), st.lists(st.floats(0.0, 0.05), min_size=2, max_size=4))
def test_nobody_is_richer_for_paying_more(plan, rates):
    curves = [backtest(**plan, cost=rate).value for rate in sorted(rates)]
    for cheap, dear in zip(curves, curves[1:], strict=False):
        assert (dear <= cheap * (1.0 + 1e-12)).all()


@many
@given(plans(), st.sampled_from((1e-6, 3.0, 1e6)))
def test_currencies_do_not_matter(plan, rate):
    first, second = backtest(**plan, cost=1e-3), backtest(**plan | {"v0": rate * plan["v0"]}, cost=1e-3)
    np.testing.assert_allclose(second.value, rate * first.value, rtol=1e-10)
    np.testing.assert_allclose(second.turnover, first.turnover, rtol=1e-9, atol=1e-12)


def test_numbers_come_in_many_ways():
    pandas = pytest.importorskip("pandas")
    rng, names = np.random.default_rng(0), list(NAMES)
    prices, weights = rng.integers(50, 60, (30, ASSETS)), rng.dirichlet(np.ones(ASSETS), 30)
    rebalance, cash = rng.random(30) < 0.3, rng.uniform(0.0, 1e-4, 30)
    days = pandas.date_range("2020-01-01", periods=30)
    expected = backtest(prices.astype(float), weights, rebalance=rebalance, cost=0.01, cash_return=cash)
    weights[~rebalance] = np.nan  # not read
    for found in (
        backtest(prices, weights, rebalance=rebalance, cost=np.float64(0.01), cash_return=cash),
        backtest(
            prices.tolist(), weights.tolist(), rebalance=rebalance.tolist(), cost={"buy": 0.01, "sell": 0.01},
            cash_return=cash.tolist(), v0=10**6,
        ),
        backtest(
            pandas.DataFrame(prices, days, names), pandas.DataFrame(weights, days, names),
            rebalance=pandas.Series(rebalance, days), cost=Costs(buy=0.01, sell=0.01),
            cash_return=pandas.Series(cash, days),
        ),
    ):  # fmt: skip
        for name in ("value", "cost", "turnover"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    table = pandas.DataFrame(prices, days, names)
    for wrong in (pandas.Series(0.2, names[::-1]), pandas.DataFrame(weights, days, names[::-1])):
        with pytest.raises(ValueError, match="the order .'E', 'D'"):
            backtest(table, wrong, rebalance=rebalance, cost=0.0)


def test_who_owes_more_than_he_holds_is_closed_out():
    prices = np.array([[100.0], [110.0], [40.0], [90.0], [200.0]])
    for rebalance in (np.ones(5, bool), np.arange(5) == 0):
        result = backtest(prices, [2.0], rebalance=rebalance, cost=0.0, v0=1.0)
        assert result.value[1] == pytest.approx(1.2) and result.value[2] < 0.0
        assert set(result.value[2:]) == {result.value[2]}
        assert not result.cost[2:].any() and not result.turnover[2:].any()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"prices": [["1", "x"], ["1", "1"]]}, ValueError, "prices has an entry that is no number: .*'x'"),
        ({"target_weights": ["half", 0.5]}, ValueError, "target_weights has an entry that is no number"),
        ({"v0": "1e6"}, ValueError, "v0 = '1e6': the account begins with a positive value"),
        ({"cash_return": -1.0}, ValueError, "cash_return is a number above -1"),
        ({"cost": "10 bp"}, TypeError, "Costs are a rate, such as 0.001 for 10 basis points, or a dict; '10 bp' is"),
        ({"cost": None}, TypeError, "Costs are a rate, such as 0.001 for 10 basis points, or a dict; None is"),
        ({"cost": 0.21}, ValueError, r"0.21 is outside \[0, 0.2\]"),
    ],
)
def test_what_a_backtest_cannot_read(changes, error, message):
    arguments = {
        "prices": np.ones((2, 2)), "target_weights": [0.5, 0.5], "rebalance": np.ones(2, bool), "cost": 0.0,
    } | changes  # fmt: skip
    with pytest.raises(error, match=message):
        backtest(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": ("2020-01-01",)}, "a name, or a first and a last day, is needed"),
        ({"split": 7}, "a list is needed"),
        ({"days": 2.5}, "a whole number"),
        ({"window": "6"}, "a number of days"),
        ({"constraints": {"groups": {"x": 0.2, "y": 0.3}, "net": 0.9}}, "between -5 and 0.5, but net"),
        ({"constraints": {"weight": {"A": 0.5, "B": -0.3}, "net": 0.0, "gross": 0.9}}, "need at least 1"),
        ({"reward": {"log_growth": "1"}}, "a number is needed"),
    ],
)
def test_what_an_account_cannot_be(options, message):
    rng = np.random.default_rng(0)
    close = np.exp(0.01 * rng.standard_normal((DAYS, ASSETS)))
    market = Market(NAMES, np.datetime64("2020-01-01") + np.arange(DAYS), close, groups=GROUPS)
    with pytest.raises(ValueError, match=message):
        PortfolioEnv(**{"dataset": market, "window": WINDOW, "action": "long_short"} | options)


def test_whole_numbers_of_numpy_are_whole_numbers():
    env = PortfolioEnv(assets=np.int64(ASSETS), window=np.int32(WINDOW), days=np.int64(3))
    env.reset(seed=0)
    assert [env.step(env.action_space.sample())[3] for _ in range(3)] == [False, False, True]


def has_weights(limits: dict[str, Any], bounds: tuple[float, float], gross: float) -> bool:
    """Return whether a linear program finds weights, each the difference of two numbers that are not negative."""
    weight = limits.get("weight", list(bounds))
    each = weight if isinstance(weight, dict) else dict.fromkeys(NAMES, weight)
    net = limits.get("net", list(bounds))
    table, most = [np.ones(2 * ASSETS)], [limits.get("gross", gross)]
    for row, (low, high) in [
        (np.ones(ASSETS), net),
        *zip(np.eye(ASSETS), map(each.get, NAMES, [bounds] * ASSETS), strict=True),
    ]:
        table += [np.append(row, -row), np.append(-row, row)]
        most += [high, -low]
    for name, cap in limits.get("groups", {}).items():
        row = np.array([group == name for group in GROUPS], float)
        table, most = [*table, np.append(row, -row)], [*most, cap]
    return linprog(np.zeros(2 * ASSETS), A_ub=table, b_ub=most).status == 0


@many
@given(st.fixed_dictionaries({}, optional=limits_of_weights), st.booleans(), st.sampled_from((0.5, 1.0, 2.0)))
def test_constraints_are_refused_if_no_weights_fulfil_them(limits, is_long_only, leverage):
    leverage = 1.0 if is_long_only else leverage
    bounds = (0.0, 1.0) if is_long_only else (-leverage, leverage)
    note(str((limits, bounds)))
    try:
        read_constraints(limits, NAMES, GROUPS, leverage, is_long_only)
    except ValueError as error:
        assume("is needed" not in str(error))  # these limits are wider than the account's
        assert not has_weights(limits, bounds, leverage), error
    else:
        assert has_weights(limits, bounds, leverage)
