"""Markets: the one that ships, the user's own, and every fault that a table may have."""

import dataclasses
import hashlib
import pickle
import sys
import warnings

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium.error import DependencyNotInstalled
from gymnasium.spaces import flatten
from hypothesis import given, settings
from hypothesis import strategies as st

from rlx.envs.portfolio import us20
from rlx.envs.portfolio.env import PortfolioEnv
from rlx.envs.portfolio.loading import load
from rlx.envs.portfolio.market import Market, combinatorial_folds, rolling_folds
from rlx.envs.portfolio.recorded import read_market
from rlx.registry.checks import check

DATES = pd.bdate_range("2020-01-01", periods=8)


def wide() -> pd.DataFrame:
    prices = 100.0 + np.arange(24).reshape(8, 3) % 7
    return pd.DataFrame(prices, DATES, ["C", "A", "B"])


def long() -> pd.DataFrame:
    table = wide().rename_axis("date").reset_index().melt("date", var_name="asset", value_name="close")
    return table.assign(open=table["close"] * 0.99, volume=1000.0, dividend=0.0, tradable=True)


def market(**changes) -> Market:
    content = {"assets": ("A", "B"), "dates": DATES.to_numpy()[:3], "close": [[1.0, 2.0], [1.5, 2.5], [1.2, 2.2]]}
    return Market(**(content | changes))


# --- The market that ships -------------------------------------------------------------------------------------------


def test_shipped_prices_are_those_of_skfolio():
    """Rows and digest of skfolio 1.12.2's load_sp500_dataset, 2007-01-03 to 2022-12-28."""
    shipped = us20.shipped()
    assert shipped.close.shape == (4026, 20) and len(shipped.groups) == 20
    assert (str(shipped.dates[0]), str(shipped.dates[-1])) == ("2007-01-03", "2022-12-28")
    assert " ".join(shipped.assets[:3]) == "AAPL AMD BAC"
    assert shipped.digest == "0526dd3dda1d5bc7"  # results are told by it
    assert hashlib.sha256(shipped.close.tobytes()).hexdigest() == DIGEST
    for row, prices in ROWS.items():
        assert shipped.close[row].tolist() == prices


def test_shipped_file_is_what_skfolio_gives():
    with np.load(us20.DATA / "us20.npz") as data:
        for name, array in us20.packed().items():
            assert data[name].dtype == array.dtype
            np.testing.assert_array_equal(data[name], array)
    assert (us20.DATA / "us20.npz").stat().st_size < 155_000
    assert "BSD 3-Clause" in (us20.DATA / "LICENSE.skfolio").read_text()


def test_splits_of_the_shipped_market_follow_each_other():
    shipped = us20.shipped()
    parts = [shipped.part(name) for name in ("train", "validation", "test")]
    assert [parts[0].start, parts[0].stop, parts[1].stop, parts[2].stop] == [0, parts[1].start, parts[2].start, 4026]
    assert [str(shipped.dates[part.stop - 1]) for part in parts] == ["2015-12-31", "2018-12-31", "2022-12-28"]


def test_shipped_market_needs_no_optional_package(monkeypatch):
    for name in ("pandas", "skfolio", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(us20.shipped.__wrapped__().assets) == 20


@pytest.mark.parametrize(
    ("call", "package"),
    [
        (lambda: load("prices.csv"), "pandas"),
        (us20.packed, "skfolio.datasets"),
        (lambda: rolling_folds(market(), train=1, test=1), "skfolio"),
    ],
)
def test_missing_package_says_what_to_install(monkeypatch, call, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyNotInstalled, match=r'pip install "rlx\[portfolio\]"'):
        call()


# --- A market --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"assets": ()}, "at least one asset"),
        ({"assets": ("A", "A")}, "'A' occurs more than once"),
        ({"groups": ("x",)}, "names 1 groups, but there are 2 assets"),
        ({"dates": DATES.to_numpy()[:1]}, "at least two days"),
        ({"dates": ["2020-01-01", "NaT", "2020-01-03"]}, "Row 1 of dates is NaT"),
        ({"dates": ["2020-01-01", "2020-01-01", "2020-01-03"]}, r"row 1 \(2020-01-01\) follows 2020-01-01"),
        ({"close": [[1.0], [1.5], [1.2]]}, r"close has the shape \(3, 1\), but \(3, 2\) is needed"),
        ({"close": [[1, 2], [1, 0], [1, 2]]}, r"close of 'B' on 2020-01-02 \(row 1\) is 0; it must be positive"),
        ({"close": [[1, 2], [1, -3], [np.inf, 2]]}, r"'B' on 2020-01-02 \(row 1\) is -3.*1 more like it"),
        ({"open": [[1, 2], [1, 1], [np.inf, 2]]}, r"open of 'A' on 2020-01-03 \(row 2\) is inf"),
        ({"volume": [[1, 2], [1, -1], [1, 2]]}, r"volume of 'B' on 2020-01-02 \(row 1\) is -1"),
        ({"cash_return": [0.0, np.nan, 0.0]}, r"cash_return on 2020-01-02 \(row 1\) is nan"),
        ({"cash_return": [0.0, 0.0]}, r"cash_return has the shape \(2,\)"),
        ({"benchmark": [1.0, 1.0, 0.0]}, r"benchmark on 2020-01-03 \(row 2\) is 0"),
        ({"features": {"x": 1.0}}, r"The feature 'x' has the shape \(\), but \(3, 2\) is needed"),
        ({"features": {"x": [1.0, 2.0]}}, r"The feature 'x' has the shape \(2,\), but \(3,\) is needed"),
        ({"features": {"x": [[1.0], [1.5], [1.2]]}}, r"'x' has the shape \(3, 1\), but \(3, 2\) is needed"),
        ({"features": {"x": [1.0, np.nan, 1.0]}}, r"The feature 'x' on 2020-01-02 \(row 1\) is nan; .* a number"),
        ({"features": {"x": [[1, 2], [1, np.nan], [1, 2]]}}, r"'x' of 'B' on 2020-01-02 \(row 1\) is nan"),
        ({"features": {"x": [[1, 2], [1, 2], [-np.inf, 2]]}}, r"'x' of 'A' on 2020-01-03 \(row 2\) is -inf"),
        (
            {"splits": {"train": ("2020-01-03", "2020-01-09")}},
            "'train' from 2020-01-03 to 2020-01-09 have fewer than two",
        ),
        ({"splits": {"train": ("soon", "2020-01-09")}}, "'soon' is not a day"),
    ],
)
def test_market_names_what_is_wrong(changes, message):
    with pytest.raises(ValueError, match=message):
        market(**changes)


def test_market_is_a_value():
    prices = np.array([[1.0, 2.0], [1.5, 2.5], [1.2, np.nan]])
    made = market(close=prices, splits={"all": ("2020-01-01", "2020-01-03")})
    prices[0, 0] = 9.0
    assert made.close[0, 0] == 1.0 and made.cash_return.tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        made.close[0, 0] = 9.0
    assert pickle.loads(pickle.dumps(made)).digest == made.digest
    others = [
        market(close=made.close),
        dataclasses.replace(made, assets=("A", "C")),
        dataclasses.replace(made, cash_return=1e-4),
        dataclasses.replace(made, groups=("x", "y")),
        dataclasses.replace(made, open=made.close),
        dataclasses.replace(made, volume=made.close),
        dataclasses.replace(made, close=np.nextafter(made.close, 9.0)),
        dataclasses.replace(made, features={"x": [1, 2, 3]}),
        dataclasses.replace(made, features={"x": [1, 2, 4]}),
        dataclasses.replace(made, features={"y": [1, 2, 3]}),
        dataclasses.replace(made, features={"x": [1, 2, 3], "y": [1, 2, 3]}),
        dataclasses.replace(made, features={"y": [1, 2, 3], "x": [1, 2, 3]}),
    ]
    assert len({made.digest, *(other.digest for other in others)}) == len(others) + 1


def test_between_keeps_days_and_what_lies_in_them():
    shipped = us20.shipped()
    part = shipped.between("2015-12-30", "2016-01-05")
    assert list(map(str, part.dates)) == ["2015-12-30", "2015-12-31", "2016-01-04", "2016-01-05"]
    np.testing.assert_array_equal(part.close, shipped.close[2264:2268])
    assert part.part("train") == slice(0, 2) and part.part("validation") == slice(2, 4)
    with pytest.raises(ValueError, match="no split 'test'. Its splits: 'train', 'validation'"):
        part.part("test")
    with pytest.raises(ValueError, match="fewer than two of the market's days, which run from 2007-01-03"):
        shipped.between("2023-01-01", "2024-01-01")


def test_days_between_two_dates():
    made = market()  # a Wednesday, Thursday and Friday
    assert made.days_between("2020-01-02", "2020-01-05") == slice(1, 3)
    assert made.days_between(np.datetime64("2019-12-01"), "2020-01-02") == slice(0, 2)
    for ends in (("2020-01-03", "2020-01-09"), ("2020-01-03", "2020-01-01"), ("2020-02-01", "2020-03-01")):
        with pytest.raises(ValueError, match=f"The days from {ends[0]} to {ends[1]} have fewer than two"):
            made.days_between(*ends)
    with pytest.raises(ValueError, match="'soon' is not a day"):
        made.days_between("soon", "2020-01-03")


def test_unknown_split_says_how_to_name_some():
    with pytest.raises(ValueError, match="splits={'train': "):
        market().part("train")


@given(st.integers(20, 60), st.integers(1, 20), st.integers(0, 5), st.booleans())
@settings(deadline=None, max_examples=25)
def test_walk_forward_never_looks_ahead(train, test, purge, is_expanding):
    made = us20.shipped().between("2007-01-03", "2007-12-31")
    folds = rolling_folds(made, train=train, test=test, purge=purge, is_expanding=is_expanding)
    assert folds
    for (learnt, tested), (_, following) in zip(folds, [*folds[1:], (None, None)], strict=True):
        assert learnt[0] == (0 if is_expanding else tested[0] - purge - train)
        assert tested[0] - learnt[-1] == purge + 1 and len(tested) == test
        assert following is None or following[0] == tested[-1] + 1


def test_walk_forward_by_months():
    made = us20.shipped().between("2007-01-03", "2008-12-31")
    learnt, tested = rolling_folds(made, train=12, test=1, every="MS")[0]
    assert [str(made.dates[day]) for day in (*learnt[[0, -1]], *tested[[0, -1]])] == [
        "2007-02-01", "2008-01-31", "2008-02-01", "2008-02-29",
    ]  # fmt: skip


def test_combinatorial_folds_are_apart():
    made = us20.shipped().between("2007-01-03", "2008-12-31")
    folds = combinatorial_folds(made, folds=6, test_folds=2, purge=3, embargo=4)
    assert len(folds) == 15
    for learnt, tested in folds:
        distance = learnt[:, None] - tested
        assert -distance[distance < 0].max(initial=-99) > 3 and distance[distance > 0].min(initial=99) > 7


# --- Loading: every layout says the same -----------------------------------------------------------------------------


def multi(order: list[int]) -> pd.DataFrame:
    table = long().pivot(index="date", columns="asset", values=["close", "open", "volume"])
    return table.reorder_levels(order, axis=1)


def test_layouts_agree(tmp_path):
    table = wide()
    table.iloc[0, 0] = 100.1 + 0.2  # a number whose shortest text has 17 digits
    table.to_csv(tmp_path / "wide.csv")
    table.rename_axis("Date").to_csv(tmp_path / "named.csv.gz")
    table.to_parquet(tmp_path / "wide.parquet")
    zoned = table.set_axis(table.index.tz_localize("America/New_York") + pd.Timedelta(hours=16))
    zoned.to_csv(tmp_path / "zoned.csv")
    sources = [
        table, table.reset_index(names="date"), table.sample(frac=1.0, random_state=1), zoned, table.astype(object),
        table.astype("Float64"), table.set_axis(table.index.date), table.set_axis(table.index.astype(str)),
        *map(str, tmp_path.iterdir()), *tmp_path.iterdir(),
    ]  # fmt: skip
    digests = {load(source).digest for source in sources}
    assert len(digests) == 1
    np.testing.assert_array_equal(load(table).close, table)


def test_layouts_with_fields_agree(tmp_path):
    table = long().drop(columns=["dividend", "tradable"])
    for i, order in enumerate(([0, 1], [1, 0])):
        multi(order).to_csv(tmp_path / f"{i}.csv")
        multi(order).to_parquet(tmp_path / f"{i}.parquet")
    table.to_csv(tmp_path / "long.csv", index=False)
    renamed = table.rename(columns={"date": "Date", "asset": "Ticker", "close": "Close"})
    sources = [
        table, table.sample(frac=1.0, random_state=1), table.set_index("date"), renamed,
        table.set_index(["date", "asset"]), multi([0, 1]), multi([1, 0]), *tmp_path.iterdir(),
    ]  # fmt: skip
    assert len({load(source).digest for source in sources}) == 1
    made = load(table)
    assert made.assets == ("A", "B", "C")
    np.testing.assert_array_equal(made.close, wide()[["A", "B", "C"]])
    np.testing.assert_allclose(made.open, made.close * 0.99)
    np.testing.assert_array_equal(made.volume, made.close * 1000.0)


def test_first_row_of_names_may_stand_alone(tmp_path):
    """As written without a name of the index."""
    (tmp_path / "x.csv").write_text(",A,A,B\n,Close,Open,Close\n2020-01-01,1,1.1,2\n2020-01-02,1,1.1,2\n")
    made = load(tmp_path / "x.csv")
    assert made.assets == ("A", "B") and made.close.tolist() == [[1, 2], [1, 2]]
    np.testing.assert_array_equal(made.open, [[1.1, np.nan]] * 2)


# --- Loading: what prices mean ---------------------------------------------------------------------------------------


def test_dividends_are_returns():
    """A price of 100 that pays 2 and falls to 98.5 has returned 0.5 %; the last price stays."""
    table = long().query("asset == 'A'").assign(close=[100, 98.5, 99, 99, 97, 98, 98, 98.0], open=100.0)
    table["dividend"] = [1.0, 2.0, 0, 0, 1.5, np.nan, 0, 0]
    made = load(table, price_kind="raw+dividends")
    returns = made.close[1:, 0] / made.close[:-1, 0] - 1.0
    np.testing.assert_allclose(returns[:4], [0.005, 0.5 / 98.5, 0.0, -0.5 / 99], rtol=1e-12, atol=1e-15)
    assert made.close[-1, 0] == 98.0
    np.testing.assert_allclose(made.open / made.close, 100.0 / table[["close"]], rtol=1e-14)
    np.testing.assert_array_equal(made.volume[:, 0], table["close"] * 1000.0)


def test_adjusted_close_takes_the_place_of_close():
    table = long().assign(**{"Adj Close": lambda x: x["close"] * 0.8})
    made, raw = load(table), load(long())
    np.testing.assert_allclose(made.close, raw.close * 0.8)
    np.testing.assert_allclose(made.open, raw.open * 0.8)
    np.testing.assert_array_equal(made.volume, raw.volume)


def test_missing_prices():
    table = wide()
    table.iloc[:2, 0] = table.iloc[6:, 1] = np.nan
    assert load(table, missing="error").digest == load(table).digest
    np.testing.assert_array_equal(load(table).close, table)
    table.iloc[3, 2] = np.nan
    assert np.isnan(load(table).close[3, 2])
    with pytest.raises(ValueError, match=r"'B' has no price on 2020-01-06 \(1 such cells\)"):
        load(table, missing="error")
    table.iloc[3] = np.nan
    assert list(load(table).dates) == list(DATES.delete(3).to_numpy().astype("datetime64[D]"))
    with pytest.raises(ValueError, match="C: no price on any day"):
        load(table.assign(C=np.nan))


def test_day_without_trade_has_no_price():
    table = long()
    table.loc[(table["asset"] == "B") & (table["date"] == DATES[2]), "tradable"] = False
    close = load(table).close
    assert np.argwhere(np.isnan(close)).tolist() == [[2, 1]]
    rows = table.drop(index=table.index[~table["tradable"]])
    np.testing.assert_array_equal(load(rows).close, close)


def test_what_comes_beside_prices():
    index = pd.Series(np.arange(1.0, 12.0), pd.bdate_range("2019-12-31", periods=11))
    rate = pd.Series([0.05, 0.01], pd.to_datetime(["2019-12-01", "2020-01-03"]))
    groups = {"A": "x", "B": "y", "C": "x", "D": "z"}
    volume = wide().iloc[1:] * 0 + 10.0
    splits = {"train": ("2020-01-01", "2020-01-06")}
    made = load(wide(), benchmark=index, cash_rate=rate, groups=groups, volume=volume, splits=splits)
    assert made.groups == ("x", "x", "y")
    assert made.benchmark.tolist() == list(range(2, 10))
    # From the first to the second and to the third day at 5 %; the 1 % of the third holds from then on.
    np.testing.assert_allclose(np.prod(1.0 + made.cash_return[1:3]), 1.05 ** (2 / 252))
    np.testing.assert_allclose(made.cash_return, [0.0, *[1.05 ** (1 / 252) - 1] * 2, *[1.01 ** (1 / 252) - 1] * 5])
    np.testing.assert_allclose(load(wide(), cash_rate=0.05).cash_return[1:], 1.05 ** (1 / 252) - 1)
    np.testing.assert_array_equal(made.volume[1:], 10.0 * made.close[1:])
    assert np.isnan(made.volume[0]).all() and made.part("train") == slice(0, 4)


def test_jump_warns_and_names_it():
    table = wide()
    table.loc[DATES[4] :, "A"] *= 2.0
    with pytest.warns(UserWarning, match=r"1 times a return beyond 50 %: A on 2020-01-07 \+1"):
        load(table)
    bars = long()
    bars.loc[3, "open"] *= 3.0
    with pytest.warns(UserWarning, match="1 times a distance of open from close"):
        load(bars)


# --- Loading: faults -------------------------------------------------------------------------------------------------


def cell(value):
    table = wide().astype(object)
    table.iloc[2, 1] = value
    return table


FAULTS = {
    "text": (cell("12,5"), {}, r"close of 'A' on 2020-01-03 is '12,5'; it must be a number"),
    "zero": (cell(0.0), {}, r"close of 'A' on 2020-01-03 .* is 0"),
    "negative": (cell(-4.0), {}, r"close of 'A' on 2020-01-03 .* is -4"),
    "infinite": (cell("inf"), {}, r"close of 'A' on 2020-01-03 .* is inf"),
    "complex": (wide() * 1j, {}, "close of 'C' on 2020-01-01"),
    "returns": (wide().pct_change(), {}, r"looks like returns.*pass 100 \* \(1 \+ table\).cumprod"),
    "duplicate day": (pd.concat([wide(), wide().iloc[3:4]]), {}, "2 rows are of 2020-01-06; one a day is allowed"),
    "duplicate row": (pd.concat([long(), long().iloc[10:11]]), {}, "'A' has 2 rows on 2020-01-03"),
    "duplicate asset": (wide().set_axis(["A", "A", "B"], axis=1), {}, "2 columns of the asset 'A'"),
    "duplicate column": (long().set_axis([*long().columns[:-1], "Close"], axis=1), {}, "some of them twice"),
    "duplicate field": (multi([0, 1]).iloc[:, [0, 0]], {}, "Two columns are of the same asset and field"),
    "gap": (wide().drop(index=DATES[2:6]), {"max_gap": 5}, r"between 2020-01-02 and 2020-01-09, 7 days; max_gap = 5"),
    "no dates": (wide().reset_index(drop=True), {}, "Row 0: 0 is no date"),
    "ambiguous date": (wide().set_axis(DATES.strftime("%m/%d/%Y")), {}, "Row 0: '01/01/2020' is no date"),
    "impossible date": (wide().set_axis(["2020-02-30", *DATES[1:].astype(str)]), {}, "Row 0: '2020-02-30' is no date"),
    "no date": (wide().set_axis([pd.NaT, *DATES[1:]]), {}, "Row 0 has no date"),
    "no asset": (
        long().assign(asset=lambda x: x["asset"].where(x.index != 4)),
        {},
        "Row 4 of the table .* names no asset",
    ),
    "no close": (long().drop(columns="close"), {"layout": "long"}, "no field 'close'"),
    "no asset column": (long().drop(columns="asset"), {"layout": "long"}, "just one of .*'asset', 'ticker'"),
    "unknown column": (long().rename(columns={"dividend": "dividnd"}), {}, "'dividnd'.*Did you mean 'dividend'"),
    "single asset": (long().query("asset == 'A'").drop(columns="asset"), {}, r"table.assign\(asset='NAME'\)"),
    "unknown field": (multi([0, 1]).rename(columns={"volume": "vol"}), {}, "nothing but fields"),
    "three levels": (wide().set_axis(pd.MultiIndex.from_tuples([(1, 2, 3)] * 3), axis=1), {}, "columns of two levels"),
    "wide, not": (multi([0, 1]), {"layout": "wide"}, "layout='fields'"),
    "no columns": (wide().iloc[:, :0], {}, "no columns of prices"),
    "no rows": (wide().iloc[:0], {}, "no price on any day"),
    "one day": (wide().iloc[:1], {}, "at least two days"),
    "no dividends": (wide(), {"price_kind": "raw+dividends"}, "needs the fields 'close' and 'dividend'"),
    "negative dividend": (
        long().assign(dividend=-1.0),
        {"price_kind": "raw+dividends"},
        "dividend of 'A' on 2020-01-01",
    ),
    "tradable, how": (long().assign(tradable=2), {}, "tradable of 'A' on 2020-01-01 is 2; it must be 0 or 1"),
    "wrong groups": (wide(), {"groups": {"A": "x"}}, "nothing of C, B"),
    "percent": (wide(), {"cash_rate": 5.0}, "5 % is 0.05"),
    "late rate": (
        wide(),
        {"cash_rate": pd.Series([0.1], DATES[1:2])},
        "known on the first day of the table, 2020-01-01",
    ),
    "short benchmark": (wide(), {"benchmark": wide()["A"].iloc[:5]}, "no value on 2020-01-08 and 2 other days"),
    "bare benchmark": (wide(), {"benchmark": [1.0] * 8}, "pandas Series by date"),
    "volume twice": (long(), {"volume": wide()}, "has a field 'volume'"),
    "volume of others": (wide(), {"volume": wide()[["A"]]}, "no column for C, B"),
    "unknown layout": (wide(), {"layout": "tall"}, "layout = 'tall' is unknown. Allowed: auto, wide"),
    "unknown kind": (wide(), {"price_kind": "raw"}, "price_kind = 'raw' is unknown"),
    "unknown policy": (wide(), {"missing": "drop"}, "missing = 'drop' is unknown"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named(fault):
    table, arguments, message = FAULTS[fault]
    before = table.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            load(table, **arguments)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date,A,B\n", "is no table: it needs"),
        ("date,A,B\n2020-01-01,1,2\n2020-01-02,1\n", "Row 3 of .* has 2 cells, but the first has 3"),
        ("date,A,B\n2020-01-01,1,2\n2020-01-02,1,2,3\n", "Row 3 of .* has 4 cells"),
        ("date,A,A\n2020-01-01,1,2\n2020-01-02,1,2\n", "2 columns of the asset 'A'"),
        ("date,A,B\n2020-01-01,1,2\n2020-01-02,1,two\n", "close of 'B' on 2020-01-02 is 'two'"),
        ("date,open,close\n2020-01-01,1,2\n2020-01-02,1,2\n", "bars of a single asset"),
    ],
)
def test_fault_in_a_file_is_named(tmp_path, text, message):
    path = tmp_path / "prices.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_what_is_no_table(tmp_path):
    with pytest.raises(TypeError, match=r"a ndarray was given.*pandas.DataFrame\(array, dates, assets\)"):
        load(wide().to_numpy())
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent.csv")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent.parquet")
    with pytest.raises(ValueError, match=r"must end in .csv, .csv.gz or .parquet"):
        load("prices.xlsx")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(ValueError, match="is no Parquet table"):
        load(tmp_path / "broken.parquet")


@given(st.integers(0, 7), st.integers(0, 2), st.sampled_from(["x", "1 2", -1.0, 0.0, "inf", "1e999", [1.0], {}, 1j]))
@settings(deadline=None, max_examples=40)
def test_no_bad_cell_is_loaded(row, column, value):
    table = wide().astype(object)
    table.iat[row, column] = value
    with pytest.raises(ValueError, match=f"'{table.columns[column]}' on {DATES[row].date()}"):
        load(table)


@given(st.permutations(range(24)), st.sets(st.integers(0, 23), max_size=5))
@settings(deadline=None, max_examples=40)
def test_order_of_rows_does_not_matter(order, left_out):
    rows = long().drop(index=list(left_out))
    shuffled = rows.loc[[i for i in order if i not in left_out]]
    assert load(shuffled).digest == load(rows).digest


# --- What else is known of a day -------------------------------------------------------------------------------------


def known() -> dict[str, pd.DataFrame | pd.Series]:
    """A feature of each asset, and one that all share; with more days and assets than there are prices."""
    days = pd.bdate_range("2019-12-30", periods=12)
    rng = np.random.default_rng(4)
    each = pd.DataFrame(rng.standard_normal((12, 4)), days, ["B", "D", "A", "C"])
    return {"momentum": each, "vix": pd.Series(rng.random(12), days, name="A")}


def recorded(days: int = 60, **fields) -> Market:
    """A market of which one asset is listed late; its features are noise."""
    rng = np.random.default_rng(7)
    close = 100.0 * np.exp(0.02 * rng.standard_normal((days, 4)).cumsum(axis=0))
    close[:25, 1] = np.nan
    each = np.where(np.isnan(close), np.nan, rng.standard_normal((days, 4)))
    dates = np.datetime64("2020-01-01") + np.arange(days)
    return Market(tuple("ABCD"), dates, close, **{"features": {"each": each, "shared": rng.random(days)}} | fields)


def test_features_come_with_prices(tmp_path):
    """In tables of their own, or as further fields."""
    tables = known()
    made = load(wide(), features=tables)
    rows = tables["momentum"].index.isin(DATES)
    assert list(made.features) == ["momentum", "vix"]
    np.testing.assert_array_equal(made.features["momentum"], tables["momentum"][["C", "A", "B"]][rows])
    np.testing.assert_array_equal(made.features["vix"], tables["vix"][rows])
    tables["momentum"].to_csv(tmp_path / "momentum.csv")
    tables["vix"].to_frame("VIX").to_parquet(tmp_path / "vix.parquet")
    files = {name: tmp_path / file for name, file in (("momentum", "momentum.csv"), ("vix", "vix.parquet"))}
    shuffled = {name: table.sample(frac=1.0, random_state=1) for name, table in tables.items()}
    assert load(wide(), features=files).digest == load(wide(), features=shuffled).digest == made.digest

    rows = tables["momentum"].rename_axis("date").reset_index().melt("date", var_name="asset", value_name="Momentum")
    bars = long().merge(rows, on=["date", "asset"]).assign(vix=lambda x: x["date"].map(tables["vix"]))
    fields = bars.pivot(index="date", columns="asset", values=["close", "open", "volume", "Momentum", "vix"])
    for source in (bars, fields):
        source.to_csv(tmp_path / "bars.csv", index=source is fields)
        for one in (source, tmp_path / "bars.csv"):
            again = load(one, features=["momentum", "vix"])
            np.testing.assert_array_equal(again.features["momentum"], made.features["momentum"][:, [1, 2, 0]])
            np.testing.assert_array_equal(again.features["vix"], np.stack([made.features["vix"]] * 3, axis=1))


def test_features_are_kept_with_days_and_assets():
    made = recorded()
    part = made.between("2020-01-11", "2020-01-20")
    np.testing.assert_array_equal(part.features["each"], made.features["each"][10:20])
    np.testing.assert_array_equal(part.features["shared"], made.features["shared"][10:20])
    some = read_market(made, ["C", "A"])
    np.testing.assert_array_equal(some.features["each"], made.features["each"][:, [2, 0]])
    np.testing.assert_array_equal(some.features["shared"], made.features["shared"])
    assert pickle.loads(pickle.dumps(made)).digest == made.digest
    with pytest.raises(ValueError, match="read-only"):
        made.features["shared"][0] = 1.0


@pytest.mark.parametrize(
    ("table", "features", "message"),
    [
        (wide(), ["rsi"], "no field 'rsi', only close. A feature in a table of its own is passed as features={'rsi'"),
        (long(), ["volum"], "no field 'volum', only close, open"),
        (long().assign(rsi=1.0), (), r"Unknown column 'rsi'.*features=\['rsi'\]"),
        (wide(), "rsi", "features = 'rsi': a list is needed"),
        (wide(), {"rsi": wide()[["A", "B"]]}, "The table 'rsi' has no column for C"),
        (wide(), {"rsi": wide()[["A"]]}, "The table 'rsi' has no column for C, B"),
        (wide(), {"rsi": cell("high")}, "rsi of 'A' on 2020-01-03 is 'high'"),
        (wide(), {"rsi": wide().iloc[:5]}, r"'rsi' of 'C' on 2020-01-08 \(row 5\) is nan \(8 more .*ffill"),
        (wide(), {"rsi": wide()["A"].iloc[1:]}, r"The feature 'rsi' on 2020-01-01 \(row 0\) is nan"),
        (wide(), {"rsi": wide()["A"].reset_index(drop=True)}, "Row 0: 0 is no date"),
        (wide(), {"rsi": wide().pct_change()}, r"'rsi' of 'C' on 2020-01-01 \(row 0\) is nan"),
    ],
)
def test_features_that_do_not_fit(table, features, message):
    with pytest.raises(ValueError, match=message):
        load(table, features=features)


def test_features_are_seen_up_to_today():
    made = recorded()
    env = PortfolioEnv(made, window=5, start="first")
    assert env.observation_space["features"].shape == (5, 4, 2)
    observation, _ = env.reset(seed=0)
    for _ in range(30):
        seen = slice(env.day - 4, env.day + 1)
        expected = np.nan_to_num(made.features["each"][seen]).astype(np.float32)
        np.testing.assert_array_equal(observation["features"][:, :, 0], expected)
        shared = made.features["shared"][seen, None].astype(np.float32)
        np.testing.assert_array_equal(observation["features"][:, :, 1], np.repeat(shared, 4, axis=1))
        observation, *_ = env.step(env.action_space.sample())
    vast = PortfolioEnv(dataclasses.replace(made, features={"vast": np.full(60, -1e300)}), window=5)
    observation, _ = vast.reset(seed=0)
    assert observation in vast.observation_space and (observation["features"] == -1e9).all()


def test_features_of_tomorrow_are_not_seen():
    made, cut = recorded(), 30
    spoilt = {name: table.copy() for name, table in made.features.items()}
    for table in spoilt.values():
        table[cut + 1 :] = np.random.default_rng(1).standard_normal(table[cut + 1 :].shape)
    envs = [PortfolioEnv(one, window=5, start="first") for one in (made, dataclasses.replace(made, features=spoilt))]
    pairs = [[env.reset(seed=0)[0] for env in envs]]
    envs[0].action_space.seed(0)
    while envs[0].day <= cut:
        action = envs[0].action_space.sample()
        pairs.append([env.step(action)[0] for env in envs])
    *before, (ours, theirs) = pairs
    for first, second in before:
        for name, values in first.items():
            np.testing.assert_array_equal(values, second[name])
    assert (ours["features"][-1] != theirs["features"][-1]).all()
    np.testing.assert_array_equal(ours["features"][:-1], theirs["features"][:-1])


def test_features_change_nothing_else():
    """Not the other entries, nor money; and a flat observation is the same, end to end."""
    made = recorded()
    bare = dataclasses.replace(made, features={})
    options = {"window": 5, "start": "first"}
    with_features, without, flat = (
        PortfolioEnv(made, **options), PortfolioEnv(bare, **options), PortfolioEnv(made, observation="flat", **options),
    )  # fmt: skip
    envs = (with_features, without, flat)
    seen = [env.reset(seed=0)[0] for env in envs]
    for action in [with_features.action_space.sample() for _ in range(20)]:
        features = seen[0].pop("features")
        assert seen[0].keys() == seen[1].keys()
        for name, values in seen[1].items():
            np.testing.assert_array_equal(seen[0][name], values)
        whole = flatten(with_features.observation_space, seen[0] | {"features": features})
        np.testing.assert_array_equal(seen[2], whole)
        steps = [env.step(action) for env in envs]
        assert steps[0][1] == steps[1][1] == steps[2][1]
        seen = [step[0] for step in steps]


def test_a_market_with_features_keeps_the_contract():
    options = {"dataset": recorded(), "window": 5, "days": 20, "start": "anywhere"}
    assert all(check("rlx/Portfolio-v0", **options))


def test_other_libraries_accept_features():
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    env = PortfolioEnv(recorded(), window=5, observation="flat")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "We recommend you to use a symmetric")  # weights are not
        checker.check_env(env, warn=True, skip_render_check=True)
    checker.check_env(PortfolioEnv(recorded(), window=5), warn=False, skip_render_check=True)


def test_made_up_days_have_no_features():
    with pytest.raises(
        ValueError, match=r"features \(each, shared\), which belong to recorded days, but world = 'pair'"
    ):
        PortfolioEnv(recorded(), world="pair")


def test_a_dataset_may_be_told_in_json(tmp_path):
    long().assign(rsi=range(24)).to_csv(tmp_path / "bars.csv", index=False)
    dataset = {"x": str(tmp_path / "bars.csv"), "features": ["rsi"], "splits": {"test": ["2020-01-06", "2020-01-10"]}}
    env = gymnasium.make("rlx/Portfolio-v0", dataset=dataset, window=2, split="test")
    observation, _ = env.reset(seed=0)
    assert env.unwrapped.day == 3 and observation["features"][-1, :, 0].tolist() == [8 + 3, 16 + 3, 3]  # of A, B, C
    assert gymnasium.make(type(env.spec).from_json(env.spec.to_json())).observation_space == env.observation_space
    with pytest.raises(ValueError, match="load = 'feature' is unknown. Did you mean 'features'"):
        PortfolioEnv({"x": str(tmp_path / "bars.csv"), "feature": ["rsi"]})


DIGEST = "25d0d14147933b37afb15b4f2d8cddbe28c9ee2ed6d618fdd15e7677a03409c7"
ROWS = {
    0: [
        2.544,
        19.52,
        38.641,
        31.447,
        37.85,
        146.589,
        26.971,
        41.076,
        31.255,
        14.656,
        30.663,
        23.345,
        21.526,
        39.147,
        12.749,
        39.828,
        24.202,
        42.868,
        33.116,
        41.75,
    ],
    2013: [
        24.767,
        2.67,
        15.138,
        29.411,
        77.899,
        131.385,
        86.268,
        83.116,
        48.966,
        32.164,
        57.623,
        41.615,
        40.351,
        74.024,
        21.429,
        70.923,
        51.275,
        88.832,
        71.669,
        62.913,
    ],
    4025: [
        125.674,
        62.57,
        32.301,
        78.279,
        173.728,
        63.883,
        311.22,
        174.085,
        129.575,
        62.609,
        363.098,
        109.581,
        233.434,
        179.278,
        49.25,
        149.133,
        24.497,
        524.422,
        140.181,
        106.627,
    ],
}
