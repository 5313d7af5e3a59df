"""How fast an environment is: steps per CPU-second, next to an environment that does nothing and to its peer.

CPU time is read, not the clock on the wall, and of several rounds the best counts, so that a busy machine disturbs the
figures little. In each round all that are compared take turns.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import DependencyNotInstalled
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from .catalog import find
from .experts import RandomPolicy, mask_of, sample
from .plugins import resolve

SEED = 0
ROUND_SECONDS = 0.2  # CPU time that one environment aims at in one round
FEWEST, MOST = 64, 20_000  # calls of `step` in a round


@dataclasses.dataclass
class Contender:
    """An environment in the race, with the actions it takes in every round."""

    env: Any
    steps_per_call: int
    actions: list[Any]
    best: float = 0.0
    """Steps per CPU-second of its best round."""

    @classmethod
    def enter(cls, env: Any, num_envs: int = 1) -> Contender:
        """Record a random episode; its length is such that a round takes about `ROUND_SECONDS`."""
        warm = cls(env, num_envs, list(_actions(env, FEWEST)))
        warm.run()  # the first round compiles
        warm.run()
        calls = int(np.clip(warm.best / num_envs * ROUND_SECONDS, FEWEST, MOST))
        return cls(env, num_envs, list(_actions(env, calls)))

    def run(self) -> None:
        """Play the recorded actions once more."""
        step, reset = self.env.step, self.env.reset
        is_single = self.steps_per_call == 1
        reset(seed=SEED)
        start = time.process_time()
        for action in self.actions:
            _, _, terminated, truncated, _ = step(action)
            if is_single and (terminated or truncated):
                reset()
        seconds = time.process_time() - start
        self.best = max(self.best, len(self.actions) * self.steps_per_call / seconds)


@dataclasses.dataclass(frozen=True)
class Rates:
    """Steps per CPU-second of one id; None where there is nothing to measure."""

    env_id: str
    single: float
    empty_single: float
    batch: float | None
    empty_batch: float | None
    peer: float | None
    peer_name: str | None


def bench(env_ids: Iterable[str], *, num_envs: int = 1024, rounds: int = 5) -> Iterator[Rates]:
    """Measure environments, each as `gymnasium.make` and as `gymnasium.make_vec` make it.

    Args:
        env_ids: ids of the catalog.
        num_envs: rows of the vector environment.
        rounds: of which the best counts.

    Yields:
        The rates of each id in turn.

    Raises:
        gymnasium.error.NameNotFound: the catalog has no such id.
    """
    for row in [find(env_id) for env_id in env_ids]:
        env = gymnasium.make(row.id)
        empty = _empty_spec(env)
        entrants = {"single": Contender.enter(env), "empty_single": Contender.enter(gymnasium.make(empty))}
        if row.vector_entry_point:
            for name, spec in (("batch", row.id), ("empty_batch", empty)):
                entrants[name] = Contender.enter(gymnasium.make_vec(spec, num_envs), num_envs)
        peer = _peer(row.peer)
        if peer is not None:
            entrants["peer"] = Contender.enter(peer)
        for _ in range(rounds):
            for contender in entrants.values():
                contender.run()
        for contender in entrants.values():
            contender.env.close()
        best = {name: entrants[name].best if name in entrants else None for name in ("batch", "empty_batch", "peer")}
        peer_name = type(getattr(peer, "unwrapped", peer)).__module__.partition(".")[0] if peer is not None else None
        yield Rates(row.id, entrants["single"].best, entrants["empty_single"].best, **best, peer_name=peer_name)


def markdown(rates: Iterable[Rates], num_envs: int = 1024) -> str:
    """Return the rates as a markdown table."""
    batch = f"batch of {num_envs}"
    header = ("Environment", "single", "of empty", batch, "of empty", "peer", "single / peer", "batch / peer")
    lines = [header, ("---", *["---:"] * (len(header) - 1))]
    for rate in rates:
        lines.append((
            f"`{rate.env_id}`",
            _thousands(rate.single), _percent(rate.single, rate.empty_single),
            _thousands(rate.batch), _percent(rate.batch, rate.empty_batch),
            f"{_thousands(rate.peer)} ({rate.peer_name})" if rate.peer else "",
            _times(rate.single, rate.peer), _times(rate.batch, rate.peer),
        ))  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _thousands(rate: float | None) -> str:
    return f"{rate / 1000:,.1f} k" if rate else ""


def _percent(rate: float | None, floor: float | None) -> str:
    return f"{100 * rate / floor:.2g} %" if rate and floor else ""


def _times(rate: float | None, peer: float | None) -> str:
    return f"{rate / peer:,.0f}x" if rate and peer else ""


def _actions(env: Any, calls: int) -> Iterator[Any]:
    """Yield the random actions of ``calls`` steps, legal ones where there are masks."""
    policy = RandomPolicy(env, SEED)
    single = getattr(env, "single_action_space", None)
    generator = np.random.default_rng(SEED)
    observation, info = env.reset(seed=SEED)
    for _ in range(calls):
        masks = mask_of(observation, info)
        if masks is not None and isinstance(single, spaces.Discrete):
            action = single.start + np.where(masks, generator.random(np.shape(masks)), -1.0).argmax(axis=1)
        elif masks is not None and single is not None:
            action = np.stack([sample(single, mask) for mask in masks])
        else:
            action = policy.act(observation, info)
        yield action
        observation, _, terminated, truncated, info = env.step(action)
        if single is None and (terminated or truncated):
            observation, info = env.reset()


def _peer(target: str | None) -> Any:
    """Return the peer's environment; None where there is none, or it is not installed."""
    try:
        return resolve(target)() if target else None
    except (ImportError, DependencyNotInstalled):
        return None


def _empty_spec(env: gymnasium.Env[Any, Any]) -> EnvSpec:
    assert env.spec is not None
    single: Any = EmptyEnv
    vector: Any = EmptyVectorEnv
    return EnvSpec(
        "rlx/Empty-v0",
        entry_point=single,
        vector_entry_point=vector,
        max_episode_steps=env.spec.max_episode_steps,
        kwargs={"observation_space": env.observation_space, "action_space": env.action_space},
    )


class EmptyEnv(gymnasium.Env[Any, Any]):
    """The floor: an environment with the same spaces that does nothing but return a new observation and info."""

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        """Take over the spaces."""
        self.observation_space, self.action_space = observation_space, action_space
        self._observe = _observer(observation_space)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Return an observation."""
        super().reset(seed=seed)
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Return an observation."""
        return self._observe(), 0.0, False, False, {}


class EmptyVectorEnv(VectorEnv[Any, Any, NDArray[Any]]):
    """The floor of vector environments."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        num_envs: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        max_episode_steps: int | None = None,
    ) -> None:
        """Take over the spaces."""
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = observation_space, action_space
        self.observation_space = batch_space(observation_space, num_envs)
        self.action_space = batch_space(action_space, num_envs)
        self._observe = _observer(self.observation_space)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Return observations."""
        return self._observe(), {}

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Return observations."""
        never = np.zeros(self.num_envs, np.bool_)
        return self._observe(), np.zeros(self.num_envs), never, never.copy(), {}


def _observer(space: spaces.Space[Any]) -> Callable[[], Any]:
    """Return a function that makes a new observation in the least time."""
    example = space.sample()
    if isinstance(example, np.ndarray):
        return example.copy
    if isinstance(space, spaces.Dict):
        leaves = {key: _observer(leaf) for key, leaf in space.items()}
        return lambda: {key: leaf() for key, leaf in leaves.items()}
    if isinstance(space, spaces.Tuple):
        parts = [_observer(part) for part in space]
        return lambda: tuple(part() for part in parts)
    return lambda: example
