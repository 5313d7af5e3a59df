"""The user's own prices: from a file or a pandas table to a `Market`, or to one clear error."""

from __future__ import annotations

import csv
import difflib
import gzip
import math
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from ..core.reading import sequence
from .market import Days, Floats, Market

#: What a table may say of an asset on a day. ``high`` and ``low`` are read past.
FIELDS = ("close", "adj_close", "open", "high", "low", "volume", "dividend", "tradable")
DATE_NAMES = ("date", "datetime", "timestamp", "time")
ASSET_NAMES = ("asset", "ticker", "tic", "symbol")
#: What stands for a missing number, in lower case.
_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "<na>", "nat", "null", "none"})
_TRUTH = {"true": 1.0, "false": 0.0}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
#: A year has this many days.
YEAR = 252

#: Days (T,), assets (N,), and a table (T, N) per field; days sorted and unique, NaN where nothing is said.
Bars = tuple[Days, list[str], dict[str, Floats]]


def load(
    x: Any,
    *,
    layout: str = "auto",
    price_kind: str = "adjusted",
    missing: str = "carry",
    max_gap: int = 14,
    groups: Mapping[str, str] | None = None,
    benchmark: Any = None,
    cash_rate: Any = None,
    volume: Any = None,
    splits: Mapping[str, tuple[Any, Any]] | None = None,
    features: Mapping[str, Any] | Sequence[str] = (),
) -> Market:
    """Read daily prices.

    Rows may come in any order. Dates are pandas dates or text as 2007-01-03; time zones and times of day are dropped,
    never converted. Days without any price are no trading days and left out. An asset without a price before its first
    is not listed yet; after its last it is delisted. A daily return beyond 50 % warns.

    The fields of an asset's day are ``close``, ``open``, ``high`` and ``low`` (read past), ``volume`` in shares,
    ``dividend`` per share on the day from which a buyer no longer gets it, ``tradable`` (0 or 1), and ``adj_close``: if
    there is one, it takes the place of ``close``, and ``open`` is brought to its scale. The price of a day on which an
    asset is not tradable is dropped. Traded value is ``volume`` times ``close``; it is too small by as much as that
    close has been lowered for dividends.

    Args:
        x: the path of a CSV (``.csv``, ``.csv.gz``) or Parquet file (``.parquet``), or a pandas DataFrame.
        layout: ``"wide"``: dates in the index or a first column, a column of closes per asset; ``"fields"``: dates
            likewise, columns of two levels, asset and field in either order; ``"long"``: columns date, asset, close and
            other fields, a row per day and asset; ``"auto"``: whichever it is.
        price_kind: ``"adjusted"``: closes are adjusted for splits and dividends; ``"raw+dividends"``: for splits only,
            and the field ``dividend`` says what was paid. Then p_t becomes p_t / prod_(s > t) (1 + d_s / p_s), with the
            return (p_t + d_t) / p_(t-1) - 1.
        missing: what a missing price between others means: ``"carry"``: the asset did not trade that day and keeps its
            price; ``"error"``: a fault.
        max_gap: the largest allowed number of calendar days between two days of the table.
        groups: asset -> its sector or the like.
        benchmark: levels of an index, a pandas Series by date with a value on every day of the table.
        cash_rate: effective annual interest on cash, 0.05 for 5 %: a number, or a Series by date. Cash earns from one
            day to the next (1 + rate)**(1/252) - 1, at the last rate known on the first of them.
        volume: shares traded, a wide table, if ``x`` has no such field.
        splits: name -> first and last day, as in ``{"train": ("2007-01-03", "2015-12-31")}``.
        features: what else is known at the close of a day: names of further fields of ``x``, as in ``["macd", "rsi"]``,
            or name -> a wide table of all assets, or a pandas Series by date for what they share; so is a table with a
            single column that is named after no asset. Every day and asset with a price needs a value; nothing is
            filled, and further days and columns are left out.

    Raises:
        ValueError: a fault in the data or an argument: names day, asset and value, and what to do. Nothing is ever
            loaded in part, and returns are never taken for prices.
        TypeError: ``x`` is neither a path nor a DataFrame.
        FileNotFoundError: there is no such file.
        DependencyNotInstalled: pandas is missing, or pyarrow for Parquet.
    """
    for what, value, allowed in (
        ("layout", layout, ("auto", *_READERS)),
        ("price_kind", price_kind, ("adjusted", "raw+dividends")),
        ("missing", missing, ("carry", "error")),
    ):
        if value not in allowed:
            raise ValueError(f"{what} = {value!r} is unknown. Allowed: {', '.join(allowed)}.")
    further = () if isinstance(features, Mapping) else tuple(map(str, sequence("features", features)))
    known = (*FIELDS, *map(_field, further))
    table = _table(x, known)
    days, assets, fields = _READERS[_layout(table) if layout == "auto" else layout](table, known)
    if absent := [name for name in further if _field(name) not in fields]:
        raise ValueError(
            f"The table has no field {absent[0]!r}, only {', '.join(fields)}. A feature in a table of its own is "
            f"passed as features={{{absent[0]!r}: table}}."
        )
    if isinstance(features, Mapping):
        beside = {name: _aligned(name, feature, days, assets, is_feature=True) for name, feature in features.items()}
    else:
        beside = {name: fields[_field(name)] for name in further}
    if volume is not None:
        if "volume" in fields:
            raise ValueError("The table has a field 'volume'; leave the argument volume away, or drop that field.")
        fields["volume"] = _aligned("volume", volume, days, assets)
    _refuse_returns(_closes(fields))

    close, scale = _adjusted(days, assets, fields, price_kind)
    if "tradable" in fields:
        close = np.where(_truths(days, assets, fields["tradable"]), close, np.nan)
    is_trading = ~np.isnan(close).all(axis=1)
    days, close = days[is_trading], close[is_trading]
    _check_presence(days, assets, close, missing)
    _check_gaps(days, max_gap)
    tables: dict[str, Floats] = {}
    if "open" in fields:
        tables["open"] = (fields["open"] * scale)[is_trading]
    if "volume" in fields:
        tables["volume"] = (fields["volume"] * fields.get("close", _closes(fields)))[is_trading]
    if groups is not None and (alone := [asset for asset in assets if asset not in groups]):
        raise ValueError(f"groups says nothing of {', '.join(alone)}; every asset needs a group.")
    market = Market(
        assets=tuple(assets),
        dates=days,
        close=close,
        cash_return=_cash_returns(cash_rate, days),
        groups=None if groups is None else tuple(groups[asset] for asset in assets),
        benchmark=None if benchmark is None else _levels(benchmark, days),
        splits={} if splits is None else splits,
        features={name: values[is_trading] for name, values in beside.items()},
        **tables,
    )
    carried = _carried(close)
    _warn_of_jumps("return", days[1:], assets, carried[1:] / carried[:-1] - 1.0)
    if market.open is not None:
        _warn_of_jumps("distance of open from close", days, assets, market.open / close - 1.0)
    return market


# Reading: whatever it is -> a DataFrame -> bars.


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise DependencyNotInstalled('Loading prices needs pandas: pip install "rlx[portfolio]"') from None
    return pandas


def _table(x: Any, known: Sequence[str] = FIELDS) -> Any:
    pandas = _pandas()
    if isinstance(x, pandas.DataFrame):
        return x
    if not isinstance(x, str | os.PathLike):
        raise TypeError(
            f"x is a path or a pandas DataFrame, but a {type(x).__name__} was given. "
            "A Series becomes one by series.to_frame('NAME'), an array by pandas.DataFrame(array, dates, assets)."
        )
    path = Path(x)
    if path.name.lower().endswith((".csv", ".csv.gz")):
        return _read_csv(path, known)
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path)
    raise ValueError(f"{str(path)!r}: the name of a file must end in .csv, .csv.gz or .parquet.")


def _read_csv(path: Path, known: Sequence[str]) -> Any:
    """Return a CSV file as text: what is a number, a date or a name is decided later, and no column is renamed."""
    pandas = _pandas()
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    if len(rows) < 2:
        raise ValueError(f"{str(path)!r} is no table: it needs a row of names and rows of prices.")
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ValueError(f"Row {i + 1} of {str(path)!r} has {len(row)} cells, but the first has {len(rows[0])}.")
    heads = [row[1:] for row in rows[:2]]
    if any({*map(_field, row)} <= {*known} for row in heads) and all(map(_is_name, heads[0] + heads[1])):
        # Two rows of names; pandas writes a third for the name of the index.
        start = 3 if len(rows) > 2 and not any(rows[2][1:]) else 2
        body = [row[1:] for row in rows[start:]]
        return pandas.DataFrame(body, [row[0] for row in rows[start:]], pandas.MultiIndex.from_arrays(heads))
    names = rows[0]
    if not {name.lower() for name in names} & set(DATE_NAMES):
        names = ["date", *names[1:]]
    return pandas.DataFrame(rows[1:], columns=names)


def _is_name(cell: str) -> bool:
    return bool(cell) and math.isnan(_number(cell, default=math.nan))


def _read_parquet(path: Path) -> Any:
    pandas = _pandas()
    try:
        return pandas.read_parquet(path)
    except ImportError:
        raise DependencyNotInstalled('Parquet needs pyarrow: pip install "rlx[portfolio]"') from None
    except FileNotFoundError:
        raise
    except (ValueError, OSError) as error:
        raise ValueError(f"{str(path)!r} is no Parquet table: {error}") from None


def _field(name: Any) -> str:
    """Return a field's name in our spelling, whatever the spelling is."""
    spelled = str(name).strip().lower().replace(" ", "_")
    return {"dividends": "dividend", "adjclose": "adj_close", "adjusted_close": "adj_close"}.get(spelled, spelled)


def _layout(table: Any) -> str:
    """Detect the layout of a table."""
    if table.columns.nlevels > 1:
        return "fields"
    names = {_field(name) for name in (*table.columns, *table.index.names)}
    if names & set(ASSET_NAMES) and names & {"close", "adj_close"}:
        return "long"
    names = {_field(name) for name in table.columns} - set(DATE_NAMES)
    if names and names <= set(FIELDS):
        raise ValueError(
            f"layout='auto' found the columns {_listed(table.columns)}: bars of a single asset. Say which: "
            "load(table.assign(asset='NAME')); or pass layout='wide' if these are names of assets."
        )
    return "wide"


def _wide(table: Any, known: Sequence[str]) -> Bars:
    """Read a table of a single field, the first that is known."""
    if table.columns.nlevels > 1:
        raise ValueError(
            f"layout='wide' needs one level of columns; of {table.columns.nlevels}, it is layout='fields'."
        )
    days, table = _dated(table)
    assets = _unique(table.columns)
    columns = [_numbers(table.iloc[:, i], known[0], days, [name] * len(days)) for i, name in enumerate(assets)]
    order = _order(days)
    return days[order], assets, {known[0]: np.stack(columns, axis=1)[order]}


def _fields(table: Any, known: Sequence[str]) -> Bars:
    found = f"found {table.columns.nlevels} level(s) of columns, {_listed(table.columns)}"
    if table.columns.nlevels != 2:
        raise ValueError(f"layout='fields' needs columns of two levels, asset and field, but {found}.")
    levels = [[_field(name) for name in table.columns.get_level_values(level)] for level in (0, 1)]
    is_field = [set(level) <= set(known) for level in levels]
    if sum(is_field) != 1:
        raise ValueError(
            f"Of the two levels of columns, one must name assets and the other nothing but fields "
            f"({', '.join(known)}), but {found}."
        )
    of_field = is_field.index(True)
    days, order = _days(table.index), _order(_days(table.index))
    names = [str(name) for name in table.columns.get_level_values(1 - of_field)]
    assets = list(dict.fromkeys(names))
    fields = {name: np.full((len(days), len(assets)), np.nan) for name in levels[of_field]}
    if len(set(zip(names, levels[of_field], strict=True))) < len(names):
        raise ValueError(f"Two columns are of the same asset and field: {found}.")
    for i, (asset, field) in enumerate(zip(names, levels[of_field], strict=True)):
        values = _numbers(table.iloc[:, i], field, days, [asset] * len(days))
        fields[field][:, assets.index(asset)] = values[order]
    return days[order], assets, fields


def _long(table: Any, known: Sequence[str]) -> Bars:
    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    elif isinstance(table.index, _pandas().DatetimeIndex):
        table = table.reset_index(names="date")
    columns = [_field(name) for name in table.columns]
    unknown = [name for name in columns if name not in (*DATE_NAMES, *ASSET_NAMES, *known)]
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        meant = f"Did you mean {close[0]!r}? " if close else ""
        raise ValueError(
            f"Unknown column {unknown[0]!r}. Known: date, asset, {', '.join(known)}. {meant}Drop what is no such "
            f"field, or say what it is: features=[{unknown[0]!r}]."
        )
    found = f"layout='long' found the columns {_listed(table.columns)}"
    date, asset = ([i for i, name in enumerate(columns) if name in allowed] for allowed in (DATE_NAMES, ASSET_NAMES))
    if len(date) != 1 or len(asset) != 1:
        raise ValueError(f"{found}, but needs just one of {_listed(DATE_NAMES)} and one of {_listed(ASSET_NAMES)}.")
    if len(set(columns)) < len(columns):
        raise ValueError(f"{found}, some of them twice.")
    row_days = _days(table.iloc[:, date[0]])
    row_names = table.iloc[:, asset[0]]
    nameless = row_names.isna() | (row_names.astype(str).str.strip() == "")
    if nameless.any():
        raise ValueError(f"Row {int(nameless.argmax())} of the table ({row_days[nameless.argmax()]}) names no asset.")
    names, row_assets = np.unique(row_names.astype(str).to_numpy(str), return_inverse=True)
    days, day_rows = np.unique(row_days, return_inverse=True)
    cells = day_rows * len(names) + row_assets
    counts = np.bincount(cells, minlength=len(days) * len(names))
    if (counts > 1).any():
        day, name = divmod(int(counts.argmax()), len(names))
        raise ValueError(
            f"{str(names[name])!r} has {counts.max()} rows on {days[day]}; one a day and asset is allowed."
        )
    fields = {}
    for i, field in enumerate(columns):
        if field in known:
            values = _numbers(table.iloc[:, i], field, row_days, names[row_assets].tolist())
            fields[field] = np.full((len(days), len(names)), np.nan)
            fields[field].flat[cells] = values
    return days, [str(name) for name in names], fields


_READERS: dict[str, Callable[[Any, Sequence[str]], Bars]] = {"wide": _wide, "fields": _fields, "long": _long}


def _dated(table: Any) -> tuple[Days, Any]:
    """Return the days of a table's rows, in their order, and the table without a column for them."""
    if isinstance(table.index, _pandas().RangeIndex):
        columns = [name for name in table.columns if str(name).lower() in DATE_NAMES]
        if len(columns) == 1:
            return _days(table[columns[0]]), table.drop(columns=columns)
    return _days(table.index), table


def _days(values: Any) -> Days:
    pandas = _pandas()
    values = pandas.Index(values)
    if isinstance(values, pandas.DatetimeIndex) and not values.hasnans:
        return np.asarray(values.tz_localize(None).to_numpy().astype("datetime64[D]"))
    codes, unique = pandas.factorize(values)
    days = []
    for code, value in enumerate(unique):
        try:
            if not _DAY.fullmatch(str(value)):
                raise ValueError
            days.append(np.datetime64(str(value)[:10], "D"))
        except ValueError:
            raise ValueError(
                f"Row {int((codes == code).argmax())}: {value!r} is no date. Dates are pandas dates or text "
                "as 2007-01-03; others become dates by pandas.to_datetime(x, format='%d.%m.%Y')."
            ) from None
    if (codes < 0).any():
        raise ValueError(f"Row {int((codes < 0).argmax())} has no date.")
    return np.asarray(np.array(days, "datetime64[D]")[codes])


def _order(days: Days) -> NDArray[np.intp]:
    """Return the order of the days."""
    order = np.argsort(days, kind="stable")
    twice = days[order][1:][np.diff(days[order]) == np.timedelta64(0)]
    if len(twice):
        raise ValueError(
            f"{np.count_nonzero(days == twice[0])} rows are of {twice[0]}; one a day is allowed. Of intraday bars, "
            "keep the last: table.groupby(table.index.normalize()).last()."
        )
    return order


def _unique(columns: Any) -> list[str]:
    names = [str(name) for name in columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"There are {names.count(twice[0])} columns of the asset {twice[0]!r}.")
    if not names:
        raise ValueError("The table has no columns of prices.")
    return names


def _number(value: Any, default: float | None = None) -> float:
    text = str(value).strip().lower()
    if text in _MISSING:
        return math.nan
    try:
        return _TRUTH[text] if text in _TRUTH else float(value)
    except (TypeError, ValueError):
        if default is None:
            raise
        return default


def _numbers(column: Any, field: str, days: Days, assets: Sequence[str]) -> Floats:
    """Return a column's numbers; a fault names the day and the asset of its row."""
    if _pandas().api.types.is_numeric_dtype(column.dtype) and column.dtype.kind != "c":
        return np.asarray(column.to_numpy(np.float64, na_value=np.nan))
    numbers = np.empty(len(column))
    for row, value in enumerate(column):
        try:
            numbers[row] = _number(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"{field} of {assets[row]!r} on {days[row]} is {value!r}; it must be a number, or empty."
            ) from None
    return numbers


def _listed(names: Sequence[Any]) -> str:
    shown = ", ".join(map(repr, names[:8]))
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 8 else shown


# Aligning: what comes beside the prices.


def _aligned(name: str, table: Any, days: Days, assets: list[str], is_feature: bool = False) -> Floats:
    """Return a wide table on these days, NaN where it has none; (T,) of a feature that assets share, see `load`."""
    if is_feature and isinstance(table, _pandas().Series):
        table = table.to_frame("")
    other_days, others, fields = _wide(_table(table), (name,))
    is_shared = is_feature and len(others) == 1 and others[0] not in assets
    absent = [] if is_shared else [asset for asset in assets if asset not in others]
    if absent:
        raise ValueError(f"The table {name!r} has no column for {', '.join(absent)}.")
    columns = 0 if is_shared else [others.index(asset) for asset in assets]
    rows = np.searchsorted(other_days, days).clip(max=len(other_days) - 1)
    values: Floats = fields[name][rows][:, columns]
    values[other_days[rows] != days] = np.nan
    return values


def _series(name: str, series: Any) -> tuple[Days, Floats]:
    pandas = _pandas()
    if not isinstance(series, pandas.Series):
        raise ValueError(f"{name} must be a pandas Series by date, but a {type(series).__name__} was given.")
    days = _days(series.index)
    values, order = _numbers(series, "value", days, [name] * len(days)), _order(days)
    is_known = ~np.isnan(values[order])
    return days[order][is_known], values[order][is_known]


def _levels(series: Any, days: Days) -> Floats:
    known, values = _series("benchmark", series)
    absent = days[~np.isin(days, known)]
    if len(absent):
        raise ValueError(
            f"The benchmark has no value on {absent[0]} and {len(absent) - 1} other days of the table. If its last "
            "value holds on such days, pass benchmark.reindex(dates).ffill()."
        )
    return values[np.searchsorted(known, days)]


def _cash_returns(rate: Any, days: Days) -> Floats:
    if rate is None:
        rate = 0.0
    if isinstance(rate, int | float):
        rates = np.full(len(days), float(rate))
    else:
        known, values = _series("cash_rate", rate)
        if not len(known) or known[0] > days[0]:
            raise ValueError(f"cash_rate must be known on the first day of the table, {days[0]}.")
        rates = values[np.searchsorted(known, days, side="right") - 1]
    faults = ~(np.abs(rates) < 1.0)
    if faults.any():
        raise ValueError(f"cash_rate = {rates[faults.argmax()]:g} is no annual rate below 1: 5 % is 0.05.")
    return np.append(0.0, (1.0 + rates[:-1]) ** (1.0 / YEAR) - 1.0)


# Checking and adjusting, on bars.


def _closes(fields: Mapping[str, Floats]) -> Floats:
    for name in ("adj_close", "close"):
        if name in fields:
            return fields[name]
    raise ValueError(f"The table has no field 'close', only {', '.join(fields)}.")


def _refuse_returns(close: Floats) -> None:
    values = close[~np.isnan(close)]
    if (values < 0.0).any() and np.median(np.abs(values)) < 0.5:
        raise ValueError(
            f"The table looks like returns, not prices: values from {values.min():g} to {values.max():g}. Prices are "
            "never guessed; if these are simple returns, pass 100 * (1 + table).cumprod()."
        )


def _adjusted(days: Days, assets: list[str], fields: Mapping[str, Floats], price_kind: str) -> tuple[Floats, Floats]:
    """Return closes adjusted for dividends, and what brings prices of the day to their scale; both (T, N)."""
    close = _closes(fields)
    if price_kind == "adjusted":
        with np.errstate(divide="ignore", invalid="ignore"):
            return close, close / fields.get("close", close)
    if "adj_close" in fields or "dividend" not in fields:
        raise ValueError(
            "price_kind='raw+dividends' needs the fields 'close' and 'dividend', and no 'adj_close'; found "
            f"{', '.join(fields)}."
        )
    dividend = np.nan_to_num(fields["dividend"], nan=0.0)
    faults = np.argwhere(~((dividend == 0.0) | ((dividend > 0.0) & (close > 0.0))))
    if len(faults):
        day, asset = faults[0]
        raise ValueError(
            f"dividend of {assets[asset]!r} on {days[day]} is {dividend[day, asset]:g}, its close "
            f"{close[day, asset]:g}; a dividend is positive, and the close of its day known."
        )
    growth = np.where(dividend > 0.0, 1.0 + dividend / close, 1.0)
    scale = growth / np.cumprod(growth[::-1], axis=0)[::-1]
    return close * scale, scale


def _truths(days: Days, assets: list[str], tradable: Floats) -> NDArray[np.bool_]:
    """Return whether assets are tradable; where nothing is said they are."""
    faults = np.argwhere(~np.isnan(tradable) & (tradable != 0.0) & (tradable != 1.0))
    if len(faults):
        day, asset = faults[0]
        raise ValueError(
            f"tradable of {assets[asset]!r} on {days[day]} is {tradable[day, asset]:g}; it must be 0 or 1, or empty."
        )
    return np.asarray(tradable != 0.0)


def _check_presence(days: Days, assets: list[str], close: Floats, missing: str) -> None:
    absent = [name for name, column in zip(assets, close.T, strict=True) if np.isnan(column).all()]
    if absent:
        raise ValueError(f"{', '.join(absent)}: no price on any day. Drop such assets.")
    inner = np.isnan(close) & ~np.isnan(_carried(close)) & ~np.isnan(_carried(close[::-1])[::-1])
    if missing == "error" and inner.any():
        day, asset = np.argwhere(inner)[0]
        raise ValueError(
            f"{assets[asset]!r} has no price on {days[day]} ({inner.sum()} such cells). missing='carry' takes that "
            "for a day without trade."
        )


def _check_gaps(days: Days, max_gap: int) -> None:
    gaps = np.diff(days).astype(np.int64)
    if len(gaps) and gaps.max() > max_gap:
        i = int(gaps.argmax())
        raise ValueError(
            f"There is no price between {days[i]} and {days[i + 1]}, {gaps[i]} days; max_gap = {max_gap} is allowed. "
            f"If nothing is missing, pass max_gap={gaps[i]}."
        )


def _carried(close: Floats) -> Floats:
    """Return prices in which a missing one is the one before; NaN before the first."""
    rows = np.where(np.isnan(close), 0, np.arange(len(close))[:, None])
    return np.take_along_axis(close, np.maximum.accumulate(rows, axis=0), axis=0)


def _warn_of_jumps(what: str, days: Days, assets: list[str], change: Floats) -> None:
    size = np.nan_to_num(np.abs(change), nan=0.0)
    jumps = np.argwhere(size > 0.5)
    if len(jumps):
        shown = sorted(jumps.tolist(), key=lambda place: -size[tuple(place)])[:3]
        listed = ", ".join(f"{assets[n]} on {days[t]} {change[t, n]:+.0%}" for t, n in shown)
        warnings.warn(
            f"{len(jumps)} times a {what} beyond 50 %: {listed}. Is a split or a wrong price behind it?", stacklevel=3
        )
