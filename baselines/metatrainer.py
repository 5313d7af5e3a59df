"""A meta-trainer for tasks without an expert (Gur et al. 2019, https://arxiv.org/abs/1812.09195).

An environment whose context has ``writing`` can act on a page at random, and then ask for the instruction that leads to
the state it has reached. INET, a DQN, learns to write it. From then on it writes the instructions of training episodes:
their pages start anew, and QWeb has to do what was written. It is rewarded densely, by how much of the state is reached
again. So neither the task's reward nor anybody who can solve it is needed. What the paper leaves open is ours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import curriculum
from .dqn import Choice
from .training import Rules, check_args

#: The parameter of a context, and its values.
WRITING, TASK, WRITE, WRITE_AND_DO = "writing", 0.0, 1.0, 2.0
#: Rows of all environments that `MetaQWeb.metrics` looks back on.
_RECENT = 100


@dataclasses.dataclass(frozen=True)
class Args(curriculum.Args):
    """The arguments of `MetaQWeb`: those of `CurriculumDQN`, and two more. Both networks are learned with them."""

    dense: bool = True
    """Argument `dense` of QWeb's environments: progress towards what was written is rewarded."""
    inet_fraction: float = 1 / 3
    """Fraction of the steps in which INET learns to write instructions; QWeb has the rest."""
    task_share: float = 0.0
    """Share of episodes that are the task's own, once `curriculum_fraction` of QWeb's steps is over; 0: never any."""

    def __post_init__(self) -> None:
        """Refuse values that no run can use.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        super().__post_init__()
        rules: Rules = (
            ("inet_fraction", lambda v: 0 < v < 1, "more than 0 and less than 1"),
            ("task_share", lambda v: 0 <= v <= 1, "between 0 and 1"),
            ("lead warm_start subgoals", lambda v: v == 0, "0: there is no expert"),
        )
        check_args("metaqweb", self, rules)

    @property
    def inet_steps(self) -> int:
        """The steps in which INET learns."""
        return math.ceil(self.inet_fraction * self.steps)

    @property
    def inet(self) -> curriculum.Args:
        """The arguments of INET."""
        inherited = {field.name: getattr(self, field.name) for field in dataclasses.fields(curriculum.Args)}
        changed = {"steps": self.inet_steps, "dense": False, "replay_size": min(self.replay_size, self.inet_steps)}
        return curriculum.Args(**inherited | changed)


class INet(curriculum.CurriculumDQN):
    """A run of DQN that learns to write instructions."""

    def _context(self) -> dict[str, Any]:
        return {WRITING: WRITE}

    @property
    def success(self) -> float:
        """Share of the episodes that have ended lately in which all was written right."""
        replay = self.replay
        rows = np.arange(max(replay.count - _RECENT, 0), replay.count) % replay.rows
        ended = replay.columns["terminated"][rows] & replay.columns["live"][rows]
        is_right = replay.columns["reward"][rows] > 0.999 * self.args.reward_scale  # they are rounded
        return float(is_right[ended].mean()) if ended.any() else 0.0


class MetaQWeb(curriculum.CurriculumDQN):
    """A run of QWeb in episodes whose instructions INET has written, after INET has learned to."""

    args: Args

    def __init__(self, env_id: str, env_kwargs: Mapping[str, Any] | None = None, args: Args | None = None) -> None:
        """Make the environments and fresh networks; the arguments are those of `DQN`.

        Args:
            env_id: an id whose context has `WRITING`; ``dense`` and ``parameters`` are among its arguments.
            env_kwargs: keyword arguments of the environment.
            args: the run's arguments.

        Raises:
            TypeError: spaces that the network cannot read, or an environment that does not ask for instructions.
        """
        args = args or Args()
        self.inet = INet(env_id, env_kwargs, args.inet)
        super().__init__(env_id, env_kwargs, args)

    @property
    def step(self) -> int:
        """Environment steps taken so far, INET's included."""
        return self.inet.step + self.decisions

    @property
    def metrics(self) -> dict[str, float]:
        """Those of QWeb's updates, and in what share of its last episodes INET was right."""
        return super().metrics | {"inet_success": self.inet.success}

    def learn(self, until: int, on_step: Callable[[int], None] = lambda step: None) -> None:
        """Go on until ``until`` steps have been taken, see `DQN.learn`; INET's come first."""
        self.inet.learn(min(until, self.args.inet_steps), on_step)
        super().learn(until, on_step)

    def change_envs(self, env_kwargs: Mapping[str, Any]) -> None:
        """Go on in other environments, see `DQN.change_envs`."""
        self.inet.change_envs(env_kwargs)
        super().change_envs(env_kwargs)

    def _progress(self) -> float:
        return min(self.decisions / max(self.args.steps - self.args.inet_steps, 1), 1.0)

    def _context(self) -> dict[str, Any]:
        share = self.args.task_share if self._progress() >= self.args.curriculum_fraction else 0.0
        is_own = self.random.random(self.args.num_envs) < share
        return {WRITING: np.where(is_own, TASK, WRITE_AND_DO)}

    def _choose(self) -> Choice:
        choice, is_writing = super()._choose(), self._is_writing()
        if is_writing.any():
            choice.action[is_writing] = self.inet.best(self.seen)[is_writing]
        return choice._replace(live=choice.live & ~is_writing)

    def _is_writing(self) -> NDArray[np.bool_]:
        """Return in which environments an instruction is being written, (N,): nothing can be clicked there."""
        kinds = 1 + self.seen["fields"].shape[1]
        is_click: NDArray[np.bool_] = self.seen["legal"][:, ::kinds]
        return np.asarray(~is_click.any(axis=1))

    def _state(self) -> dict[str, Any]:
        return super()._state() | {"inet": self.inet._state()}

    def _restore(self, checkpoint: Mapping[str, Any]) -> None:
        self.inet._restore(checkpoint["inet"])
        super()._restore(checkpoint)
