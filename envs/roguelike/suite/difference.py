"""What a policy does otherwise under another design, on the same episodes."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from ..design import design_id
from ..params import Design
from .bench import RESULTS
from .episodes import FIRST_SEED, Setup, play
from .statistics import Estimate, bracket, mcnemar, paired_shares, shares, wilson


class Change(NamedTuple):
    """A quantity under two designs: shares of episodes (win, loss, timeout), or means per episode."""

    before: Estimate
    after: Estimate
    difference: Estimate


@dataclasses.dataclass(frozen=True)
class Difference:
    """A policy under two designs."""

    policy: str
    setup: Setup
    episodes: int
    first_seed: int
    designs: tuple[tuple[str, str], tuple[str, str]]
    """Name and id of the one before and the one after."""
    changes: dict[str, Change]
    """By what is measured, see `episodes.Episodes`; items that a design does not have count as not used."""
    p_value: float
    """Of equally many wins: McNemar's exact test."""


def compare(
    policy: str,
    before: Design,
    after: Design,
    setup: Setup | None = None,
    episodes: int = 1000,
    first_seed: int = FIRST_SEED,
) -> Difference:
    """Play the same episodes under two designs; see `episodes.play`."""
    setup = setup or Setup()
    old, new = (play(policy, design, setup, episodes, first_seed) for design in (before, after))
    none, drawn = np.zeros(episodes), shares(episodes)
    changes = {}
    for name in dict.fromkeys((*old, *new)):
        a, b = old.get(name, none), new.get(name, none)
        if name in RESULTS:
            changes[name] = Change(wilson(a.sum(), episodes), wilson(b.sum(), episodes), paired_shares(b, a))
        else:
            means = (bracket(values.mean(), drawn @ values) for values in (a, b, b - a))
            changes[name] = Change(*means)
    designs = (before.name, design_id(before)), (after.name, design_id(after))
    return Difference(policy, setup, episodes, first_seed, designs, changes, mcnemar(new["win"], old["win"]))
