"""The mini-games as environments: the contract through every interface, arguments, and an agent for each marine."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pettingzoo
import pytest
from gymnasium.error import InvalidAction
from pettingzoo.test import parallel_api_test, parallel_seed_test

from rlx.envs.sc2 import experts, marines_v0
from rlx.envs.sc2.env import SC2Env, SC2VectorEnv
from rlx.envs.sc2.params import GAMES, MARINE, SHARD
from rlx.registry.catalog import register_all
from rlx.registry.checks import CLAUSES, Subject, verify

pytestmark = pytest.mark.xdist_group("sc2")  # compiled once

SMALL = {"observation": "layers", "screen": 8, "minimap": 8}


@pytest.mark.parametrize(
    "game, kwargs",
    [
        ("MoveToBeacon", {"action": "functions", "scenario": {"seconds": 8.0}} | SMALL),
        ("CollectMineralShards", {"action": "point"}),
        ("FindAndDefeatZerglings", {"action": "screen", "scenario": {"seconds": 8.0}} | SMALL),
        ("DefeatRoaches", {"action": "units"}),
        ("BuildMarines", {"action": "functions", "scenario": {"seconds": 8.0}}),
    ],
)
def test_the_contract_holds_through_every_interface(game, kwargs):
    register_all()
    subject = Subject(f"rlx/SC2-{game}-v0", kwargs)
    for number, clause in CLAUSES:
        if number != "2.6":  # experts refuse some interfaces
            verify(subject, number, clause)


@pytest.mark.parametrize("game", list(GAMES))
def test_rows_are_single_environments(game):
    """Bit for bit, over whole episodes of random functions."""
    kwargs = {"game": game, "action": "functions", "scenario": {"seconds": 20.0}}
    rows = SC2VectorEnv(num_envs=3, autoreset_mode="Disabled", **kwargs)
    seen, _ = rows.reset(seed=11)
    singles = [SC2Env(**kwargs) for _ in range(3)]
    alone = [env.reset(seed=11 + i)[0] for i, env in enumerate(singles)]
    rng = np.random.default_rng(0)
    for _ in range(40):
        assert np.array_equal(seen, np.stack(alone))
        actions = rng.integers(rows.single_action_space.nvec, size=(3, len(rows.single_action_space.nvec)))
        actions[:, 0] = rng.choice([0, 2, 3, 4, 7, 12, 331, 451, 264, 490, 91], 3)
        seen, reward, terminated, truncated, _ = rows.step(actions)
        alone, rewards, ends, _, _ = zip(*(env.step(a) for env, a in zip(singles, actions, strict=True)), strict=True)
        assert reward.tolist() == list(rewards)
        if terminated.any() or truncated.any():
            break


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"game": "Beacon"}, "game = 'Beacon'"),
        ({"action": "joystick"}, "action = 'joystick'"),
        ({"action": "economy"}, 'action = "economy": MoveToBeacon has none'),
        ({"game": "BuildMarines", "action": "grid"}, "action = 'grid': BuildMarines has no army"),
        ({"observation": "sound"}, "observation = 'sound'"),
        ({"step_mul": 0}, "step_mul = 0: a whole number from 1"),
        ({"cells": 65}, "cells = 65: a whole number from 1 to 64"),
        ({"screen": 4}, "screen = 4: a number of pixels from 8 to 256"),
        ({"scenario": {"dragons": 1}}, "scenario: the field"),
        ({"scenario": {"right": 23.0}}, "at least 8 by 8 cells"),
        ({"screen_layers": ["smell"]}, "screen_layers: the layer"),
    ],
)
def test_wrong_arguments_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        SC2Env(**arguments)


def test_a_scenario_is_another_game():
    env = SC2Env("DefeatRoaches", scenario={"marines": 12, "roaches": 7, "seconds": 10.0, "loss": -2.0})
    env.reset(seed=0)
    assert (env.state["kind"] == MARINE).sum() == 12
    assert env.action_space.n == 1 + 7 + 2 * 256
    steps = 0
    while not env.step(0)[3]:
        steps += 1
    assert steps == 19


def test_hidden_enemies_cannot_be_named():
    """Orders count the enemies that are seen, in the order of the observation."""
    env = SC2Env("FindAndDefeatZerglings", "units", step_mul=1)
    for seed in range(10):
        env.reset(seed=seed)
        number = len(experts.look(env).foes)
        action = np.zeros(3, np.int64)
        action[0] = 9 + number
        env.step(action)
        assert env.state["target"][0] == -1
        action[0] = 9 + number - 1
        env.step(action)
        assert env.state["target"][0] >= 0


# ------------------------------------------------------------------------------------------- an agent for each marine


@pytest.mark.parametrize("game", marines_v0.FIGHTS)
def test_pettingzoo_agrees(game):
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        # Names are for marines that may join.
        warnings.filterwarnings("ignore", message="No agents present but not all possible_agents")
        parallel_api_test(marines_v0.parallel_env(game), num_cycles=400)
        parallel_seed_test(lambda: marines_v0.parallel_env(game), num_cycles=100)


@pytest.mark.skipif(not hasattr(pettingzoo, "register"), reason="PettingZoo has a registry since 1.27")
def test_it_is_registered():
    assert pettingzoo.make("parallel", "rlx/sc2_marines_v0").possible_agents[0] == "marine_0"


def test_without_pettingzoo_it_says_what_to_install():
    code = "import sys; sys.modules['pettingzoo'] = None; import rlx.envs.sc2.marines_v0"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode != 0
    assert 'DependencyNotInstalled: The marines need PettingZoo: pip install "rlx[pettingzoo]"' in child.stderr


def attack_nearest(env):
    return dict.fromkeys(env.agents, 9)


@pytest.mark.parametrize("game", marines_v0.FIGHTS)
def test_rewards_are_shared_and_the_fallen_leave(game):
    env = marines_v0.parallel_env(game)
    joined = set()
    for seed in range(5):
        _, infos = env.reset(seed=seed)
        agents, total = set(env.agents), 0.0
        while env.agents:
            observations, rewards, terminations, truncations, infos = env.step(attack_nearest(env))
            assert len(set(rewards.values())) == 1
            total += next(iter(rewards.values()))
            fallen = {agent for agent, is_over in terminations.items() if is_over}
            assert fallen <= agents
            is_truncated = any(truncations.values())
            assert is_truncated == all(truncations.values())
            agents = (agents | set(observations)) - fallen
            assert set(env.agents) == (set() if is_truncated else agents)
            joined |= agents
        signals = next(iter(infos.values()))["signals"]
        assert total == signals["score"]
    if game == "DefeatRoaches":
        assert len(joined) > 9


def test_nearest_foes_come_first_and_are_attacked():
    env = marines_v0.parallel_env("FindAndDefeatZerglings", step_mul=1)
    for seed in range(5):
        observations, infos = env.reset(seed=seed)
        first = 4 + 4 * 2
        for agent, seen in observations.items():
            foes = seen["observation"][first:].reshape(25, 7)
            number = int(foes[:, 0].sum())
            away = np.linalg.norm(foes[:number, 1:3], axis=1)
            assert (np.diff(away) >= -1e-6).all() and away.max() * 10.0 <= 9.376 + 2.0
            assert infos[agent]["action_mask"].sum() == 1 + 8 + number
        if infos["marine_0"]["action_mask"][9]:
            foe = observations["marine_0"]["observation"][first + 1 : first + 3] * 10.0
            env.step({"marine_0": 9})
            state = env._game.state
            target = state["target"][0]
            way = np.array([state["x"][target] - state["x"][0], state["y"][target] - state["y"][0]])
            assert np.linalg.norm(way - foe) < 0.5


def test_a_saved_state_goes_on_the_same():
    env = marines_v0.parallel_env("DefeatRoaches")
    env.reset(seed=2)
    for _ in range(25):
        env.step(attack_nearest(env))
    state = pickle.loads(pickle.dumps(env.save_state()))
    futures = []
    for other in (env, env, marines_v0.parallel_env("DefeatRoaches")):
        other.load_state(state)
        future = []
        while other.agents and len(future) < 100:
            future.append(repr(other.step(attack_nearest(other))))
        futures.append(future)
    assert futures[0] == futures[1] == futures[2] and len(futures[0]) > 10
    with pytest.raises(TypeError, match="load_state needs what save_state"):
        env.load_state(None)


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"game": "MoveToBeacon"}, "game = 'MoveToBeacon'"),
        ({"most_agents": 3}, "most_agents = 3: the game starts with 9"),
    ],
)
def test_wrong_arguments_of_marines_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        marines_v0.parallel_env(**arguments)


def test_what_is_no_action_is_refused():
    env = SC2Env("DefeatRoaches")
    env.reset(seed=0)
    with pytest.raises(InvalidAction):
        env.step(env.action_space.n)


def test_the_nearest_shard_is_told_first():
    env = SC2Env("CollectMineralShards")
    for seed in range(10):
        observation, _ = env.reset(seed=seed)
        marine, shards = observation[1:3], observation[10:].reshape(-1, 7)[:, 1:3]
        away = np.linalg.norm((shards - marine) * [11.0, 8.0], axis=1)
        assert (np.diff(away) > -1e-4).all()
        state = env.state
        there = state["kind"] == SHARD
        places = np.stack([(state["x"][there] - 33.0) / 11.0, (state["y"][there] - 28.0) / 8.0], axis=1)
        np.testing.assert_allclose(shards[np.lexsort(shards.T)], places[np.lexsort(places.T)], atol=1e-6)
