"""The parameters of a packing task."""

from __future__ import annotations

import dataclasses

from ...core import Parameters, quantity


@dataclasses.dataclass(frozen=True)
class Packing(Parameters):
    """How tight a packing must be, and what generated instances are like."""

    slack: float = quantity(
        0.0, "1", "capacity beyond the instance's own, as a share of it; 0 is hardest", low=0.0, high=1.0
    )
    temporal: float = quantity(
        0.5, "1", "share of the cuts that divide lifetimes, the others divide sizes; generated instances only",
        low=0.05, high=0.95,
    )  # fmt: skip
    buffers: int = quantity(32, "1", "buffers of an instance", low=1, high=2**14, varies=False)
