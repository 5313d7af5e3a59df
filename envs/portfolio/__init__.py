"""Portfolio optimisation: how wealth is spread over assets, with exact accounting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import lazily

if TYPE_CHECKING:
    from .accounting import Backtest, backtest
    from .env import PortfolioEnv, PortfolioVectorEnv
    from .loading import load
    from .market import Market
    from .us20 import shipped

__all__ = ["FAMILY", "Backtest", "Market", "PortfolioEnv", "PortfolioVectorEnv", "backtest", "load", "shipped"]

__getattr__ = lazily(
    __name__,
    {
        "Backtest": "accounting",
        "Market": "market",
        "PortfolioEnv": "env",
        "PortfolioVectorEnv": "env",
        "backtest": "accounting",
        "load": "loading",
        "shipped": "us20",
    },
)

_EXPERTS = (
    "equal_weight", "equal_weight_daily", "buy_and_hold", "inverse_volatility", "minimum_variance", "max_sharpe",
    "risk_parity", "hrp", "max_diversification", "min_cvar", "exponentiated_gradient", "olmar",
)  # fmt: skip
_KNOWING = ("optimum", *_EXPERTS)

#: Markets in which a learner can show that it learns, for there is much to gain and the most is known.
PAIR: dict[str, Any] = {
    "world": {"kind": "pair", "spread": 0.2, "half_life": 10.0}, "assets": 2, "window": 20, "costs": 0.0,
}  # fmt: skip
REGIMES: dict[str, Any] = {
    "world": {"kind": "regimes", "tilt": 1.0, "stay_calm": 0.97, "stay_stress": 0.97},
    "assets": 4, "window": 10, "costs": 0.0,
}  # fmt: skip


def _environment(name: str, summary: str, experts: tuple[str, ...] = _EXPERTS, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"rlx/Portfolio{name}-v0",
        "entry_point": f"{__name__}.env:PortfolioEnv",
        "vector_entry_point": f"{__name__}.env:PortfolioVectorEnv",
        "summary": summary,
        "tags": ("continuous", "finance"),
        "paper": "https://arxiv.org/abs/2403.07916",
        "experts": {expert: f"{__name__}.experts:{expert}" for expert in experts},
        **fields,
    }


FAMILY: dict[str, Any] = {
    "name": "portfolio",
    "extra": "portfolio",
    "title": "Portfolio optimisation",
    "environments": (
        _environment("", "Spread wealth over twenty stocks day by day, with exact costs."),
        _environment(
            "Synthetic", "The same in markets that are made up, each episode another.", kwargs={"dataset": "synthetic"}
        ),
        _environment(
            "Pair", "Two assets whose prices return to each other; the best weights are known.", _KNOWING, kwargs=PAIR
        ),
        _environment(
            "Regimes", "Four assets in two regimes that are seen; the best weights are known.", _KNOWING, kwargs=REGIMES
        ),
    ),
    "commands": {"portfolio": f"{__name__}.commands:app"},
}
