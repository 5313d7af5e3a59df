"""What may vary from one episode on a page to the next."""

from __future__ import annotations

import dataclasses

from ..core import Parameters, quantity

_ANY = (0.0, 1e9)  # a context may choose from the whole range


@dataclasses.dataclass(frozen=True)
class Browsing(Parameters):
    """The clock of a page, which is no clock on a wall, and how much of the task is left to the agent."""

    step_ms: float = quantity(300.0, "ms", "time that passes with each action", low=0.0, high=60e3, spread=(0.0, 4.0))
    limit_ms: float = quantity(10e3, "ms", "time after which the task is lost", low=1.0, high=3600e3)
    warm_start: float = quantity(
        0.0,
        "1",
        "share of the oracle's actions that is played at the start",
        low=0.0,
        high=1.0,
        spread=_ANY,
    )
    subgoal_fields: float = quantity(
        0.0, "1", "number of inputs that are the goal, rounded down; 0: the whole task", low=0.0, high=32.0, spread=_ANY
    )
    discount: float = quantity(0.99, "1", "discount of the potential", low=0.0, high=1.0, varies=False)
