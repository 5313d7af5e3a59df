"""Curriculum DQN (Gur et al. 2019, https://arxiv.org/abs/1812.09195): episodes that are easy at first.

An oracle plays the beginning of an episode, a part that shrinks as training goes on, and the learner is shown how
(lead), or is not (warm start). Or a part of the goal is enough, one that grows (subgoals). Warm start and subgoals are
parameters of the environment's context, which each training episode sets anew; evaluation never does. The learner is
`DQN` with the network of `rlx.baselines.qweb`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import dqn
from .training import Rules, check_args

WARM_START, SUBGOALS = "warm_start", "subgoal_fields"  # the parameters of a context


@dataclasses.dataclass(frozen=True)
class Args(dqn.Args):
    """The arguments of `CurriculumDQN`: those of `DQN`, with defaults that suit small pages, and some more."""

    steps: int = 150_000
    """Steps of training, over all environments."""
    num_envs: int = 32
    """Environments stepped together."""
    network: str = "qweb"
    """What reads the pages: qweb, qweb-alone (no LSTM), or qweb-overlap (told which words of fields occur where)."""
    gamma: float = 0.8
    """Discount per step; the lower, the more is lost by an action that does nothing."""
    n_steps: int = 3
    """Rewards that are seen before the target network tells the rest; with 1, early choices learn late."""
    episode_steps: int = 12
    """Cut training episodes off after so many steps, for more variety; 0 leaves the environment's own horizon."""
    replay_size: int = 50_000
    """Steps remembered; the oldest go first."""
    priority_exponent: float = 0.6
    """Draw transitions in proportion to this power of their last error, for success is rare at first; 0: uniformly."""
    update_ratio: float = 0.05
    """Updates per step of one environment; with many more, pages are learned by heart."""
    warmup: int = 500
    """Steps with uniformly random actions before the first update."""
    tau: float = 0.03
    """How far the target network moves towards the learned one per update."""
    epsilon_end: float = 0.05
    """Probability of a random action from `epsilon_fraction` of the steps on; it falls linearly to that."""
    epsilon_fraction: float = 0.6
    """Fraction of the steps over which it falls."""
    lead: float = 0.0
    """At first, the oracle leads a training episode, and goes on with each step with this probability; it falls to 0
    linearly. What it does is learned from."""
    warm_start: float = 0.0
    """At first, training episodes begin with this share of the oracle's actions done, unseen; it falls to 0."""
    subgoals: int = 0
    """At first, one control is the goal of a training episode; their number grows to this one. 0: always all."""
    curriculum_fraction: float = 0.6
    """Fraction of the steps after which training episodes are whole, and nobody leads."""
    reward: str = ""
    """Argument `reward` of the training environments; empty: as everywhere."""
    dense: bool = False
    """Argument `dense` of the training environments, with this discount: progress is rewarded, too."""

    def __post_init__(self) -> None:
        """Refuse values that no run can use.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        super().__post_init__()
        rules: Rules = (
            ("lead warm_start", lambda v: 0 <= v <= 1, "between 0 and 1"),
            ("subgoals", lambda v: v >= 0, "at least 0"),
            ("curriculum_fraction", lambda v: 0 < v <= 1, "more than 0 and at most 1"),
        )
        check_args("qweb", self, rules)


class CurriculumDQN(dqn.DQN):
    """A run of DQN whose training episodes are easy at first."""

    args: Args

    def __init__(self, env_id: str, env_kwargs: Mapping[str, Any] | None = None, args: Args | None = None) -> None:
        """Make the environments and a fresh network; the arguments are those of `DQN`.

        Raises:
            TypeError: spaces that the network cannot read, or a curriculum that the environment does not know.
        """
        args = args or Args()
        self.led = np.ones(args.num_envs, np.bool_)  # rows in which the oracle has led from the beginning
        super().__init__(env_id, _in_training(env_kwargs, args), args)
        if args.lead > 0 and not hasattr(self.envs, "solve"):
            raise TypeError(f"There is nobody to lead: {env_id} has no oracle. Leave lead at 0.")

    def change_envs(self, env_kwargs: Mapping[str, Any]) -> None:
        """Go on in other environments, see `DQN.change_envs`."""
        super().change_envs(_in_training(env_kwargs, self.args))

    def _left(self) -> float:
        """Return how much of the curriculum is left, from 1 to 0."""
        return max(1.0 - self._progress() / self.args.curriculum_fraction, 0.0)

    def _context(self) -> dict[str, Any]:
        """Return the context of the next episodes; empty as soon as they are whole. Values may have the shape (N,)."""
        args = self.args
        left = self._left()
        context: dict[str, Any] = {}
        if left > 0 and args.warm_start > 0:
            context[WARM_START] = args.warm_start * left
        if left > 0 and args.subgoals > 0:
            context[SUBGOALS] = 1.0 + int(args.subgoals * (1.0 - left))
        return context

    def _choose(self) -> dqn.Choice:
        choice, lead = super()._choose(), self.args.lead * self._left()
        if lead == 0:
            return choice
        self.led &= self.random.random(self.args.num_envs) < lead
        rows = self.led & choice.live
        if rows.any():
            solved = self.envs.solve(rows)  # type: ignore[attr-defined]
            choice.action[rows] = solved - self.action_space.start
        return choice._replace(example=rows)

    def _reset(self) -> None:
        super()._reset()
        self.led[:] = True
        self._begin(np.ones(self.args.num_envs, np.bool_))

    def _act(self) -> None:
        begun = self.ended  # rows whose next step only resets them, to a whole episode
        super()._act()
        self.led |= begun
        self._begin(begun)

    def _begin(self, rows: NDArray[np.bool_]) -> None:
        """Let the episodes that have just begun in ``rows`` (N,) begin again, as the curriculum has it."""
        if rows.any() and (context := self._context()):
            known = tuple(getattr(self.envs, "context_space", ()))
            for name in context:
                if name not in known:
                    allowed = ", ".join(known) or "none"
                    raise TypeError(f"A curriculum needs the context {name!r}, but {self.env_id} has: {allowed}.")
            self._see(*self.envs.reset(options={"reset_mask": rows, "context": context}))

    def _state(self) -> dict[str, Any]:
        return super()._state() | {"led": self.led}

    def _restore(self, checkpoint: Mapping[str, Any]) -> None:
        super()._restore(checkpoint)
        self.led = checkpoint["led"]


def _in_training(env_kwargs: Mapping[str, Any] | None, args: Args) -> dict[str, Any]:
    """Return the keyword arguments of environments that reward as ``args`` says."""
    kwargs = dict(env_kwargs or {})
    if args.reward:
        kwargs["reward"] = args.reward
    if args.dense:
        kwargs |= {"dense": True, "parameters": {"discount": args.gamma, **kwargs.get("parameters", {})}}
    return kwargs
