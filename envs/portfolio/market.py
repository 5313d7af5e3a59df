"""A market: the prices of some assets, day by day, and how its days are split."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]
#: Training and test indexes of days.
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]

#: Of each table: its axes (days, and maybe assets), what its values must be, and whether they are, but for infinity.
_TABLES: dict[str, tuple[int, str, Callable[[Floats], NDArray[np.bool_]]]] = {
    "close": (2, "positive, or NaN for no price", lambda x: np.isnan(x) | (x > 0.0)),
    "open": (2, "positive, or NaN for no price", lambda x: np.isnan(x) | (x > 0.0)),
    "volume": (2, "a traded value of at least 0, or NaN for unknown", lambda x: np.isnan(x) | (x >= 0.0)),
    "cash_return": (1, "above -1, and NaN on no day", lambda x: x > -1.0),
    "benchmark": (1, "positive on every day", lambda x: x > 0.0),
}


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
        features: name -> (T, N), or (T,) for what all assets share: what else is known at the close of a day. NaN only
            where an asset has no price.

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
    features: Mapping[str, Floats] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Copy the content and check it."""
        self._put("assets", tuple(map(str, self.assets)))
        self._check_names()
        self._put("dates", _frozen(np.array(self.dates, "datetime64[D]")))
        self._check_dates()
        if np.ndim(self.cash_return) == 0:
            self._put("cash_return", np.full(len(self.dates), self.cash_return, np.float64))
        for name, (axes, meaning, is_legal) in _TABLES.items():
            if getattr(self, name) is not None:
                table = _table(name, getattr(self, name), (len(self.dates), len(self.assets))[:axes])
                self._check_values(name, table, meaning, is_legal(table))
                self._put(name, table)
        self._put("features", {str(name): self._feature(str(name), table) for name, table in self.features.items()})
        for name, ends in self.splits.items():
            self._days(f"The days of the split {name!r}", *ends)
        self._put("splits", {name: (_day(first), _day(last)) for name, (first, last) in self.splits.items()})

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

    def _feature(self, name: str, values: Any) -> Floats:
        title, shape = f"The feature {name!r}", self.close.shape
        table = _table(title, values, shape[: np.ndim(values)] or shape)
        is_legal = ~np.isnan(table) | (np.isnan(self.close) if table.ndim == 2 else False)
        meaning = (
            "a number wherever there is a price. Begin with a later day, or fill the gap with what was known by then "
            "(table.ffill()), never with what came later"
        )
        self._check_values(title, table, meaning, is_legal)
        return table

    def _check_values(self, name: str, table: Floats, meaning: str, is_legal: NDArray[np.bool_]) -> None:
        faults = np.argwhere(~is_legal | np.isinf(table))
        if len(faults):
            row, *column = (int(index) for index in faults[0])
            where = f" of {self.assets[column[0]]!r}" if column else ""
            more = f" ({len(faults) - 1} more like it)" if len(faults) > 1 else ""
            raise ValueError(
                f"{name}{where} on {self.dates[row]} (row {row}) is {table[(row, *column)]:g}{more}; it must be "
                f"{meaning}."
            )

    def _days(self, what: str, first: Any, last: Any) -> slice:
        """Return the days of `days_between`; an error calls them ``what``."""
        first, last = _day(first), _day(last)
        days = self._within(first, last)
        if days.stop - days.start < 2:
            raise ValueError(
                f"{what} from {first} to {last} have fewer than two of the market's days, which run "
                f"from {self.dates[0]} to {self.dates[-1]}."
            )
        return days

    def _within(self, first: np.datetime64, last: np.datetime64) -> slice:
        return slice(int(self.dates.searchsorted(first)), int(self.dates.searchsorted(last, side="right")))

    @functools.cached_property
    def digest(self) -> str:
        """The first 16 hex digits of the SHA-256 of everything in the market."""
        digest = hashlib.sha256()
        content = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        content |= {f"feature {name}": table for name, table in content.pop("features").items()}
        for name, value in content.items():
            digest.update(name.encode())
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return digest.hexdigest()[:16]

    def days_between(self, first: Any, last: Any) -> slice:
        """Return which days are from ``first`` to ``last``, inclusive, as indexes.

        Args:
            first: a day, as `numpy.datetime64` reads it: ``"2007-01-03"``.
            last: a day.

        Raises:
            ValueError: fewer than two of the market's days lie there.
        """
        return self._days("The days", first, last)

    def between(self, first: Any, last: Any) -> Market:
        """Return the market of the days from ``first`` to ``last``, inclusive, see `days_between`.

        All assets stay, also those without a price on these days; of the splits, what lies within.
        """
        days = self.days_between(first, last)
        splits = {name: (max(_day(first), start), min(_day(last), end)) for name, (start, end) in self.splits.items()}
        parts = {name: self._within(*ends) for name, ends in splits.items()}
        kept = {name: ends for name, ends in splits.items() if parts[name].stop - parts[name].start >= 2}
        tables: dict[str, Any] = {
            name: None if (table := getattr(self, name)) is None else table[days] for name in ("dates", *_TABLES)
        }
        tables["features"] = {name: table[days] for name, table in self.features.items()}
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
        return self.days_between(*self.splits[split])


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


def _table(name: str, values: Any, shape: tuple[int, ...]) -> Floats:
    table = _frozen(np.array(values, np.float64))
    if table.shape != shape:
        raise ValueError(f"{name} has the shape {table.shape}, but {shape} is needed: a row a day, a column an asset.")
    return table


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
