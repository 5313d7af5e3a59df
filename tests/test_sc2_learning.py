"""What learners need of the mini-games: pixels aimed at are those that are shown, and tuned arguments learn."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import rlx  # noqa: F401  # registers its environments
from rlx.baselines.evaluation import evaluate
from rlx.baselines.learners import fill_args, learners_for, make_learner

pytestmark = pytest.mark.xdist_group("sc2")  # compiled once

LAYERS: dict[str, Any] = {
    "action": "screen",
    "observation": "layers",
    "screen": 16,
    "screen_layers": ["player_relative"],
    "minimap_layers": [],
}
SELF, NEUTRAL, HOSTILE = 1, 3, 4


def aim(picture: np.ndarray) -> int:
    """Return the pixel of those of others that is nearest to the marines; where there is none, nothing."""
    own, others = np.argwhere(picture == SELF), np.argwhere(np.isin(picture, (NEUTRAL, HOSTILE)))
    if not len(own) or not len(others):
        return 0
    row, column = others[((others - own.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return int(1 + row * picture.shape[1] + column)


@pytest.mark.parametrize(("game", "least"), [("MoveToBeacon", 20), ("CollectMineralShards", 90), ("DefeatRoaches", 25)])
def test_pixels_are_where_they_are_shown(game: str, least: float):
    """Who aims at the nearest pixel of a beacon, a shard or an enemy does well; at another it hardly ever would."""
    envs = gymnasium.make_vec(f"rlx/SC2-{game}-v0", 10, **LAYERS)
    assert envs.single_action_space == gymnasium.spaces.Discrete(1 + 16 * 16)
    observation, _ = envs.reset(seed=0)
    total, is_live = np.zeros(10), np.ones(10, bool)
    for _ in range(240):
        assert envs.observation_space.contains(observation)
        actions = np.array([aim(pictures[0]) for pictures in observation["feature_screen"]])
        observation, reward, terminated, truncated, _ = envs.step(actions)
        total += reward * is_live
        is_live &= ~(terminated | truncated)
    assert total.mean() > least


def test_pixels_without_a_picture_of_their_kind_are_refused():
    with pytest.raises(TypeError, match="tells 257 actions apart here, not 1025"):
        args = {"network": "fullyconv", "num_envs": 1}
        make_learner("ppo", "rlx/SC2-MoveToBeacon-v0", {**LAYERS, "action": "grid", "cells": 32}, args)


@pytest.mark.parametrize("game", ["MoveToBeacon", "CollectMineralShards", "DefeatRoaches"])
def test_what_trains_by_default(game: str):
    assert learners_for(f"rlx/SC2-{game}-v0", {})[0] == "ppo"
    pointing = learners_for(f"rlx/SC2-{game}-v0", {"action": "point"})
    assert set(pointing) == {"ddpg", "ppo", "sindy_rl"}
    assert pointing[0] == ("ppo" if game == "DefeatRoaches" else "ddpg")  # which has settings of DDPG


@pytest.mark.slow
def test_ddpg_walks_to_beacons():
    """A tenth of the tuned steps; 26 is what people reach, and 1 what chance does."""
    env_id, point = "rlx/SC2-MoveToBeacon-v0", {"action": "point"}
    args = fill_args("ddpg", env_id, {})
    learner = make_learner("ddpg", env_id, point, vars(args))
    learner.learn(60_000, lambda step: None)
    assert np.mean(evaluate(lambda env: learner.policy, env_id, point, 20).returns) > 22.0
