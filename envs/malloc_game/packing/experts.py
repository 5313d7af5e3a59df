"""Experts: how planners choose offsets, and a solver.

A factory takes the environment, wrapped or not, and returns a policy: ``reset()`` at the start of each episode, then
``act(observation, info)``.
"""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import DependencyNotInstalled

from .env import MallocPackingEnv

Env = gymnasium.Env[Any, Any]


class FirstFit:
    """Takes the lowest place."""

    def __init__(self, env: Env) -> None:
        """Pack in ``env``."""
        _packing(env)

    def reset(self) -> None:
        """Do nothing: there is no memory."""

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """Return the action."""
        return 0


class BestFit(FirstFit):
    """Takes the lower end of the smallest gap; of several the lowest. As in XLA the last gap counts as endless."""

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """Return the action."""
        candidates = observation["candidates"]
        is_upper_end = candidates[:, 2] != 0.0
        lower_ends = np.flatnonzero((info["action_mask"] != 0) & ~is_upper_end)
        *others, last = lower_ends.tolist()
        return min(others, key=candidates[:, 1].item, default=last)


class MostContact(FirstFit):
    """Takes the place where the buffer touches most of what is there, of those that add the least overflow."""

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """Return the action."""
        candidates = observation["candidates"]
        worth = candidates[:, 3] + candidates[:, 4] - 10.0 * candidates[:, 5]
        return int(np.argmax(np.where(info["action_mask"] != 0, worth, -np.inf)))


class CpSat:
    """Lets OR-Tools' CP-SAT find a packing that fits, and follows it.

    Offsets are such that each buffer, when its turn comes, lies on an earlier one or hangs from one (or lies at offset
    0, or ends at the capacity): where its places are. If it is not offered that place, because there are more than it
    is offered, another plan is made, with what has been placed fixed. Without a plan the place is `BestFit`'s.
    """

    def __init__(self, env: Env, effort: float = 5.0) -> None:
        """Pack in ``env``.

        Args:
            env: the environment.
            effort: how long to search for a plan, in CP-SAT's deterministic time: the same plan on every machine, after
                some seconds each.

        Raises:
            DependencyNotInstalled: OR-Tools is missing.
        """
        try:
            self._cp = importlib.import_module("ortools.sat.python.cp_model")
        except ImportError:
            raise DependencyNotInstalled('CP-SAT needs OR-Tools: pip install "rlx[packing]"') from None
        self._env, self._effort, self._fallback = _packing(env), effort, BestFit(env)
        self._plan: list[int] | None = None
        self._is_planned = False
        self.status = ""
        """What CP-SAT said of the last plan: OPTIMAL, FEASIBLE, INFEASIBLE (there is none), or UNKNOWN."""

    def reset(self) -> None:
        """Forget the plan."""
        self._plan, self._is_planned = None, False

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """Return the action."""
        places, buffer = self._env.places, int(self._env.turns[self._env.placed])
        if not self._is_planned or (self._plan is not None and self._plan[buffer] not in places):
            self._plan, self._is_planned = self._solve(places), True
        if self._plan is None:
            return self._fallback.act(observation, info)
        return places.index(self._plan[buffer])

    def _solve(self, places: list[int]) -> list[int] | None:
        """Return an offset for each buffer, the next one's among ``places``; None where none is found."""
        instance, turns, cp = self._env.instance, self._env.turns.tolist(), self._cp
        buffers, limit = instance.buffers, instance.capacity
        model, offsets, lives, rooms = cp.CpModel(), [], [], []
        for b in buffers:
            low, high = (0, limit - b.size) if b.offset is None else (b.offset, b.offset)
            # Only a packing that exceeds the capacity has such offsets: there is no plan then.
            if high + b.size > limit:
                return None
            offsets.append(model.new_int_var(low, high, f"offset of {b.id}"))
            lives.append(model.new_fixed_size_interval_var(b.lower, b.upper - b.lower, f"life of {b.id}"))
            rooms.append(model.new_fixed_size_interval_var(offsets[-1], b.size, f"room of {b.id}"))
        model.add_no_overlap_2d(lives, rooms)
        model.add_allowed_assignments([offsets[turns[self._env.placed]]], [[place] for place in places])
        for turn in range(self._env.placed + 1, len(turns)):
            b, offset = buffers[turns[turn]], offsets[turns[turn]]
            contacts = [0, limit - b.size]
            for other in turns[:turn]:
                if buffers[other].lower < b.upper and buffers[other].upper > b.lower:
                    contacts += [offsets[other] + buffers[other].size, offsets[other] - b.size]
            choices = [model.new_bool_var(f"contact {i} of {b.id}") for i in range(len(contacts))]
            for contact, is_chosen in zip(contacts, choices, strict=True):
                model.add(offset == contact).only_enforce_if(is_chosen)
            model.add_bool_or(choices)
        solver = cp.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = self._effort
        solver.parameters.use_timetabling_in_no_overlap_2d = True
        solver.parameters.use_energetic_reasoning_in_no_overlap_2d = True
        status = solver.solve(model)
        self.status = solver.status_name(status)
        return [solver.value(offset) for offset in offsets] if status in (cp.OPTIMAL, cp.FEASIBLE) else None


def greedy_size(env: Env) -> FirstFit:
    """Return the planner of TFLite: buffers by size, each at the lowest offset where it fits.

    The environment sets the order, so that this is first fit in the order ``size``.

    Raises:
        ValueError: the environment has another order.
    """
    order = _packing(env).order
    if order != "size":
        raise ValueError(
            f"greedy_size takes buffers by size, but they come in the order {order!r}. Make the environment with "
            "order='size', or take first_fit."
        )
    return FirstFit(env)


def first_fit(env: Env) -> FirstFit:
    """Return first fit: the lowest place, in the environment's order."""
    return FirstFit(env)


def best_fit(env: Env) -> BestFit:
    """Return best fit: the lower end of the smallest gap."""
    return BestFit(env)


def most_contact(env: Env) -> MostContact:
    """Return the rule of the touching perimeter (Lodi, Martello, Vigo 1999): where the buffer touches most."""
    return MostContact(env)


def cp_sat(env: Env, effort: float = 5.0) -> CpSat:
    """Return a planner on OR-Tools' CP-SAT, see `CpSat`."""
    return CpSat(env, effort)


def _packing(env: Env) -> MallocPackingEnv:
    """Return the environment without its wrappers.

    Raises:
        ValueError: it is no packing.
    """
    bare = env.unwrapped
    if not isinstance(bare, MallocPackingEnv):
        raise ValueError(f"These experts pack buffers (rlx/MallocPacking-v0); {env} is something else.")
    return bare
