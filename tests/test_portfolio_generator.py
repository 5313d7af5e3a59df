"""Synthetic markets: their statistics, their luck, and what is best in them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from rlx.envs.core.problem import state_dtype
from rlx.envs.portfolio import generator as w
from rlx.envs.portfolio.us20 import shipped

DAYS = 2265


@pytest.fixture(scope="module")
def table():
    market = shipped()
    close = market.close[market.part("train")]
    return close[1:] / close[:-1] - 1.0


def autocorrelation(x, lag):
    x = x - x.mean()
    return (x[lag:] * x[:-lag]).mean() / x.var()


def figures(returns):
    """What the statistics of markets are compared by; medians over assets."""
    index = returns.mean(axis=1)
    pairs = np.corrcoef(returns.T)
    clustering = {
        f"clustering {lag}": np.median([autocorrelation(np.abs(asset), lag) for asset in returns.T])
        for lag in (1, 5, 20)
    }
    return clustering | {
        "kurtosis": np.median(stats.kurtosis(returns, fisher=False)),
        "volatility": np.median(returns.std(axis=0)) * 252**0.5,
        "correlation": np.median(pairs[np.triu_indices(len(pairs), 1)]),
        "first eigenvalue": np.linalg.eigvalsh(pairs)[-1] / len(pairs),
        "kurtosis of index": stats.kurtosis(index, fisher=False),
        "volatility of index": index.std() * 252**0.5,
        "clustering of index 1": autocorrelation(np.abs(index), 1),
        "clustering of index 5": autocorrelation(np.abs(index), 5),
        "beyond 4 deviations": (np.abs(index) > 4.0 * index.std()).mean(),
    }


@pytest.mark.parametrize(
    ("world", "unlike"),
    [
        # What no GARCH(1,1) has: the slow decay of the clustering of an index.
        (w.Garch(), {"clustering of index 5"}),
        (w.Bootstrap(), set()),
        # Stochastic variance has milder tails than the data, and clusters more slowly.
        (
            w.Bates(),
            {"kurtosis", "kurtosis of index", "beyond 4 deviations", "clustering 1", "clustering 5", "correlation"}
            | {"first eigenvalue", "clustering of index 1", "clustering of index 5"},
        ),
    ],
    ids=["garch", "bootstrap", "bates"],
)
def test_worlds_look_like_the_data(table, world, unlike):
    """In samples as long as the data, the data's figure lies between the 2.5 % and the 97.5 % quantile."""
    samples = [figures(w.sample(world, DAYS, seed=seed, table=table)[0]) for seed in range(80)]
    strange = set()
    for name, measured in figures(table).items():
        low, high = np.quantile([sample[name] for sample in samples], [0.025, 0.975])
        if not low <= measured <= high:
            strange.add(name)
    assert strange == unlike


def mean_and_error(values):
    """Mean of independent samples and its standard error."""
    return np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / len(values) ** 0.5


@pytest.mark.parametrize(("stay_calm", "stay_stress"), [(0.9999, 0.0), (0.0, 0.9999), (0.9913, 0.9672)])
def test_regimes_of_garch_have_their_moments(stay_calm, stay_stress):
    """Variance, covariance and mean of the calm regime, of stress, and of their mixture, within 4 standard errors."""
    world = w.Garch(
        diversity=0.0, dispersion=0.0, alpha=0.03, persistence=0.9, stay_calm=stay_calm, stay_stress=stay_stress
    )
    found = []
    for seed in range(60):
        returns = w.sample(world, 8000, assets=2, seed=seed)[0]
        found.append([returns.mean() * 252, returns.var() * 252, np.cov(returns.T)[0, 1] * 252])
    middle, error = mean_and_error(found)
    stress = (1.0 - stay_calm) / (2.0 - stay_calm - stay_stress)
    mean = (1.0 - stress) * 0.156 + stress * -0.344
    between = stress * (1.0 - stress) * (0.156 + 0.344) ** 2 / 252
    weight = stress * 2.36**2 / (1.0 - stress + stress * 2.36**2)
    correlation = (1.0 - weight) * 0.30 + weight * 0.56
    assert (np.abs(middle - [mean, 0.282**2 + between, correlation * 0.282**2 + between]) < 4.0 * error).all()


def test_arch_finds_the_parameters_again():
    """One asset in one regime is a GARCH(1,1)-t; arch's estimate lies within 4 of its own standard errors."""
    arch = pytest.importorskip("arch")
    world = w.Garch(diversity=0.0, dispersion=0.0, ratio=1.0, mean_calm=0.1, mean_stress=0.1, correlation_calm=0.0,
                    correlation_stress=0.0, alpha=0.09, persistence=0.97, nu=6.0)  # fmt: skip
    returns = 100.0 * w.sample(world, 30_000, assets=1, seed=5)[0][:, 0]
    fit = arch.arch_model(returns, mean="Constant", vol="GARCH", p=1, q=1, dist="t").fit(disp="off")
    truth = {"alpha[1]": 0.09, "beta[1]": 0.88, "nu": 6.0, "mu": 0.1 / 2.52, "omega": 0.03 * 28.2**2 / 252}
    for name, value in truth.items():
        assert abs(fit.params[name] - value) < 4.0 * fit.std_err[name], name


@pytest.mark.parametrize("nu", [3.0, 5.5, 30.0])
def test_student_is_student(nu):
    rng = np.array([7, 0, 0], np.uint64)
    draws = np.array([w.student(rng, nu) for _ in range(20_000)])
    assert stats.kstest(draws, stats.t(nu, scale=((nu - 2.0) / nu) ** 0.5).cdf).pvalue > 1e-3


def test_lognormal_days_have_their_moments():
    found = []
    for seed in range(40):
        logs = np.log1p(w.sample(w.Lognormal(mean=0.1, correlation=0.6), 5000, assets=3, seed=seed)[0])
        found.append([logs.mean() * 252, logs.std() * 252**0.5, *np.corrcoef(logs.T)[np.triu_indices(3, 1)]])
    middle, error = mean_and_error(found)
    assert (np.abs(middle - [0.1 - 0.5 * 0.282**2, 0.282, 0.6, 0.6, 0.6]) < 4.0 * error).all()


def test_growth_of_bates_is_its_mean():
    """Jumps and variance are compensated: the mean simple return is exp(mean / 252) - 1."""
    world = w.Bates(mean=0.5, jumps=10.0)
    found = [w.sample(world, 2000, seed=seed)[0].mean() for seed in range(100)]
    middle, error = mean_and_error(found)
    assert abs(middle - np.expm1(0.5 / 252)) < 4.0 * error


def test_pair_returns_to_its_partner():
    world = w.Pair(spread=0.1, half_life=10.0)
    found = []
    for seed in range(50):
        returns, seen = w.sample(world, 4000, assets=3, seed=seed)
        logs = np.log1p(returns)
        np.testing.assert_allclose(np.diff(0.1 * seen), (logs[:, 0] - logs[:, 1])[:-1], rtol=0.0, atol=1e-12)
        common = 0.5 * (logs[:, 0] + logs[:, 1])
        found.append([(seen**2).mean(), (seen[1:] * seen[:-1]).mean() / (seen**2).mean(), common.std() * 252**0.5,
                      logs[:, 2].std() * 252**0.5, np.corrcoef(common, logs[:, 2])[0, 1]])  # fmt: skip
    middle, error = mean_and_error(found)
    assert (np.abs(middle - [1.0, 0.5**0.1, 0.2, 0.2, 0.0]) < 4.0 * error + [0.0, 2e-3, 0.0, 0.0, 0.0]).all()


def test_regimes_stay_as_long_as_said():
    world = w.Regimes(stay_calm=0.95, stay_stress=0.8)
    seen = np.concatenate([w.sample(world, 5000, assets=1, seed=seed)[1] for seed in range(40)])
    for regime, stay in ((0.0, 0.95), (1.0, 0.8)):
        followed = seen[1:][seen[:-1] == regime] == regime
        assert abs(followed.mean() - stay) < 4.0 * (stay * (1 - stay) / len(followed)) ** 0.5 + 1e-3
    assert set(w.sample(w.Garch(), 100, seed=1)[1]) == {0.0}  # hidden


# --- Bootstrap -------------------------------------------------------------------------------------------------------


def test_bootstrap_takes_blocks_of_whole_days(table):
    order = np.argsort(table.sum(axis=1))
    lengths = []
    for seed in range(60):
        returns, _ = w.sample(w.Bootstrap(block_low=30.0, block_high=30.0), 3000, seed=seed, table=table)
        rows = order[np.searchsorted(table.sum(axis=1)[order], returns.sum(axis=1) - 1e-12)]
        np.testing.assert_allclose(returns, table[rows], rtol=0.0, atol=1e-15)
        follows = (rows[1:] - rows[:-1]) % len(table) == 1
        lengths.append(1.0 / (1.0 - follows.mean()))
    middle, error = mean_and_error(lengths)
    assert abs(middle - 30.0) < 4.0 * error


def records(world, assets, first, last):
    """A task and a state as an environment has them, with room for more assets."""
    task = np.zeros(1, [("assets", np.int64), ("first", np.int64), ("last", np.int64), *w.PARAMETERS(32)])
    task["assets"], task["first"], task["last"] = assets, first, last
    w.pack_world(world, task[0])
    state = np.zeros(1, state_dtype(("tradable", np.int8, (32,)), *w.STATE(32)))
    state["rng"] = [1, 0, 0]
    return task[0], state[0]


def test_bootstrap_keeps_to_its_split():
    """Of the days from ``first`` to ``last`` all returns are drawn that begin and end there, and no others."""
    table = np.arange(12.0)[:, None] * [0.01, 0.02]
    task, state = records(w.Bootstrap(block_low=2.0, block_high=9.0), 2, 3, 8)
    relatives = np.full((4000, 4), np.nan)
    w.draw(task, state, table, relatives, np.empty(4000))
    rows, counts = np.unique(np.rint((relatives[:, 0] - 1.0) / 0.01), return_counts=True)
    assert rows.tolist() == [4, 5, 6, 7, 8] and counts.min() > 600
    np.testing.assert_allclose(relatives[:, 1] - 1.0, 2.0 * (relatives[:, 0] - 1.0), rtol=1e-12)
    assert np.isnan(relatives[:, 2:]).all()


# --- All of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", w.WORLDS)
def test_same_seed_same_world(table, name):
    first, again, other = (w.sample(w.WORLDS[name](), 300, seed=seed, table=table)[0] for seed in (3, 3, 4))
    assert (first == again).all() and not (first == other).any(axis=1).all()
    longer = w.sample(w.WORLDS[name](), 400, seed=3, table=table)[0]
    assert (longer[:300] == first).all()


@pytest.mark.parametrize("name", w.WORLDS)
@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_any_context_gives_prices(table, name, data):
    """At the ends of what a context may say, too, prices stay positive numbers."""
    world = w.WORLDS[name]()
    space = world.context_space()
    ends = {key: st.sampled_from([float(box.low), float(box.high)]) for key, box in space.items()}
    world = world.with_context(data.draw(st.fixed_dictionaries(ends)))
    returns, seen = w.sample(world, 400, seed=data.draw(st.integers(0, 99)), table=table)
    assert np.isfinite(returns).all() and (returns > -1.0).all() and np.isfinite(seen).all()


def test_far_garch_gives_prices():
    """Persistence of an asset would be negative here."""
    for seed in range(5):
        returns, _ = w.sample(w.Garch(persistence=0.5, alpha=0.2, nu=3.0, ratio=10.0, volatility=2.0), 4000, seed=seed)
        assert np.isfinite(returns).all() and returns.min() == -0.5 and returns.max() == 1.0


def luck(world, table):
    """Return the stream of the world after some days."""
    task, state = records(world, 20, 0, len(table) - 1)
    w.draw(task, state, table, np.empty((50, 20)), np.empty(50))
    return state["world_rng"].tolist()


@pytest.mark.parametrize("name", [name for name in w.WORLDS if name != "mixed"])
def test_context_does_not_change_the_luck(table, name):
    world = w.WORLDS[name]()
    for low in (True, False):
        context = {key: float(box.low if low else box.high) for key, box in world.context_space().items()}
        assert luck(world.with_context(context), table) == luck(world, table)


def test_drift_and_tick(table):
    plain = w.sample(w.Lognormal(), 500, seed=1)[0]
    drifting = w.sample(w.Lognormal(drift=0.3), 500, seed=1)[0]
    np.testing.assert_allclose((1.0 + drifting) / (1.0 + plain), np.exp(0.3 / 252), rtol=1e-12)
    for world in (w.Garch(tick=0.25), w.Bootstrap(tick=0.25)):
        prices = 100.0 * np.cumprod(1.0 + w.sample(world, 500, seed=1, table=table)[0], axis=0) / 0.25
        np.testing.assert_allclose(prices, np.rint(prices), atol=1e-6)
        exact = 100.0 * np.cumprod(
            1.0 + w.sample(dataclasses.replace(world, tick=0.0), 1, seed=1, table=table)[0], axis=0
        )
        assert np.abs(exact - prices[:1] * 0.25).max() <= 0.125 + 1e-9


def test_mixed_is_half_of_each(table):
    days = {row.tobytes() for row in 1.0 + table}
    is_bootstrapped = [
        all((1.0 + day).tobytes() in days for day in w.sample(w.Mixed(), 3, seed=seed, table=table)[0])
        for seed in range(200)
    ]
    assert abs(np.mean(is_bootstrapped) - 0.5) < 4.0 * 0.5 / 200**0.5
    assert w.sample(w.Mixed(share=0.0), 3, seed=1, table=table)[0].tobytes() not in days


# --- What is there ----------------------------------------------------------------------------------------------------


def listings(world, days, seed=0, assets=20):
    """Return what is known of each asset, (days + 1, N), the first before any day, and the returns."""
    task, state = records(world, assets, 0, 0)
    state["rng"][0] = seed
    relatives, known = np.ones((days, assets)), np.zeros((days + 1, assets), np.int8)
    w.start(task, state, np.zeros((0, assets)))
    known[0] = state["tradable"][:assets]
    for t in range(days):
        w.advance(task, state, np.zeros((0, assets)), relatives[t])
        known[t + 1] = state["tradable"][:assets]
    return known, relatives - 1.0


def test_absent_assets_are_as_many_as_said():
    absent = {
        share: np.array([listings(w.Lognormal(absent=share), 0, seed)[0][0] for seed in range(400)]) == w.MISSING
        for share in (0.2, 0.4, 1.0)
    }
    for share in (0.2, 0.4):
        assert abs(absent[share].mean() - share) < 4.0 * (share * (1.0 - share) / absent[share].size) ** 0.5
    assert (absent[0.2] <= absent[0.4]).all()  # the same luck
    assert (absent[1.0].sum(axis=1) == 19).all()  # one stays
    assert np.ptp((~absent[1.0]).sum(axis=0)) < 4.0 * (2.0 * 400 * 0.05) ** 0.5  # any of them


def test_gaps_are_as_many_as_said():
    known, returns = listings(w.Garch(gaps=0.3), 2000)
    assert (known[0] == w.TRADABLE).all() and set(known.ravel()) == {w.TRADABLE, w.HALTED}
    is_halted = known[1:] == w.HALTED
    assert abs(is_halted.mean() - 0.3) < 4.0 * (0.21 / is_halted.size) ** 0.5
    again = is_halted[1:][is_halted[:-1]].mean()
    assert abs(again - 0.3) < 4.0 * (0.21 / (0.3 * is_halted.size)) ** 0.5  # days are independent
    np.testing.assert_array_equal(returns, listings(w.Garch(), 2000)[1])
    with_ends = listings(w.Garch(gaps=0.3, delist=0.5), 2000)[0][1:]
    assert (is_halted == (with_ends == w.HALTED))[with_ends != w.MISSING].mean() > 0.999  # but on the days of an end


def test_assets_end_as_often_as_said():
    lives = []
    for seed in range(40):
        known, returns = listings(w.Lognormal(delist=2.0), 252, seed)
        expected = listings(w.Lognormal(), 252, seed)[1]
        for column, day, plain in zip(known.T, returns.T, expected.T, strict=True):
            end = int((column == w.TRADABLE).sum())  # the day after the last price
            assert (column[:end] == w.TRADABLE).all() and (column[end : end + 1] == w.DELISTED).all()
            assert (column[end + 1 :] == w.MISSING).all()
            assert (day[: end - 1] == plain[: end - 1]).all() and not day[end - 1 :].any()
            lives.append(end - 1)
    survived = np.mean(np.array(lives) == 252)
    expected = np.exp(-2.0)
    assert abs(survived - expected) < 4.0 * (expected * (1.0 - expected) / len(lives)) ** 0.5


def test_what_is_missing_has_its_own_luck(table):
    """Neither prices nor each other: the stream advances alike whatever is drawn from it."""
    for name in w.WORLDS:
        drawn = []
        for fields in ({"gaps": 0.1}, {"gaps": 0.4, "delist": 9.0, "absent": 0.9}):
            task, state = records(w.WORLDS[name](**fields), 20, 0, len(table) - 1)
            w.draw(task, state, table, np.empty((50, 20)), np.empty(50))
            drawn.append((state["world_rng"].tolist(), state["listing_rng"].tolist()))
        assert drawn[0] == drawn[1] and drawn[0][0] == luck(w.WORLDS[name](), table)


def test_bootstrap_needs_data():
    for world in (w.Bootstrap(), w.Mixed()):
        with pytest.raises(ValueError, match="world draws from recorded returns: pass table"):
            w.sample(world, 3)


# --- What is best ----------------------------------------------------------------------------------------------------


def test_optimum_of_one_asset_is_mertons():
    world, nowhere = w.Lognormal(mean=0.08, volatility=0.3), {}
    for aversion in (1.0, 3.0):
        weights = w.optimum(world, 1, nowhere, cash_rate=0.02, aversion=aversion, is_long_only=False)
        assert weights == pytest.approx([0.06 / (aversion * 0.09)], rel=1e-12)
        assert w.optimum(world, 1, nowhere, cash_rate=0.02, aversion=aversion) == pytest.approx(weights, rel=1e-9)
    assert w.optimum(w.Lognormal(mean=0.5), 1, nowhere) == pytest.approx([1.0])
    assert w.optimum(w.Lognormal(mean=-0.5), 1, nowhere) == pytest.approx([0.0])
    many = w.optimum(w.Lognormal(mean=0.02, correlation=0.5), 20, nowhere)
    assert many == pytest.approx(np.full(20, 0.02 / (0.282**2 * (1 + 19 * 0.5))))


@pytest.mark.parametrize("is_long_only", [True, False])
def test_optimum_of_what_can_be_traded(is_long_only):
    """By hand for one free asset; for three, SciPy finds nothing better."""
    world, nowhere, held = w.Lognormal(mean=0.08, volatility=0.3, correlation=0.5), {}, np.array([0.4, 0.1, 0.0, 0.2])
    only = np.array([False, True, False, False])
    found = w.optimum(world, 4, nowhere, aversion=1.0, is_long_only=is_long_only, present=held, tradable=only)
    best = (0.08 - 0.045 * 0.6) / 0.09  # less what the others' covariance takes
    assert found == pytest.approx([0.4, min(best, 0.4) if is_long_only else best, 0.0, 0.2], rel=1e-9)
    mean, covariance = world.moments(4, nowhere)
    three = np.array([True, True, False, True])
    found = w.optimum(world, 4, nowhere, aversion=2.0, is_long_only=is_long_only, present=held, tradable=three)

    def loss(x):
        weights = np.insert(x, 2, 0.0)
        return weights @ covariance @ weights - mean @ weights

    solved = optimize.minimize(loss, np.full(3, 0.1), bounds=[(0.0, 1.0)] * 3 if is_long_only else None)
    assert found[2] == 0.0 and loss(np.delete(found, 2)) <= solved.fun + 1e-9
    assert np.array_equal(w.optimum(world, 4, nowhere, present=held, tradable=np.zeros(4, bool)), held)
    everything = w.optimum(world, 4, nowhere, is_long_only=is_long_only, present=held, tradable=np.ones(4, bool))
    assert np.array_equal(everything, w.optimum(world, 4, nowhere, is_long_only=is_long_only))


def test_optimum_without_cash():
    held, tradable = np.array([0.7, 0.3, 0.0, 0.0]), np.array([False, False, True, True])
    assert np.array_equal(w.optimum(w.Lognormal(mean=0.5), 4, {}, present=held, tradable=tradable), held)


def utility(weights, returns, expected, aversion):
    """Each day's utility; the surprise, whose mean is zero, is taken out to leave less noise."""
    growth = (weights * returns).sum(axis=1)
    surprise = (weights * (returns - expected)).sum(axis=1)
    gain = np.log1p(growth) if aversion == 1.0 else (1.0 + growth) ** (1.0 - aversion) / (1.0 - aversion)
    return gain - surprise


@pytest.mark.parametrize(
    ("world", "assets", "aversion", "levels"),
    [
        (w.Lognormal(mean=0.05), 1, 1.0, [0.0]),
        (w.Lognormal(mean=0.08, correlation=0.5), 3, 3.0, [0.0]),
        (w.Regimes(mean_calm=0.03, mean_stress=0.02, tilt=0.02), 4, 1.0, [0.0, 1.0]),
        (w.Regimes(), 4, 1.0, [0.0, 1.0]),
        (w.Pair(spread=0.1), 3, 1.0, np.linspace(-6.0, 6.0, 121)),
    ],
    ids=["one", "three", "regimes", "bold regimes", "pair"],
)
def test_optimum_beats_its_neighbours(world, assets, aversion, levels):
    """Half of the optimum, and a step towards each asset, do worse, by more than 4 standard errors."""
    returns, seen = w.sample(world, 400_000, assets=assets, seed=1)
    states = [{"world_regime": x, "world_spread": [x * getattr(world, "spread", 0.0)]} for x in levels]

    def on_the_day(values):
        return np.stack([np.interp(seen, levels, column) for column in np.transpose(values)], axis=1)

    # What the optimum supposes is so: the mean, whatever is seen, and the covariance.
    expected = np.expm1(on_the_day([world.moments(assets, state)[0] for state in states]) / 252)
    surprise = returns - expected
    for known in (np.ones(len(seen)), seen):
        middle, error = mean_and_error(surprise * known[:, None])
        assert (np.abs(middle) <= 4.0 * error).all()
    for level, state in zip(levels[:2], states, strict=False):
        days = surprise if isinstance(world, w.Pair) else surprise[seen == level]
        middle, error = mean_and_error(days[:, :, None] * days[:, None, :])
        covariance = world.moments(assets, state)[1] / 252
        assert (np.abs(middle - covariance) <= 4.0 * error + 1e-3 * covariance.max()).all()  # simple, not log returns

    held = on_the_day([w.optimum(world, assets, state, aversion=aversion) for state in states])
    rivals = {"half": 0.5 * held} | {f"more of {i}": 0.8 * held + 0.2 * np.eye(assets)[i] for i in range(assets)}
    reached = utility(held, returns, expected, aversion)
    for name, rival in rivals.items():
        middle, error = mean_and_error(reached - utility(rival, returns, expected, aversion))
        assert middle > 4.0 * error, name
