"""PPO of RLlib on a mini-game of StarCraft II, judged beside the expert on the same episodes.

RLlib asks for one version of Gymnasium, an older one, which rlx runs with too: give them an environment of their own.

    python -m venv rllib && . rllib/bin/activate
    pip install "rlx[sc2]" "ray[rllib]" torch
    python docs/examples/rllib_ppo.py --steps 200000
"""

import argparse

import numpy as np
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module import RLModule
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

import rlx
from rlx.baselines.evaluation import evaluate

ENV_ID = "rlx/SC2-MoveToBeacon-v0"


class Policy:
    """A module of RLlib as what rlx evaluates."""

    def __init__(self, module: RLModule) -> None:
        """Take over a module."""
        self.module = module
        self.distribution = module.get_exploration_action_dist_cls()

    def reset(self) -> None:
        """Do nothing: the action depends on the observation alone."""

    @torch.no_grad()
    def act(self, observation: np.ndarray, info: dict) -> int:
        """Return an action drawn by its probability: the likeliest one can wait for ever where many are alike."""
        outputs = self.module.forward_exploration({"obs": torch.from_numpy(observation[None])})
        return int(self.distribution.from_logits(outputs["action_dist_inputs"]).sample()[0])


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=200_000)
parser.add_argument("--episodes", type=int, default=20)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

config = (
    PPOConfig()
    .environment(ENV_ID)
    # In this process, all of them in one: rlx's own vector environment.
    .env_runners(num_env_runners=0, num_envs_per_env_runner=8, gym_env_vectorize_mode="vector_entry_point")
    .training(
        lr=1e-3,
        train_batch_size_per_learner=2048,
        minibatch_size=512,
        num_epochs=10,
        gamma=0.9,
        lambda_=0.9,
        vf_loss_coeff=0.5,
        vf_clip_param=np.inf,
        use_kl_loss=False,
        clip_param=0.2,
        grad_clip=0.5,
    )  # fmt: skip
    .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64], fcnet_activation="tanh"))
    .debugging(seed=args.seed)
)
algorithm = config.build_algo()
steps = 0
while steps < args.steps:
    result = algorithm.train()
    steps = result["env_runners"]["num_env_steps_sampled_lifetime"]
    print(f"{steps:>8.0f} steps, mean return: {result['env_runners'].get('episode_return_mean', 0.0):.2f}", flush=True)

policy = Policy(algorithm.get_module())
for name, make_policy in {
    "PPO": lambda env: policy,
    "scripted": lambda env: rlx.make_expert(env, "scripted"),
    "random": lambda env: rlx.make_expert(env, "random"),
}.items():
    returns = evaluate(make_policy, ENV_ID, {}, args.episodes).returns
    print(f"{name}: {np.mean(returns):.2f} ± {np.std(returns):.2f}")
