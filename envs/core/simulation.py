"""Environments whose state is a Python object: the `Problem` of a transition that no kernel can be.

A `Simulation` is a value to whoever holds a saved state: it is shared, and copied before it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .parameters import Parameters
from .problem import state_dtype
from .random import integer

#: The record of a state that is a Python object: random stream, the seed that `reset` was given, the object, and
#: whether others hold it too.
SIMULATION = state_dtype(("seed", np.int64), ("simulation", object), ("is_shared", np.bool_))
#: No seed was given: the instance is drawn from the environment's random stream.
NO_SEED = -1
#: Instances that are drawn have seeds below.
SEEDS = 2**31


class Simulation(Protocol):
    """An episode in progress. It can be pickled, and draws from no random stream but its own."""

    def copy(self) -> Any:
        """Return another one with the same future."""

    def step(self, action: list[float]) -> None:
        """Take a step."""

    def report(self, observation: Any, values: NDArray[np.float64], action_mask: NDArray[np.int8]) -> None:
        """Say what a step, or the start, has led to.

        Args:
            observation: a row of what `Problem` says, to be filled: an array, or one per dtype.
            values: shape (V,), to be filled; zero before the first step.
            action_mask: shape (M,), to be filled.
        """


#: Starts the instance of a seed.
Start = Callable[[int, Any], Simulation]


def as_record(parameters: Parameters) -> NDArray[np.void]:
    """Return the record that holds ``parameters``, see `Problem.pack`."""
    return np.array((parameters,), [("parameters", object)])


def handed_out(states: NDArray[np.void]) -> NDArray[np.void]:
    """Return a copy of ``states``; simulations are in both from now on."""
    if states.dtype.hasobject:
        states["is_shared"] = True
    return states.copy()


class Simulations:
    """What `Problem.reset` and `Problem.step` are where states are `SIMULATION` records.

    ``reset(seed=k)`` starts the instance k; without a seed the environment's random stream draws one.
    """

    def __init__(self, start: Start) -> None:
        """Run what ``start(seed, parameters)`` returns."""
        self._start = start

    def reset(self, states: NDArray[np.void], rows: NDArray[np.void], active: NDArray[np.bool_], *outputs: Any) -> None:
        """Start an episode in every active row."""
        for i in np.flatnonzero(active).tolist():
            seed = int(states["seed"][i])
            states["seed"][i] = NO_SEED
            if seed == NO_SEED:
                seed = integer(states["rng"][i], SEEDS)
            states["simulation"][i] = None  # what it holds may be needed for the next
            states["simulation"][i] = self._start(seed, rows["parameters"][min(i, len(rows) - 1)])
            states["is_shared"][i] = False
            _report(states["simulation"][i], i, *outputs)

    def step(
        self,
        states: NDArray[np.void],
        rows: NDArray[np.void],
        actions: NDArray[np.float64],
        active: NDArray[np.bool_],
        *outputs: Any,
    ) -> None:
        """Step every active row."""
        simulations, is_shared = states["simulation"], states["is_shared"]
        for i, (is_active, action) in enumerate(zip(active.tolist(), actions.tolist(), strict=True)):
            if not is_active:
                continue
            if is_shared[i]:
                simulations[i] = simulations[i].copy()
                is_shared[i] = False
            simulations[i].step(action)
            _report(simulations[i], i, *outputs)


def _report(simulation: Simulation, i: int, observation: Any, values: Any, action_mask: Any) -> None:
    is_one = isinstance(observation, np.ndarray)
    row = observation[i] if is_one else [part[i] for part in observation]
    simulation.report(row, values[:, i], action_mask[i])
