"""A cart that swings up its pole: ``rlx.baselines.swingup:CartPoleSwingUp-v0``, a task to measure learners on.

The cart and the pole are those of Gymnasium's ``CartPole-v1``, moved by a continuous force. As in the DeepMind Control
Suite (Tassa et al. 2018, https://arxiv.org/abs/1801.00690) the pole hangs at first, episodes last for 10 s, and the
reward is a product in [0, 1] that is large where the pole is up, the cart in the middle, and both are slow.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

GRAVITY, CART, POLE, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5  # m/s^2, kg, kg, m: those of CartPole-v1
FORCE, PERIOD, TRACK = 10.0, 0.02, 2.4  # N, s, m to either side


class CartPoleSwingUp(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A pole on a cart that is pushed by up to 10 N; it hangs at first.

    Observations: position (m), cosine and sine of the pole's angle from upright, speed (m/s), angular speed (rad/s).
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self) -> None:
        """Make the environment; there is nothing to choose."""
        high = np.array([np.inf, 1.0, 1.0, np.inf, np.inf], np.float32)
        self.observation_space = spaces.Box(-high, high)
        self.action_space = spaces.Box(-1.0, 1.0, (1,))
        self.state = np.zeros(4)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Let the pole hang, nearly still; ``options`` are not read."""
        super().reset(seed=seed)
        self.state = np.array([0.0, math.pi, 0.0, 0.0]) + 0.01 * self.np_random.standard_normal(4)
        return self._observe(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Push for a period; the episode ends where the track does."""
        push = float(np.clip(action[0], -1.0, 1.0))
        x, angle, speed, spin = self.state.tolist()
        # Florian 2007, equations 23 and 24, as in CartPole-v1; semi-implicit Euler.
        sine, cosine, mass = math.sin(angle), math.cos(angle), CART + POLE
        drive = (FORCE * push + POLE * HALF_LENGTH * spin**2 * sine) / mass
        turn = (GRAVITY * sine - cosine * drive) / (HALF_LENGTH * (4.0 / 3.0 - POLE * cosine**2 / mass))
        speed += PERIOD * (drive - POLE * HALF_LENGTH * turn * cosine / mass)
        spin += PERIOD * turn
        x, angle = x + PERIOD * speed, angle + PERIOD * spin
        self.state = np.array([x, angle, speed, spin])
        return self._observe(), _reward(x, math.cos(angle), spin, push), abs(x) > TRACK, False, {}

    def _observe(self) -> NDArray[np.float32]:
        x, angle, speed, spin = self.state
        return np.array([x, math.cos(angle), math.sin(angle), speed, spin], np.float32)


def _reward(x: float, cosine: float, spin: float, push: float) -> float:
    """Return the reward of ``cartpole-swingup`` in the DeepMind Control Suite."""
    upright = (cosine + 1.0) / 2.0
    centred = (1.0 + _tolerance(x / 2.0)) / 2.0
    gentle = (4.0 + max(0.0, 1.0 - push**2)) / 5.0
    slow = (1.0 + _tolerance(spin / 5.0)) / 2.0
    return upright * centred * gentle * slow


def _tolerance(distance: float) -> float:
    """Return 1 at 0, and 0.1 at a distance of 1."""
    return float(0.1 ** (distance**2))


gymnasium.register("CartPoleSwingUp-v0", entry_point=f"{__name__}:CartPoleSwingUp", max_episode_steps=500)
