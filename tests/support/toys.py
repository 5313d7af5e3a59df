"""Small environments whose every step is known. Subprocesses import them by ``toys:Toy/Name-v0``."""

from __future__ import annotations

import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Clock(gymnasium.Env[Any, Any]):
    """Observes (episode, time) and earns the time. Even episodes terminate at 3, odd ones never."""

    observation_space = spaces.Box(0.0, 1e6, (2,), np.float32)
    action_space = spaces.Box(-1.0, 3.0, (1,), np.float32)

    def __init__(self) -> None:
        self.episode, self.time = -1, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1, 0
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        return self._observation(), float(self.time), self.episode % 2 == 0 and self.time == 3, False, {}

    def _observation(self) -> Any:
        return np.array([self.episode, self.time], np.float32)


class Reach(gymnasium.Env[Any, Any]):
    """Move a point on a line to the target; with TOY_BROKEN set, training with seed 1 fails."""

    observation_space = spaces.Box(-2.0, 2.0, (2,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        if seed == 100_000 and "TOY_BROKEN" in os.environ:
            raise RuntimeError("the rail is bent")
        self.place, self.target = self.np_random.uniform(-1.0, 1.0, 2)
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        self.place = float(np.clip(self.place + 0.3 * np.clip(action[0], -1.0, 1.0), -2.0, 2.0))
        distance = abs(self.place - self.target)
        return self._observation(), -distance, False, False, {"cost": float(distance > 1.0)}

    def _observation(self) -> Any:
        return np.array([self.place, self.target], np.float32)


gymnasium.register("Toy/Clock-v0", entry_point=Clock, max_episode_steps=5, disable_env_checker=True)
gymnasium.register("Toy/Reach-v0", entry_point=Reach, max_episode_steps=20, disable_env_checker=True)
