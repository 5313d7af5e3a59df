"""A native vector environment, held against the single environments that its rows should equal."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

from .experts import RandomPolicy
from .probe import Env, Moment, advance, begin, need, need_same


def stacked(space: spaces.Space[Any], actions: Sequence[Any]) -> Any:
    """Return N elements of ``space`` as one element of the batched space."""
    empty: Any = create_empty_array(space, len(actions))
    return concatenate(space, actions, empty)


def row_of(batch: Any, i: int) -> Any:
    """Return row ``i`` of nested arrays of shape (N, ...); keys whose mask is false there are left out."""
    if isinstance(batch, Mapping):
        return {
            key: row_of(value, i)
            for key, value in batch.items()
            if not key.startswith("_") and (f"_{key}" not in batch or batch[f"_{key}"][i])
        }
    if isinstance(batch, tuple):
        return tuple(row_of(part, i) for part in batch)
    return batch[i]


def _true(flags: Sequence[bool]) -> list[int]:
    return [i for i, flag in enumerate(flags) if flag]


class Fleet:
    """Steps both sides alike and compares all that they return, row by row."""

    def __init__(self, envs: VectorEnv[Any, Any, Any], singles: Sequence[Env]) -> None:
        """Compare ``envs`` with ``singles``, one per row."""
        self.envs, self.singles = envs, singles
        self.mode = envs.metadata["autoreset_mode"]
        self.moments: list[Moment] = []
        self.policies = [RandomPolicy(env, seed=i) for i, env in enumerate(singles)]
        self.returns, self.lengths = [0.0] * len(singles), [0] * len(singles)
        self._handed_out: list[tuple[Any, Any]] = []

    def reset(self, seed: int, contexts: Sequence[Mapping[str, float]]) -> None:
        """Start all rows, row i with ``seed + i`` and in ``contexts[i]``."""
        columns = {name: np.array([context[name] for context in contexts]) for name in contexts[0]}
        observation, info = self.envs.reset(seed=seed, options={"context": columns})
        self.moments = [begin(env, seed + i, contexts[i]) for i, env in enumerate(self.singles)]
        self._compare("after reset", self.moments, Moment(observation, info), [False] * len(self.moments))

    def step(self, when: str) -> None:
        """Take a step in all rows; what happens to those that have ended, the autoreset mode says."""
        if self.mode == AutoresetMode.DISABLED and any(moment.over for moment in self.moments):
            self._reset_ended(when)
        ended = [moment.over for moment in self.moments]
        actions = [
            policy.act(moment.observation, moment.info)
            for policy, moment in zip(self.policies, self.moments, strict=True)
        ]
        batch = advance(self.envs, stacked(self.envs.single_action_space, actions))  # type: ignore[arg-type]
        for i, env in enumerate(self.singles):
            self.moments[i] = begin(env) if ended[i] else advance(env, actions[i])
            self.returns[i] = 0.0 if ended[i] else self.returns[i] + self.moments[i].reward
            self.lengths[i] = 0 if ended[i] else self.lengths[i] + 1
        over = [moment.over for moment in self.moments]
        self._compare_endings(when, batch, over)
        if self.mode == AutoresetMode.SAME_STEP and any(over):
            self._restart_at_once(when, batch, over)
        else:
            self._compare(when, self.moments, batch, ended)

    def _reset_ended(self, when: str) -> None:
        """Reset the rows that have ended, as a caller must without autoreset."""
        ended = [moment.over for moment in self.moments]
        options = {"reset_mask": np.array(ended)}
        observation, info = self.envs.reset(options=options)
        need("reset_mask" in options, "reset takes 'reset_mask' out of the caller's options")
        for i in _true(ended):
            self.moments[i] = begin(self.singles[i])
            self.returns[i], self.lengths[i] = 0.0, 0
        started = [
            moment if new else dataclasses.replace(moment, info={}, reward=0.0, truncated=False)
            for moment, new in zip(self.moments, ended, strict=True)
        ]
        self._compare(f"{when}, after the partial reset before it", started, Moment(observation, info), ended)

    def _restart_at_once(self, when: str, batch: Moment, over: list[bool]) -> None:
        """Check what SAME_STEP says about the episodes that ended, and start the next ones."""
        for i in _true(over):
            last = self.moments[i]
            for key, kept in (("final_obs", last.observation), ("final_info", last.info)):
                need(key in row_of(batch.info, i), f"{when}, row {i} has ended, but info has no {key!r}")
                final = row_of(batch.info, i)[key]
                final = {name: final.get(name) for name in kept} if key == "final_info" else final
                need_same(final, kept, f"{when}, info[{key!r}] of row {i} parts from the single environment")
            start = begin(self.singles[i])
            self.moments[i] = dataclasses.replace(last, observation=start.observation, info=start.info)
            self.returns[i], self.lengths[i] = 0.0, 0
        self._compare(when, self.moments, batch, over)
        self.moments = [dataclasses.replace(moment, terminated=False, truncated=False) for moment in self.moments]

    def _compare(self, when: str, singles: Sequence[Moment], batch: Moment, started: list[bool]) -> None:
        """Compare rows; those that have just ``started`` by themselves need not report all that `reset` reports."""
        for earlier, kept in self._handed_out:
            need_same(earlier, kept, f"{when}, an array returned before changed; each call needs arrays of its own")
        self._handed_out = [(batch, copy.deepcopy(batch))]
        for i, single in enumerate(singles):
            info = row_of(batch.info, i)
            reported = {key: value for key, value in single.info.items() if key in info or not started[i]}
            need(reported.keys() <= info.keys(), f"{when}, info lacks {sorted(reported.keys() - info.keys())}")
            row = Moment(
                row_of(batch.observation, i),
                {key: info[key] for key in reported},
                *(np.broadcast_to(part, len(singles))[i] for part in (batch.reward, batch.terminated, batch.truncated)),
            )
            need_same(dataclasses.replace(single, info=reported), row, f"{when}, single environment and row {i} part")

    def _compare_endings(self, when: str, batch: Moment, over: list[bool]) -> None:
        for i in _true(over):
            row = row_of(batch.info, i)
            for key, value in (("episode_return", self.returns[i]), ("episode_length", self.lengths[i])):
                need_same(row.get(key), value, f"{when}, the {key} of row {i} and the single environment's part")
