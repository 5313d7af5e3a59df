"""What the clauses of the contract stand on: playing an environment, and saying where two outcomes part."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium
import numpy as np

from .experts import RandomPolicy

STEPS = 40  # how long two futures are compared

Env = gymnasium.Env[Any, Any]


class Broken(Exception):
    """A clause does not hold; carries the rest of the sentence that `ContractError` begins."""


def need(holds: object, complaint: str) -> None:
    """Break the clause with ``complaint`` unless it holds."""
    if not holds:
        raise Broken(complaint)


def need_same(one: Any, other: Any, what: str) -> None:
    """Break the clause unless two values are the same bit for bit; ``what`` goes before where they part."""
    parted = difference(one, other)
    need(not parted, f"{what}: {parted}")


@dataclasses.dataclass
class Moment:
    """What `reset` or `step` returned."""

    observation: Any
    info: dict[str, Any]
    reward: Any = 0.0
    terminated: Any = False
    truncated: Any = False

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return bool(self.terminated or self.truncated)


def begin(env: Env, seed: int | None = None, context: Mapping[str, Any] | None = None) -> Moment:
    """Start an episode."""
    return Moment(*env.reset(seed=seed, options=None if context is None else {"context": dict(context)}))


def advance(env: Env, action: Any) -> Moment:
    """Take a step."""
    observation, reward, terminated, truncated, info = env.step(action)
    return Moment(observation, info, reward, terminated, truncated)


def play(env: Env, moment: Moment, steps: int = STEPS) -> list[Moment]:
    """Go on from ``moment`` with random actions, always the same ones, episode after episode.

    Returns:
        The ``steps`` moments that follow; after an episode's end comes the next one's start.
    """
    policy = RandomPolicy(env, seed=0)
    moments = []
    for _ in range(steps):
        moment = begin(env) if moment.over else advance(env, policy.act(moment.observation, moment.info))
        moments.append(moment)
    return moments


def begin_and_play(env: Env, seed: int | None = None, context: Mapping[str, Any] | None = None) -> list[Moment]:
    """Start an episode and go on from there; the start comes first."""
    moment = begin(env, seed, context)
    return [moment, *play(env, moment)]


def difference(one: Any, other: Any, at: str = "") -> str:
    """Return where two values part and how, e.g. ``"[3].observation[0] is 0.5 and 0.25"``; empty if nowhere.

    Numbers must agree bit for bit. Python's and NumPy's count as the same, and so do integers of another width.
    """
    if isinstance(one, Moment) and isinstance(other, Moment):
        return _first(difference(vars(one)[name], vars(other)[name], f"{at}.{name}") for name in vars(one))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            return f"{at or 'the dict'} has the keys {sorted(map(str, one))} and {sorted(map(str, other))}"
        return _first(difference(one[key], other[key], f"{at}[{key!r}]") for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return f"{at or 'the sequence'} has {len(one)} and {len(other)} items"
        return _first(difference(a, b, f"{at}[{i}]") for i, (a, b) in enumerate(zip(one, other, strict=True)))
    left, right = np.asarray(one), np.asarray(other)
    if left.dtype == right.dtype == object:
        if left.ndim and right.ndim:
            return difference(list(left), list(right), at)
        return "" if one == other else f"{at or 'it'} is {one!r} and {other!r}"
    if left.shape != right.shape or left.dtype.kind != right.dtype.kind:
        return f"{at or 'it'} is {left.dtype}{list(left.shape)} and {right.dtype}{list(right.shape)}"
    if left.dtype.kind != "f":
        return _first(_parted(a, b, index, at) for index, a, b in _elements(left, right) if a != b)
    if left.dtype != right.dtype:
        return f"{at or 'it'} is {left.dtype} and {right.dtype}"
    if left.tobytes() == right.tobytes():
        return ""
    return _first(_parted(a, b, index, at) for index, a, b in _elements(left, right) if a.tobytes() != b.tobytes())


def _elements(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> Iterable[tuple[tuple[int, ...], Any, Any]]:
    return ((index, left[index], right[index]) for index in np.ndindex(left.shape))


def _parted(one: Any, other: Any, index: tuple[int, ...], at: str) -> str:
    return f"{at}{list(index) if index else ''} is {one} and {other}".strip()


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")
