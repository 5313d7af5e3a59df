"""Policies that play the opponent: they are asked between two steps of the kernel.

A policy must choose by observation and info alone. What else it remembered would be no part of the environment's state,
and rows of a vector environment share it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..core import Policy, read_policy
from ..core.problem import Observations, copier
from . import kernels as k
from .opponents import PASS
from .records import ACTIONS, POLICY, POOL, RULES, Array

#: A policy, or only its ``act``.
Act = Callable[[Any, dict[str, Any]], Any]
#: Who may play the opponent: a rule's name, a policy's file, a policy; or several, of whom each episode draws one.
One = str | os.PathLike[str] | Policy | Act
Opponent = One | list[One] | tuple[One, ...]

#: So often is a policy asked in a row before the turn passes without. Two decisions are enough: a potion and a move.
PATIENCE = 8

_SIGNALS = k.INFO_NAMES["signals"]
_TURN = _SIGNALS.index("turn") - len(_SIGNALS)


class Member(NamedTuple):
    """One who may play the opponent."""

    rule: int
    """One of `records.RULES`, or `records.POLICY`."""
    name: str
    act: Act | None = None
    """The policy's."""
    is_batched: bool = False
    """Whether it takes a batch of observations."""


def enlist(opponent: Opponent, space: spaces.Dict) -> tuple[Member, ...]:
    """Return who may play the opponent.

    Args:
        opponent: who is meant.
        space: of the observations that policies will be shown.

    Raises:
        ValueError: nobody, too many, or somebody who cannot play; says what can.
    """
    pool = opponent if isinstance(opponent, list | tuple) else (opponent,)
    if not 1 <= len(pool) <= POOL:
        raise ValueError(f"opponent = a pool of {len(pool)}: it must have from 1 to {POOL} members.")
    if len(pool) > 1 and "external" in pool:
        raise ValueError("opponent = a pool with 'external': that one can only be alone.")
    return tuple(_enlist(one, space) for one in pool)


def _enlist(one: One, space: spaces.Dict) -> Member:
    if isinstance(one, str) and one in RULES:
        return Member(RULES[one], one)
    policy: Policy | Act
    if isinstance(one, str | os.PathLike):
        if not Path(one).exists():
            raise ValueError(f"opponent = {one!r} is unknown: it is no policy's file. Allowed: {', '.join(RULES)}.")
        policy = read_policy(one)
        _try(policy.act, str(one), space)
    else:
        policy = one
    act = getattr(policy, "act", policy)
    if not callable(act):
        raise ValueError(
            f"opponent = {one!r} cannot play. Allowed are the name of a rule ({', '.join(RULES)}), a policy's file, an "
            "object with act(observation, info), and lists of these."
        )
    return Member(POLICY, str(one), act, bool(getattr(policy, "is_batched", False)))


def _try(act: Act, name: str, space: spaces.Dict) -> None:
    """Refuse a policy that has learned from other observations before a game begins."""
    mask = np.ones(ACTIONS, np.int8)
    observation = {key: box.low.copy() for key, box in space.items() if isinstance(box, spaces.Box)}
    try:
        action = act(observation | {"action_mask": mask}, {"action_mask": mask})
    except Exception as error:
        raise ValueError(
            f"opponent = {name!r} cannot read this game's observations ({type(error).__name__}: {error}). Pass the obs "
            "that it was trained with."
        ) from error
    _check(name, np.array([action]), 1)


def _check(name: str, actions: Array, count: int) -> None:
    if actions.shape != (count,) or actions.dtype.kind not in "iu" or not ((0 <= actions) & (actions < ACTIONS)).all():
        raise ValueError(
            f"The opponent {name} answers {actions!r:.80} to {count} observations; that many whole numbers from 0 to "
            f"{ACTIONS - 1} are needed."
        )


class Answering:
    """A step after which policies answer, until it is the npc's turn again. It is called as the kernel is."""

    def __init__(self, step: Callable[..., None], members: tuple[Member, ...], actor: int, space: spaces.Dict) -> None:
        """Let ``members`` answer to ``step`` as the opponent, who is ``actor``; observations are those of ``space``."""
        self._step, self._members, self._actor = step, members, actor
        self._observations = Observations(space)

    def __call__(
        self, states: Array, rows: Array, actions: Array, active: Array, observation: Any, values: Array, mask: Array
    ) -> None:
        """Step every active row, see `core.Problem`."""
        self._step(states, rows, actions, active, observation, values, mask)
        answers = np.empty(actions.shape)
        for decision in range(PATIENCE + 1):
            waiting = active & (values[_TURN] == self._actor)
            if not waiting.any():
                return
            answers[:] = PASS
            if decision < PATIENCE:
                for number, member in enumerate(self._members):
                    asked = np.flatnonzero(waiting & (states["member"][:, self._actor] == number))
                    if member.act is not None and asked.size:
                        answers[asked, 0] = self._ask(member, asked, observation, values, mask)
            k.answer(states, rows, answers, waiting, observation, values, mask)

    def _ask(self, member: Member, rows: Array, observation: Any, values: Array, mask: Array) -> Array:
        """Return what a policy does in so many rows."""
        assert member.act is not None
        if member.is_batched and len(mask) > 1:
            chosen = np.asarray(member.act(*self._seen(rows, observation, values, mask)))
        else:
            chosen = np.array([member.act(*self._seen(row, observation, values, mask)) for row in rows.tolist()])
        _check(member.name, chosen, len(rows))
        return chosen

    def _seen(self, rows: Any, observation: Any, values: Array, mask: Array) -> tuple[Any, dict[str, Any]]:
        """Return the observation and the info of a row, or those of several, stacked."""
        shown = copier(self._observations.views(observation, rows))()
        signals = values[-len(_SIGNALS) :, rows]
        signals = signals.tolist() if signals.ndim == 1 else signals
        return shown, {"signals": dict(zip(_SIGNALS, signals, strict=True)), "action_mask": mask[rows].copy()}
