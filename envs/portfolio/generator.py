"""Synthetic markets: chains of days, each drawn from the episode's own random stream.

They serve where recorded data cannot: data are few (fifteen years of twenty stocks do not tell the classic strategies
apart), and whoever picks a method has seen their future. A world is a subclass of `World`; `start` draws what an
episode keeps secret, and `advance` the next day. In some worlds the best that anyone can do is known, see `optimum`.

Where figures are called measured, they are those of the twenty shipped stocks, 2007-2015; the GARCH(1,1)-t fits are
arch's. How many numbers a world draws does not depend on its parameters, so that episodes of the same seed in two
contexts have the same luck.

Which assets there are to trade is drawn beside the prices, from a stream of its own: see `World`, `begin_listing` and
`change_listing`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Parameters, Stream, integer, jit, normal, quantity, state_dtype, uniform
from ..core.random import bits, new_stream
from .optimisers import nearest_weights

Array = NDArray[Any]
Floats = NDArray[np.float64]
Record = Any

#: What moves the prices. `MIXED` turns into `BOOTSTRAP` or `GARCH` when an episode starts.
HISTORY, BOOTSTRAP, GARCH, BATES, PAIR, REGIMES, LOGNORMAL, MIXED = range(8)
#: What is known of an asset on a day: it has no price, or its last was the day before's; from `TRADABLE` on it has one,
#: and can be traded or not.
MISSING, DELISTED, TRADABLE, HALTED = range(4)
#: Two states of a market.
CALM, STRESS = range(2)
YEAR = 252.0
#: Prices start here; it matters to their rounding alone.
PRICE = 100.0
#: Measured 10 % and 90 % quantiles over the median: where an asset's value lies, relative to the one in the middle.
ALPHA, DECAY, NU, VOLATILITY, CORRELATION = (0.46, 1.51), (0.33, 2.42), (0.76, 1.29), (0.64, 1.69), (0.73, 1.34)


def _share(default: float, meaning: str, **bounds: Any) -> Any:
    return quantity(default, "1", meaning, **({"low": 0.0, "high": 1.0} | bounds))


def _missing(from_zero: float, meaning: str) -> Any:
    return _share(0.0, meaning, spread=(0.0, 4.0), from_zero=from_zero)


def _mean(default: float, meaning: str) -> Any:
    return quantity(default, "1/year", meaning, low=-2.0, high=2.0, from_zero=0.2, spread=(-1.0, 2.0))


def _volatility(default: float, meaning: str) -> Any:
    return quantity(default, "1/sqrt(year)", meaning, low=0.01, high=2.0, spread=(0.5, 2.0))


def _stay(default: float, meaning: str) -> Any:
    return _share(default, meaning, high=0.9999, spread=(0.9, 1.008))


@dataclasses.dataclass(frozen=True)
class World(Parameters):
    """What all worlds have.

    Assets may be missing, as real ones are: for the whole episode, on a day, or from a day on. What cannot be traded is
    shown as such, and what has no price has returns of 0, as in recorded data; the equal weights of the benchmark leave
    it out. It may have ended before the first decision, on a day of the window. In `Garch`, `Bates` and `Lognormal`
    worlds all assets are drawn alike, so that their order says nothing.
    """

    drift: float = quantity(0.0, "1/year", "added to the growth of every asset", low=-0.5, high=0.5, from_zero=0.5)
    tick: float = quantity(
        0.0, "currency", "prices are multiples of it; they start at 100", low=0.0, high=10.0, from_zero=0.1
    )
    absent: float = _missing(0.5, "probability that an asset is missing all along; one of them is there")
    gaps: float = _missing(0.2, "probability that an asset cannot be traded on a day; its price goes on")
    delist: float = quantity(
        0.0, "1/year", "rate at which assets end, as cash at the last price", low=0.0, high=50.0, spread=(0.0, 4.0),
        from_zero=0.5,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Bootstrap(World):
    """Days of the data in blocks of random length: the stationary bootstrap (Politis and Romano 1994).

    All assets move as on the same day of the past. After each day the block ends with probability 1 / its mean length,
    and another begins on any day of the split; the last day is followed by the first. The best mean length (Politis and
    White 2004, by arch) is 6 days for the measured returns and 90 for their sizes; an episode draws its own between two
    bounds.
    """

    block_low: float = quantity(20.0, "days", "shortest mean length of a block", low=1.0, high=1e4)
    block_high: float = quantity(90.0, "days", "longest mean length of a block", low=1.0, high=1e4)


@dataclasses.dataclass(frozen=True)
class Garch(World):
    """Two regimes, within which assets follow GARCH(1,1) processes with Student-t shocks (Bollerslev 1987).

    ::

        r_it = mean_k + own_i + sigma_i f_k sqrt(h_it) z_it,    z_it = b_ik m_t + sqrt(1 - b_ik^2) e_it
        h_i,t+1 = 1 - persistence_i + alpha_i h_it z_it^2 + (persistence_i - alpha_i) h_it

    The common factor m and the assets' own shocks e are Student-t with unit variance; the regime k is hidden, and f_k
    such that sigma_i is the volatility over both. A day at most halves or doubles a price. With ``diversity`` 1 the
    logarithms of each asset's sigma, alpha, 1 - persistence, nu and b^2 are uniform between the measured 10 % and 90 %
    quantiles, with 0 all assets are alike. Samples as long as the data have their volatilities, correlations, kurtosis
    and clustering; only the clustering of the index fades faster than it does there.
    """

    volatility: float = _volatility(0.282, "of an asset in the middle")
    alpha: float = _share(0.083, "weight of the last shock in the variance", high=0.2, spread=(0.5, 2.0))
    persistence: float = _share(0.988, "of the variance, from day to day", low=0.5, high=0.999, spread=(0.9, 1.01))
    nu: float = quantity(5.5, "1", "degrees of freedom of the shocks", low=3.0, high=100.0, spread=(0.6, 4.0))
    mean_calm: float = _mean(0.156, "return in the calm regime")
    mean_stress: float = _mean(-0.344, "return under stress")
    dispersion: float = quantity(0.05, "1/year", "half width of the assets' own means", low=0.0, high=1.0)
    ratio: float = quantity(2.36, "1", "volatility under stress over that in the calm regime", low=1.0, high=10.0)
    correlation_calm: float = _share(0.30, "between assets in the calm regime", high=0.7)
    correlation_stress: float = _share(0.56, "between assets under stress", high=0.7)
    stay_calm: float = _stay(0.9913, "probability that a calm day is followed by another")
    stay_stress: float = _stay(0.9672, "probability that a day of stress is followed by another")
    diversity: float = _share(1.0, "how much assets differ, 1: as measured")


@dataclasses.dataclass(frozen=True)
class Bates(World):
    """Stochastic volatility and jumps (Bates 1996), per asset, with a common factor.

    ::

        d log p = (mean - v/2 - jumps E[e^J - 1]) dt + sqrt(v) dZ + J dN,    J ~ N(jump_mean, jump_deviation^2)
        dv      = reversion (theta - v) dt + xi sqrt(theta) sqrt(v) dW,      d<W, Z> = leverage dt

    in daily Euler steps with full truncation (Lord et al. 2010). Both shocks have a common factor. The defaults of
    variance and jumps are those that Bakshi, Cao and Chen (1997) found for the S&P 500, volatilities are the measured
    ones of stocks. Tails and clustering are milder than the data's.
    """

    volatility: float = _volatility(0.282, "root of theta, of an asset in the middle")
    mean: float = _mean(0.08, "log of the expected growth")
    reversion: float = quantity(2.03, "1/year", "rate at which the variance returns to theta", low=0.01, high=100.0)
    xi: float = quantity(1.9, "1/sqrt(year)", "volatility of the variance, per volatility", low=0.0, high=20.0)
    leverage: float = quantity(
        -0.57, "1", "correlation of returns and variance", low=-0.99, high=0.99, spread=(-1.0, 1.7)
    )
    jumps: float = quantity(0.59, "1/year", "their rate", low=0.0, high=50.0)
    jump_mean: float = quantity(-0.05, "1", "of the log price", low=-0.5, high=0.5, spread=(-1.0, 4.0))
    jump_deviation: float = quantity(0.07, "1", "of the log price", low=0.0, high=0.5)
    correlation: float = _share(0.44, "between shocks of assets", high=0.95)
    diversity: float = _share(1.0, "how much volatilities differ, 1: as measured")


@dataclasses.dataclass(frozen=True)
class Pair(World):
    """Cointegrated pairs: assets 0 and 1, 2 and 3, ...; one that is left over is alone.

    A pair shares a lognormal price, c; its log prices are c + x/2 and c - x/2. The spread x returns to zero,

        x_t+1 = phi x_t + sqrt(1 - phi^2) spread e_t+1,    phi = 2^(-1 / half_life),

    and starts in its stationary distribution.
    """

    mean: float = _mean(0.05, "log of the expected growth, of what a pair shares")
    volatility: float = _volatility(0.2, "of what a pair shares")
    spread: float = quantity(0.1, "1", "standard deviation of the log spread", low=0.001, high=1.0)
    half_life: float = quantity(20.0, "days", "of the spread", low=0.5, high=1e4)

    def moments(self, assets: int, state: Record) -> tuple[Floats, Floats]:
        """See `optimum`."""
        pull, noise = 1.0 - 0.5 ** (1.0 / self.half_life), 1.0 - 0.25 ** (1.0 / self.half_life)
        own = 0.25 * YEAR * noise * self.spread**2
        covariance = np.eye(assets) * (self.volatility**2 + own)
        mean = np.full(assets, self.mean + self.drift + 0.5 * own)
        for first in range(0, assets - 1, 2):
            covariance[first, first + 1] = covariance[first + 1, first] = self.volatility**2 - own
            move = 0.5 * YEAR * pull * state["world_spread"][first // 2]
            mean[first] -= move
            mean[first + 1] += move
        if assets % 2:
            covariance[-1, -1], mean[-1] = self.volatility**2, self.mean + self.drift
        return mean, covariance


@dataclasses.dataclass(frozen=True)
class Lognormal(World):
    """Independent days: geometric Brownian motions, correlated, all alike (Merton 1969)."""

    mean: float = _mean(0.08, "log of the expected growth")
    volatility: float = _volatility(0.282, "of each asset")
    correlation: float = _share(0.3, "between assets", high=0.95)

    def moments(self, assets: int, state: Record) -> tuple[Floats, Floats]:
        """See `optimum`."""
        return np.full(assets, self.mean + self.drift), _covariance(assets, self.volatility, self.correlation)


@dataclasses.dataclass(frozen=True)
class Regimes(World):
    """Two regimes that everyone sees, with lognormal days.

    The regime that is seen on a day is that of the next return. What is good differs between them: in the calm regime
    assets 0, 2, ... are expected to grow by ``tilt`` more than the mean and the others by as much less; under stress it
    is the other way round.
    """

    mean_calm: float = _mean(0.1, "log of the expected growth in the calm regime")
    mean_stress: float = _mean(-0.1, "log of the expected growth under stress")
    tilt: float = quantity(0.15, "1/year", "by which assets differ from the mean", low=0.0, high=2.0)
    volatility_calm: float = _volatility(0.25, "of each asset in the calm regime")
    volatility_stress: float = _volatility(0.5, "of each asset under stress")
    correlation_calm: float = _share(0.30, "between assets in the calm regime", high=0.95)
    correlation_stress: float = _share(0.56, "between assets under stress", high=0.95)
    stay_calm: float = _stay(0.9913, "probability that a calm day is followed by another")
    stay_stress: float = _stay(0.9672, "probability that a day of stress is followed by another")

    def moments(self, assets: int, state: Record) -> tuple[Floats, Floats]:
        """See `optimum`."""
        is_calm = int(state["world_regime"]) == CALM
        mean = (self.mean_calm if is_calm else self.mean_stress) + self.drift
        tilt = np.where(np.arange(assets) % 2 == 0, self.tilt, -self.tilt) * (1.0 if is_calm else -1.0)
        volatility = self.volatility_calm if is_calm else self.volatility_stress
        correlation = self.correlation_calm if is_calm else self.correlation_stress
        return mean + tilt, _covariance(assets, volatility, correlation)


@dataclasses.dataclass(frozen=True)
class Mixed(Garch, Bootstrap):
    """`Bootstrap` in some episodes, `Garch` in the others: worlds near the data, no two alike."""

    share: float = _share(0.5, "of episodes that are bootstrapped")


#: By name, in the order of their numbers from `BOOTSTRAP` on.
WORLDS: dict[str, type[World]] = {kind.__name__.lower(): kind for kind in (
    Bootstrap, Garch, Bates, Pair, Regimes, Lognormal, Mixed
)}  # fmt: skip


def _names() -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"world_{field.name}" for kind in WORLDS.values() for field in dataclasses.fields(kind)))


def PARAMETERS(size: int) -> tuple[tuple[Any, ...], ...]:
    """Return the fields of a world in a task's record; ``size`` assets have room in it."""
    return ("world", np.int64), *((name, np.float64) for name in _names())


def STATE(size: int) -> tuple[tuple[Any, ...], ...]:
    """Return the fields of a world in the record of an environment's state; ``size`` assets have room in it."""
    of_assets = ("price", "variance", "volatility", "alpha", "persistence", "nu", "loading", "mean", "spread")
    return (
        ("world_rng", np.uint64, (3,)),  # the world's own stream: what it takes from it changes nothing else
        ("listing_rng", np.uint64, (3,)),  # of what can be traded
        ("world_model", np.int64),  # as `World`'s number, never `MIXED`
        ("world_regime", np.int64),  # of the next return
        ("world_row", np.int64),  # of the data
        ("world_block", np.float64),  # mean length, days
        *((f"world_{name}", np.float64, (size,)) for name in of_assets),
    )


def pack_world(world: World | None, record: NDArray[np.void]) -> None:
    """Write a world into a task's record, shape (); None: prices are recorded ones."""
    record["world"] = HISTORY if world is None else list(WORLDS.values()).index(type(world)) + 1
    for field in dataclasses.fields(world) if world is not None else ():
        record[f"world_{field.name}"] = getattr(world, field.name)


# Kernels


@jit
def student(rng: Stream, nu: float) -> float:
    """Draw from Student's t distribution with ``nu`` > 2 degrees of freedom, scaled to unit variance.

    By the polar method (Bailey, "Polar generation of random variates with the t-distribution", Mathematics of
    Computation 62, 1994): what it rejects does not depend on ``nu``. The point in the disc has 32 bits a coordinate.
    """
    while True:
        drawn = bits(rng)
        x, y = float(np.int64(drawn) >> 32) + 0.5, float(np.int64(drawn << np.uint64(32)) >> 32) + 0.5
        square = (x * x + y * y) * 2.0**-62
        if square < 1.0:
            return x * 2.0**-31 * math.sqrt((nu - 2.0) * (math.exp(-2.0 / nu * math.log(square)) - 1.0) / square)


@jit
def vary(rng: Stream, middle: float, quantiles: tuple[float, float], diversity: float) -> float:
    """Draw an asset's value, uniform in the logarithm between quantiles over the one in the middle."""
    low, high = math.log(quantiles[0]), math.log(quantiles[1])
    return middle * math.exp(diversity * (low + (high - low) * uniform(rng)))


@jit
def change_regime(p: Record, s: Record) -> None:
    """Draw the regime of the next return."""
    stay = p.world_stay_calm if s.world_regime == CALM else p.world_stay_stress
    if uniform(s.world_rng) >= stay:
        s.world_regime = CALM if s.world_regime == STRESS else STRESS


@jit
def share_of_stress(p: Record) -> float:
    """Return the stationary probability of `STRESS`."""
    leave_calm, leave_stress = 1.0 - p.world_stay_calm, 1.0 - p.world_stay_stress
    return float(leave_calm / (leave_calm + leave_stress))


@jit
def start(p: Record, s: Record, table: Array) -> None:
    """Draw what an episode keeps secret.

    Args:
        p: the task, with `PARAMETERS`, ``assets``, ``first`` and ``last``: what may be drawn from the table.
        s: the state, with ``rng``, ``tradable`` (N,) and `STATE`.
        table: (T, N) simple returns from the close before; only `BOOTSTRAP` needs it.
    """
    s.world_rng[0] = bits(s.rng)
    s.world_rng[1:] = np.uint64(0)
    begin_listing(p, s)
    s.world_model = p.world
    if p.world == MIXED:
        s.world_model = BOOTSTRAP if uniform(s.world_rng) < p.world_share else GARCH
    s.world_price[:] = PRICE
    s.world_regime = CALM
    if s.world_model == BOOTSTRAP:
        s.world_block = p.world_block_low + (p.world_block_high - p.world_block_low) * uniform(s.world_rng)
        s.world_row = p.first + integer(s.world_rng, p.last - p.first)  # of the day before
    elif s.world_model == GARCH or s.world_model == REGIMES:
        s.world_regime = STRESS if uniform(s.world_rng) < share_of_stress(p) else CALM
    for j in range(p.assets):
        if s.world_model == GARCH:
            s.world_volatility[j] = vary(s.world_rng, p.world_volatility, VOLATILITY, p.world_diversity)
            alpha = vary(s.world_rng, p.world_alpha, ALPHA, p.world_diversity)
            decay = vary(s.world_rng, 1.0 - p.world_persistence, DECAY, p.world_diversity)
            s.world_persistence[j] = max(1.0 - decay, 0.0)
            s.world_alpha[j] = min(alpha, s.world_persistence[j])
            s.world_nu[j] = vary(s.world_rng, p.world_nu, NU, p.world_diversity)
            s.world_loading[j] = math.sqrt(vary(s.world_rng, 1.0, CORRELATION, p.world_diversity))
            s.world_mean[j] = p.world_dispersion * (2.0 * uniform(s.world_rng) - 1.0)
            s.world_variance[j] = 1.0
        elif s.world_model == BATES:
            s.world_volatility[j] = vary(s.world_rng, p.world_volatility, VOLATILITY, p.world_diversity)
            s.world_variance[j] = s.world_volatility[j] ** 2
        elif s.world_model == PAIR:
            s.world_spread[j] = p.world_spread * normal(s.world_rng)


@jit
def advance(p: Record, s: Record, table: Array, relatives: Array) -> None:
    """Draw a day.

    Args:
        p: the task.
        s: the state, which is that of the day before.
        table: as in `start`.
        relatives: its first ``p.assets`` numbers are filled: closes over those of the day before, positive.
    """
    model = s.world_model
    if model == BOOTSTRAP:
        resample(p, s, table, relatives)
    elif model == GARCH:
        cluster(p, s, relatives)
    elif model == BATES:
        jump(p, s, relatives)
    elif model == PAIR:
        revert(p, s, relatives)
    elif model == REGIMES:
        is_calm = s.world_regime == CALM
        diffuse(
            s.world_rng,
            p.assets,
            p.world_mean_calm if is_calm else p.world_mean_stress,
            p.world_tilt if is_calm else -p.world_tilt,
            p.world_volatility_calm if is_calm else p.world_volatility_stress,
            p.world_correlation_calm if is_calm else p.world_correlation_stress,
            relatives,
        )
        change_regime(p, s)
    else:
        diffuse(s.world_rng, p.assets, p.world_mean, 0.0, p.world_volatility, p.world_correlation, relatives)
    if p.world_drift != 0.0:
        relatives[: p.assets] *= math.exp(p.world_drift / YEAR)
    if p.world_tick > 0.0:
        for j in range(p.assets):
            price = max(round(s.world_price[j] * relatives[j] / p.world_tick), 1.0) * p.world_tick
            relatives[j] = price / s.world_price[j]
            s.world_price[j] = price
    if p.world_absent > 0.0 or p.world_gaps > 0.0 or p.world_delist > 0.0:
        change_listing(p, s, relatives)


@jit
def begin_listing(p: Record, s: Record) -> None:
    """Draw which assets there are; of those that chance would take, the last one stays."""
    s.listing_rng[0] = ~s.world_rng[0]
    s.listing_rng[1:] = np.uint64(0)
    kept, most = 0, -1.0
    for j in range(p.assets):
        drawn = uniform(s.listing_rng)
        s.tradable[j] = MISSING if drawn < p.world_absent else TRADABLE
        if drawn > most:
            kept, most = j, drawn
    s.tradable[kept] = TRADABLE


@jit
def change_listing(p: Record, s: Record, relatives: Array) -> None:
    """Draw what can be traded after the day; what has no price stands still, on the day of its end, too."""
    ends = -math.expm1(-p.world_delist / YEAR)
    for j in range(p.assets):
        is_halted, is_ended = uniform(s.listing_rng) < p.world_gaps, uniform(s.listing_rng) < ends
        if s.tradable[j] < TRADABLE:
            s.tradable[j] = MISSING
        elif is_ended:
            s.tradable[j] = DELISTED
        else:
            s.tradable[j] = HALTED if is_halted else TRADABLE
        if s.tradable[j] < TRADABLE:
            relatives[j] = 1.0


@jit
def resample(p: Record, s: Record, table: Array, relatives: Array) -> None:
    """Take the next day of a block, see `Bootstrap`."""
    another = p.first + 1 + integer(s.world_rng, p.last - p.first)
    if uniform(s.world_rng) * s.world_block < 1.0:
        s.world_row = another
    else:
        s.world_row = s.world_row + 1 if s.world_row < p.last else p.first + 1
    row = table[s.world_row]
    for j in range(p.assets):
        relatives[j] = 1.0 + row[j]


@jit
def cluster(p: Record, s: Record, relatives: Array) -> None:
    """Draw a day of `Garch`."""
    stress, is_calm = share_of_stress(p), s.world_regime == CALM
    scale = (1.0 if is_calm else p.world_ratio) / math.sqrt(YEAR * (1.0 - stress + stress * p.world_ratio**2))
    mean = p.world_mean_calm if is_calm else p.world_mean_stress
    correlation = p.world_correlation_calm if is_calm else p.world_correlation_stress
    rng, nu, loading = s.world_rng, s.world_nu, s.world_loading
    variance, volatility = s.world_variance, s.world_volatility
    alpha, persistence, own = s.world_alpha, s.world_persistence, s.world_mean
    common, market = math.sqrt(correlation), student(rng, p.world_nu)
    for j in range(p.assets):
        factor = common * loading[j]
        shock = factor * market + math.sqrt(1.0 - factor * factor) * student(rng, nu[j])
        shock *= math.sqrt(variance[j])
        change = (mean + own[j]) / YEAR + volatility[j] * scale * shock
        relatives[j] = 1.0 + min(max(change, -0.5), 1.0)
        variance[j] = 1.0 - persistence[j] + alpha[j] * shock * shock + (persistence[j] - alpha[j]) * variance[j]
    change_regime(p, s)


@jit
def jump(p: Record, s: Record, relatives: Array) -> None:
    """Draw a day of `Bates`."""
    market, fear = normal(s.world_rng), normal(s.world_rng)
    loading, own = math.sqrt(p.world_correlation), math.sqrt(1.0 - p.world_correlation)
    rate, size = p.world_jumps / YEAR, p.world_jump_deviation
    expected = rate * math.expm1(p.world_jump_mean + 0.5 * size * size)
    across = math.sqrt(1.0 - p.world_leverage**2)
    for j in range(p.assets):
        shock = loading * market + own * normal(s.world_rng)
        turn = p.world_leverage * shock + across * (loading * fear + own * normal(s.world_rng))
        leap = p.world_jump_mean + size * normal(s.world_rng)
        is_jumping = uniform(s.world_rng) < rate
        theta = s.world_volatility[j] ** 2
        variance = max(s.world_variance[j], 0.0)
        change = (p.world_mean - 0.5 * variance) / YEAR - expected + math.sqrt(variance / YEAR) * shock
        relatives[j] = math.exp(change + leap if is_jumping else change)
        s.world_variance[j] += p.world_reversion * (theta - variance) / YEAR
        s.world_variance[j] += p.world_xi * math.sqrt(theta * variance / YEAR) * turn


@jit
def revert(p: Record, s: Record, relatives: Array) -> None:
    """Draw a day of `Pair`."""
    phi = 0.5 ** (1.0 / p.world_half_life)
    noise = math.sqrt(1.0 - phi * phi) * p.world_spread
    mean, deviation = (p.world_mean - 0.5 * p.world_volatility**2) / YEAR, p.world_volatility / math.sqrt(YEAR)
    for first in range(0, p.assets, 2):
        common = mean + deviation * normal(s.world_rng)
        before = s.world_spread[first // 2]
        after = phi * before + noise * normal(s.world_rng)
        s.world_spread[first // 2] = after
        if first + 1 < p.assets:
            relatives[first] = math.exp(common + 0.5 * (after - before))
            relatives[first + 1] = math.exp(common - 0.5 * (after - before))
        else:
            relatives[first] = math.exp(common)


@jit
def diffuse(
    rng: Stream, assets: int, mean: float, tilt: float, volatility: float, correlation: float, relatives: Array
) -> None:
    """Draw a lognormal day: assets 0, 2, ... grow by ``mean + tilt`` a year, the others by ``mean - tilt``."""
    deviation, market = volatility / math.sqrt(YEAR), normal(rng)
    loading, own = math.sqrt(correlation), math.sqrt(1.0 - correlation)
    for j in range(assets):
        growth = (mean + (tilt if j % 2 == 0 else -tilt)) / YEAR - 0.5 * deviation * deviation
        relatives[j] = math.exp(growth + deviation * (loading * market + own * normal(rng)))


@jit
def visible(p: Record, s: Record) -> float:
    """Return what a player may see: the regime (`REGIMES`), the first pair's spread in deviations (`PAIR`), or 0."""
    if p.world == REGIMES:
        return float(s.world_regime)
    return float(s.world_spread[0]) / p.world_spread if p.world == PAIR else 0.0


@jit
def draw(p: Record, s: Record, table: Array, relatives: Array, seen: Array) -> None:
    """Draw an episode: ``relatives`` (T, N), and ``seen`` (T,), what was `visible` before each day."""
    start(p, s, table)
    for t in range(len(relatives)):
        seen[t] = visible(p, s)
        advance(p, s, table, relatives[t])


def sample(
    world: World, days: int, *, assets: int = 20, seed: int = 0, table: Floats | None = None
) -> tuple[Floats, Floats]:
    """Draw an episode of a world.

    Args:
        world: which.
        days: T.
        assets: N.
        seed: of the random stream.
        table: (T', N) simple returns, which `Bootstrap` and `Mixed` draw from.

    Returns:
        Simple returns (T, N), and what was `visible` before each day (T,).

    Raises:
        ValueError: a table is needed and not given.
    """
    if table is None and isinstance(world, Bootstrap):
        raise ValueError(
            f"A {type(world).__name__} world draws from recorded returns: pass table, shape (T', {assets})."
        )
    table = np.zeros((0, assets)) if table is None else table
    task = np.zeros(1, [("assets", np.int64), ("first", np.int64), ("last", np.int64), *PARAMETERS(assets)])
    task["assets"], task["first"], task["last"] = assets, -1, len(table) - 1
    pack_world(world, task[0])
    # Few sizes, so that this is compiled once for most.
    room = 32 * 4 ** max(math.ceil(math.log(assets / 32, 4)), 0)
    state = np.zeros(1, state_dtype(("tradable", np.int8, (room,)), *STATE(room)))
    state["rng"] = new_stream(np.random.default_rng(seed))
    relatives, seen = np.empty((days, assets)), np.empty(days)
    draw(task[0], state[0], table, relatives, seen)
    return relatives - 1.0, seen


# What is best


def _covariance(assets: int, volatility: float, correlation: float) -> Floats:
    return np.asarray(volatility**2 * (correlation + (1.0 - correlation) * np.eye(assets)))


def optimum(
    world: Pair | Lognormal | Regimes,
    assets: int,
    state: Record,
    *,
    cash_rate: float = 0.0,
    aversion: float = 1.0,
    is_long_only: bool = True,
    present: Floats | None = None,
    tradable: NDArray[np.bool_] | None = None,
) -> Floats:
    """Return the weights (N,) that are best for the next day without costs; the rest is cash.

    They maximise w (m - r) - aversion/2 w C w, with the expected growth m and covariance C of a year that the state
    implies (``world.moments``). As days become short, that is the best for constant relative risk aversion where days
    are independent (Merton 1969), and for logarithmic utility, aversion 1, in all three worlds, since that is myopic.
    Free to go short, w = C^-1 (m - r) / aversion; a single asset's share is (m - r) / (aversion sigma^2).
    What cannot be traded stays as it is, and the rest is best beside it; that assets may end or miss days to come is
    not looked ahead to.

    Args:
        world: where.
        assets: N.
        state: the environment's state record; read are ``world_regime`` and ``world_spread``.
        cash_rate: log of the growth of cash in a year.
        aversion: relative risk aversion.
        is_long_only: whether weights, cash included, must not be negative.
        present: weights held, (N,); none if None.
        tradable: which assets can be traded, (N,); all if None.
    """
    free = np.ones(assets, np.bool_) if tradable is None else tradable
    result = np.zeros(assets) if present is None else np.where(free, 0.0, present)
    budget = 1.0 - result.sum() if is_long_only else math.inf
    if free.any() and budget > 0.0:
        mean, covariance = world.moments(assets, state)
        excess = (mean - cash_rate - aversion * (covariance @ result))[free]
        curvature = aversion * covariance[np.ix_(free, free)]
        best = _best_affordable(excess, curvature, budget) if is_long_only else np.linalg.solve(curvature, excess)
        result[free] = best
    return result


def _best_affordable(excess: Floats, curvature: Floats, budget: float) -> Floats:
    """Maximise w excess - w curvature w / 2 over weights that are not negative and sum to at most ``budget``."""
    weights = momentum = np.zeros(len(excess))
    speed, change, i = 1.0 / np.linalg.eigvalsh(curvature)[-1], 1.0, 0
    while change > 1e-12 and i < 10_000:
        # Accelerated projected gradient (Beck and Teboulle 2009).
        moved = _affordable(momentum + speed * (excess - curvature @ momentum), budget)
        momentum = moved + i / (i + 3.0) * (moved - weights)
        weights, change, i = moved, np.abs(moved - weights).max(), i + 1
    return weights


def _affordable(x: Floats, budget: float) -> Floats:
    """Return the nearest point with no negative part and a sum of at most ``budget``."""
    clipped = np.maximum(x, 0.0)
    return clipped if clipped.sum() <= budget else budget * nearest_weights(x / budget)
