"""Portfolio optimisation: how wealth is spread over assets, day by day."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from ..core import KernelEnv, KernelVectorEnv, Problem, State
from ..core.reading import number, one_of
from . import kernels as k
from .accounting import pack_costs, size_class
from .constraints import Constraints, read_constraints
from .generator import TRADABLE, World, pack_world
from .market import Market
from .params import Costs, Setting, read_costs, read_world
from .recorded import BOUND, Episodes, history, read_episodes, read_market, tables
from .render import Dashboard
from .rewards import Reward, read_reward

ACTIONS = ("simplex", "softmax", "long_short", "delta")
FILLS = ("close", "next_open", "next_close")


class PortfolioEnv(KernelEnv):
    """Spread wealth over assets and cash, day by day.

    ## Description
    Each day one sees the prices up to its close and names target weights. They are traded, with costs that come out of
    wealth exactly: after the trade the weights are the targets, cash included. Then prices move, and weights with them.
    The themes are those of arXiv:2403.07916; what exactly is simulated is written down here and in the modules.

    The default data are twenty large US stocks, daily, 2007 to 2022, adjusted for splits and dividends and rounded to
    0.001 dollar. They are those that survived, so that any strategy that holds them looks good, and they are examples,
    not advice.

    ## Action space
    With ``action="simplex"`` a `Box` (N + 1,) in [0, 1]: weights of the assets and, last, of cash; what does not sum to
    1 is moved to the nearest weights that do. ``"softmax"``: a `Box` (N + 1,) of logits in [-10, 10], which reaches
    all of wealth in one asset. ``"long_short"``: a `Box` (N,) in [-leverage, leverage]; cash is the remainder and may
    be owed. ``"delta"``: a `Box` (N,) of changes of the present weights. Targets outside the constraints are moved to
    the nearest allowed ones, which ``info["compliance"]`` tells.

    ## Observation space
    A `Dict` of float32: ``returns`` (window, N), log returns, the latest day last, 0 where there is no price;
    ``weights`` (N + 1,), drifted, cash last; ``tradable`` (N,); ``conditions`` (9,): rates for buying and selling, half
    spread, impact, borrow fee, financing, cash rate per year, drawdown, and the regime where it is observable. Where
    the market has features there is also ``features`` (window, N, F), the latest day last and features in the market's
    order: as they were given, clipped to 1e9, and 0 where there is none; to scale them is up to who gives them. With
    ``observation="flat"`` a `Box`: conditions, features, returns, tradable and weights end to end. Nothing tells how
    much time is left.

    ## Rewards
    By default the log growth of wealth; others, and sums of them, see `rewards`.

    ## Starting state
    All in cash. In training on a random day of the split, otherwise on its first.

    ## Episode end
    Truncated after ``days``, or on the last day of the split. Terminated when wealth is 1 % of what it was at first.

    ## Arguments
    - ``dataset``: ``"us20"``, the path of a CSV or Parquet file, a pandas frame, a `Market` (see `load`), or a dict
      of the arguments of `load`, ``{"x": "prices.csv", "features": ["rsi"]}``; or ``"synthetic"``, which is ``"us20"``
      with ``world="mixed"``.
    - ``world``: None, or a synthetic market: ``"bootstrap"`` (days of the split, in blocks), ``"garch"``, ``"bates"``,
      ``"pair"``, ``"regimes"``, ``"lognormal"``, ``"mixed"``, or a dict with this as ``kind`` and parameters; see
      `generator`. Of the data there remain the names of the assets, and what is bootstrapped.
    - ``assets``: names, or how many, the first ones of the data; all by default.
    - ``split``: one of the market's (``"train"``, ``"validation"``, ``"test"``), ``"all"``, or (first day, last day).
    - ``days``: an episode's length; 252 in the split train, all of the split otherwise.
    - ``start``: ``"anywhere"`` or ``"first"`` of the split.
    - ``window``: days that an observation shows; an asset joins when it has had as many returns.
    - ``action``, ``observation``: see above. ``leverage``: largest sum of absolute weights, for ``"long_short"`` (1 by
      default) and ``"delta"`` (long only without).
    - ``fill``: targets are traded at the ``"close"`` that was seen last, the ``"next_open"`` or the ``"next_close"``;
      the parameter ``delay`` mixes the first and the last.
    - ``costs``: a rate for purchases and sales alike, or a dict of `Costs`; 10 basis points by default. Its
      ``relative`` is how dear each asset is: ``{"AAPL": 2.0}``, or a number for each; it is not observed.
    - ``constraints``: see `read_constraints`.
    - ``reward``: a term, or a dict of weights by term and ``aversion``, ``rate``, ``tail``.
    - ``cash_rate``: interest per year, beside what the data say. ``value``: at the start.
    - ``render_mode``: None, ``"rgb_array"`` or ``"human"``.

    ## Info
    ``signals``: ``value``, ``fee`` (paid for trade), ``turnover`` (sum of trades over value), ``interest``,
    ``borrow_fee``, ``drawdown``, ``benchmark`` (level) and ``day`` (of the data, or since the start). ``compliance``:
    by reason, what of the target was not reached, as sums of absolute weights: ``projected`` (outside the constraints),
    ``turnover`` and ``band`` (constraints of trade), ``untradable``, ``participation``, ``rounded`` (lots and tickets),
    ``unaffordable``. ``cost``: the first of these. ``market``: a digest of the data. ``reward_terms``.

    ## References
    - C. Ndikum, S. Ndikum, "Advancing Investment Frontiers: Industry-grade Deep Reinforcement Learning for Portfolio
      Optimization", arXiv:2403.07916, 2024 (themes, not numbers).
    - S. Boyd et al., "Multi-Period Trading via Convex Optimization", Foundations and Trends in Optimization 3(1), 2017.

    ## Version history
    - v0: first version.
    """

    def __init__(
        self,
        dataset: Any = "us20",
        world: str | Mapping[str, Any] | World | None = None,
        assets: int | Sequence[str] | None = None,
        split: str | Sequence[Any] | None = None,
        days: int | None = None,
        start: str | None = None,
        window: int = 50,
        action: str = "simplex",
        leverage: float | None = None,
        observation: str = "dict",
        fill: str = "close",
        costs: float | Mapping[str, Any] | Costs = 0.001,
        constraints: Mapping[str, Any] | None = None,
        reward: str | Mapping[str, Any] | None = None,
        cash_rate: float = 0.0,
        value: float = 1e6,
        render_mode: str | None = None,
    ) -> None:
        """Open the account; the arguments are described above.

        Raises:
            ValueError: an argument that is unknown, out of range, or does not fit the others.
        """
        one_of("action", action, ACTIONS)
        one_of("observation", observation, ("dict", "flat"))
        one_of("fill", fill, FILLS)
        if isinstance(dataset, str) and dataset == "synthetic":
            dataset, world = "us20", world or "mixed"
        made_up, market = read_world(world), read_market(dataset, assets)
        if made_up is not None and market.features:
            raise ValueError(
                f"The market has features ({', '.join(market.features)}), which belong to recorded days, but world = "
                f"{world!r} makes days up. Leave world away, or take dataclasses.replace(market, features={{}})."
            )
        if fill == "next_open" and (market.open is None or made_up is not None):
            raise ValueError('fill="next_open" needs opening prices, which this market does not have.')
        is_long_only = action in ("simplex", "softmax") or (action == "delta" and leverage is None)
        if action in ("simplex", "softmax") and leverage is not None:
            raise ValueError(f'leverage = {leverage!r} needs action="long_short" or "delta", not {action!r}.')
        leverage = number("leverage", 1.0 if leverage is None else leverage, 1e-6, 10.0)
        self.constraints = read_constraints(constraints, market.assets, market.groups, leverage, is_long_only)
        self.assets, self.market = market.assets, None if made_up is not None else market
        self.action, self.episodes = action, read_episodes(market, split, days, start, window, made_up is not None)
        parameters = Setting(
            read_costs(costs),
            made_up,
            cash_rate=cash_rate,
            delay=float(fill == "next_close"),
            value=value,
        )
        count, wanted = len(market.assets), read_reward(reward)
        dtypes = k.layout(*size_class(count, 0 if made_up is None else count * window))
        problem = Problem(
            parameters=parameters,
            observation_space=_observations(count, window, len(market.features), observation),
            action_space=_actions(count, action, leverage),
            state_dtype=dtypes[1],
            pack=functools.partial(
                _pack,
                dtype=dtypes[0],
                market=market,
                episodes=self.episodes,
                constraints=self.constraints,
                reward=wanted,
                action=ACTIONS.index(action),
                is_at_open=fill == "next_open",
            ),
            reset=k.reset,
            step=k.step,
            info={"reward_terms": tuple(wanted.terms), "signals": k.SIGNALS, "compliance": k.RULES},
            tables=tables(market, window, made_up is not None),
            notes=functools.partial(_name_market, market.digest),
        )
        super().__init__(problem, render_mode)
        self._history: NDArray[np.float64] | None = None  # of returns, when somebody asks
        benchmark = "benchmark" if made_up is None and market.benchmark is not None else "equal weights"
        self._dashboard = None if render_mode is None else Dashboard(self.assets, benchmark)

    @property
    def state(self) -> np.void:
        """A copy of the account as the kernels keep it, see `kernels.layout`; with what a synthetic market hides."""
        record: np.void = self._states[0].copy()
        return record

    @property
    def weights(self) -> NDArray[np.float64]:
        """The present weights, (N + 1,), cash last."""
        account, assets = self._states[0], len(self.assets)
        return np.array(np.append(account["holdings"][:assets], account["cash"]) / account["value"])

    @property
    def tradable(self) -> NDArray[np.bool_]:
        """Which assets can be traded today, (N,)."""
        return np.array(self._states["tradable"][0, : len(self.assets)] == TRADABLE)

    @property
    def day(self) -> int:
        """Today, as an index of the market's days; of the episode's, if it is made up."""
        return int(self._states["day"][0])

    def past(self, days: int) -> NDArray[np.float64]:
        """Return simple returns of the last ``days`` days, as many as are known, (D, N), today's last.

        NaN before an asset has a price and after it has its last; over a gap the last price stands. Of a synthetic
        market, the window is known, with 0 where there is no price.
        """
        if not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.past(days).")
        if self.market is None:
            window, assets = self.episodes.window, len(self.assets)
            ring = self._states["window"][0, : window * assets].reshape(window, assets)
            known = np.roll(ring, -(int(self._states["elapsed"][0]) % window), axis=0)[max(window - days, 0) :]
            return np.expm1(known.astype(np.float64))
        if self._history is None:
            self._history = history(self.market)[0]
        return self._history[max(self.day - days, 0) + 1 : self.day + 1].copy()

    def action_of(self, weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the action whose target is ``weights`` (N,), the rest being cash."""
        whole = np.append(weights, 1.0 - np.sum(weights))
        if self.action == "softmax":
            whole = np.log(np.maximum(whole, 1e-300))
            whole = np.maximum(whole - whole.max() + 10.0, -10.0)
        elif self.action != "simplex":
            whole = whole[:-1] - (self.weights[:-1] if self.action == "delta" else 0.0)
        space: Any = self.action_space
        action: NDArray[np.float32] = np.clip(whole, space.low, space.high).astype(np.float32)
        return action

    def load_state(self, state: State) -> None:
        """Continue from ``state``, see `KernelEnv.load_state`; the picture starts with it."""
        super().load_state(state)
        if self._dashboard is not None:
            account = self._states[0]
            drawdown = 1.0 - account["value"] / account["peak"]
            self._dashboard.restart()
            self._note(account["value"], account["benchmark"], drawdown, fee=0.0, turnover=0.0)

    def record(self, action: NDArray[Any] | None, reward: float, info: dict[str, Any]) -> None:
        """Note what has just happened."""
        if self._dashboard is not None:
            if action is None:
                self._dashboard.restart()
            s = info["signals"]
            self._note(s["value"], s["benchmark"], s["drawdown"], fee=s["fee"], turnover=s["turnover"])

    def _note(self, value: float, benchmark: float, drawdown: float, **trade: float) -> None:
        assert self._dashboard is not None
        self._dashboard.record(value / self._states["start"][0], benchmark, drawdown, self.weights, **trade)

    def frame(self) -> NDArray[np.uint8]:
        """Draw the account, uint8 of shape (600, 960, 3)."""
        if self._dashboard is None or not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.render().")
        when = f"day {self.day}" if self.market is None else str(self.market.dates[self.day])
        return self._dashboard.frame(when, float(self._states["value"][0]))


class PortfolioVectorEnv(KernelVectorEnv):
    """Many accounts, stepped by one call."""

    env_class = PortfolioEnv


def _name_market(digest: str, states: NDArray[np.void]) -> dict[str, NDArray[Any]]:
    return {"market": np.full(len(states), digest)}


def _observations(assets: int, window: int, features: int, kind: str) -> spaces.Space[Any]:
    shapes = {
        "conditions": (len(k.CONDITIONS),),
        **({"features": (window, assets, features)} if features else {}),
        "returns": (window, assets),
        "tradable": (assets,),
        "weights": (assets + 1,),
    }
    if kind == "flat":
        return spaces.Box(-BOUND, BOUND, (sum(int(np.prod(shape)) for shape in shapes.values()),), np.float32)
    return spaces.Dict({name: spaces.Box(-BOUND, BOUND, shape, np.float32) for name, shape in shapes.items()})


def _actions(assets: int, kind: str, leverage: float) -> spaces.Box:
    low, high, size = {
        "simplex": (0.0, 1.0, assets + 1),
        "softmax": (-10.0, 10.0, assets + 1),
        "long_short": (-leverage, leverage, assets),
        "delta": (-2.0 * leverage, 2.0 * leverage, assets),
    }[kind]
    return spaces.Box(low, high, (size,), np.float32)


def _pack(
    setting: Setting,
    *,
    dtype: np.dtype[np.void],
    market: Market,
    episodes: Episodes,
    constraints: Constraints,
    reward: Reward,
    action: int,
    is_at_open: bool,
) -> NDArray[np.void]:
    """Return the record of a task, shape ()."""
    task, assets = np.zeros((), dtype), len(market.assets)
    task["assets"], task["action"], task["ruin"] = assets, action, 0.01
    for name in ("window", "first", "last", "days", "is_anywhere"):
        task[name] = getattr(episodes, name)
    task["value"], task["cash_rate"] = setting.value, setting.cash_rate
    task["is_at_open"], task["delay"] = is_at_open, setting.delay
    pack_costs(task, setting.costs, market.assets)
    pack_world(setting.world, task)
    task["lower"][:assets], task["upper"][:assets] = constraints.lower, constraints.upper
    task["net_lower"], task["net_upper"] = constraints.net
    for name in ("gross", "turnover", "band", "lot", "ticket"):
        task[name] = getattr(constraints, name)
    if setting.costs.fixed > 0.0:  # no ticket is paid for what single precision cannot tell apart
        task["band"] = max(constraints.band, k.DUST)
    names = list(constraints.groups)
    groups = market.groups or ("",) * assets
    task["group"][:assets] = [names.index(group) if group in names else -1 for group in groups]
    task["groups"], task["cap"][: len(names)] = len(names), list(constraints.groups.values())
    task["terms"] = len(reward.terms)
    for place, (name, weight) in enumerate(reward.terms.items()):
        task["term"][place], task["weight"][place] = k.TERMS.index(name), weight
    task["aversion"], task["rate"], task["tail"] = reward.aversion, reward.rate, reward.tail
    return task
