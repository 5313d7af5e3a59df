"""One environment over a family's kernel: a batch of one."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from .actions import Actions
from .display import Display
from .jit import bound
from .parameters import Parameters
from .problem import REWARD, SUCCESS, TERMINATED, TRUNCATED, Observations, Problem, copier, info_reader
from .random import new_stream
from .simulation import NO_SEED, handed_out


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """Everything the future of an environment depends on, besides its actions. Picklable; holds no environment."""

    states: NDArray[np.void]  # (1,) or (N,) records, random streams included
    rows: NDArray[np.void]  # packed parameters of each row
    parameters: tuple[Parameters, ...]
    bookkeeping: dict[str, NDArray[Any]]  # a vector environment's episode counters


class KernelEnv(gymnasium.Env[Any, Any]):
    """A Gymnasium environment whose transition is a family's kernel.

    A family derives from it, builds a `Problem` in its constructor and, to be seen, overrides `frame`, and `record`
    where a picture shows more than the present.
    """

    #: ``render_every``: a window shows the first, the last and each so many-th step of an episode.
    metadata: dict[str, Any] = {
        "render_modes": ["rgb_array", "human"], "render_fps": 30, "render_every": 1,
    }  # fmt: skip

    def __init__(self, problem: Problem, render_mode: str | None = None) -> None:
        """Run ``problem`` with its default parameters.

        Args:
            problem: the task.
            render_mode: ``None``, ``"rgb_array"`` or ``"human"``.

        Raises:
            ValueError: another render mode.
        """
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode={render_mode!r}: allowed are None, {self.metadata['render_modes']}.")
        self.problem = problem
        self.render_mode = render_mode
        self.observation_space = problem.observation_space
        self.action_space = problem.action_space
        self.context_space = problem.parameters.context_space()
        self.parameters = problem.parameters
        self._display: Display | None = None
        self._unseen = 0  # steps since the window's last picture
        self._actions = Actions(problem.action_space, ())
        self._observations = Observations(problem.observation_space)
        self._active = np.ones(1, np.bool_)
        self._buffers = self._observations.allocate(1)
        self._values = np.zeros((problem.width, 1))
        self._mask = np.zeros((1, problem.action_mask_size), np.int8)
        self._states = np.zeros(1, problem.state_dtype)
        self._rows = np.array([problem.pack(problem.parameters)])
        self._begin: Callable[..., None] | None = None  # the problem's reset, compiled when first needed
        self._kernel: Callable[..., None] | None = None  # its step
        self._advance: Callable[[], None] | None = None  # that, with its arguments
        self._connect()
        self._is_seeded = False  # whether the stream in the state has been started
        self._is_reset = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: starts the environment's random stream anew; without it the stream goes on.
            options: ``{"context": {...}}`` sets parameters for this episode, see ``context_space``.

        Returns:
            The first observation, and an info with the whole ``"context"``.

        Raises:
            ValueError: unknown option, unknown context name, or a value out of range; nothing has changed then.
        """
        options = dict(options or {})
        parameters = self.problem.parameters.with_context(options.pop("context", {}))
        if options:
            raise ValueError(f"Unknown reset option {next(iter(options))!r}. Allowed: 'context'.")
        if parameters is not self.parameters and parameters != self.parameters:
            self._rows = np.array([self.problem.pack(parameters)])
            self.parameters = parameters
        super().reset(seed=seed)
        if seed is not None or not self._is_seeded:
            self._states["rng"][0] = new_stream(self.np_random)
            self._is_seeded = True
        if self.problem.is_simulation:
            self._states["seed"] = NO_SEED if seed is None else seed
        self._values[:] = 0.0
        self._mask[:] = 0
        if self._begin is None:
            self._begin = bound(self.problem.reset, *self._inputs(), self._active, *self._outputs)
        self._begin(*self._inputs(), self._active, *self._outputs)
        self._bind()
        self._is_reset = True
        info = self._info(self._flat.tolist())
        del info["reward_terms"], info["cost"]
        if self.problem.notes is not None:
            info |= self._noted()
        if self.problem.action_mask_size:
            info["action_mask"] = self._mask[0].copy()
        info["context"] = self.parameters.context()
        if self.render_mode is not None:
            self._watch(None, math.nan, info, is_turn=True)
        return self._observe(), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step.

        Args:
            action: an element of ``action_space``; a `Box` action is clipped to its bounds.

        Returns:
            Observation, reward, terminated, truncated, info.

        Raises:
            InvalidAction: wrong shape or kind, or NaN; nothing has changed then.
            ResetNeeded: before the first `reset`.
        """
        if self._advance is None:
            raise ResetNeeded("Call env.reset() before env.step(action).")
        self._actions.read(action)
        self._advance()
        values = self._flat.tolist()
        terminated, truncated = values[TERMINATED] != 0.0, values[TRUNCATED] != 0.0
        info = self._info(values)
        if self.problem.action_mask_size:
            info["action_mask"] = self._mask[0].copy()
        if self.problem.notes is not None:
            info |= self._noted()
        is_over = terminated or truncated
        if is_over:
            info |= self.ending(values)
        if self.render_mode is not None:
            self._watch(self._actions.values[0], values[REWARD], info, is_over)
        return self._observe(), values[REWARD], terminated, truncated, info

    def ending(self, values: Any) -> dict[str, Any]:
        """Return what ``info`` holds besides when an episode ends. A family may override this.

        Args:
            values: the kernel's, `Problem.width` numbers, or arrays of shape (N,) of so many environments.
        """
        return {"success": values[SUCCESS] != 0.0} if self.problem.has_success else {}

    def save_state(self) -> State:
        """Return the state as a value: it can be pickled, kept, and loaded into any environment made alike."""
        return State(handed_out(self._states), self._rows, (self.parameters,), {})

    def load_state(self, state: State) -> None:
        """Continue from ``state``: the same actions give the same future, bit for bit.

        Raises:
            TypeError: ``state`` is not a state of this family.
        """
        if (
            not isinstance(state, State)
            or state.states.dtype != self._states.dtype
            or state.states.shape != (1,)
            or type(state.parameters[0]) is not type(self.parameters)
        ):
            raise TypeError(f"{type(self).__name__}.load_state needs what its save_state() returned, not {state!r:.80}")
        self._memory[:] = state.states.view(self._memory.dtype)
        self._rows = state.rows
        (self.parameters,) = state.parameters
        self._is_seeded = self._is_reset = True
        self._bind()

    def record(self, action: NDArray[Any] | None, reward: float, info: dict[str, Any]) -> None:
        """Note what has just happened, for `frame`; called after each reset and step if there is a render mode.

        Args:
            action: what the step was given, as the kernel reads it, shape (A,); None after a reset.
            reward: of the step; NaN after a reset.
            info: what `reset` or `step` returns; to be copied, not kept.
        """

    def frame(self) -> NDArray[np.uint8]:
        """Draw the current state, uint8 of shape (height, width, 3). A family overrides this."""
        raise NotImplementedError(f"{type(self).__name__} cannot be drawn.")

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture (``"rgb_array"``), or show it in a window (``"human"``)."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() without a render_mode: pass render_mode='rgb_array' to gymnasium.make.")
            return None
        if self.render_mode == "rgb_array":
            return self.frame()
        if self._display is None:
            self._display = Display(type(self).__name__, self.metadata["render_fps"])
        self._display.show(self.frame())
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._display is not None:
            self._display.close()
            self._display = None

    def _watch(self, action: NDArray[Any] | None, reward: float, info: dict[str, Any], is_turn: bool) -> None:
        """Keep the picture up to date; ``is_turn``: an episode begins or ends."""
        self.record(action, reward, info)
        self._unseen += 1
        if self.render_mode == "human" and (is_turn or self._unseen >= self.metadata["render_every"]):
            self._unseen = 0
            self.render()

    def _connect(self) -> None:
        """Make what looks at the buffers, which stay the same for good, as the rows do not."""
        # As bytes, if there are no objects: NumPy copies records field by field.
        self._memory = self._states if self.problem.is_simulation else self._states.view(np.uint8)
        self._info = info_reader(self.problem)
        self._outputs = (self._observations.argument(self._buffers), self._values, self._mask)
        self._observe = copier(self._observations.views(self._buffers, 0))
        self._flat = self._values[:, 0]

    def _inputs(self) -> tuple[Any, ...]:
        return self._states, self._rows, *self.problem.tables

    def _noted(self) -> dict[str, Any]:
        """Return what ``info`` holds besides numbers."""
        assert self.problem.notes is not None
        return {name: notes[0] for name, notes in self.problem.notes(self._states).items()}

    def _bind(self) -> None:
        """Bind the step to its arguments; compile it, if that has not been done."""
        arguments = *self._inputs(), self._actions.values, self._active, *self._outputs
        if self._kernel is None:
            self._kernel = bound(self.problem.step, *arguments)
        self._advance = functools.partial(self._kernel, *arguments)

    def __getstate__(self) -> dict[str, Any]:
        """Leave compiled code and views out of pickles and copies."""
        absent = dict.fromkeys(
            ("_info", "_memory", "_outputs", "_observe", "_flat", "_begin", "_kernel", "_advance", "_display")
        )
        return self.__dict__ | absent

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make again what was left out."""
        self.__dict__ = state
        self._connect()
        if self._is_reset:
            self._bind()
