"""A market: the prices of some assets, day by day, and how its days are split."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]
#: Training and test indexes of days.
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclasses.dataclass(frozen=True, eq=False)
class Market:
    """Prices of N assets on T days.

    Everything is copied, checked and made read-only, so that a market stays what its `digest` says.

    Attributes:
        assets: their names, all different.
        dates: (T,) datetime64[D], strictly increasing, at least two.
        close: (T, N), positive, adjusted for splits and dividends; NaN where an asset has no price: it is not listed
            yet or no longer, or it did not trade that day.
        open: (T, N), on the scale of ``close``; NaN where there is none.
        volume: (T, N), traded value of the day in the account's currency, not negative; NaN where it is unknown.
        cash_return: (T,), simple return of cash from the day before to this one; a single number stands for every day.
        groups: of each asset, its sector, say.
        benchmark: (T,), positive level of an index.
        splits: name -> first and last day, inclusive.

    Raises:
        ValueError: something of this does not hold; names the day, the asset and the fault.
    """

    assets: tuple[str, ...]
    dates: Days
    close: Floats
    open: Floats | None = None
    volume: Floats | None = None
    cash_return: Floats = dataclasses.field(default_factory=lambda: np.zeros(()))
    groups: tuple[str, ...] | None = None
    benchmark: Floats | None = None
    splits: Mapping[str, tuple[np.datetime64, np.datetime64]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Copy the content and check it."""
        self._put("assets", tuple(map(str, self.assets)))
        self._check_names()
        self._put("dates", _frozen(np.array(self.dates, "datetime64[D]")))
        self._check_dates()
        days, assets = len(self.dates), len(self.assets)
        for name in ("close", "open", "volume"):
            self._put_table(name, (days, assets))
        if np.ndim(self.cash_return) == 0:
            self._put("cash_return", np.full(days, self.cash_return, np.float64))
        for name in ("cash_return", "benchmark"):
            self._put_table(name, (days,))
        for name, meaning, is_legal in (
            ("close", "positive, or NaN for no price", lambda x: np.isnan(x) | (x > 0.0)),
            ("open", "positive, or NaN for no price", lambda x: np.isnan(x) | (x > 0.0)),
            ("volume", "a traded value of at least 0, or NaN for unknown", lambda x: np.isnan(x) | (x >= 0.0)),
            ("cash_return", "above -1, and NaN on no day", lambda x: x > -1.0),
            ("benchmark", "positive on every day", lambda x: x > 0.0),
        ):
            self._check_values(name, meaning, is_legal)
        self._put(
            "splits",
            {name: self._split(f"The days of the split {name!r}", *ends) for name, ends in self.splits.items()},
        )

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_names(self) -> None:
        if not self.assets:
            raise ValueError("A market needs at least one asset, but assets is empty.")
        twice = {name for name in self.assets if self.assets.count(name) > 1}
        if twice:
            raise ValueError(f"Each asset needs a name of its own, but {sorted(twice)[0]!r} occurs more than once.")
        if self.groups is not None:
            self._put("groups", tuple(map(str, self.groups)))
            if len(self.groups) != len(self.assets):
                raise ValueError(f"groups names {len(self.groups)} groups, but there are {len(self.assets)} assets.")

    def _check_dates(self) -> None:
        if self.dates.ndim != 1 or len(self.dates) < 2:
            raise ValueError(f"A market needs at least two days, but dates has the shape {self.dates.shape}.")
        if np.isnat(self.dates).any():
            raise ValueError(f"Row {int(np.isnat(self.dates).argmax())} of dates is NaT; every row needs a date.")
        is_late = self.dates[1:] > self.dates[:-1]
        if not is_late.all():
            row = int(is_late.argmin()) + 1
            raise ValueError(
                f"Dates must increase strictly, but row {row} ({self.dates[row]}) follows {self.dates[row - 1]}. "
                "rlx.envs.portfolio.load sorts a table."
            )

    def _put_table(self, name: str, shape: tuple[int, ...]) -> None:
        value = getattr(self, name)
        if value is None:
            return
        table = _frozen(np.array(value, np.float64))
        if table.shape != shape:
            raise ValueError(
                f"{name} has the shape {table.shape}, but {shape} is needed: a row a day, a column an asset."
            )
        self._put(name, table)

    def _check_values(self, name: str, meaning: str, is_legal: Any) -> None:
        table = getattr(self, name)
        if table is None:
            return
        faults = np.argwhere(~is_legal(table) | np.isinf(table))
        if len(faults):
            row, *column = (int(index) for index in faults[0])
            where = f" of {self.assets[column[0]]!r}" if column else ""
            more = f" ({len(faults) - 1} more like it)" if len(faults) > 1 else ""
            raise ValueError(
                f"{name}{where} on {self.dates[row]} (row {row}) is {table[(row, *column)]:g}; it must be "
                f"{meaning}{more}."
            )

    def _split(self, name: str, first: Any, last: Any) -> tuple[np.datetime64, np.datetime64]:
        ends = _day(first), _day(last)
        if np.count_nonzero(self._are_within(*ends)) < 2:
            raise ValueError(
                f"{name} from {ends[0]} to {ends[1]} have fewer than two of the market's days, which run "
                f"from {self.dates[0]} to {self.dates[-1]}."
            )
        return ends

    def _are_within(self, first: np.datetime64, last: np.datetime64) -> NDArray[np.bool_]:
        return (self.dates >= first) & (self.dates <= last)

    @functools.cached_property
    def digest(self) -> str:
        """The first 16 hex digits of the SHA-256 of everything in the market."""
        digest = hashlib.sha256()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            digest.update(field.name.encode())
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return digest.hexdigest()[:16]

    def between(self, first: Any, last: Any) -> Market:
        """Return the market of the days from ``first`` to ``last``, inclusive.

        All assets stay, also those without a price on these days; of the splits, what lies within.

        Args:
            first: a day, as `numpy.datetime64` reads it: ``"2007-01-03"``.
            last: a day.

        Raises:
            ValueError: fewer than two of the market's days lie there.
        """
        first, last = self._split("The days", first, last)
        rows = self._are_within(first, last)
        splits = {name: (max(first, start), min(last, end)) for name, (start, end) in self.splits.items()}
        kept = {name: ends for name, ends in splits.items() if np.count_nonzero(self._are_within(*ends)) >= 2}
        tables: dict[str, Any] = {
            name: None if (table := getattr(self, name)) is None else table[rows]
            for name in ("dates", "close", "open", "volume", "cash_return", "benchmark")
        }
        return dataclasses.replace(self, splits=kept, **tables)

    def part(self, split: str) -> slice:
        """Return which days are in a split.

        Args:
            split: one of the names in ``splits``.

        Raises:
            ValueError: there is no such split.
        """
        if split not in self.splits:
            names = ", ".join(map(repr, self.splits)) or (
                "none; name them when you load the data, as in splits={'train': ('2007-01-03', '2015-12-31')}"
            )
            raise ValueError(f"The market has no split {split!r}. Its splits: {names}.")
        rows = np.flatnonzero(self._are_within(*self.splits[split]))
        return slice(int(rows[0]), int(rows[-1]) + 1)


def rolling_folds(
    market: Market, *, train: int, test: int, purge: int = 0, is_expanding: bool = False, every: str | None = None
) -> list[Fold]:
    """Return training and test days that move forward in time, as skfolio's ``WalkForward`` cuts them.

    Nothing is trained on after it was tested on, so no embargo is needed.

    Args:
        market: whose days are split.
        train: length of a training window: days, or periods of ``every``.
        test: length of a test window, likewise.
        purge: days left out between the two. A policy that looks back over a window sees the days before the test; what
            must not overlap is what it was trained to predict.
        is_expanding: whether the training window keeps its first day; otherwise it rolls.
        every: a pandas frequency, such as ``"MS"`` for months.

    Raises:
        ValueError: the market is too short.
        DependencyNotInstalled: skfolio is missing.
    """
    selection, pandas = _skfolio()
    table = pandas.DataFrame(index=pandas.DatetimeIndex(market.dates))
    splitter = selection.WalkForward(
        test_size=test, train_size=train, freq=every, purged_size=purge, expand_train=is_expanding
    )
    return list(splitter.split(table))


def combinatorial_folds(
    market: Market, *, folds: int = 10, test_folds: int = 2, purge: int = 0, embargo: int = 0
) -> list[Fold]:
    """Return every way to test on some of the folds and to train on the rest, as skfolio's ``CombinatorialPurgedCV``.

    Lopez de Prado, "Advances in Financial Machine Learning", Wiley 2018, chapter 12.

    Args:
        market: whose days are split.
        folds: into how many blocks of days, at least 3.
        test_folds: how many of them are tested on, at least 2.
        purge: days of training left out on both sides of a test block.
        embargo: days of training left out after a test block, besides those.

    Raises:
        ValueError: the market is too short for that.
        DependencyNotInstalled: skfolio is missing.
    """
    selection, _ = _skfolio()
    splitter = selection.CombinatorialPurgedCV(folds, test_folds, purge, embargo)
    return [(train, np.concatenate(tests)) for train, tests in splitter.split(market.close)]


def _skfolio() -> tuple[Any, Any]:
    try:
        import pandas
        from skfolio import model_selection
    except ImportError:
        raise DependencyNotInstalled('Splitting needs skfolio: pip install "rlx[portfolio]"') from None
    return model_selection, pandas


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _day(value: Any) -> np.datetime64:
    try:
        day = np.datetime64(value, "D")
    except (TypeError, ValueError):
        day = np.datetime64("NaT")
    if np.isnat(day):
        raise ValueError(f"{value!r} is not a day. Write it as '2007-01-03'.")
    return day
