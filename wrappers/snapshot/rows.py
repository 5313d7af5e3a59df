"""Resets of the rows of rlx's vector environments."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from ..states import load_state, save_state
from ..states.adapters import Kernel, adapter_of
from .lot import Lot, end_of_phase
from .moments import Snapshots


class SnapshotVectorReset(VectorWrapper):
    """`SnapshotReset` for the vector environments of rlx itself, row by row.

    Those of Gymnasium take the single one: ``make_vec(..., vectorization_mode="sync", wrappers=[...])``. The autoreset
    mode is NEXT_STEP or DISABLED.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        snapshots: Snapshots | str | Path,
        *,
        classes: int | None = 6,
        horizon: int | None = 100,
        steps: int | None = 100_000,
    ) -> None:
        """Start the rows of ``env`` from ``snapshots``; the arguments are those of `SnapshotReset`.

        ``steps`` counts those of all rows.

        Raises:
            ValueError: an argument is out of range, or the snapshots are of another environment.
            TypeError: ``env`` is no vector environment of rlx.
        """
        super().__init__(env)
        adapter = adapter_of(env)
        if not isinstance(adapter, Kernel) or not isinstance(env, VectorEnv):
            raise TypeError(
                f"{env} is no vector environment of rlx itself. Others start their environments one by one: "
                "gymnasium.make_vec(..., vectorization_mode='sync', wrappers=[lambda env: SnapshotReset(env, ...)])."
            )
        mode = AutoresetMode(env.metadata["autoreset_mode"])
        if mode == AutoresetMode.SAME_STEP:
            raise ValueError("SnapshotVectorReset needs the autoreset mode NEXT_STEP or DISABLED, not SAME_STEP.")
        if horizon is not None and horizon < 1:
            raise ValueError(f"horizon = {horizon}: at least 1 step, or None.")
        self._lot, self._phase = Lot(snapshots, classes), end_of_phase(steps)
        spaces = {"observation_space": env.single_observation_space, "action_space": env.single_action_space}
        self._lot.check({name: str(space) for name, space in spaces.items()})
        self._kernel: Any = env
        self._made: dict[int, Any] = {}  # states of the snapshots drawn so far, by their identities
        self._adapter, self._is_automatic = adapter, mode == AutoresetMode.NEXT_STEP
        self._horizon = math.inf if horizon is None else horizon
        self._random: np.random.Generator | None = None
        self._left = np.full(env.num_envs, math.inf)  # steps until a row is truncated
        self._ended = np.zeros(env.num_envs, np.bool_)  # rows that the next step resets
        self._steps = 0

    @property
    def samples(self) -> dict[str, int]:
        """Steps taken so far: by all rows, by the teacher for the snapshots, and by both."""
        return self._lot.samples(self._steps)

    def save_state(self) -> dict[str, Any]:
        """Return the state as a value, see `rlx.wrappers.save_state`."""
        return save_state(self)

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``, see `rlx.wrappers.load_state`."""
        load_state(self, state)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start episodes in all rows, or those of ``options["reset_mask"]``; with other options, plain ones."""
        options = dict(options or {})
        mask = options.get("reset_mask")
        rows = np.ones(self.num_envs, np.bool_) if mask is None else mask
        observations, infos = self.env.reset(seed=seed, options=options)
        if seed is not None or self._random is None:
            self._random = np_random(None)[0] if seed is None else np.random.default_rng((*_known(seed), 1))
        self._ended[rows] = False
        self._left[rows] = math.inf
        if set(options) <= {"reset_mask"}:
            observations = self._place(rows, observations, infos)
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every row; the horizon truncates."""
        begun = self._ended
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        self._steps += int(np.sum(~begun))
        self._left -= 1
        self._left[begun] = math.inf
        late = (self._left <= 0) & ~terminated & ~truncated
        truncated = truncated | late
        if late.any():
            self._kernel.end_episodes(late)
        if begun.any():
            observations = self._place(begun, observations, infos)
        self._ended = (terminated | truncated) & self._is_automatic
        return observations, rewards, terminated, truncated, infos

    def _place(self, rows: NDArray[np.bool_], observations: Any, infos: dict[str, Any]) -> Any:
        """Put rows into snapshots, and return the observations with those of the snapshots."""
        if self._steps >= self._phase:
            return observations
        assert self._random is not None
        observations = copy.deepcopy(observations)
        for i in np.flatnonzero(rows).tolist():
            moment = self._lot.draw(self._random)
            *wrappers, layer = moment.state["layers"]
            if id(moment) not in self._made:
                self._made[id(moment)] = self._adapter.single(self.env, layer["state"])
            elapsed = [part["state"]["attributes"].get("_elapsed_steps") for part in wrappers]
            self._kernel.load_row(i, self._made[id(moment)], next((n for n in elapsed if n is not None), moment.step))
            self._left[i] = self._horizon
            _write(observations, i, moment.observation)
            _write(infos, i, {name: told for name, told in moment.info.items() if name not in _OF_A_STEP})
        return observations


def _known(seed: Any) -> list[int]:
    """Return the seeds that are not None."""
    return [one for one in np.atleast_1d(seed).tolist() if one is not None]


#: What ``info`` tells of the step, not of where it led: it goes with the reward.
_OF_A_STEP = ("reward_terms", "cost")


def _write(batch: Any, i: int, value: Any) -> None:
    """Write ``value`` into row i of a batch, an array or a dict of them, where the batch has a place for it."""
    if not isinstance(batch, dict):
        batch[i] = value
        return
    for name in batch.keys() & value.keys():
        if isinstance(batch[name], dict | np.ndarray):
            _write(batch[name], i, value[name])
