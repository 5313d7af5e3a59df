"""What may vary from one episode on a page to the next."""

from __future__ import annotations

import dataclasses
from typing import Any

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

    writing = 0.0  # no parameter: there is nothing to write


def _knob(default: float, meaning: str, low: float, high: float) -> Any:
    """Declare a measure of difficulty: a context may make an episode easier than the environment is, not harder."""
    return quantity(default, "1", f"{meaning}, rounded", low=low, high=high, spread=(0.0, 1.0), from_zero=0.0)


@dataclasses.dataclass(frozen=True)
class WritableBrowsing(Browsing):
    """What tasks may vary besides whose instruction says what controls are to hold, see `writing`."""

    writing: float = quantity(
        0.0,
        "1",
        "0: the task; 1: write the instruction of a page; 2: write it, then do it; rounded",
        low=0.0,
        high=2.0,
        spread=_ANY,
    )


@dataclasses.dataclass(frozen=True)
class FormBrowsing(WritableBrowsing):
    """What form-n may vary besides."""

    n: float = _knob(30.0, "most elements that the page may have", 8.0, 100.0)


@dataclasses.dataclass(frozen=True)
class SiteBrowsing(Browsing):
    """What multi-page may vary besides."""

    pages: float = _knob(3.0, "pages that the parts of the form are dealt to, at most one per part", 1.0, 5.0)
    navigation: float = _knob(4.0, "links in the navigation bar, one of which leads to the form; 0: no bar", 0.0, 8.0)
    distractors: float = _knob(2.0, "things on each page that are of no use", 0.0, 8.0)
    login: float = _knob(1.0, "1: the form asks for a name and a password", 0.0, 1.0)
    address: float = _knob(1.0, "1: it asks for an address", 0.0, 1.0)
    payment: float = _knob(1.0, "1: it asks for a card", 0.0, 1.0)
    cabin: float = _knob(1.0, "1: it asks for a cabin, a seat and an insurance", 0.0, 1.0)
    dates: float = _knob(1.0, "1: it asks for two dates", 0.0, 1.0)
