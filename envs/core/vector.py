"""Many environments over a family's kernel, stepped by one call."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from .actions import Actions
from .env import KernelEnv, State
from .parameters import Parameters
from .problem import REWARD, TERMINATED, TRUNCATED, Observations, Pool, copier, info_reader
from .random import new_stream
from .simulation import NO_SEED, handed_out


class KernelVectorEnv(VectorEnv[Any, Any, Any]):
    """N environments of one family; what ``gymnasium.make_vec`` makes.

    A family derives from it and names its single environment in ``env_class``; there is nothing else to write. Row i,
    reset with seed s, is the single environment reset with seed s + i, bit for bit. Arrays that were returned stay as
    they are.

    At an episode's end ``info`` holds ``episode_return`` and ``episode_length``, arrays of shape (N,), valid where the
    masks ``_episode_return`` and ``_episode_length`` are true.
    """

    env_class: ClassVar[type[KernelEnv]]

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        **kwargs: Any,
    ) -> None:
        """Make ``num_envs`` environments.

        Args:
            num_envs: N.
            max_episode_steps: truncate an episode after so many steps; never, if None.
            autoreset_mode: what happens to a row whose episode has ended, as Gymnasium defines it.
            **kwargs: as for ``env_class``.

        Raises:
            ValueError: ``num_envs`` is not positive, or an unknown autoreset mode.
        """
        if num_envs < 1:
            raise ValueError(f"num_envs = {num_envs}: at least 1 environment is needed.")
        self._single = self.env_class(**kwargs)
        self.problem = problem = self._single.problem
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self._single.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = self._single.render_mode
        self.single_observation_space = problem.observation_space
        self.single_action_space = problem.action_space
        self.observation_space = batch_space(problem.observation_space, num_envs)
        self.action_space = batch_space(problem.action_space, num_envs)
        self.context_space = self._single.context_space
        self.parameters: tuple[Parameters, ...] = (problem.parameters,) * num_envs
        self._actions = Actions(problem.action_space, (num_envs,))
        self._observations = Observations(problem.observation_space)
        self._pool = Pool(functools.partial(self._observations.allocate, num_envs))
        self._named = info_reader(problem)
        self._states = np.zeros(num_envs, problem.state_dtype)
        self._rows = np.array([problem.pack(problem.parameters)])
        self._buffers: tuple[NDArray[Any], ...]
        self._values: NDArray[np.float64]
        self._mask: NDArray[np.int8]
        self._allocate()
        self._is_seeded = False
        self._is_reset = False
        self._elapsed = np.zeros(num_envs, np.int64)
        self._returns = np.zeros(num_envs)
        self._done = np.zeros(num_envs, np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes in all rows, or in those of ``options["reset_mask"]``.

        Args:
            seed: s seeds row i with s + i; a sequence gives each row's own; without it the streams go on.
            options: ``"reset_mask"``, a bool array of shape (N,); ``"context"``, a dict whose values are numbers or
                arrays of shape (N,).

        Returns:
            All rows' observations, and an info with the ``"context"`` (dict of arrays of shape (N,)).

        Raises:
            ValueError: unknown option, or a context that is refused; nothing has changed then.
        """
        options = dict(options or {})
        mask = self._reset_mask(options.pop("reset_mask", None))
        parameters = self._parameters_for(mask, options.pop("context", {}))
        seeds = self._seeds_for(seed)
        if options:
            raise ValueError(f"Unknown reset option {next(iter(options))!r}. Allowed: 'context', 'reset_mask'.")
        if not self._is_reset and not mask.all():
            raise ResetNeeded("The first reset starts every row: leave 'reset_mask' out.")
        self._set_parameters(parameters)
        super().reset(seed=seeds[0])
        for i in np.flatnonzero(mask).tolist():
            if seeds[i] is not None:
                self._states["rng"][i] = new_stream(np_random(seeds[i])[0])
            elif not self._is_seeded:
                self._states["rng"][i] = new_stream(self.np_random)
            if self.problem.is_simulation:
                self._states["seed"][i] = NO_SEED if seeds[i] is None else seeds[i]
        self._is_seeded = self._is_reset = True
        self._allocate(keep=~mask)
        self._start_episodes(mask)
        info = self._info(mask)
        del info["reward_terms"], info["cost"]
        contexts = [p.context() for p in self.parameters]
        info["context"] = {name: np.array([context[name] for context in contexts]) for name in contexts[0]}
        return self._observation(), info

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Step every row.

        Args:
            actions: N actions stacked, an element of ``action_space``; `Box` actions are clipped to their bounds.

        Returns:
            Observations, rewards (N,), terminated (N,), truncated (N,), and info: arrays of shape (N,) under the
            names of the single environment.

        Raises:
            InvalidAction: wrong shape or kind, or NaN in a row; nothing has changed then.
            ResetNeeded: before the first `reset`; or, without autoreset, when a row has ended.
        """
        if not self._is_reset:
            raise ResetNeeded("Call envs.reset() before envs.step(actions).")
        ended = self._done
        if self.autoreset_mode == AutoresetMode.DISABLED and ended.any():
            raise ResetNeeded(
                f"Row {np.flatnonzero(ended)[0]} has ended: call envs.reset(options={{'reset_mask': terminated | "
                "truncated}) first, or choose another autoreset_mode."
            )
        self._actions.read(actions)
        active, any_ended = ~ended, bool(ended.any())
        self._allocate()
        self.problem.step(*self._inputs(), self._actions.values, active, *self._outputs())
        rewards = self._values[REWARD].copy()
        terminated = self._values[TERMINATED] != 0.0
        self._elapsed += active
        self._returns += rewards
        truncated = self._values[TRUNCATED] != 0.0
        if self.max_episode_steps is not None:
            truncated |= (self._elapsed >= self.max_episode_steps) & active
        done = terminated | truncated
        any_done = done.any()
        endings = self._endings(done) if any_done else {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP and any_done:
            endings |= self._final(done)
            self._allocate(keep=~done)
            self._restart(done)
        elif any_ended:
            self._restart(ended)
        self._done = done & (self.autoreset_mode != AutoresetMode.SAME_STEP)
        return self._observation(), rewards, terminated, truncated, self._info(None) | endings

    def save_state(self) -> State:
        """Return the state of all rows as a value, episode counters included."""
        bookkeeping = {"elapsed": self._elapsed.copy(), "returns": self._returns.copy(), "done": self._done.copy()}
        return State(handed_out(self._states), self._rows, self.parameters, bookkeeping)

    def load_state(self, state: State) -> None:
        """Continue from ``state``: the same actions give the same future, bit for bit.

        Raises:
            TypeError: ``state`` is not a state of such a vector environment.
        """
        if (
            not isinstance(state, State)
            or state.states.dtype != self._states.dtype
            or len(state.states) != self.num_envs
            or not state.bookkeeping
            or type(state.parameters[0]) is not type(self.parameters[0])
        ):
            raise TypeError(f"load_state needs what save_state() of {self.num_envs} such rows returned.")
        self._states, self._rows, self.parameters = state.states.copy(), state.rows, state.parameters
        self._elapsed = state.bookkeeping["elapsed"].copy()
        self._returns = state.bookkeeping["returns"].copy()
        self._done = state.bookkeeping["done"].copy()
        self._is_seeded = self._is_reset = True

    def load_row(self, row: int, state: State, elapsed: int) -> None:
        """Let a row that has just been reset continue from a single environment's ``state``, on its own random stream.

        What was observed of the row before does not change.

        Args:
            row: which.
            state: what ``save_state()`` of a single environment made alike returned.
            elapsed: how many steps of the episode have been taken.

        Raises:
            TypeError: ``state`` is not such a state.
        """
        if state.states.dtype != self._states.dtype or state.states.shape != (1,):
            raise TypeError(f"load_row needs a state of a single environment of this family, not {state!r:.80}.")
        stream = self._states["rng"][row].copy()
        self._states[row] = state.states[0]
        self._states["rng"][row] = stream
        self._elapsed[row] = elapsed
        if state.parameters[0] != self.parameters[row]:
            self._set_parameters((*self.parameters[:row], state.parameters[0], *self.parameters[row + 1 :]))

    def end_episodes(self, mask: NDArray[np.bool_]) -> None:
        """Let the episodes of the rows of ``mask``, shape (N,), be over, as if the last step had truncated them."""
        self._done |= mask

    def render(self) -> tuple[Any, ...]:
        """Return every row's picture."""
        pictures = []
        for i in range(self.num_envs):
            row = self._rows[min(i, len(self._rows) - 1)]
            self._single.load_state(State(self._states[i : i + 1], np.array([row]), (self.parameters[i],), {}))
            pictures.append(self._single.render())
        return tuple(pictures)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, if there is one."""
        self._single.close()

    def _restart(self, mask: NDArray[np.bool_]) -> None:
        """Start episodes by autoreset, as the single environment's ``reset()`` does: a context is for one episode."""
        if len(self._rows) > 1 or self.parameters[0] is not self.problem.parameters:
            self._set_parameters(self._parameters_for(mask, {}))
        self._start_episodes(mask)

    def _start_episodes(self, mask: NDArray[np.bool_]) -> None:
        self.problem.reset(*self._inputs(), mask, *self._outputs())
        self._elapsed[mask] = 0
        self._returns[mask] = 0.0
        self._done[mask] = False

    def _allocate(self, keep: NDArray[np.bool_] | None = None) -> None:
        """Take other output arrays, so that those handed out before stay as they were; rows of ``keep`` carry over."""
        previous = (*self._buffers, self._values.T, self._mask) if keep is not None else ()
        self._buffers = self._pool.take()
        self._values = np.zeros((self.problem.width, self.num_envs))
        self._mask = np.empty((self.num_envs, self.problem.action_mask_size), np.int8)
        for old, new in zip(previous, (*self._buffers, self._values.T, self._mask), strict=False):
            new[keep] = old[keep]

    def _inputs(self) -> tuple[Any, ...]:
        return self._states, self._rows, *self.problem.tables

    def _outputs(self) -> tuple[Any, ...]:
        return self._observations.argument(self._buffers), self._values, self._mask

    def _observation(self) -> Any:
        leaves = dict(self._observations.views(self._buffers, slice(None)))
        return leaves.get(None, leaves)

    def _info(self, mask: NDArray[np.bool_] | None) -> dict[str, Any]:
        """Return the named values of all rows; only rows of ``mask`` have just been filled."""
        info = self._named(list(self._values))
        if self.problem.action_mask_size:
            info["action_mask"] = self._mask
        if self.problem.notes is not None:
            info |= self.problem.notes(self._states)
        if mask is not None and not mask.all():
            info |= {f"_{key}": mask for key in tuple(info)}
        return info

    def _endings(self, done: NDArray[np.bool_]) -> dict[str, Any]:
        endings: dict[str, Any] = {
            "episode_return": np.where(done, self._returns, 0.0),
            "episode_length": np.where(done, self._elapsed, 0),
        }
        endings |= self._single.ending(self._values)
        return endings | {f"_{key}": done.copy() for key in endings}

    def _final(self, done: NDArray[np.bool_]) -> dict[str, Any]:
        """Return what Gymnasium's SAME_STEP promises about the rows that are about to be reset."""
        observations = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(done).tolist():
            observations[i] = copier(self._observations.views(self._buffers, i))()
        final_info = self._info(None) | self._single.ending(self._values)
        final_info |= {f"_{key}": done for key in tuple(final_info)}
        return {"final_obs": observations, "_final_obs": done, "final_info": final_info, "_final_info": done}

    def _reset_mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ValueError(f"options['reset_mask'] is a bool array of shape ({self.num_envs},), not {mask!r:.80}.")
        if not mask.any():
            raise ValueError("options['reset_mask'] selects no row.")
        return mask

    def _seeds_for(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(seed) + i for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"{len(seed)} seeds were given for {self.num_envs} environments.")
        return seed

    def _parameters_for(self, mask: NDArray[np.bool_], context: dict[str, Any]) -> tuple[Parameters, ...]:
        """Return all rows' parameters after a reset of ``mask`` under ``context``."""
        columns = {}
        for name, value in context.items():
            column = np.asarray(value)
            if column.shape not in ((), (self.num_envs,)):
                raise ValueError(f"The context {name} is a number or of shape ({self.num_envs},), not {column.shape}.")
            columns[name] = np.broadcast_to(column, (self.num_envs,))
        if all(np.ndim(value) == 0 for value in context.values()):
            shared = self.problem.parameters.with_context(context)
            return tuple(shared if new else old for new, old in zip(mask, self.parameters, strict=True))
        return tuple(
            self.problem.parameters.with_context({name: column[i] for name, column in columns.items()}) if mask[i]
            else self.parameters[i]
            for i in range(self.num_envs)
        )  # fmt: skip

    def _set_parameters(self, parameters: tuple[Parameters, ...]) -> None:
        """Pack what has changed: one record where all rows share their parameters, else one per row."""
        if parameters == self.parameters:
            return
        packed = {one: self.problem.pack(one) for one in set(parameters)}
        shared = parameters[:1] if len(packed) == 1 else parameters
        self._rows = np.array([packed[one] for one in shared])
        self.parameters = parameters
