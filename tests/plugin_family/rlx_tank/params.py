"""The parameters of a tank."""

import dataclasses

from rlx.envs.core import Parameters, quantity


@dataclasses.dataclass(frozen=True)
class Tank(Parameters):
    """An upright tank with a hole near the bottom."""

    area: float = quantity(0.5, "m^2", "cross-section of the tank", low=0.1, high=10.0)
    hole: float = quantity(0.002, "m^2", "cross-section of the hole", low=0.0, high=0.01)
    inflow: float = quantity(0.02, "m^3/s", "flow through the open valve", low=0.001, high=0.1)
    rain: float = quantity(0.002, "m^3/s", "the most that rain adds", low=0.0, high=0.01)
    height: float = quantity(2.0, "m", "height of the wall", low=0.5, high=10.0, varies=False)
