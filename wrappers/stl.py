"""Signal temporal logic on any environment: formulas, and wrappers that watch them.

A formula is text, ``parse("G[0,100] (x > 0 and F[0,20] y > 0)")``, or built from `signal` and the operators. It judges
recorded traces by its method ``robustness``, and an episode while it lasts by `STLMonitor`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ..envs.core.stl import (
    HIGH,
    LOW,
    NOW,
    And,
    Finally,
    Formula,
    FormulaError,
    Globally,
    Historically,
    Implies,
    Linear,
    Monitor,
    Not,
    Once,
    Or,
    Predicate,
    Since,
    Until,
    check_signals,
    parse,
    robustness,
    signal,
)

__all__ = [
    "And",
    "CostTuple",
    "Finally",
    "Formula",
    "FormulaError",
    "Globally",
    "Historically",
    "Implies",
    "Linear",
    "Monitor",
    "Not",
    "Once",
    "Or",
    "Predicate",
    "STLMonitor",
    "STLVectorMonitor",
    "Since",
    "Until",
    "parse",
    "robustness",
    "signal",
]

#: Where a signal is read: a place in the observation, or a function of observation, info and action (None at reset).
Source = int | Callable[[Any, dict[str, Any], Any], Any]
#: Where an episode's robustness is found in a monitor's memory, by what is done about windows beyond its end.
_FINAL = {"clip": NOW, "strong": LOW, "weak": HIGH}
_REWARDS = (None, "final", "change")
_TOLD = ("low", "high", "now")


class _Watch:
    """What both wrappers share: the monitors of N environments, and what is made of them."""

    def __init__(
        self,
        count: int,
        space: spaces.Space[Any],
        formula: Formula | str,
        signals: Mapping[str, Source] | None,
        steps: int | None,
        end: str,
        reward: str | None,
        bound: float,
    ) -> None:
        if end not in _FINAL:
            raise ValueError(f"end={end!r}: allowed are {', '.join(_FINAL)}.")
        if reward not in _REWARDS:
            raise ValueError(f"reward={reward!r}: allowed are {_REWARDS}.")
        if not 0.0 < bound < math.inf:
            raise ValueError(f"bound={bound}: it is positive and finite.")
        for name, source in (signals or {}).items():
            if isinstance(source, int) and not (
                isinstance(space, spaces.Box) and 0 <= source < (space.shape or (0,))[-1]
            ):
                raise ValueError(
                    f"signals[{name!r}] = {source} is no place in the observation, {space}: give an index, or "
                    "function(observation, info, action)."
                )
        self.formula = parse(formula, signals) if isinstance(formula, str) else formula
        names = self.formula.signals if signals is None else tuple(signals)
        if steps is not None and end != "clip":
            raise ValueError(f"steps={steps} and end={end!r}: time goes on after the episode, or it does not.")
        self.monitor = Monitor(self.formula, names, None if steps is None else steps + 1)
        self.memories = self.monitor.memories(count)
        self.sources, self.final, self.reward, self.bound = signals, _FINAL[end], reward, bound

    def samples(self, observation: Any, info: dict[str, Any], action: Any) -> NDArray[np.float64]:
        """Return the signals, shape (N, signals)."""
        count = len(self.memories)
        columns = []
        for name in self.monitor.signals:
            if self.sources is None:
                there = info.get("signals", {})
                if name not in there:
                    check_signals(
                        self.formula,
                        there,
                        " Those are in info['signals']; say where to find others by "
                        "signals={name: index in the observation, or function(observation, info, action)}.",
                    )
                value = there[name]
            else:
                source = self.sources[name]
                value = source(observation, info, action) if callable(source) else np.asarray(observation)[..., source]
            columns.append(np.broadcast_to(np.asarray(value, np.float64), (count,)))
        return np.stack(columns, axis=1)

    def bounded(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values within the bound."""
        return np.clip(values, -self.bound, self.bound)

    def gain(self, before: NDArray[np.float64], is_over: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return what is added to the rewards of a step, shape (N,), given the robustness ``before`` it."""
        if self.reward == "final":
            return np.where(is_over, self.bounded(self.memories[:, self.final]), 0.0)
        return self.bounded(self.memories[:, NOW]) - self.bounded(before)

    def outlook(self, is_over: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return low, high and now, shape (N, 3); low and high meet where an episode is over."""
        outlook = self.memories[:, [LOW, HIGH, NOW]]
        outlook[is_over, :2] = self.memories[is_over, self.final, None]
        return outlook


def _observed(space: spaces.Space[Any], bound: float) -> spaces.Space[Any]:
    """Return ``space`` with the robustness added."""
    extra = spaces.Box(-bound, bound, (3,), np.float32)
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        dtype = np.result_type(space.dtype, np.float32)
        low, high = np.concatenate([space.low, extra.low]), np.concatenate([space.high, extra.high])
        return spaces.Box(low.astype(dtype), high.astype(dtype), dtype=dtype.type)
    if isinstance(space, spaces.Dict):
        return spaces.Dict({**space.spaces, "robustness": extra})
    return spaces.Dict({"observation": space, "robustness": extra})


def _with(observation: Any, outlook: NDArray[np.float64], space: spaces.Space[Any]) -> Any:
    """Return an observation with the robustness added, an element of ``space``."""
    if isinstance(space, spaces.Box):
        return np.concatenate([observation, outlook], axis=-1).astype(space.dtype)
    parts = observation if isinstance(observation, dict) else {"observation": observation}
    return {**parts, "robustness": outlook.astype(np.float32)}


def _final(observations: Any, finals: NDArray[np.object_], over: NDArray[np.bool_]) -> Any:
    """Return the observations, with the final ones in the rows where an episode is over."""
    if isinstance(observations, dict):
        return {
            key: _final(value, np.array([None if final is None else final[key] for final in finals], object), over)
            for key, value in observations.items()
        }
    observations = np.array(observations)
    for i in np.flatnonzero(over):
        observations[i] = finals[i]
    return observations


def _merged(info: dict[str, Any], final: dict[str, Any], over: NDArray[np.bool_]) -> dict[str, Any]:
    """Return ``info`` with what is ``final`` in the rows where an episode is over."""
    merged = dict(info)
    for key, value in final.items():
        old = info.get(key)
        if isinstance(value, dict):
            merged[key] = _merged(old if isinstance(old, dict) else {}, value, over)
        elif isinstance(old, np.ndarray) and isinstance(value, np.ndarray):
            merged[key] = np.where(over.reshape(-1, *[1] * (value.ndim - 1)), value, old)
        else:
            merged[key] = value
    return merged


class STLMonitor(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Watches how well an episode satisfies a formula.

    The trace is the episode: the first sample is what `reset` returns, then there is one for each step. ``info`` holds
    after each of them ``robustness``, with the bounds ``low`` and ``high`` of what it will be if the episode goes on,
    whatever comes, and ``now``, what it is if the episode ends here. At the end come ``stl_robustness``, where low and
    high meet then, and ``stl_satisfied`` (robustness >= 0). What the environment itself tells under these names is
    replaced.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        formula: Formula | str,
        signals: Mapping[str, Source] | None = None,
        *,
        reward: str | None = None,
        weight: float = 1.0,
        keep_reward: bool = True,
        observe: bool = False,
        steps: int | None = None,
        end: str = "clip",
        bound: float = 100.0,
    ) -> None:
        """Watch ``formula`` on ``env``.

        Args:
            env: any environment.
            formula: a formula, or its text.
            signals: where each signal is found: its index in the observation, or a function of observation, info and
                action (None at reset) that returns a number. If None, ``info["signals"]`` holds them by name.
            reward: what is added to the reward: None for nothing; ``"final"``, the robustness at the episode's end;
                ``"change"``, by how much the step has changed ``now``, which sums to nearly the same.
            weight: what that is multiplied by.
            keep_reward: whether the environment's own reward stays; otherwise the robustness takes its place.
            observe: add low, high and now to the observation: to a flat box three more numbers, to a dict the key
                ``"robustness"``.
            steps: the most steps of an episode, where windows end and operators without one. Then low and high are
                tighter towards the end, and formulas like ``G F p`` can be watched at all. Only with ``end="clip"``.
            end: what is done about windows that reach beyond the end of an episode, as in `robustness`: ``"clip"``,
                ``"strong"`` or ``"weak"``.
            bound: in reward and observation, robustness is kept within -bound and bound.

        Raises:
            FormulaError: a formula that cannot be read or monitored.
            ValueError: an argument that is out of range.
        """
        RecordConstructorArgs.__init__(
            self, formula=formula, signals=signals, reward=reward, weight=weight, keep_reward=keep_reward,
            observe=observe, steps=steps, end=end, bound=bound,
        )  # fmt: skip
        super().__init__(env)
        self._watch = _Watch(1, env.observation_space, formula, signals, steps, end, reward, bound)
        self._weight, self._keep_reward, self._observe = weight, keep_reward, observe
        if observe:
            self.observation_space = _observed(env.observation_space, bound)

    @property
    def formula(self) -> Formula:
        """What is watched."""
        return self._watch.formula

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, and take its first sample into account."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._watch.monitor.begin(self._watch.memories, np.ones(1, np.bool_))
        return self._look(observation, info, None, np.zeros(1, np.bool_))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step, and its sample into account."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        watch, is_over = self._watch, np.array([terminated or truncated])
        before = watch.memories[:, NOW].copy()
        observation, info = self._look(observation, info, action, is_over)
        if is_over[0]:
            final = float(watch.memories[0, watch.final])
            info |= {"stl_robustness": final, "stl_satisfied": final >= 0.0}
        if watch.reward is not None:
            gain = self._weight * float(watch.gain(before, is_over)[0])
            reward = float(reward) + gain if self._keep_reward else gain
        return observation, reward, terminated, truncated, info

    def _look(
        self, observation: Any, info: dict[str, Any], action: Any, is_over: NDArray[np.bool_]
    ) -> tuple[Any, dict[str, Any]]:
        watch = self._watch
        watch.monitor.follow(watch.memories, watch.samples(observation, info, action))
        outlook = watch.outlook(is_over)[0]
        if self._observe:
            observation = _with(observation, watch.bounded(outlook), self.observation_space)
        return observation, {**info, "robustness": dict(zip(_TOLD, outlook.tolist(), strict=True))}


class STLVectorMonitor(VectorWrapper):
    """Watches how well each of many environments' episodes satisfies a formula, see `STLMonitor`.

    Functions among ``signals`` return arrays of shape (N,). ``info`` holds arrays of that shape; those of an episode's
    end count where the masks ``_stl_robustness`` and ``_stl_satisfied`` are true. All autoreset modes will do; where
    an episode begins in the step in which the last one ended, ``info["robustness"]`` is of the new one.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        formula: Formula | str,
        signals: Mapping[str, Source] | None = None,
        *,
        reward: str | None = None,
        weight: float = 1.0,
        keep_reward: bool = True,
        observe: bool = False,
        steps: int | None = None,
        end: str = "clip",
        bound: float = 100.0,
    ) -> None:
        """Watch ``formula`` on each row of ``env``; the arguments are those of `STLMonitor`.

        Raises:
            FormulaError: a formula that cannot be read or monitored.
            ValueError: an argument that is out of range.
        """
        super().__init__(env)
        self._watch = _Watch(env.num_envs, env.single_observation_space, formula, signals, steps, end, reward, bound)
        self._weight, self._keep_reward, self._observe = weight, keep_reward, observe
        self._mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self._ended = np.zeros(env.num_envs, np.bool_)
        if observe:
            self.single_observation_space = _observed(env.single_observation_space, bound)
            self.observation_space = batch_space(self.single_observation_space, env.num_envs)

    @property
    def formula(self) -> Formula:
        """What is watched."""
        return self._watch.formula

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start episodes, and take their first samples into account."""
        begun = np.ones(self.num_envs, np.bool_) if options is None else options.get("reset_mask")
        begun = np.ones(self.num_envs, np.bool_) if begun is None else begun
        observations, infos = self.env.reset(seed=seed, options=options)
        self._ended &= ~begun
        self._begin(begun, observations, infos)
        return self._show(observations, infos, self._watch.outlook(np.zeros_like(begun)))

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take a step in each row, and its sample into account."""
        watch, begun = self._watch, self._ended
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        over = terminated | truncated
        before = watch.memories[:, NOW].copy()
        last, last_infos = observations, infos
        if self._mode == AutoresetMode.SAME_STEP and over.any():
            last, last_infos = _final(observations, infos["final_obs"], over), _merged(infos, infos["final_info"], over)
        watch.monitor.follow(watch.memories, watch.samples(last, last_infos, actions), ~begun)
        if watch.reward is not None:
            gains = self._weight * np.where(begun, 0.0, watch.gain(before, over))
            rewards = rewards + gains if self._keep_reward else gains
        endings: dict[str, Any] = {}
        if over.any():
            final = watch.memories[:, watch.final]
            endings = {
                "stl_robustness": np.where(over, final, 0.0), "_stl_robustness": over,
                "stl_satisfied": over & (final >= 0.0), "_stl_satisfied": over,
            }  # fmt: skip
        outlook = watch.outlook(over)
        restarted = over if self._mode == AutoresetMode.SAME_STEP else begun
        if restarted.any():
            if self._observe and self._mode == AutoresetMode.SAME_STEP:
                endings["final_obs"] = self._with_final(infos["final_obs"], outlook, over)
            self._begin(restarted, observations, infos)
            outlook[restarted] = watch.outlook(np.zeros_like(over))[restarted]
        self._ended = over if self._mode == AutoresetMode.NEXT_STEP else np.zeros_like(over)
        observations, infos = self._show(observations, infos, outlook)
        return observations, rewards, terminated, truncated, infos | endings

    def _begin(self, rows: NDArray[np.bool_], observations: Any, infos: dict[str, Any]) -> None:
        watch = self._watch
        watch.monitor.begin(watch.memories, rows)
        watch.monitor.follow(watch.memories, watch.samples(observations, infos, None), rows)

    def _show(self, observations: Any, infos: dict[str, Any], outlook: NDArray[np.float64]) -> tuple[Any, Any]:
        if self._observe:
            observations = _with(observations, self._watch.bounded(outlook), self.observation_space)
        return observations, infos | {"robustness": dict(zip(_TOLD, outlook.T.copy(), strict=True))}

    def _with_final(
        self, observations: NDArray[np.object_], outlook: NDArray[np.float64], over: NDArray[np.bool_]
    ) -> NDArray[np.object_]:
        observations = observations.copy()
        for i in np.flatnonzero(over):
            bounded = self._watch.bounded(outlook[i])
            observations[i] = _with(observations[i], bounded, self.single_observation_space)
        return observations


class CostTuple(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Returns the cost from `step` as Safety-Gymnasium does: observation, reward, cost, terminated, truncated, info."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Take the cost of ``env`` from ``info["cost"]``."""
        RecordConstructorArgs.__init__(self)
        super().__init__(env)

    def step(self, action: Any) -> tuple[Any, Any, float, bool, bool, dict[str, Any]]:  # type: ignore[override]
        """Take a step.

        Raises:
            KeyError: the environment tells no cost.
        """
        observation, reward, terminated, truncated, info = self.env.step(action)
        if "cost" not in info:
            told = ", ".join(map(repr, info)) or "nothing"
            raise KeyError(f"CostTuple needs info['cost'], but {self.env} tells {told}.")
        return observation, reward, float(info["cost"]), terminated, truncated, info
