"""Small environments with a choice of actions. Subprocesses import them by ``choices:Toy/Name-v0``."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from toys import Clock


class Ticks(Clock):
    """`Clock` with two actions, which do nothing: (episode, time); even episodes terminate at 3, odd ones never."""

    action_space = spaces.Discrete(2)


class Walk(gymnasium.Env[Any, Any]):
    """Walk over five places, from the one in the middle. The left end pays 0.3, the right end 1, and both are ends.

    In the second place one may only go right, which the mask tells.
    """

    observation_space = spaces.Discrete(5)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.place = 2
        return self.place, self._info()

    def step(self, action: Any) -> Any:
        assert self._info()["action_mask"][action], "not allowed"
        self.place += 1 if action else -1
        return self.place, {0: 0.3, 4: 1.0}.get(self.place, 0.0), self.place in (0, 4), False, self._info()

    def _info(self) -> dict[str, Any]:
        return {"action_mask": np.array([self.place != 1, True], np.int8)}


class Pick(gymnasium.Env[Any, Any]):
    """Pick the brightest quarter of a picture, of those that may be picked, six times. Right picks pay 1.

    Which may be picked is told in the observation or, with ``told="info"``, in info.
    """

    action_space = spaces.Discrete(4, start=3)

    def __init__(self, told: str = "observation") -> None:
        self.told = told
        entries: dict[str, spaces.Space[Any]] = {
            "picture": spaces.Box(0.0, 1.0, (1, 8, 10), np.float32),
            "more": spaces.Dict(
                {"numbers": spaces.Box(-1.0, 1.0, (2, 2), np.float64), "turn": spaces.Discrete(7, start=-1)}
            ),
        }
        if told == "observation":
            entries["action_mask"] = spaces.Box(0, 1, (4,), np.int8)
        self.observation_space = spaces.Dict(entries)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.turn = -1
        return self._deal()

    def step(self, action: Any) -> Any:
        choice = int(action) - 3
        assert self.mask[choice], "not allowed"
        reward = float(self.light[choice] == self.light[self.mask != 0].max())
        self.turn += 1
        observation, info = self._deal()
        return observation, reward, self.turn == 5, False, info

    def _deal(self) -> Any:
        self.light = self.np_random.permutation(4) / 3.0
        self.mask = np.zeros(4, np.int8)
        self.mask[self.np_random.permutation(4)[:2]] = 1
        picture = np.kron(self.light.reshape(1, 2, 2), np.ones((1, 4, 5))).astype(np.float32)
        numbers = self.np_random.uniform(-1.0, 1.0, (2, 2))
        observation = {"picture": picture, "more": {"numbers": numbers, "turn": self.turn}}
        if self.told == "info":
            return observation, {"action_mask": self.mask}
        return {**observation, "action_mask": self.mask}, {}


gymnasium.register("Toy/Ticks-v0", entry_point=Ticks, max_episode_steps=5, disable_env_checker=True)
gymnasium.register("Toy/Walk-v0", entry_point=Walk, max_episode_steps=30, disable_env_checker=True)
gymnasium.register("Toy/Pick-v0", entry_point=Pick, disable_env_checker=True)
