"""PPO of Stable-Baselines3 on a mini-game of StarCraft II, judged beside the expert on the same episodes.

pip install "rlx[sc2]" stable-baselines3
python docs/examples/sb3_ppo.py --steps 200000
"""

import argparse

import gymnasium
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

import rlx
from rlx.baselines.evaluation import evaluate

ENV_ID = "rlx/SC2-MoveToBeacon-v0"


class Policy:
    """A model of Stable-Baselines3 as what rlx evaluates."""

    def __init__(self, model: PPO) -> None:
        """Take over a model."""
        self.model = model

    def reset(self) -> None:
        """Do nothing: the action depends on the observation alone."""

    def act(self, observation: np.ndarray, info: dict) -> np.ndarray:
        """Return an action drawn by its probability: the likeliest one can wait for ever where many are alike."""
        return self.model.predict(observation, deterministic=False)[0]


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=200_000)
parser.add_argument("--episodes", type=int, default=20)
args = parser.parse_args()

envs = make_vec_env(lambda: gymnasium.make(ENV_ID), n_envs=8, seed=0)
model = PPO(
    "MlpPolicy", envs, learning_rate=1e-3, n_steps=256, batch_size=512, gamma=0.9, gae_lambda=0.9, seed=0, device="cpu"
)
model.learn(args.steps)
for name, make_policy in {
    "PPO": lambda env: Policy(model),
    "scripted": lambda env: rlx.make_expert(env, "scripted"),
    "random": lambda env: rlx.make_expert(env, "random"),
}.items():
    returns = evaluate(make_policy, ENV_ID, {}, args.episodes).returns
    print(f"{name}: {np.mean(returns):.2f} ± {np.std(returns):.2f}")
