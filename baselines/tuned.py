"""Arguments found by tuning: what `rlx train` and `rlx compare` use for an environment unless told otherwise."""

from __future__ import annotations

from typing import Any

#: What reads the tiles of the roguelike in learners from datasets: narrow, for a dataset is soon known by heart.
_CLONE_TILES = {"steps": 1_500, "network": "onehot", "width": 0.25, "hidden_sizes": (64,), "batch_size": 128}

#: (algorithm, environment) -> arguments that differ from the algorithm's defaults; of an environment, the one to choose
#: first comes first.
TUNED: dict[tuple[str, str], dict[str, Any]] = {
    # 50 000 updates, some two minutes of one core. Without short episodes, held actions, the saturation penalty, the
    # larger actor rate or the third layer, runs leave the limits or stay far behind: see
    # docs/results/electric_motor_ddpg_settings.md.
    ("ddpg", "rlx/ElectricMotorPaper2019-v0"): {
        "steps": 16_000_000,
        "num_envs": 64,
        "action_repeat": 5,
        "episode_steps": 1_000,
        "hidden_sizes": (64, 64, 64),
        "gamma": 0.85,
        "error_bound": 5.0,
        "reward_shift": -1.0,
        "replay_size": 1_000_000,
        "update_ratio": 1 / 64,
        "warmup": 6_400,
        "actor_rate": 3e-4,
        "final_rate": 0.03,
        "saturation_penalty": 0.1,
        "noise_start": 0.5,
        "noise_end": 0.2,
        "noise_fraction": 0.8,
    },
    # 2 400 updates, a minute of one core. What mattered: the saturation penalty, without which scores run to where a
    # softmax is flat. A sight of ten days gives trades time to earn their costs. Found in synthetic markets, where it
    # comes close to what is best; recorded days it learns by heart.
    ("ddpg", "rlx/Portfolio-v0"): {
        "steps": 160_000,
        "num_envs": 64,
        "network": "assets",
        "hidden_sizes": (64, 64),
        "gamma": 0.9,
        "reward_scale": 100.0,
        "batch_size": 256,
        "replay_size": 40_000,
        "update_ratio": 1 / 64,
        "warmup": 6_400,
        "actor_rate": 3e-4,
        "final_rate": 0.1,
        "saturation_penalty": 1.0,
    },
    # 7 400 updates, two minutes of one core, on the program that is the default. What mattered: gamma a little below 1,
    # few random actions at the end, for an episode has many moves, and rewards of the order of 1.
    ("dqn", "rlx/MallocGame-v0"): {
        "steps": 60_000,
        "gamma": 0.99,
        "n_steps": 10,
        "reward_scale": 20.0,
        "replay_size": 30_000,
        "update_ratio": 0.125,
        "rate": 5e-4,
        "epsilon_end": 0.01,
    },
    # One and four minutes of one core. What mattered: integers told one-hot, which is as good as convolutions and many
    # times as fast, rewards of the order of 1, little entropy and many updates; against the random target, which is no
    # threat, also a short sight; against the chaser, two layers, and advantages that trust the critic soon.
    ("ppo", "rlx/RoguelikeNPC-Paper-v0"): {
        "steps": 300_000,
        "network": "onehot",
        "hidden_sizes": (64,),
        "gamma": 0.95,
        "gae_lambda": 0.9,
        "reward_scale": 0.1,
        "epochs": 6,
        "batch_size": 256,
        "entropy_weight": 0.001,
        "rate": 2e-3,
    },
    ("ppo", "rlx/RoguelikeNPC-v0"): {
        "steps": 1_200_000,
        "num_envs": 128,
        "rollout_steps": 32,
        "network": "onehot",
        "hidden_sizes": (128, 128),
        "activation": "relu",
        "gamma": 0.97,
        "gae_lambda": 0.8,
        "reward_scale": 0.1,
        "epochs": 5,
        "batch_size": 256,
        "entropy_weight": 0.003,
        "rate": 7e-4,
    },
    # For datasets of `rlx record`, mixed ones above all. What mattered for the motor: a short sight, since a voltage is
    # felt at once, and advantages that weigh much, for most actions there are random.
    ("bc", "rlx/ElectricMotorPmsmCurrent-v0"): {"steps": 5_000, "hidden_sizes": (64, 64)},
    ("iql", "rlx/ElectricMotorPmsmCurrent-v0"): {
        "steps": 5_000,
        "hidden_sizes": (64, 64),
        "gamma": 0.8,
        "expectile": 0.9,
        "sharpness": 10.0,
        "reward_scale": 10.0,
        "tau": 0.02,
    },
    ("bc", "rlx/RoguelikeNPC-v0"): _CLONE_TILES,
    ("iql", "rlx/RoguelikeNPC-v0"): {**_CLONE_TILES, "gamma": 0.95, "expectile": 0.8, "tau": 0.02},
    # Eight minutes of one core, for two thirds of what PPO reaches in as many steps. Probabilities of intervals, few
    # updates and a small learning rate: with twice as many, or plain values, it stayed at three in ten.
    ("dqn", "rlx/RoguelikeNPC-v0"): {
        "steps": 600_000,
        "num_envs": 32,
        "network": "onehot",
        "width": 0.5,
        "hidden_sizes": (128, 128),
        "gamma": 0.97,
        "bins": 51,
        "value_low": -0.3,
        "value_high": 1.1,
        "reward_scale": 0.1,
        "batch_size": 256,
        "replay_size": 300_000,
        "update_ratio": 0.05,
        "rate": 3e-4,
        "epsilon_end": 0.02,
        "epsilon_fraction": 0.3,
    },
    # Twenty seconds of one core, most of it practice on the surrogate. What mattered: cubic dynamics, for which the
    # rotation of an angle is nearly exact, and rewards of the order of 1.
    ("sindy_rl", "Pendulum-v1"): {"steps": 3_000, "degree": 3, "reward_degree": 4, "reward_scale": 0.1},
    # A minute. What mattered: many updates of the policy, for the model is good long before the policy is.
    ("sindy_rl", "rlx.baselines.swingup:CartPoleSwingUp-v0"): {
        "steps": 4_000,
        "hold": 5,
        "collect": 500,
        "degree": 3,
        "threshold": 0.02,
        "reward_degree": 4,
        "reward_after": True,
        "practice": 20_000,
        "update_ratio": 1 / 4,
        "gamma": 0.98,
        "actor_rate": 1e-3,
        "final_rate": 0.03,
    },
}

# Where the best weights differ between assets, the network has to know which is which.
TUNED |= {
    ("ddpg", f"rlx/Portfolio{market}-v0"): {**TUNED["ddpg", "rlx/Portfolio-v0"], "network": "named-assets"}
    for market in ("Pair", "Regimes")
}
TUNED["ddpg", "rlx/PortfolioSynthetic-v0"] = TUNED["ddpg", "rlx/Portfolio-v0"]

# One or two minutes of one core on small pages. What mattered: failing costs nothing, or runs learn that doing nothing
# is safer; and the oracle leads at first, for success is rare where several things have to be right.
_QWEB = {"steps": 50_000, "epsilon_fraction": 0.1, "reward": "success", "lead": 0.95, "margin": 0.1}
_PAGES = (
    "", "BookFlight", "ClickCheckboxes", "ClickDialog", "ClickOption", "ClickTab", "EmailInbox", "EnterDate",
    "EnterText", "LoginUser", "SocialMedia",
)  # fmt: skip
TUNED |= {("qweb", f"rlx/WebNav{page}-v0"): _QWEB for page in _PAGES}

# StarCraft II mini-games: less than a minute of one core each, decisions half a second apart. What mattered: a short
# sight, for a reward is a few decisions away, little entropy, which is large with hundreds of actions, and many
# environments. PPO on the grid, which is what acts by default; DDPG points (`action="point"`), before PPO.
_MINI_GAME = {
    "num_envs": 128,
    "rollout_steps": 32,
    "hidden_sizes": (128, 128),
    "activation": "relu",
    "gae_lambda": 0.9,
    "batch_size": 1024,
    "entropy_weight": 5e-4,
    "rate": 1e-3,
}
_MINI_GAME_VALUES = {
    "num_envs": 64,
    "hidden_sizes": (128, 128),
    "batch_size": 128,
    "update_ratio": 1 / 32,
    "warmup": 6_400,
}
_POINTING = {
    "num_envs": 64,
    "gamma": 0.9,
    "update_ratio": 1 / 32,
    "warmup": 6_400,
    "actor_rate": 3e-4,
    "saturation_penalty": 0.1,
    "noise_start": 0.5,
    "noise_end": 0.1,
}
TUNED |= {
    ("ddpg", "rlx/SC2-MoveToBeacon-v0"): {
        **_POINTING,
        "steps": 150_000,
        "replay_size": 150_000,
        "hidden_sizes": (64, 64),
    },
    ("ddpg", "rlx/SC2-CollectMineralShards-v0"): {
        **_POINTING,
        "steps": 300_000,
        "replay_size": 300_000,
        "hidden_sizes": (128, 128),
    },
    ("ppo", "rlx/SC2-MoveToBeacon-v0"): {**_MINI_GAME, "steps": 800_000, "gamma": 0.9, "temperature": 0.3},
    ("ppo", "rlx/SC2-CollectMineralShards-v0"): {**_MINI_GAME, "steps": 800_000, "gamma": 0.9, "temperature": 0.6},
    ("ppo", "rlx/SC2-DefeatRoaches-v0"): {
        **_MINI_GAME,
        "steps": 900_000,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "reward_scale": 0.1,
        "entropy_weight": 1e-3,
    },
    ("dqn", "rlx/SC2-MoveToBeacon-v0"): {
        **_MINI_GAME_VALUES,
        "steps": 300_000,
        "gamma": 0.9,
        "replay_size": 150_000,
        "epsilon_end": 0.02,
    },
    ("dqn", "rlx/SC2-CollectMineralShards-v0"): {
        **_MINI_GAME_VALUES,
        "steps": 600_000,
        "gamma": 0.9,
        "replay_size": 300_000,
        "epsilon_end": 0.02,
    },
    ("dqn", "rlx/SC2-DefeatRoaches-v0"): {
        **_MINI_GAME_VALUES,
        "steps": 400_000,
        "gamma": 0.98,
        "n_steps": 5,
        "reward_scale": 0.1,
        "replay_size": 400_000,
        "epsilon_end": 0.01,
    },
}

# The usual settings for Gymnasium's bodies, with rewards and observations normalised. Pendulum: 15 seconds of one core;
# the walkers four minutes.
_BODY = {
    "num_envs": 16,
    "rollout_steps": 128,
    "normalize_rewards": True,
    "epochs": 10,
    "batch_size": 256,
    "entropy_weight": 0.0,
}
TUNED |= {
    ("ppo", "Pendulum-v1"): {
        **_BODY,
        "steps": 100_000,
        "num_envs": 8,
        "gamma": 0.9,
        "batch_size": 128,
        "rate": 1e-3,
    },
    **{("ppo", env_id): _BODY for env_id in ("Hopper-v5", "Walker2d-v5")},
}

# Tasks in temporal logic: two to five minutes of one core for the neural predictive controller; half a minute for DDPG,
# which is there for contrast and was hardly tuned.
_UPDATES = {"Traffic": 4_000, "Maze": 2_000, "ShipSafe": 2_000, "ShipTrack": 3_500, "Rover": 2_400, "Arm": 2_400}
_LENGTHS = {"Traffic": 25, "Maze": 25, "ShipSafe": 20, "ShipTrack": 20, "Rover": 10, "Arm": 10}
TUNED |= {
    ("stl_npc", f"rlx/STL-{task}-v0"): {"steps": updates * 256 * _LENGTHS[task]} for task, updates in _UPDATES.items()
}
TUNED |= {
    ("ddpg", f"rlx/STL-{task}-v0"): {
        "steps": 640_000,
        "num_envs": 64,
        "hidden_sizes": (128, 128),
        "update_ratio": 1 / 64,
        "warmup": 6_400,
        "actor_rate": 3e-4,
        "final_rate": 0.1,
        "saturation_penalty": 0.1,
        "noise_end": 0.1,
    }
    for task in _LENGTHS
}
# Half of the starts are won by no controller, and searched in vain.
TUNED["stl_npc", "rlx/STL-ShipTrack-v0"]["backup_rounds"] = 5
