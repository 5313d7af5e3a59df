"""Twenty large US stocks, 2007-2022: the market that ships with rlx.

Adjusted daily closes from 2007-01-03 to 2022-12-28 (4,026 days), out of the S&P 500 data set that the package skfolio
carries (BSD-3-Clause, see ``data/LICENSE.skfolio``). They are examples for teaching and testing, not advice on
investment, and good for no conclusion about real profit:

- The stocks are survivors, chosen in hindsight: their equal-weight return lies far above that of the index.
- They are rounded to 0.001 dollar after adjustment, which is up to 2 basis points of a price in 2007. Before 2007 the
  rounding makes returns up; that is why the market begins there.
- Splits and dividends are adjusted for. What skfolio took them from is not stated there.
- There are no opening prices and no volumes.
- They end in 2022 and will not be continued.

``python -m rlx.envs.portfolio.us20`` writes the files in ``data/`` again; it needs skfolio.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from .market import Market

DATA = Path(__file__).parent / "data"

#: The sectors of the Global Industry Classification Standard, as of 2022.
SECTORS: dict[str, str] = {
    "AAPL": "Information Technology",
    "AMD": "Information Technology",
    "BAC": "Financials",
    "BBY": "Consumer Discretionary",
    "CVX": "Energy",
    "GE": "Industrials",
    "HD": "Consumer Discretionary",
    "JNJ": "Health Care",
    "JPM": "Financials",
    "KO": "Consumer Staples",
    "LLY": "Health Care",
    "MRK": "Health Care",
    "MSFT": "Information Technology",
    "PEP": "Consumer Staples",
    "PFE": "Health Care",
    "PG": "Consumer Staples",
    "RRC": "Energy",
    "UNH": "Health Care",
    "WMT": "Consumer Staples",
    "XOM": "Energy",
}

SPLITS = {
    "train": (np.datetime64("2007-01-03"), np.datetime64("2015-12-31")),
    "validation": (np.datetime64("2016-01-01"), np.datetime64("2018-12-31")),
    "test": (np.datetime64("2019-01-01"), np.datetime64("2022-12-28")),
}


@functools.cache
def shipped() -> Market:
    """Return the twenty stocks, with the splits train (2007-2015), validation (2016-2018) and test (2019-2022)."""
    with np.load(DATA / "us20.npz") as data:
        steps = np.ascontiguousarray(data["close"].transpose(1, 2, 0)).view("<i4")[..., 0]
        dates = data["dates"].cumsum().astype("datetime64[D]")
    return Market(
        assets=tuple(SECTORS),
        dates=dates,
        close=steps.cumsum(axis=0) / 1000.0,
        groups=tuple(SECTORS.values()),
        splits=SPLITS,
    )


def packed() -> dict[str, NDArray[np.generic]]:
    """Return what ``us20.npz`` holds, made from skfolio's data set.

    ``close``: (4, T, N) uint8, the four bytes of the differences of the closes from day to day in units of 0.001
    dollar; equal bytes of neighbours side by side compress best. ``dates``: (T,) int32, differences of days since 1970.

    Raises:
        DependencyNotInstalled: skfolio is missing.
    """
    try:
        from skfolio.datasets import load_sp500_dataset
    except ImportError:
        raise DependencyNotInstalled('Building us20.npz needs skfolio: pip install "rlx[portfolio]"') from None
    table = load_sp500_dataset().loc[str(SPLITS["train"][0]) : str(SPLITS["test"][1]), list(SECTORS)]
    close = np.rint(table.to_numpy() * 1000.0).astype("<i4")
    days = table.index.to_numpy().astype("datetime64[D]").astype(np.int32)
    steps = np.ascontiguousarray(np.diff(close, axis=0, prepend=np.zeros_like(close[:1])))
    planes = np.ascontiguousarray(steps.view(np.uint8).reshape(*steps.shape, 4).transpose(2, 0, 1))
    return {"close": planes, "dates": np.diff(days, prepend=np.int32(0))}


def main() -> None:
    """Write ``us20.npz`` and skfolio's licence into ``data/``."""
    from importlib.metadata import files

    np.savez_compressed(DATA / "us20.npz", **packed())  # type: ignore[arg-type]
    licence = next(path for path in files("skfolio") or () if path.name == "LICENSE")
    (DATA / "LICENSE.skfolio").write_text(licence.read_text())


if __name__ == "__main__":
    main()
